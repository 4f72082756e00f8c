#include "access/limit.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <string.h>

enum { MINUTE_MS = 60000, HOUR_MS = 3600000 };

/* What is no address (a test, a socket that went) shares one key. */
static void key_make(const char *peer, unsigned char key[16])
{
    struct in6_addr six;
    memset(key, 0, 16);
    if (peer && inet_pton(AF_INET, peer, key + 12) == 1) {
        key[10] = key[11] = 0xFF;
    } else if (peer && inet_pton(AF_INET6, peer, &six) == 1) {
        memcpy(key, &six, IN6_IS_ADDR_V4MAPPED(&six) ? 16 : 8);
    }
}

static void drop_old(int64_t *at_ms, size_t *n, int64_t before_ms)
{
    size_t old = 0;
    while (old < *n && at_ms[old] <= before_ms)
        old++;
    memmove(at_ms, at_ms + old, (*n - old) * sizeof *at_ms);
    *n -= old;
}

static void take_out(int64_t *at_ms, size_t *n, int64_t then_ms)
{
    for (size_t i = *n; i-- > 0;)
        if (at_ms[i] == then_ms) {
            memmove(at_ms + i, at_ms + i + 1, (*n - i - 1) * sizeof *at_ms);
            (*n)--;
            return;
        }
}

static struct limit_peer *peer_find(struct limit *limit, const unsigned char key[16])
{
    for (size_t i = 0; i < limit->n_peers; i++)
        if (memcmp(limit->peers[i].key, key, 16) == 0)
            return &limit->peers[i];
    return NULL;
}

static int64_t last_ms(const struct limit_peer *peer)
{
    return peer->n ? peer->at_ms[peer->n - 1] : INT64_MIN;
}

static struct limit_peer *peer_get(struct limit *limit, const unsigned char key[16])
{
    struct limit_peer *peer = peer_find(limit, key);
    if (peer)
        return peer;
    if (limit->n_peers < LIMIT_PEERS) {
        peer = &limit->peers[limit->n_peers++];
    } else { /* in the place of who tried longest ago */
        peer = &limit->peers[0];
        for (size_t i = 1; i < LIMIT_PEERS; i++)
            if (last_ms(&limit->peers[i]) < last_ms(peer))
                peer = &limit->peers[i];
    }
    memset(peer, 0, sizeof *peer);
    memcpy(peer->key, key, 16);
    return peer;
}

/* Until fewer than max of the tries lie within the span. */
static int64_t wait_ms(const int64_t *at_ms, size_t n, size_t max, int64_t span_ms, int64_t now_ms)
{
    if (n < max)
        return 0;
    int64_t free_ms = at_ms[n - max] + span_ms;
    return free_ms > now_ms ? free_ms - now_ms : 0;
}

int64_t limit_try(struct limit *limit, const char *peer_text, int64_t now_ms)
{
    unsigned char key[16];
    key_make(peer_text, key);
    struct limit_peer *peer = peer_get(limit, key);
    drop_old(peer->at_ms, &peer->n, now_ms - HOUR_MS);
    drop_old(limit->at_ms, &limit->n, now_ms - MINUTE_MS);
    int64_t minute = wait_ms(peer->at_ms, peer->n, LIMIT_PEER_MINUTE, MINUTE_MS, now_ms);
    int64_t hour = wait_ms(peer->at_ms, peer->n, LIMIT_PEER_HOUR, HOUR_MS, now_ms);
    int64_t all = wait_ms(limit->at_ms, limit->n, LIMIT_ALL_MINUTE, MINUTE_MS, now_ms);
    int64_t wait = minute > hour ? minute : hour;
    if (all > wait)
        wait = all;
    if (wait)
        return wait;
    peer->at_ms[peer->n++] = now_ms;
    limit->at_ms[limit->n++] = now_ms;
    return 0;
}

void limit_give_back(struct limit *limit, const char *peer_text, int64_t then_ms)
{
    unsigned char key[16];
    key_make(peer_text, key);
    struct limit_peer *peer = peer_find(limit, key);
    if (peer)
        take_out(peer->at_ms, &peer->n, then_ms);
    take_out(limit->at_ms, &limit->n, then_ms);
}

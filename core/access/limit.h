/* How often somebody may be wrong: 5 times a minute and 20 an hour for each peer, 60 a minute in
 * all. A try counts when it begins; who was right gets it back. Bounded: the peers that tried last
 * are remembered. Thread: loop. */
#ifndef SHEP_ACCESS_LIMIT_H
#define SHEP_ACCESS_LIMIT_H

#include <stddef.h>
#include <stdint.h>

enum {
    LIMIT_PEER_MINUTE = 5,
    LIMIT_PEER_HOUR = 20,
    LIMIT_ALL_MINUTE = 60,
    LIMIT_PEERS = 1200 /* 60 a minute for 20 minutes, each from another address */
};

struct limit_peer {
    unsigned char key[16];          /* the address; of IPv6 its /64, which one customer has whole */
    int64_t at_ms[LIMIT_PEER_HOUR]; /* oldest first */
    size_t n;
};
struct limit {
    struct limit_peer peers[LIMIT_PEERS];
    size_t n_peers;
    int64_t at_ms[LIMIT_ALL_MINUTE];
    size_t n;
};

/* 0: it may be tried, and counts as tried; else milliseconds to wait. */
int64_t limit_try(struct limit *limit, const char *peer, int64_t now_ms);
/* The try of then was right. */
void limit_give_back(struct limit *limit, const char *peer, int64_t then_ms);
#endif

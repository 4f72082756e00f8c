/* Reading from ports in batches. A flock of a hundred miners says a line every millisecond; to wake
 * for each would cost more than to parse it. So the descriptors of streams lie in an epoll set of
 * their own: the first byte after a pause is read at once, then the set is looked at every
 * STREAM_GATE_MS for as long as there is something in it. A port that gave a full buffer makes the
 * next look come at once (loop_hurry()): nothing has to wait in the kernel's 4 KiB. Thread: loop.
 */
#include "loop/internal.h"

#include <unistd.h>

enum { STREAM_GATE_MS = 20 }; /* 115,200 baud are 230 bytes in that time */

static void gate_arm(struct loop *loop, int64_t wait_ms)
{
    struct timeval wait = {.tv_usec = wait_ms * 1000};
    event_add(loop->streams.gate, &wait);
}

/* Entries of watches that are freed meanwhile become NULL (stream_remove). */
static int run_batch(struct loop *loop)
{
    struct streams *streams = &loop->streams;
    int n = epoll_wait(streams->epoll_fd, streams->batch, STREAM_BATCH, 0);
    streams->n_batch = n > 0 ? n : 0;
    for (int i = 0; i < streams->n_batch; i++) {
        struct loop_watch *watch = streams->batch[i].data.ptr;
        if (watch)
            watch_call(watch, SHEP_WATCH_READ);
    }
    streams->n_batch = 0;
    return n > 0 ? n : 0;
}

static void on_streams(evutil_socket_t fd, short what, void *arg)
{
    struct loop *loop = arg;
    struct streams *streams = &loop->streams;
    streams->hurry = false;
    int n = run_batch(loop);
    if (loop->choked)
        return; /* streams_choke() starts again */
    if (n > 0) {
        event_del(streams->ready);
        gate_arm(loop, streams->hurry || n == STREAM_BATCH ? 0 : STREAM_GATE_MS);
    } else {
        event_add(streams->ready, NULL);
    }
}

void loop_hurry(struct loop *loop)
{
    loop->streams.hurry = true;
}

bool stream_add(struct loop_watch *watch)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = watch};
    return epoll_ctl(watch->loop->streams.epoll_fd, EPOLL_CTL_ADD, watch->fd, &event) == 0;
}

void stream_remove(struct loop_watch *watch)
{
    struct streams *streams = &watch->loop->streams;
    epoll_ctl(streams->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
    for (int i = 0; i < streams->n_batch; i++)
        if (streams->batch[i].data.ptr == watch)
            streams->batch[i].data.ptr = NULL;
}

void streams_choke(struct loop *loop)
{
    struct streams *streams = &loop->streams;
    event_del(streams->ready);
    event_del(streams->gate);
    if (!loop->choked)
        event_add(streams->ready, NULL);
}

void streams_open(struct loop *loop)
{
    struct streams *streams = &loop->streams;
    streams->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (streams->epoll_fd < 0)
        abort(); /* out of descriptors at start-up */
    streams->batch = shep_alloc_array(STREAM_BATCH, sizeof *streams->batch);
    streams->ready =
        event_new(loop->base, streams->epoll_fd, EV_READ | EV_PERSIST, on_streams, loop);
    streams->gate = evtimer_new(loop->base, on_streams, loop);
    event_add(streams->ready, NULL);
}

void streams_close(struct loop *loop)
{
    event_free(loop->streams.ready);
    event_free(loop->streams.gate);
    close(loop->streams.epoll_fd);
    free(loop->streams.batch);
}

#include "unit/check.h"

#include "loop/loop.h"
#include "util/clock.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

static struct loop_owner owner = {.name = "test"};

static void run_until(struct loop *loop, const volatile int *counter, int wanted)
{
    int64_t deadline_ms = clock_mono_ms() + 10000;
    while (*counter < wanted && clock_mono_ms() < deadline_ms)
        loop_run_once(loop, 50);
    assert_true(*counter >= wanted);
}

static void count(void *arg)
{
    (*(int *)arg)++;
}

static void timers_repeat_and_end(void **state)
{
    struct loop *loop = loop_new(1);
    int once = 0, often = 0;
    loop_timer_new(loop, &owner, 1, 0, count, &once);
    struct loop_timer *timer = loop_timer_new(loop, &owner, 1, 1, count, &often);
    run_until(loop, &often, 5);
    assert_int_equal(once, 1);
    loop_timer_free(timer);
    struct loop_stats stats;
    loop_stats_get(loop, &stats);
    assert_int_equal(stats.n_timers, 0);
    loop_free(loop);
}

struct order {
    int seen[3000], n;
};
struct posting {
    struct loop *loop;
    struct order *order;
    int value;
};

static void take(void *arg)
{
    struct posting *posting = arg;
    posting->order->seen[posting->order->n++] = posting->value;
    free(posting);
}

static void *post_many(void *arg)
{
    struct posting *from = arg;
    for (int i = 0; i < 1000; i++) {
        struct posting *posting = shep_alloc(sizeof *posting);
        *posting = (struct posting){from->loop, from->order, from->value * 1000 + i};
        loop_post(from->loop, take, posting);
    }
    return NULL;
}

static void posts_of_a_thread_keep_their_order(void **state)
{
    struct loop *loop = loop_new(1);
    struct order *order = shep_alloc(sizeof *order);
    pthread_t threads[3];
    struct posting from[3];
    for (int i = 0; i < 3; i++) {
        from[i] = (struct posting){loop, order, i};
        pthread_create(&threads[i], NULL, post_many, &from[i]);
    }
    run_until(loop, &order->n, 3000);
    int next[3] = {0, 1000, 2000};
    for (int i = 0; i < 3000; i++)
        assert_int_equal(order->seen[i], next[order->seen[i] / 1000]++);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    free(order);
    loop_free(loop);
}

struct job {
    pthread_t loop_thread, run_thread, done_thread;
    int done;
};

static void job_run(void *arg)
{
    ((struct job *)arg)->run_thread = pthread_self();
}

static void job_done(void *arg)
{
    ((struct job *)arg)->done_thread = pthread_self();
    ((struct job *)arg)->done++;
}

static void jobs_run_elsewhere_and_end_here(void **state)
{
    struct loop *loop = loop_new(1);
    struct job job = {.loop_thread = pthread_self()};
    assert_int_equal(loop_work(loop, &owner, job_run, job_done, &job), 0);
    run_until(loop, &job.done, 1);
    assert_false(pthread_equal(job.run_thread, job.loop_thread));
    assert_true(pthread_equal(job.done_thread, job.loop_thread));
    loop_free(loop);
}

static void jobs_are_bounded_and_finished_at_the_end(void **state)
{
    struct loop *loop = loop_new(0); /* no worker: jobs only wait */
    struct job job = {0};
    int taken = 0;
    while (loop_work(loop, &owner, job_run, job_done, &job) == 0)
        taken++;
    assert_int_equal(taken, 256);
    assert_int_equal(loop_work_waiting(loop), 256);
    loop_work_finish(loop);
    assert_int_equal(job.done, 256);
    assert_int_equal(loop_work(loop, &owner, job_run, job_done, &job), SHEP_E_LIMIT);
    loop_free(loop);
}

static void job_blocks(void *arg)
{
    char byte;
    assert_int_equal(read(*(int *)arg, &byte, 1), 1);
}

static void job_unblocked(void *arg)
{
    *(int *)arg = -1;
}

static void a_job_that_blocks_is_not_waited_for_for_ever(void **state)
{
    struct loop *loop = loop_new(1);
    int pipe_fds[2], fd;
    assert_int_equal(pipe(pipe_fds), 0);
    fd = pipe_fds[0];
    assert_int_equal(loop_work(loop, &owner, job_blocks, job_unblocked, &fd), 0);
    assert_false(loop_work_finish_by(loop, 10));
    assert_int_equal(fd, pipe_fds[0]);
    assert_int_equal(write(pipe_fds[1], "x", 1), 1);
    assert_true(loop_work_finish_by(loop, 60000));
    assert_int_equal(fd, -1);
    loop_free(loop);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

struct gate {
    pthread_mutex_t lock;
    pthread_cond_t opened;
    bool open;
};

struct hanging {
    struct gate *gate;
    int *n_done;
};

static void job_hangs(void *arg)
{
    struct gate *gate = ((struct hanging *)arg)->gate;
    pthread_mutex_lock(&gate->lock);
    while (!gate->open)
        pthread_cond_wait(&gate->opened, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
}

static void job_hung(void *arg)
{
    ++*((struct hanging *)arg)->n_done;
}

static void jobs_that_hang_hold_up_nobody(void **state)
{
    struct loop *loop = loop_new(2);
    struct gate gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};
    int n_done = 0;
    struct hanging hanging = {&gate, &n_done};
    struct job last_of_all = {0}, sure = {0}, too_many = {0};
    for (int i = 0; i < LOOP_HANG_MAX - 1; i++)
        assert_int_equal(loop_work_may_hang(loop, &owner, job_hangs, job_hung, &hanging), 0);
    assert_int_equal(loop_work_may_hang(loop, &owner, job_run, job_done, &last_of_all), 0);
    run_until(loop, &last_of_all.done, 1);
    assert_int_equal(loop_work_may_hang(loop, &owner, job_hangs, job_hung, &hanging), 0);
    assert_int_equal(loop_work_may_hang(loop, &owner, job_run, job_done, &too_many), 0);
    assert_int_equal(loop_work(loop, &owner, job_run, job_done, &sure), 0);
    run_until(loop, &sure.done, 1);
    assert_int_equal(too_many.done + n_done, 0);
    assert_false(loop_work_finish_by(loop, 10));
    pthread_mutex_lock(&gate.lock);
    gate.open = true;
    pthread_cond_broadcast(&gate.opened);
    pthread_mutex_unlock(&gate.lock);
    assert_true(loop_work_finish_by(loop, 60000));
    assert_int_equal(n_done, LOOP_HANG_MAX);
    assert_int_equal(too_many.done, 1);
    loop_free(loop);
}

static void read_one(int fd, uint32_t what, void *arg)
{
    char byte;
    assert_int_equal(read(fd, &byte, 1), 1);
    (*(int *)arg)++;
}

static void a_choked_loop_reads_no_streams(void **state)
{
    struct loop *loop = loop_new(1);
    int fds[2], n = 0;
    assert_int_equal(pipe(fds), 0);
    struct loop_watch *watch =
        loop_watch_new(loop, &owner, fds[0], SHEP_WATCH_READ | SHEP_WATCH_STREAM, read_one, &n);
    loop_choke(loop, true);
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_false(loop_run_once(loop, 20));
    assert_int_equal(n, 0);
    loop_choke(loop, false);
    run_until(loop, &n, 1);
    loop_watch_free(watch);
    close(fds[0]);
    close(fds[1]);
    loop_free(loop);
}

struct pair {
    struct loop_watch *watches[2];
    int calls;
};

/* Both are ready in the same batch; whoever is called first takes the other away. */
static void free_the_other(int fd, uint32_t what, void *arg)
{
    struct pair *pair = arg;
    char byte;
    pair->calls++;
    assert_int_equal(read(fd, &byte, 1), 1);
    for (int i = 0; i < 2; i++) {
        if (pair->watches[i])
            loop_watch_free(pair->watches[i]);
        pair->watches[i] = NULL;
    }
}

static void a_stream_freed_within_a_batch_is_not_called(void **state)
{
    struct loop *loop = loop_new(1);
    struct pair pair = {0};
    int fds[2][2];
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pipe(fds[i]), 0);
        assert_int_equal(write(fds[i][1], "x", 1), 1);
        pair.watches[i] = loop_watch_new(
            loop, &owner, fds[i][0], SHEP_WATCH_READ | SHEP_WATCH_STREAM, free_the_other, &pair);
    }
    run_until(loop, &pair.calls, 1);
    loop_run_once(loop, 50);
    assert_int_equal(pair.calls, 1);
    for (int i = 0; i < 2; i++) {
        close(fds[i][0]);
        close(fds[i][1]);
    }
    loop_free(loop);
}

static void a_file_is_no_stream(void **state)
{
    struct loop *loop = loop_new(1);
    int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC), n = 0;
    assert_null(
        loop_watch_new(loop, &owner, fd, SHEP_WATCH_READ | SHEP_WATCH_STREAM, read_one, &n));
    assert_null(loop_watch_new(loop, &owner, fd, SHEP_WATCH_READ, read_one, &n));
    close(fd);
    loop_free(loop);
}

static void a_sweep_takes_all_of_one_owner(void **state)
{
    struct loop *loop = loop_new(1);
    struct loop_owner other = {.name = "other"};
    int mine = 0, theirs = 0;
    loop_timer_new(loop, &owner, 1, 1, count, &mine);
    loop_timer_new(loop, &other, 1, 1, count, &theirs);
    loop_sweep(loop, &owner);
    run_until(loop, &theirs, 3);
    assert_int_equal(mine, 0);
    loop_free(loop);
}

static void waste_time(void *arg)
{
    int64_t until_us = clock_mono_us() + (LOOP_SLOW_MS + 2) * 1000;
    while (clock_mono_us() < until_us)
        ;
    (*(int *)arg)++;
}

static void slow_callbacks_are_counted(void **state)
{
    struct loop *loop = loop_new(1);
    struct loop_owner slow = {.name = "slow-test"};
    int n = 0;
    loop_timer_new(loop, &slow, 0, 0, waste_time, &n);
    run_until(loop, &n, 1);
    assert_int_equal(slow.n_slow, 1);
    assert_true(slow.max_us >= LOOP_SLOW_MS * 1000);
    loop_free(loop);
    free(slow.complaint);
}

/* ---- fetch, against a server of a few lines ---- */

static void *serve_one(void *arg)
{
    int listener = *(int *)arg;
    int fd = accept(listener, NULL, NULL);
    char request[4096];
    ssize_t n = read(fd, request, sizeof request - 1);
    request[n > 0 ? n : 0] = '\0';
    static const char small[] = "HTTP/1.1 429 Slow down\r\nRetry-After: 119\r\n"
                                "Content-Length: 4\r\nConnection: close\r\n\r\nwait";
    static const char head[] = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
    if (strncmp(request, "GET /small", 10) == 0) {
        assert_true(write(fd, small, sizeof small - 1) > 0);
    } else {
        char block[1000] = {0};
        assert_true(write(fd, head, sizeof head - 1) > 0);
        for (int i = 0; i < 200 && send(fd, block, sizeof block, MSG_NOSIGNAL) > 0; i++)
            ;
    }
    close(fd);
    return NULL;
}

struct fetched {
    int done, err, status, retry_after_s;
    char body[16];
};

static void on_fetched(const struct shep_fetch_result *result, void *arg)
{
    struct fetched *fetched = arg;
    fetched->done++;
    fetched->err = result->err;
    fetched->status = result->status;
    fetched->retry_after_s = result->retry_after_s;
    str_copy(fetched->body, sizeof fetched->body, result->body, result->body_len);
}

static struct fetched fetch(const char *path, uint32_t max_bytes, bool sweep)
{
    struct loop *loop = loop_new(1);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof addr;
    assert_int_equal(bind(listener, (struct sockaddr *)&addr, len), 0);
    assert_int_equal(listen(listener, 1), 0);
    getsockname(listener, (struct sockaddr *)&addr, &len);
    pthread_t thread;
    if (!sweep)
        pthread_create(&thread, NULL, serve_one, &listener);
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d/%s", ntohs(addr.sin_port), path);
    struct fetched fetched = {0};
    struct shep_fetch what = {.size = sizeof what, .url = url, .max_bytes = max_bytes};
    assert_int_equal(loop_fetch(loop, &owner, &what, on_fetched, &fetched), 0);
    if (sweep)
        loop_sweep(loop, &owner);
    run_until(loop, &fetched.done, 1);
    if (!sweep)
        pthread_join(thread, NULL);
    close(listener);
    loop_free(loop);
    assert_int_equal(fetched.done, 1);
    return fetched;
}

static void fetch_gives_status_and_advice(void **state)
{
    struct fetched fetched = fetch("small", 0, false);
    assert_int_equal(fetched.err, 0);
    assert_int_equal(fetched.status, 429);
    assert_int_equal(fetched.retry_after_s, 119);
    assert_string_equal(fetched.body, "wait");
}

static void fetch_stops_at_its_bound(void **state)
{
    assert_int_equal(fetch("large", 10000, false).err, SHEP_E_LIMIT);
}

static void a_sweep_ends_fetches(void **state)
{
    assert_int_equal(fetch("small", 0, true).err, SHEP_E_GONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_repeat_and_end),
        cmocka_unit_test(posts_of_a_thread_keep_their_order),
        cmocka_unit_test(jobs_run_elsewhere_and_end_here),
        cmocka_unit_test(jobs_are_bounded_and_finished_at_the_end),
        cmocka_unit_test(a_job_that_blocks_is_not_waited_for_for_ever),
        cmocka_unit_test(jobs_that_hang_hold_up_nobody),
        cmocka_unit_test(a_choked_loop_reads_no_streams),
        cmocka_unit_test(a_stream_freed_within_a_batch_is_not_called),
        cmocka_unit_test(a_file_is_no_stream),
        cmocka_unit_test(a_sweep_takes_all_of_one_owner),
        cmocka_unit_test(slow_callbacks_are_counted),
        cmocka_unit_test(fetch_gives_status_and_advice),
        cmocka_unit_test(fetch_stops_at_its_bound),
        cmocka_unit_test(a_sweep_ends_fetches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

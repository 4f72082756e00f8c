/* pty_feed PORTS [FORMS]: the load of the bench, a flock of NerdMiners on pseudo terminals.
 *
 * Prints the path of each port, one a line, then `ready`. Then it obeys lines on its standard
 * input, until that ends: feed RATE SECS MARK_MS   RATE lines a second in all, spread evenly over
 * the ports; 0: as fast as they are taken. MARK_MS > 0: the first port says nothing but a marker
 *                            every so often, and `mark NUMBER MONOTONIC_NS` is printed for each.
 * The answer is one JSON line. Nothing is dropped here: a full port is waited for, for at most
 * DRAIN_MS after the end; what then is left counts as unsent.
 *
 * The lines are those of a board without a display, eight in turn (one is `Completed`, whose
 * Khashes count 1, 2, 3 … so that a lost, doubled or exchanged line shows in the database), and
 * some chatter. C, because in Python the load would be the bottleneck. One thread, no allocation
 * while it runs. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum {
    PORTS_MAX = 4096,
    LINE_CAP = 192,
    TICK_NS = 1000000,   /* lines that are due are written once a ms */
    FLAT_OUT_TRIES = 64, /* lines to one port before the next has its turn */
    DRAIN_MS = 5000,
    FORMS = 8,
    CHATTER_EVERY = 10, /* turns of the eight lines */
    MARK_BASE = 1000000 /* marker K shows as this + K million hashes */
};

struct port {
    int master, slave; /* the slave stays open: the port must not hang up before it is opened */
    uint64_t turn;     /* of the eight lines, from 1 */
    unsigned form;
    char pending[LINE_CAP];
    size_t len, done;
    uint64_t lines, bytes;
};

static struct port ports[PORTS_MAX];
static unsigned n_ports, n_forms = FORMS;

static int64_t mono_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void sleep_until(int64_t ns)
{
    struct timespec ts = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
        ;
}

static size_t line_make(struct port *p, char *out)
{
    unsigned long turn = (unsigned long)p->turn;
    unsigned long s = turn;
    int n = 0;
    switch (p->form) {
    case 0:
        n = snprintf(out, LINE_CAP,
                     ">>> Completed %lu share(s), %lu Khashes, avg. hashrate %lu.%02lu KH/s\n",
                     turn / 77, turn, 50 + turn % 10, turn % 100);
        break;
    case 1:
        n = snprintf(out, LINE_CAP, ">>> Valid blocks: 0\n");
        break;
    case 2:
        n = snprintf(out, LINE_CAP, ">>> Block templates: %lu\n", 1 + turn / 30);
        break;
    case 3:
        n = snprintf(out, LINE_CAP, ">>> Best difficulty: %lu.%03luK\n", 1 + turn / 1000,
                     turn % 1000);
        break;
    case 4:
        n = snprintf(out, LINE_CAP, ">>> 32Bit shares: %lu\n", turn / 77);
        break;
    case 5:
        n = snprintf(out, LINE_CAP, ">>> Temperature: %lu\n", 45 + turn % 3);
        break;
    case 6:
        n = snprintf(out, LINE_CAP, ">>> Total MHashes: %lu\n", turn / 1000);
        break;
    case 7:
        n = snprintf(out, LINE_CAP, ">>> Time mining: %lu  %02lu:%02lu:%02lu\n", s / 86400,
                     s / 3600 % 24, s / 60 % 60, s % 60);
        break;
    default:
        n = snprintf(out, LINE_CAP,
                     ">>> [i] Miner: newJob>true / inRun>true) - Client: connected>true / "
                     "subscribed>true / wificonnected>true\n");
        break;
    }
    return (size_t)n;
}

static void line_next(struct port *p)
{
    p->len = line_make(p, p->pending);
    p->done = 0;
    bool chatter = p->turn % CHATTER_EVERY == 0;
    p->form = p->form + 1 == n_forms && chatter ? FORMS : p->form + 1;
    if (p->form < n_forms || (p->form == FORMS && chatter))
        return;
    p->form = 0;
    p->turn++;
}

/* True when the pending line is out whole. */
static bool push(struct port *p)
{
    ssize_t n = write(p->master, p->pending + p->done, p->len - p->done);
    if (n <= 0)
        return false;
    p->done += (size_t)n;
    if (p->done < p->len)
        return false;
    p->lines++;
    p->bytes += p->len;
    p->len = p->done = 0;
    return true;
}

static bool send_line(struct port *p)
{
    if (!p->len)
        line_next(p);
    return push(p);
}

static void mark(struct port *p, unsigned number)
{
    p->len = (size_t)snprintf(p->pending, LINE_CAP,
                              ">>> Completed 1 share(s), %lu Khashes, avg. hashrate 55.00 KH/s\n",
                              (MARK_BASE + (unsigned long)number) * 1000);
    p->done = 0;
    int64_t at = mono_ns();
    if (push(p))
        printf("mark %u %lld\n", number, (long long)at);
}

/* One line from each port in turn, `first` .. n_ports; a port that is full is left behind and gets
 * what it missed by itself, because its pending line goes out at its next turn. */
struct pace {
    unsigned next, first;
    uint64_t offered;
};

static bool offer_due(struct pace *pace, uint64_t due)
{
    unsigned full = 0;
    while (pace->offered < due && full < n_ports) {
        struct port *p = &ports[pace->next];
        pace->next = pace->next + 1 < n_ports ? pace->next + 1 : pace->first;
        if (!send_line(p)) {
            full++;
            continue;
        }
        full = 0;
        pace->offered++;
    }
    return pace->offered >= due;
}

static void flat_out(int64_t end)
{
    while (mono_ns() < end) {
        bool any = false;
        for (unsigned i = 0; i < n_ports; i++)
            for (int k = 0; k < FLAT_OUT_TRIES && send_line(&ports[i]); k++)
                any = true;
        if (!any)
            sleep_until(mono_ns() + TICK_NS / 10);
    }
}

static double paced(double rate, double secs, int64_t mark_ns)
{
    struct pace pace = {.first = mark_ns && n_ports > 1 ? 1 : 0};
    pace.next = pace.first;
    int64_t begin = mono_ns(), now = begin, tick = begin, next_mark = begin + mark_ns;
    int64_t behind_since = 0, worst = 0;
    unsigned number = 0;
    while ((double)(now - begin) < secs * 1e9) {
        if (offer_due(&pace, (uint64_t)((double)(now - begin) * rate / 1e9)))
            behind_since = 0;
        else if (!behind_since)
            behind_since = now;
        if (behind_since && now - behind_since > worst)
            worst = now - behind_since;
        if (mark_ns && now >= next_mark) {
            mark(&ports[0], ++number);
            next_mark += mark_ns;
        }
        tick += TICK_NS;
        if (tick < mono_ns())
            tick = mono_ns();
        sleep_until(tick);
        now = mono_ns();
    }
    return (double)worst / 1e6;
}

/* Lines that were begun must end, or the last one of a port would be stored in pieces. */
static unsigned drain(void)
{
    unsigned unsent = n_ports;
    int64_t end = mono_ns() + (int64_t)DRAIN_MS * 1000000;
    while (unsent && mono_ns() < end) {
        unsent = 0;
        for (unsigned i = 0; i < n_ports; i++)
            if (ports[i].len && !push(&ports[i]))
                unsent++;
        if (unsent)
            sleep_until(mono_ns() + TICK_NS);
    }
    return unsent;
}

static void feed(double rate, double secs, double mark_ms)
{
    uint64_t lines = 0, bytes = 0;
    int64_t begin = mono_ns();
    double late_ms = 0;
    for (unsigned i = 0; i < n_ports; i++)
        ports[i].lines = ports[i].bytes = 0;
    if (rate > 0)
        late_ms = paced(rate, secs, (int64_t)(mark_ms * 1e6));
    else
        flat_out(begin + (int64_t)(secs * 1e9));
    double took = (double)(mono_ns() - begin) / 1e9;
    unsigned unsent = drain();
    printf("{\"per_port\":[");
    for (unsigned i = 0; i < n_ports; i++) {
        printf("%s%llu", i ? "," : "", (unsigned long long)ports[i].lines);
        lines += ports[i].lines;
        bytes += ports[i].bytes;
    }
    printf("],\"lines\":%llu,\"bytes\":%llu,\"secs\":%.3f,\"late_ms\":%.1f,\"unsent\":%u}\n",
           (unsigned long long)lines, (unsigned long long)bytes, took, late_ms, unsent);
}

static int port_open(struct port *p)
{
    struct termios raw;
    char path[64];
    if (openpty(&p->master, &p->slave, path, NULL, NULL))
        return -1;
    tcgetattr(p->slave, &raw);
    cfmakeraw(&raw); /* no echo: what is written must not come back */
    tcsetattr(p->slave, TCSANOW, &raw);
    fcntl(p->master, F_SETFL, O_NONBLOCK);
    p->turn = 1;
    puts(path);
    return 0;
}

int main(int argc, char **argv)
{
    struct rlimit files;
    long n = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
    long forms = argc > 2 ? strtol(argv[2], NULL, 10) : FORMS;
    if (n < 1 || n > PORTS_MAX || forms < 1 || forms > FORMS || argc > 3) {
        fprintf(stderr, "usage: pty_feed PORTS [FORMS]   (1 to %d, 1 to %d)\n", PORTS_MAX, FORMS);
        return 64;
    }
    n_forms = (unsigned)forms;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (; n_ports < (unsigned)n; n_ports++)
        if (port_open(&ports[n_ports])) {
            fprintf(stderr, "pty_feed: pseudo terminal %u: %s\n", n_ports, strerror(errno));
            return 1;
        }
    puts("ready");

    char command[128];
    double rate, secs, mark_ms;
    while (fgets(command, sizeof command, stdin)) {
        if (sscanf(command, "feed %lf %lf %lf", &rate, &secs, &mark_ms) != 3) {
            fprintf(stderr, "pty_feed: not a command: %s", command);
            return 64;
        }
        feed(rate, secs, mark_ms);
    }
    return 0;
}

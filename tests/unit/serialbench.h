/* A bench for the serial source: pseudo-terminals and made modem lines, no hardware, no daemon. */
#ifndef SERIALBENCH_H
#define SERIALBENCH_H

#include "unit/fakehost.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

struct bench {
    struct fake *fake;
    struct shep_device *dev;
    char root[64];
    char path[128]; /* a symlink to the slave, as socat's link= makes it */
    int master;
};

struct bench *bench_new(void); /* nothing runs yet: time for fake_opt() */
void bench_start(struct bench *b);
struct bench *bench_open(void); /* one port, open */
void bench_free(struct bench *b);
const struct shep_source_ops *ops_of(const struct bench *b);

void run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int pty_make(const char *link); /* the master; link leads to the other end */
void say(struct bench *b, const char *text);
bool has(const char *text, const char *part);
int slave_fd(const struct bench *b);
/* Until the miner was fed something with this in it. Other programs' terminals come and go in
 * /dev/pts meanwhile, so that one turn is not always about ours. */
void wait_fed(struct bench *b, const char *part);
void hang_up(struct bench *b); /* as a board that is unplugged: its path is gone too */
/* What inotify told is taken, and what follows from it is done: some turns of a tenth of a second.
 */
void settle(struct bench *b);

/* Pseudo-terminals have no modem lines. The plugin's ioctl() lands here (the program exports its
 * names): after lines_begin() every port has DTR and RTS, and each change is written down as "01 "
 * (DTR low, RTS high), with "single:" before it when only one line was set. */
struct bench_modem {
    bool there, fail_set;
    int lines, hupcl_while_held;
    char log[512];
};
extern struct bench_modem modem;
void lines_begin(int lines);

/* The plugin's read() lands here too. Of a port: how often it brought nothing; for the next `deaf`
 * times it brings nothing whatever is there, as of a driver gone wrong; error: it always fails. */
struct bench_reads {
    unsigned empty, deaf;
    int error;
};
extern struct bench_reads reads;
int reset_port(struct bench *b);
#endif

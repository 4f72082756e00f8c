/* The hand that plugs boards in and out, and the boards.
 *
 * Owns a test bed of umockdev (a made sysfs, udev events) and one pseudo-terminal for each board:
 * its slave is the board's /dev/ttyUSB0, its master is the chip. Commands come on stdin, one a
 * line, and each has one line as its answer: "ok …" or "error …". Words are parted by spaces; in
 * them "%20" is a byte. The first line out is "bed DIR"; a program sees the bed with
 * UMOCKDEV_DIR=DIR and the two preloads (README.md). The end of stdin ends it.
 *
 *   plug NAME port=1-1.2 vid=1a86 pid=7523 [serial=S] [product=P] [maker=M] [iface=00]
 *   hup NAME            the chip is gone: whoever reads is hung up on
 *   remove NAME         sysfs, node and udev forget it. Life: hup, some ms, remove
 *   say NAME TEXT       hum NAME MS TEXT: again and again while somebody has it open; MS 0: no more
 *   flood NAME N TEXT   TEXT until N bytes are written
 *   heard NAME          what was written to the board since the last time
 *   state NAME          open=1 hupcl=0 raw=1 baud=115200 pts=7
 *   exclusive NAME      1: whoever has it open keeps others out
 *   lock NAME, unlock NAME          another program has it: open, and flock()
 *   mode NAME OCTAL GID             permissions of the node
 *   mute, unmute        udev events reach nobody meanwhile, as when the kernel throws them away
 *   event NAME ACTION   one udev event
 * One thread. Bounds: BOARDS boards, LINE bytes a command. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <pty.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <termios.h>
#include <time.h>
#include <umockdev.h>
#include <unistd.h>

enum { BOARDS = 128, HUBS = 64, LINE = 65536, WORDS = 16, PATH = 512, WAIT_MS = 60000 };

struct board {
    bool used, listed; /* listed: sysfs has it */
    char name[64], port[64], iface[8];
    char usb[PATH], tty[PATH]; /* below /sys */
    int master, other;         /* -1: hung up; another program's descriptor, -1: none */
    char *hum;
    int64_t hum_every_ms, hum_due_ms;
};
static struct board boards[BOARDS];
static char hubs[HUBS][PATH];
static UMockdevTestbed *bed;
static char *root;

static void answer(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void answer(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static struct board *board_find(const char *name)
{
    for (size_t i = 0; i < BOARDS; i++)
        if (boards[i].used && !strcmp(boards[i].name, name))
            return &boards[i];
    return NULL;
}

static struct board *board_new(const char *name)
{
    for (size_t i = 0; i < BOARDS; i++)
        if (!boards[i].used) {
            boards[i] = (struct board){.used = true, .master = -1, .other = -1};
            snprintf(boards[i].name, sizeof boards[i].name, "%s", name);
            return &boards[i];
        }
    return NULL;
}

static void board_drop_if_gone(struct board *board)
{
    if (board->listed || board->master >= 0)
        return;
    free(board->hum);
    *board = (struct board){0};
}

/* ---- the node ---- */

/* /dev/serial/by-path/…, as udev's rules make it for ports of bridges. */
static void link_path(const struct board *board, char out[static PATH])
{
    snprintf(out, PATH, "%s/dev/serial/by-path/pci-0000:00:14.0-usb-0:%s:1.%d%s", root,
             strchr(board->port, '-') + 1, atoi(board->iface),
             strstr(board->name, "ACM") ? "" : "-port0");
}

static void node_path(const struct board *board, char out[static PATH])
{
    snprintf(out, PATH, "%s/dev/%s", root, board->name);
}

/* The bed gets no node of its own ("N:"): umockdev 0.17 aborts when the same one comes twice. */
static void node_make(struct board *board)
{
    char slave_name[64], path[PATH];
    int slave;
    struct termios tio;
    if (openpty(&board->master, &slave, slave_name, NULL, NULL) < 0 || tcgetattr(slave, &tio) < 0)
        die("openpty");
    cfmakeraw(&tio);
    tio.c_cflag |= HUPCL; /* as a port that was just plugged in */
    if (tcsetattr(slave, TCSANOW, &tio) < 0 || close(slave) < 0)
        die("tcsetattr");
    fcntl(board->master, F_SETFL, O_NONBLOCK);
    fcntl(board->master, F_SETFD, FD_CLOEXEC);
    node_path(board, path);
    unlink(path);
    if (symlink(slave_name, path) < 0)
        die(path);
    link_path(board, path);
    unlink(path);
    snprintf(slave_name, sizeof slave_name, "../../%.40s", board->name);
    if (symlink(slave_name, path) < 0)
        die(path);
}

static void folders_make(void)
{
    static const char *const folders[] = {"/dev", "/dev/serial", "/dev/serial/by-path"};
    char path[PATH];
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        snprintf(path, sizeof path, "%s%s", root, folders[i]);
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
            die(path);
    }
}

/* ---- sysfs ---- */

/* Until a socket that hears events has room. Ten wait in it at most, and umockdev, which does not
 * wait, ends us at the eleventh. */
static void socket_room(const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct pollfd room = {.fd = fd, .events = POLLOUT};
    snprintf(name.sun_path, sizeof name.sun_path, "%s", path);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&name, sizeof name) == 0 &&
        poll(&room, 1, WAIT_MS) == 0)
        fprintf(stderr, "plugger: nobody takes the events of %s\n", path);
    if (fd >= 0)
        close(fd);
}

static void room_wait(void)
{
    char pattern[PATH];
    glob_t found;
    snprintf(pattern, sizeof pattern, "%s/event*", root);
    if (glob(pattern, 0, NULL, &found) != 0)
        return;
    for (size_t i = 0; i < found.gl_pathc; i++)
        socket_room(found.gl_pathv[i]);
    globfree(&found);
}

/* One paragraph, which is one event; empties the text. */
static void bed_add(GString *text)
{
    GError *error = NULL;
    g_string_append(text, "\n");
    room_wait();
    if (!umockdev_testbed_add_from_string(bed, text->str, &error)) {
        fprintf(stderr, "plugger: %s\n%s\n", error->message, text->str);
        exit(1);
    }
    g_string_truncate(text, 0);
}

static void attribute(GString *text, const char *name, const char *value)
{
    char *escaped = g_strescape(value, NULL);
    g_string_append_printf(text, "A: %s=%s\\n\n", name, escaped);
    g_free(escaped);
}

static void usb_device(GString *text, const char *path, const char *vid, const char *pid)
{
    g_string_append_printf(text, "P: %s\nE: DEVTYPE=usb_device\nE: SUBSYSTEM=usb\n", path);
    attribute(text, "idVendor", vid);
    attribute(text, "idProduct", pid);
    attribute(text, "busnum", "1");
    attribute(text, "devnum", "5");
}

static void hub_need(const char *path)
{
    for (size_t i = 0; i < HUBS; i++) {
        if (!strcmp(hubs[i], path))
            return;
        if (hubs[i][0])
            continue;
        GString *text = g_string_new(NULL);
        snprintf(hubs[i], PATH, "%s", path);
        usb_device(text, path, "1d6b", "0002");
        bed_add(text);
        g_string_free(text, TRUE);
        return;
    }
    die("too many hubs");
}

/* "1-1.2" lies in usb1/1-1/1-1.2; the hubs on the way are made and stay. */
static void usb_path(struct board *board)
{
    char path[PATH];
    int len =
        snprintf(path, sizeof path, "/devices/pci0000:00/0000:00:14.0/usb%d", atoi(board->port));
    hub_need(path);
    for (const char *dot = strchr(board->port, '.'); dot; dot = strchr(dot + 1, '.')) {
        len += snprintf(path + len, sizeof path - (size_t)len, "/%.*s", (int)(dot - board->port),
                        board->port);
        hub_need(path);
    }
    snprintf(board->usb, PATH, "%.400s/%s", path, board->port);
}

static const char *option(char *words[], const char *name, const char *otherwise)
{
    size_t len = strlen(name);
    for (size_t i = 0; words[i]; i++)
        if (!strncmp(words[i], name, len) && words[i][len] == '=')
            return words[i] + len + 1;
    return otherwise;
}

static void tty_device(GString *text, const struct board *board, char *words[])
{
    const char *vid = option(words, "vid", "1a86"), *pid = option(words, "pid", "7523");
    const char *serial = option(words, "serial", NULL);
    bool acm = strstr(board->name, "ACM") != NULL;
    int major = acm ? 166 : 188, minor = atoi(board->name + strcspn(board->name, "0123456789"));
    g_string_append_printf(
        text,
        "P: %s\nE: DEVNAME=/dev/%s\nE: SUBSYSTEM=tty\nE: MAJOR=%d\nE: MINOR=%d\nE: ID_BUS=usb\n"
        "E: ID_VENDOR_ID=%s\nE: ID_MODEL_ID=%s\nE: ID_USB_VENDOR_ID=%s\nE: ID_USB_MODEL_ID=%s\n"
        "E: ID_USB_INTERFACE_NUM=%s\nE: ID_PATH=pci-0000:00:14.0-usb-0:%s:1.0\n",
        board->tty, board->name, major, minor, vid, pid, vid, pid, board->iface,
        strchr(board->port, '-') + 1);
    if (serial)
        g_string_append_printf(text, "E: ID_SERIAL_SHORT=%s\nE: ID_USB_SERIAL_SHORT=%s\n", serial,
                               serial);
    if (acm)
        g_string_append_printf(text, "L: device=../../../%s:1.%d\n", board->port,
                               atoi(board->iface));
    else
        g_string_append_printf(text, "L: device=../../../%s\n", board->name);
    /* No newline at its end: with one, the bed cannot remove it again. */
    g_string_append_printf(text, "A: dev=%d:%d\n", major, minor);
}

static bool usb_is_shared(const struct board *board)
{
    for (size_t i = 0; i < BOARDS; i++)
        if (&boards[i] != board && boards[i].listed && !strcmp(boards[i].port, board->port))
            return true; /* the other port of the same chip */
    return false;
}

static void interface_path(const struct board *board, char out[static PATH])
{
    snprintf(out, PATH, "%.400s/%.60s:1.%d", board->usb, board->port, atoi(board->iface));
}

static void sysfs_add(struct board *board, char *words[])
{
    char interface[PATH];
    GString *text = g_string_new(NULL);
    const char *serial = option(words, "serial", NULL);
    if (!usb_is_shared(board)) {
        usb_device(text, board->usb, option(words, "vid", "1a86"), option(words, "pid", "7523"));
        if (serial)
            attribute(text, "serial", serial);
        attribute(text, "product", option(words, "product", "USB Serial"));
        attribute(text, "manufacturer", option(words, "maker", "maker"));
        bed_add(text);
    }
    interface_path(board, interface);
    g_string_append_printf(text, "P: %s\nE: DEVTYPE=usb_interface\nE: SUBSYSTEM=usb\n", interface);
    attribute(text, "bInterfaceNumber", board->iface);
    bed_add(text);
    if (!strstr(board->name, "ACM")) {
        g_string_append_printf(text, "P: %s/%s\nE: SUBSYSTEM=usb-serial\n", interface, board->name);
        bed_add(text);
    }
    snprintf(board->tty, PATH, "%.380s/%s%stty/%s", interface,
             strstr(board->name, "ACM") ? "" : board->name, strstr(board->name, "ACM") ? "" : "/",
             board->name);
    tty_device(text, board, words);
    bed_add(text);
    g_string_free(text, TRUE);
    board->listed = true;
}

static void sysfs_drop(const char *path)
{
    char whole[PATH + 8];
    snprintf(whole, sizeof whole, "/sys%s", path);
    umockdev_testbed_remove_device(bed, whole);
}

static void event_send(const struct board *board, const char *action)
{
    char whole[PATH + 8];
    snprintf(whole, sizeof whole, "/sys%s", board->tty);
    room_wait();
    umockdev_testbed_uevent(bed, whole, action);
}

/* From the leaf to the root: what is removed as a whole leaves links behind. */
static void sysfs_remove(struct board *board)
{
    char path[PATH], interface[PATH];
    event_send(board, "remove");
    node_path(board, path);
    unlink(path);
    link_path(board, path);
    unlink(path);
    sysfs_drop(board->tty);
    interface_path(board, interface);
    snprintf(path, sizeof path, "%.440s/%s", interface, board->name);
    if (!strstr(board->name, "ACM"))
        sysfs_drop(path);
    sysfs_drop(interface);
    if (!usb_is_shared(board))
        sysfs_drop(board->usb);
    board->listed = false;
}

/* ---- the board ---- */

static bool somebody_reads(const struct board *board)
{
    struct pollfd poll_fd = {.fd = board->master, .events = POLLIN};
    return board->master >= 0 && poll(&poll_fd, 1, 0) >= 0 && !(poll_fd.revents & POLLHUP);
}

/* A board does not wait for its reader: what does not fit is lost. */
static bool say(const struct board *board, const char *text, size_t len)
{
    return write(board->master, text, len) == (ssize_t)len;
}

static void hum_all(void)
{
    int64_t now = now_ms();
    for (size_t i = 0; i < BOARDS; i++) {
        struct board *board = &boards[i];
        if (!board->used || !board->hum || board->hum_due_ms > now)
            continue;
        board->hum_due_ms = now + board->hum_every_ms;
        if (somebody_reads(board))
            say(board, board->hum, strlen(board->hum));
    }
}

static int next_hum_ms(void)
{
    int64_t now = now_ms(), next = now + 1000;
    for (size_t i = 0; i < BOARDS; i++)
        if (boards[i].used && boards[i].hum && boards[i].hum_due_ms < next)
            next = boards[i].hum_due_ms;
    return next > now ? (int)(next - now) : 0;
}

static size_t flood(const struct board *board, size_t total, const char *text)
{
    size_t len = strlen(text), done = 0;
    int64_t end = now_ms() + WAIT_MS;
    while (done < total && now_ms() < end) {
        size_t at = done % len, n = len - at < total - done ? len - at : total - done;
        struct pollfd poll_fd = {.fd = board->master, .events = POLLOUT};
        ssize_t written = write(board->master, text + at, n);
        if (written > 0)
            done += (size_t)written;
        else if (errno != EAGAIN)
            break;
        else
            poll(&poll_fd, 1, 100);
    }
    return done;
}

/* ---- commands ---- */

typedef void (*command_fn)(struct board *board, char *words[], size_t n);

static void do_hup(struct board *board, char *words[], size_t n)
{
    if (board->master >= 0)
        close(board->master);
    board->master = -1;
    board_drop_if_gone(board);
    answer("ok");
}

static void do_remove(struct board *board, char *words[], size_t n)
{
    if (board->listed)
        sysfs_remove(board);
    board_drop_if_gone(board);
    answer("ok");
}

static void do_say(struct board *board, char *words[], size_t n)
{
    if (say(board, words[0], strlen(words[0])))
        answer("ok");
    else
        answer("error nobody reads %s", board->name);
}

static void do_hum(struct board *board, char *words[], size_t n)
{
    free(board->hum);
    board->hum_every_ms = atoi(words[0]);
    board->hum_due_ms = 0;
    board->hum = board->hum_every_ms > 0 && n > 1 ? strdup(words[1]) : NULL;
    answer("ok");
}

static void do_flood(struct board *board, char *words[], size_t n)
{
    size_t total = strtoul(words[0], NULL, 10);
    if (n < 2 || !words[1][0])
        answer("error flood needs a text");
    else
        answer("ok %zu", flood(board, total, words[1]));
}

static void do_heard(struct board *board, char *words[], size_t n)
{
    char bytes[4096];
    ssize_t len = board->master >= 0 ? read(board->master, bytes, sizeof bytes) : -1;
    printf("ok ");
    for (ssize_t i = 0; i < len; i++)
        printf("%%%02x", (unsigned char)bytes[i]);
    answer("%s", "");
}

static void do_state(struct board *board, char *words[], size_t n)
{
    struct termios tio = {0};
    int number = -1;
    char *slave = board->master >= 0 ? ptsname(board->master) : NULL;
    if (board->master < 0 || tcgetattr(board->master, &tio) < 0 || !slave) {
        answer("error %s is hung up", board->name);
        return;
    }
    number = atoi(strrchr(slave, '/') + 1);
    answer("ok open=%d hupcl=%d raw=%d baud=%d pts=%d", somebody_reads(board),
           (tio.c_cflag & HUPCL) != 0, !(tio.c_lflag & (ICANON | ECHO)),
           cfgetispeed(&tio) == B115200 ? 115200 : -1, number);
}

/* Root may open it all the same; nobody else may. */
static void do_exclusive(struct board *board, char *words[], size_t n)
{
    int exclusive = 0,
        fd = open(ptsname(board->master), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        exclusive = errno == EBUSY;
    else if (syscall(SYS_ioctl, fd, TIOCGEXCL, &exclusive) < 0) /* the bed answers ENOTTY */
        exclusive = 0;
    if (fd >= 0)
        close(fd);
    answer("ok %d", exclusive);
}

static void do_lock(struct board *board, char *words[], size_t n)
{
    board->other = open(ptsname(board->master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (board->other < 0 || flock(board->other, LOCK_EX | LOCK_NB) < 0)
        answer("error lock: %s", strerror(errno));
    else
        answer("ok");
}

static void do_unlock(struct board *board, char *words[], size_t n)
{
    if (board->other >= 0)
        close(board->other);
    board->other = -1;
    answer("ok");
}

static void do_mode(struct board *board, char *words[], size_t n)
{
    const char *slave = ptsname(board->master);
    if (n < 2 || chmod(slave, (mode_t)strtoul(words[0], NULL, 8)) < 0 ||
        chown(slave, (uid_t)-1, (gid_t)atoi(words[1])) < 0)
        answer("error mode: %s", strerror(errno));
    else
        answer("ok");
}

static void do_event(struct board *board, char *words[], size_t n)
{
    event_send(board, words[0]);
    answer("ok");
}

/* The sender looks for sockets by the name "event…": under another one they are not found. */
static void sockets_rename(const char *from, const char *to)
{
    char pattern[PATH], target[PATH];
    glob_t found;
    snprintf(pattern, sizeof pattern, "%s/%s*", root, from);
    if (glob(pattern, 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++) {
            snprintf(target, sizeof target, "%s/%s%s", root, to,
                     found.gl_pathv[i] + strlen(root) + 1 + strlen(from));
            if (rename(found.gl_pathv[i], target) < 0)
                die(target);
        }
        globfree(&found);
    }
    answer("ok");
}

static void do_plug(char *words[], size_t n)
{
    if (n < 2 || !option(words, "port", NULL) || board_find(words[0])) {
        answer("error plug needs a new name and port=");
        return;
    }
    struct board *board = board_new(words[0]);
    if (!board) {
        answer("error too many boards");
        return;
    }
    snprintf(board->port, sizeof board->port, "%s", option(words, "port", ""));
    snprintf(board->iface, sizeof board->iface, "%s", option(words, "iface", "00"));
    usb_path(board);
    node_make(board);
    sysfs_add(board, words);
    answer("ok");
}

static const struct {
    const char *name;
    size_t words; /* after the board's name */
    bool talks;   /* only a board that is not hung up can do it */
    command_fn run;
} commands[] = {
    {"hup", 0, false, do_hup},     {"remove", 0, false, do_remove},
    {"say", 1, true, do_say},      {"hum", 1, true, do_hum},
    {"flood", 2, true, do_flood},  {"heard", 0, true, do_heard},
    {"state", 0, false, do_state}, {"exclusive", 0, true, do_exclusive},
    {"lock", 0, true, do_lock},    {"unlock", 0, false, do_unlock},
    {"mode", 2, true, do_mode},    {"event", 1, false, do_event},
};

static void command_run(char *words[], size_t n)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(commands[i].name, words[0]) != 0)
            continue;
        struct board *board = n > 1 ? board_find(words[1]) : NULL;
        if (!board)
            answer("error there is no %s", n > 1 ? words[1] : "board named");
        else if (n - 2 < commands[i].words || (commands[i].talks && board->master < 0))
            answer("error %s: too few words, or hung up", words[0]);
        else
            commands[i].run(board, words + 2, n - 2);
        return;
    }
    if (!strcmp(words[0], "plug"))
        do_plug(words + 1, n - 1);
    else if (!strcmp(words[0], "mute"))
        sockets_rename("event", "muted");
    else if (!strcmp(words[0], "unmute"))
        sockets_rename("muted", "event");
    else
        answer("error what is %s", words[0]);
}

/* "%20" becomes its byte, in place. NUL cannot be said. */
static void decode(char *word)
{
    char *out = word;
    for (; *word; word++) {
        if (word[0] == '%' && isxdigit((unsigned char)word[1]) &&
            isxdigit((unsigned char)word[2])) {
            char hex[3] = {word[1], word[2], 0};
            *out++ = (char)strtoul(hex, NULL, 16);
            word += 2;
        } else {
            *out++ = *word;
        }
    }
    *out = 0;
}

static void line_run(char *line)
{
    char *words[WORDS + 1] = {0}, *rest = NULL;
    size_t n = 0;
    for (char *word = strtok_r(line, " ", &rest); word && n < WORDS;
         word = strtok_r(NULL, " ", &rest)) {
        decode(word);
        words[n++] = word;
    }
    if (n)
        command_run(words, n);
    else
        answer("error an empty line");
}

/* False at the end of stdin. */
static bool input_read(void)
{
    static char buffer[LINE];
    static size_t len;
    ssize_t got = read(STDIN_FILENO, buffer + len, sizeof buffer - 1 - len);
    if (got <= 0)
        return false;
    len += (size_t)got;
    buffer[len] = 0;
    for (char *end; (end = strchr(buffer, '\n'));) {
        *end = 0;
        line_run(buffer);
        len -= (size_t)(end + 1 - buffer);
        memmove(buffer, end + 1, len + 1);
    }
    return len < sizeof buffer - 1;
}

int main(void)
{
    bed = umockdev_testbed_new();
    if (!umockdev_in_mock_environment()) {
        fprintf(stderr, "plugger: start it with LD_PRELOAD=libumockdev-preload.so.0\n");
        return 1;
    }
    root = umockdev_testbed_get_root_dir(bed);
    chmod(root, 0777); /* a program without root binds its socket in it */
    folders_make();
    answer("bed %s", root);
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    do
        hum_all();
    while (poll(&input, 1, next_hum_ms()) <= 0 || input_read());
    for (size_t i = 0; i < BOARDS; i++)
        free(boards[i].hum);
    g_free(root);
    g_object_unref(bed);
    return 0;
}

/* systemd's readiness protocol: one datagram of text to a socket. sd_notify(3) calls it stable and
 * gives leave to speak it without libsystemd, which would cost the start 2 MB of libraries. */
#include "cli/cli.h"

#include "util/log.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void notify_send(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof addr.sun_path)
        return;
    memcpy(addr.sun_path, path, strlen(path));
    if (path[0] == '@')
        addr.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&addr, len) < 0)
        log_warn("systemd", "cannot tell systemd %s: %s", state, strerror(errno));
    close(fd);
}

int64_t notify_watchdog_ms(void)
{
    const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    int64_t value;
    if (!usec || !str_to_i64(usec, &value) || value <= 0)
        return 0;
    int64_t for_pid;
    if (pid && (!str_to_i64(pid, &for_pid) || for_pid != getpid()))
        return 0;
    return value / 1000 / 3; /* well within: one late ping is no reason to be killed */
}

/* DTR and RTS. On every ESP32 board two transistors hang on them: DTR=0, RTS=1 holds the chip in
 * reset; DTR=1, RTS=0 at the moment when reset ends sends it to its boot loader; both low or both
 * high is idle. So they change by one request with both, never one after the other, or the boards
 * reset at every opening. Worker thread: with a device that is going away a request takes seconds.
 */
#include "serial.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>

enum {
    HOLD_MS = 100,        /* as long as esptool holds it */
    HOLD_NATIVE_MS = 200, /* the chip's own USB asks for longer */
    SETTLE_MS = 100,      /* the capacitor at EN is charged, the chip has read its boot pins */
    RELEASE_TRIES = 3
};

static const int both = TIOCM_DTR | TIOCM_RTS;

bool lines_there(int fd)
{
    int lines;
    return ioctl(fd, TIOCMGET, &lines) == 0;
}

int lines_deassert(int fd)
{
    int lines;
    if (ioctl(fd, TIOCMGET, &lines) < 0)
        return errno == ENOTTY || errno == EINVAL ? 0 : errno;
    lines &= ~both;
    return ioctl(fd, TIOCMSET, &lines) < 0 ? errno : 0;
}

static int lines_set(int fd, int lines)
{
    return ioctl(fd, TIOCMSET, &lines) < 0 ? errno : 0;
}

static void sleep_ms(long ms)
{
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    while (nanosleep(&left, &left) < 0 && errno == EINTR)
        ;
}

/* While the chip is held, a closing (we are killed, say) must let both lines go: else it would be
 * held until somebody pulls the plug. */
static void drop_at_close(int fd, bool drop)
{
    struct termios tio;
    if (tcgetattr(fd, &tio) < 0)
        return; /* it is gone, and with it the lines */
    if (drop)
        tio.c_cflag |= HUPCL;
    else
        tio.c_cflag &= ~(tcflag_t)HUPCL;
    tcsetattr(fd, TCSANOW, &tio);
}

static int release(int fd, int idle)
{
    int error = lines_set(fd, idle);
    for (int i = 1; i < RELEASE_TRIES && error != 0 && error != ENODEV; i++) {
        sleep_ms(HOLD_MS);
        error = lines_set(fd, idle);
    }
    return error;
}

/* Ends as it began: both high, as the kernel opens a port (boards with TinyUSB send nothing while
 * DTR is low), or both low where the user had them lowered. */
int lines_reset(int fd, bool native)
{
    int before;
    if (ioctl(fd, TIOCMGET, &before) < 0)
        return errno;
    int low = before & ~both;
    drop_at_close(fd, true);
    int error = lines_set(fd, low | TIOCM_RTS);
    if (error == 0)
        sleep_ms(native ? HOLD_NATIVE_MS : HOLD_MS);
    int released = release(fd, low);
    if (released == 0 && (before & both) != 0) {
        sleep_ms(SETTLE_MS);
        released = lines_set(fd, low | both);
    }
    drop_at_close(fd, false);
    return error != 0 ? error : released;
}

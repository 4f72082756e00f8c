/* A libudev made for the test of the source "udev": the plugin's calls land here, since the test
 * program exports these names. Says what the test wants, and checks the order of the calls. */
#ifndef FAKEUDEV_H
#define FAKEUDEV_H

#include <stdbool.h>

void fakeudev_reset(void); /* as at start: udevd runs, no message waits, no device is known */
void fakeudev_udevd(bool runs);
void fakeudev_say(const char *action, const char *name);
void fakeudev_error(int error);    /* the next receive fails so; ENOBUFS: an overrun */
void fakeudev_refuse(bool refuse); /* monitors cannot be made */
int fakeudev_monitors(void);       /* made so far */
int fakeudev_alive(void);          /* monitors, contexts and devices that were not given back */
/* udev's view of tty NAME at that sysfs path. Properties: "ID_BUS=usb", …; then NULL. */
void fakeudev_device(const char *name, const char *syspath, bool initialized, ...)
    __attribute__((sentinel));
#endif

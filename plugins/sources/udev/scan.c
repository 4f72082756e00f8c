/* The USB serial ports that are there now, and what is known of each. Worker thread; opens no port,
 * so looking never disturbs a board.
 *
 * What udev knows comes first (ID_USB_*, then ID_*, which older versions write and newer ones leave
 * out on some buses), then sysfs. Without udevd there is only sysfs, and that is enough. */
#include "udev.h"

#include <dirent.h>
#include <fcntl.h>
#include <libudev.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    MAX_PARENTS = 6, /* tty, usb-serial port, interface, device; some spare */
    ATTR_BYTES = 512 /* 126 UTF-16 characters are 378 bytes of UTF-8 */
};

struct place { /* where in sysfs a port's USB device and interface are */
    char device[PATH_MAX], interface[UDEV_PLACE_MAX];
    unsigned port_number; /* of several ports on one interface */
    unsigned interface_number;
};

/* ---- sysfs ---- */

/* One line of an attribute, as it is; false when it is not there or empty. */
static bool attr_read(const char *dir, const char *name, char out[static ATTR_BYTES])
{
    char path[PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    ssize_t len = read(fd, out, ATTR_BYTES - 1);
    close(fd);
    if (len < 0)
        return false;
    out[len] = 0;
    out[strcspn(out, "\n")] = 0;
    return out[0] != 0;
}

/* From the tty's device up to the USB device, which has idVendor. */
static bool place_find(const char *tty_device, struct place *place)
{
    char text[ATTR_BYTES];
    *place = (struct place){0};
    if (!realpath(tty_device, place->device))
        return false;
    for (int i = 0; i < MAX_PARENTS; i++) {
        char *slash = strrchr(place->device, '/');
        if (!slash || slash == place->device)
            return false;
        if (attr_read(place->device, "port_number", text))
            place->port_number = (unsigned)strtoul(text, NULL, 10) & 0xff;
        if (!place->interface[0] && attr_read(place->device, "bInterfaceNumber", text)) {
            text_clean(place->interface, sizeof place->interface, slash + 1);
            place->interface_number = (unsigned)strtoul(text, NULL, 16) & 0xff;
        }
        if (attr_read(place->device, "idVendor", text))
            return strlen(slash + 1) < UDEV_PLACE_MAX;
        *slash = 0;
    }
    return false;
}

/* ---- udev's properties ---- */

static const char *prop(struct udev_device *dev, const char *usb_name)
{
    const char *value = dev ? udev_device_get_property_value(dev, usb_name) : NULL;
    if (value || !dev)
        return value;
    const char *bus = udev_device_get_property_value(dev, "ID_BUS");
    if (bus && strcmp(bus, "usb") != 0)
        return NULL; /* ID_VENDOR_ID is then that of the PCI card */
    char name[64];
    snprintf(name, sizeof name, "ID_%s", usb_name + strlen("ID_USB_"));
    return udev_device_get_property_value(dev, name);
}

/* udev's view of the port, NULL when there is none. Only when it speaks of the same device: with
 * another sysfs_root it does not. */
static struct udev_device *device_get(struct udev *udev, const char *sysfs_root, const char *name)
{
    char link[UDEV_PATH_MAX + 96], real[PATH_MAX];
    snprintf(link, sizeof link, "%s/class/tty/%s", sysfs_root, name);
    struct udev_device *dev =
        udev ? udev_device_new_from_subsystem_sysname(udev, "tty", name) : NULL;
    if (!dev)
        return NULL;
    const char *path = udev_device_get_syspath(dev);
    if (path && realpath(link, real) && !strcmp(real, path))
        return dev;
    udev_device_unref(dev);
    return NULL;
}

/* The kernel makes the node first and udev sets its rights later: opened in between, it is refused.
 * Properties without the mark mean a test bed. */
static bool device_ready(struct udev_device *dev)
{
    return udev_device_get_is_initialized(dev) || prop(dev, "ID_USB_VENDOR_ID");
}

/* ---- facts ---- */

static bool id_read(struct udev_device *dev, const char *usb_name, const struct place *place,
                    const char *attr, char out[static 5])
{
    char text[ATTR_BYTES];
    const char *value = prop(dev, usb_name);
    if (value && text_hex4(out, value))
        return true;
    return attr_read(place->device, attr, text) && text_hex4(out, text);
}

static void serial_read(struct udev_device *dev, const struct place *place, struct usb_port *port)
{
    char text[ATTR_BYTES];
    const char *value = prop(dev, "ID_USB_SERIAL_SHORT");
    if (value && value[0])
        text_clean(port->serial, sizeof port->serial, value);
    else if (attr_read(place->device, "serial", text))
        text_serial(port->serial, sizeof port->serial, text);
}

/* Chips with native USB: their factory's serial number is the MAC. 303a are Espressif's own ids,
 * 0002 and 0009 the boot loader in ROM, which says something else; the others are boards whose
 * maker gave them ids of his own. */
static bool serial_is_mac(const struct usb_port *port)
{
    if (!strcmp(port->vid, "303a"))
        return strcmp(port->pid, "0002") != 0 && strcmp(port->pid, "0009") != 0;
    return (!strcmp(port->vid, "2886") && !strcmp(port->pid, "0046")) ||
           (!strcmp(port->vid, "2341") && !strcmp(port->pid, "0070"));
}

/* sysfs has the text as the device says it; udev's copy has underscores for spaces. */
static void word_read(struct udev_device *dev, const char *usb_name, const struct place *place,
                      const char *attr, char out[static UDEV_TEXT_MAX])
{
    char text[ATTR_BYTES];
    const char *value = prop(dev, usb_name);
    out[0] = 0;
    if (attr_read(place->device, attr, text)) {
        text_clean(out, UDEV_TEXT_MAX, text);
    } else if (value) {
        text_clean(out, UDEV_TEXT_MAX, value);
        for (char *c = out; *c; c++)
            if (*c == '_')
                *c = ' ';
    }
}

static void describe(struct udev_device *dev, const struct place *place, struct usb_port *port)
{
    char product[UDEV_TEXT_MAX], maker[UDEV_TEXT_MAX];
    word_read(dev, "ID_USB_MODEL", place, "product", product);
    word_read(dev, "ID_USB_VENDOR", place, "manufacturer", maker);
    snprintf(port->description, sizeof port->description, "%s%s%s",
             product[0] ? product : "USB serial port", maker[0] ? ", " : "", maker);
}

static void place_tell(const struct place *place, struct usb_port *port)
{
    char number[16] = "";
    const char *name = strrchr(place->device, '/') + 1;
    text_clean(port->port_path, sizeof port->port_path, name);
    memcpy(port->hub, port->port_path, sizeof port->hub);
    port->unit = place->port_number * 256 + place->interface_number;
    char *dot = strrchr(port->hub, '.');
    *(dot ? dot : port->hub) = 0; /* "1-1" hangs on the root hub, which is no place */
    if (place->port_number > 0)
        snprintf(number, sizeof number, ".port%u", place->port_number);
    snprintf(port->key, sizeof port->key, "usb:%s%s",
             place->interface[0] ? place->interface : port->port_path, number);
}

enum verdict { NOT_USB, WAITING, READY };

static enum verdict port_read(struct udev_device *dev, const char *sysfs_root, const char *dev_root,
                              bool raw, struct usb_port *port)
{
    char device[UDEV_PATH_MAX + 96];
    struct place place;
    struct stat st;
    snprintf(device, sizeof device, "%s/class/tty/%s/device", sysfs_root, port->name);
    if (!place_find(device, &place))
        return NOT_USB;
    snprintf(port->node, sizeof port->node, "%s/%s", dev_root, port->name);
    if (stat(port->node, &st) < 0 || !S_ISCHR(st.st_mode))
        return WAITING; /* or a container hides it */
    if (!raw && dev && !device_ready(dev))
        return WAITING;
    if (!id_read(dev, "ID_USB_VENDOR_ID", &place, "idVendor", port->vid) ||
        !id_read(dev, "ID_USB_MODEL_ID", &place, "idProduct", port->pid))
        return NOT_USB;
    place_tell(&place, port);
    serial_read(dev, &place, port);
    if (serial_is_mac(port) && !text_mac(port->mac, port->serial))
        port->mac[0] = 0;
    describe(dev, &place, port);
    return READY;
}

/* ---- the list ---- */

/* Consoles and ports on the board are many and have no USB parent; what is left is looked at. */
bool port_name_wanted(const char *name)
{
    if (strncmp(name, "tty", 3) != 0 || strlen(name) >= UDEV_NAME_MAX || strchr(name, '/'))
        return false;
    const char *rest = name + 3;
    if (*rest == 'S')
        rest++; /* ttyS0 */
    return rest[strspn(rest, "0123456789")] != 0;
}

typedef char tty_name[UDEV_NAME_MAX];

static int name_compare(const void *a, const void *b)
{
    return strverscmp(a, b);
}

/* Not scandir(): the test bed umockdev shows its tree to opendir() only. */
static size_t names_read(const char *sysfs_root, tty_name *names, size_t max)
{
    char path[UDEV_PATH_MAX + 16];
    size_t n = 0;
    struct dirent *entry;
    snprintf(path, sizeof path, "%s/class/tty", sysfs_root);
    DIR *dir = opendir(path);
    if (!dir)
        return 0;
    while (n < max && (entry = readdir(dir)))
        if (port_name_wanted(entry->d_name))
            snprintf(names[n++], sizeof *names, "%.63s", entry->d_name);
    closedir(dir);
    qsort(names, n, sizeof *names, name_compare);
    return n;
}

void ports_scan(const char *sysfs_root, const char *dev_root, bool raw, struct scan_result *out)
{
    tty_name names[UDEV_PORTS_MAX];
    size_t n = names_read(sysfs_root, names, UDEV_PORTS_MAX);
    struct udev *udev = udev_new();
    out->n_ports = out->n_waiting = 0;
    for (size_t i = 0; i < n; i++) {
        struct usb_port *port = &out->ports[out->n_ports];
        memset(port, 0, sizeof *port);
        snprintf(port->name, sizeof port->name, "%s", names[i]); /* not what lies behind it */
        struct udev_device *dev = device_get(udev, sysfs_root, names[i]);
        enum verdict verdict = port_read(dev, sysfs_root, dev_root, raw, port);
        if (dev)
            udev_device_unref(dev);
        if (verdict == WAITING)
            out->n_waiting++;
        else if (verdict == READY)
            out->n_ports++;
    }
    if (udev)
        udev_unref(udev);
}

/* USB serial ports, from sysfs. Worker thread; touches no device, so looking never disturbs one.
 * Text from devices is hostile: bounded, control bytes replaced. */
#include "serial.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_PARENTS = 6 }; /* tty, usb-serial port, interface, device; some spare */

static const struct {
    const char *vid, *pid; /* pid NULL: any */
    unsigned flags;
    const char *name;
} models[] = {
    {"303a", "0002", MODEL_BOOTLOADER, "ESP32-S2 in its boot loader, not mining"},
    {"303a", "0009", MODEL_BOOTLOADER, "ESP32-S3 in its boot loader, not mining"},
    {"303a", NULL, MODEL_LIKELY | MODEL_NATIVE, "ESP32 with native USB"},
    {"2886", "0046", MODEL_LIKELY, "XIAO ESP32C3"},
    {"2341", "0070", MODEL_LIKELY, "Arduino Nano ESP32"},
    {"1a86", "7522", MODEL_LIKELY, "CH340K"},
    {"1a86", "7523", MODEL_LIKELY, "CH340"},
    {"1a86", "5523", MODEL_LIKELY, "CH341"},
    {"1a86", "55d3", MODEL_LIKELY, "CH343"},
    {"1a86", "55d4", MODEL_LIKELY, "CH9102"},
    {"4348", "5523", MODEL_LIKELY, "CH341 clone"},
    {"9986", "7523", MODEL_LIKELY, "CH340 clone"},
    {"2184", "0057", MODEL_LIKELY, "CH341 clone"},
    {"10c4", "ea60", MODEL_LIKELY, "CP210x"},
    {"0403", "6001", MODEL_LIKELY, "FT232R"},
    {"0403", "6010", MODEL_LIKELY, "FT2232"},
    {"0403", "6015", MODEL_LIKELY, "FT231X"},
};

static size_t model_find(const char *vid, const char *pid)
{
    size_t i = 0;
    for (; i < sizeof models / sizeof *models; i++)
        if (!strcmp(models[i].vid, vid) && (!models[i].pid || !strcmp(models[i].pid, pid)))
            break;
    return i;
}

unsigned discover_model(const char *vid, const char *pid)
{
    size_t i = model_find(vid, pid);
    return i < sizeof models / sizeof *models ? models[i].flags : 0;
}

/* One line of a sysfs attribute; false when it is not there or empty. */
static bool attr_read(const char *dir, const char *name, char *out, size_t cap)
{
    char path[PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    ssize_t len = read(fd, out, cap - 1);
    close(fd);
    if (len < 0)
        return false;
    out[len] = 0;
    out[strcspn(out, "\n")] = 0;
    for (char *c = out; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    return out[0] != 0;
}

static bool hex4_read(const char *dir, const char *name, char out[static 5])
{
    char text[16];
    if (!attr_read(dir, name, text, sizeof text) || strlen(text) != 4)
        return false;
    for (int i = 0; i < 4; i++) {
        if (!isxdigit((unsigned char)text[i]))
            return false;
        out[i] = (char)tolower((unsigned char)text[i]);
    }
    out[4] = 0;
    return true;
}

/* Serial numbers that vendors put into every unit: CP2102 leaves the factory with "0001". */
static bool serial_is_filler(const char *serial)
{
    return strspn(serial, "0") == strlen(serial) || !strcmp(serial, "0001") ||
           !strcmp(serial, "001") || !strcmp(serial, "1") || !strcmp(serial, "123456") ||
           !strcmp(serial, "12345678");
}

static void key_make(struct usb_port *port, const char *interface)
{
    char suffix[16] = "";
    if (interface[0] && strcmp(interface, "00") != 0)
        snprintf(suffix, sizeof suffix, ".%.8s", interface); /* the second port of one chip */
    if (!port->serial[0])
        snprintf(port->base_key, sizeof port->base_key, "usb:%s:%s@%s%s", port->vid, port->pid,
                 port->port_path, suffix);
    else if (serial_is_filler(port->serial))
        snprintf(port->base_key, sizeof port->base_key, "usb:%s:%s:%s@%s%s", port->vid, port->pid,
                 port->serial, port->port_path, suffix);
    else
        snprintf(port->base_key, sizeof port->base_key, "usb:%s:%s:%s%s", port->vid, port->pid,
                 port->serial, suffix);
    for (char *c = port->base_key; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr(":.@_-", *c))
            *c = '_';
}

static void describe(struct usb_port *port, const char *usb_dir)
{
    char product[SERIAL_TEXT_MAX] = "", maker[SERIAL_TEXT_MAX] = "";
    size_t model = model_find(port->vid, port->pid);
    attr_read(usb_dir, "product", product, sizeof product);
    attr_read(usb_dir, "manufacturer", maker, sizeof maker);
    if (model < sizeof models / sizeof *models)
        snprintf(port->description, sizeof port->description, "%s%s%.120s", models[model].name,
                 product[0] ? ": " : "", product);
    else
        snprintf(port->description, sizeof port->description, "%.120s%s%.120s",
                 product[0] ? product : "USB serial port", maker[0] ? ", " : "", maker);
}

/* From the tty's device up to the USB device, which has idVendor. */
static bool usb_parent(const char *tty_device, char usb_dir[static PATH_MAX], char *interface,
                       size_t cap)
{
    if (!realpath(tty_device, usb_dir))
        return false;
    for (int i = 0; i < MAX_PARENTS; i++) {
        char vid[5];
        if (!interface[0])
            attr_read(usb_dir, "bInterfaceNumber", interface, cap);
        if (hex4_read(usb_dir, "idVendor", vid))
            return true;
        char *slash = strrchr(usb_dir, '/');
        if (!slash || slash == usb_dir)
            return false;
        *slash = 0;
    }
    return false;
}

static bool port_read(const char *sysfs_root, const char *dev_root, const char *name,
                      struct usb_port *port)
{
    char device[SERIAL_PATH_MAX + 96], usb_dir[PATH_MAX], interface[8] = "";
    struct stat st;
    *port = (struct usb_port){0};
    snprintf(port->name, sizeof port->name, "%s", name);
    if (snprintf(port->node, sizeof port->node, "%s/%s", dev_root, name) >= SERIAL_PATH_MAX)
        return false;
    if (stat(port->node, &st) < 0 || !S_ISCHR(st.st_mode))
        return false; /* udev has not made it yet, or a container hides it: not usable */
    port->rdev = st.st_rdev;
    snprintf(device, sizeof device, "%s/class/tty/%s/device", sysfs_root, port->name);
    if (!usb_parent(device, usb_dir, interface, sizeof interface) ||
        !hex4_read(usb_dir, "idVendor", port->vid) || !hex4_read(usb_dir, "idProduct", port->pid))
        return false;
    snprintf(port->port_path, sizeof port->port_path, "%.100s", strrchr(usb_dir, '/') + 1);
    attr_read(usb_dir, "serial", port->serial, sizeof port->serial);
    describe(port, usb_dir);
    key_make(port, interface);
    return true;
}

typedef char tty_name[32];

static bool name_wanted(const char *name)
{
    return (!strncmp(name, "ttyUSB", 6) || !strncmp(name, "ttyACM", 6)) &&
           strlen(name) < sizeof(tty_name);
}

static int name_compare(const void *a, const void *b)
{
    return strverscmp(a, b);
}

/* Not scandir(): the test bed umockdev shows its tree to opendir() only. */
static size_t names_read(const char *sysfs_root, tty_name *names, size_t max)
{
    char path[SERIAL_PATH_MAX + 16];
    size_t n = 0;
    struct dirent *entry;
    snprintf(path, sizeof path, "%s/class/tty", sysfs_root);
    DIR *dir = opendir(path);
    if (!dir)
        return 0;
    while (n < max && (entry = readdir(dir)))
        if (name_wanted(entry->d_name))
            snprintf(names[n++], sizeof *names, "%.31s", entry->d_name);
    closedir(dir);
    qsort(names, n, sizeof *names, name_compare);
    return n;
}

size_t discover_scan(const char *sysfs_root, const char *dev_root, struct usb_port *out, size_t max)
{
    tty_name names[SERIAL_FOUND_MAX];
    size_t n = names_read(sysfs_root, names, SERIAL_FOUND_MAX), found = 0;
    for (size_t i = 0; i < n && found < max; i++)
        if (port_read(sysfs_root, dev_root, names[i], &out[found]))
            found++;
    return found;
}

void discover_list(const char *sysfs_root, const char *dev_root, char *out, size_t cap)
{
    tty_name names[SERIAL_FOUND_MAX];
    size_t n = names_read(sysfs_root, names, SERIAL_FOUND_MAX), len = 0;
    out[0] = 0;
    for (size_t i = 0; i < n; i++) {
        int add = snprintf(out + len, cap - len, "%s%s/%s", len ? ", " : "", dev_root, names[i]);
        if (len + (size_t)add < cap)
            len += (size_t)add;
        else
            out[len] = 0; /* no room: a shorter list is a list all the same */
    }
    if (len == 0)
        snprintf(out, cap, "none");
}

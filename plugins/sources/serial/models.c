/* Which USB devices miners are, by the numbers that they give themselves. What is not here is
 * shown, and nothing more: opening a stranger's port may disturb somebody's 3D printer.
 * Sources: kernel ch341 and cp210x id tables, Espressif's usb-pids list, boards' hwids. */
#include "serial.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
    LIKELY = 1,   /* a bridge or chip that miners use */
    NATIVE = 2,   /* USB of the chip itself: its serial number is its MAC */
    BOOT = 4,     /* the chip's boot loader in ROM: it does not mine */
    ESPRESSIF = 8 /* the maker's own ids: nothing but an ESP32 has them */
};

static const struct {
    const char *vid, *pid; /* pid NULL: any */
    unsigned flags;
} models[] = {
    {"303a", "0002", BOOT}, /* ESP32-S2, USB-OTG download mode */
    {"303a", "0009", BOOT}, /* ESP32-S3 */
    {"303a", NULL, LIKELY | NATIVE | ESPRESSIF},
    {"2886", "0046", LIKELY | NATIVE}, /* XIAO ESP32C3 */
    {"2341", "0070", LIKELY | NATIVE}, /* Arduino Nano ESP32 */
    {"1a86", "7522", LIKELY},          /* CH340K */
    {"1a86", "7523", LIKELY},          /* CH340 */
    {"1a86", "5523", LIKELY},          /* CH341 */
    {"1a86", "55d3", LIKELY},          /* CH343 */
    {"1a86", "55d4", LIKELY},          /* CH9102 */
    {"4348", "5523", LIKELY},          /* CH341 clones */
    {"9986", "7523", LIKELY},
    {"2184", "0057", LIKELY},
    {"10c4", "ea60", LIKELY}, /* CP2102, CP2104, CP2102N */
    {"0403", "6001", LIKELY}, /* FT232R */
    {"0403", "6010", LIKELY}, /* FT2232 */
    {"0403", "6015", LIKELY}, /* FT231X */
};

/* The same bridges sit in other things, whose makers say so in the product's name. Lower case. */
static const char *const others[] = {
    "gps",     "gnss",       "u-blox",  "zigbee",   "zbdongle", "z-wave",  "zwave",
    "hubz",    "skyconnect", "zbt-1",   "conbee",   "raspbee",  "cc2531",  "cc2652",
    "cc1352",  "nabu casa",  "rfxtrx",  "rfxcom",   "rflink",   "enocean", "modem",
    "printer", "marlin",     "klipper", "creality", "prusa",    "dmx",     "knx",
    "rs485",   "rs-485",     "modbus",  "elm327",   "obd2",     "obdlink", "p1 conv",
    "jeelink", "radioberry", "rtl-sdr", "weather",  "scale",    "barcode",
};

static unsigned model_flags(const char *vid, const char *pid)
{
    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        if (!strcmp(models[i].vid, vid) && (!models[i].pid || !strcmp(models[i].pid, pid)))
            return models[i].flags;
    return 0;
}

static bool says_otherwise(const char *text)
{
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strcasestr(text, others[i]))
            return true;
    return false;
}

static bool ids_have(const struct model_ids *more, const char *vid, const char *pid)
{
    char id[16];
    snprintf(id, sizeof id, "%.4s:%.4s", vid, pid);
    for (size_t i = 0; i < more->n; i++)
        if (!strcmp(more->ids[i], id))
            return true;
    return false;
}

bool models_native(const char *vid, const char *pid)
{
    return model_flags(vid, pid) & NATIVE;
}

unsigned models_judge(const struct model_ids *more, bool listen_all, const char *vid,
                      const char *pid, const char *text)
{
    unsigned flags = model_flags(vid, pid), judge = 0;
    bool named = ids_have(more, vid, pid); /* whoever wrote it there knows what it is */
    if (flags & BOOT)
        return SHEP_JUDGE_BOOTLOADER;
    if (flags & NATIVE)
        judge |= SHEP_JUDGE_NATIVE;
    if (!named && (!(flags & LIKELY) || says_otherwise(text)))
        return judge;
    judge |= SHEP_JUDGE_PLAUSIBLE;
    if (listen_all || flags & ESPRESSIF)
        judge |= SHEP_JUDGE_LISTEN;
    return judge;
}

static bool id_good(const char *word, size_t len)
{
    if (len != 9 || word[4] != ':')
        return false;
    for (size_t i = 0; i < len; i++)
        if (i != 4 && !isxdigit((unsigned char)word[i]))
            return false;
    return true;
}

bool models_parse(const char *text, struct model_ids *out, char bad[static 32])
{
    out->n = 0;
    for (;;) {
        text += strspn(text, ", \t\n");
        size_t len = strcspn(text, ", \t\n");
        if (len == 0)
            return true;
        if (!id_good(text, len) || out->n == SERIAL_IDS_MAX) {
            snprintf(bad, 32, "%.*s", (int)(len < 31 ? len : 31), text);
            return false;
        }
        for (size_t i = 0; i < len; i++)
            out->ids[out->n][i] = (char)tolower((unsigned char)text[i]);
        out->ids[out->n++][len] = 0;
        text += len;
    }
}

/* ---- which paths are serial ports and nothing else ---- */

/* The kernel's serial ports (ttyUSB0, ttyACM0, ttyAMA0, ttyS0, ttyCH343USB0 …) and the links that
 * people's udev rules make beside them (ttyMINER_001) have a capital here; terminals have not:
 * tty1, ttyp0. */
static bool is_port_name(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
    return name[0] >= 'A' && name[0] <= 'Z' && name[n] == '\0';
}

/* "by-id/usb-1a86_USB_Serial-if00-port0": one name in one folder; udev alone makes links there. */
static bool is_udev_link(const char *path)
{
    const char *name = strncmp(path, "by-", 3) == 0 ? strchr(path, '/') : NULL;
    return name && name[1] && name[1] != '.' && !strchr(name + 1, '/');
}

int models_may_add(const char *path)
{
    if (!path)
        return SHEP_ADD_OPERATOR; /* it is opened where it is plugged in */
    if (strncmp(path, "/dev/serial/", 12) == 0)
        return is_udev_link(path + 12) ? SHEP_ADD_OPERATOR : SHEP_ADD_ADMIN;
    if (strncmp(path, "/dev/tty", 8) == 0 && is_port_name(path + 8))
        return SHEP_ADD_OPERATOR;
    return SHEP_ADD_ADMIN; /* a pseudo-terminal, but also the terminal that somebody types into */
}

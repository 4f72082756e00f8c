/* What devices say of themselves, made harmless: it reaches pages, logs and the database. */
#include "udev.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* Bytes of the UTF-8 character at p, 0 when it is none. Overlong forms, surrogates and what is
 * beyond Unicode are none; p is NUL-terminated, and NUL continues nothing. */
static size_t utf8_length(const unsigned char *p)
{
    unsigned char lowest = 0x80, highest = 0xbf;
    size_t n;
    if (p[0] < 0x80)
        return 1;
    if (p[0] >= 0xc2 && p[0] <= 0xdf)
        n = 2;
    else if (p[0] >= 0xe0 && p[0] <= 0xef)
        n = 3;
    else if (p[0] >= 0xf0 && p[0] <= 0xf4)
        n = 4;
    else
        return 0;
    if (p[0] == 0xe0)
        lowest = 0xa0;
    else if (p[0] == 0xf0)
        lowest = 0x90;
    else if (p[0] == 0xed)
        highest = 0x9f;
    else if (p[0] == 0xf4)
        highest = 0x8f;
    for (size_t i = 1; i < n; i++, lowest = 0x80, highest = 0xbf)
        if (p[i] < lowest || p[i] > highest)
            return 0;
    return n;
}

static bool is_control(const unsigned char *p)
{
    return *p < 0x20 || *p == 0x7f || (p[0] == 0xc2 && p[1] < 0xa0);
}

void text_clean(char *dst, size_t cap, const char *src)
{
    size_t len = 0;
    for (const unsigned char *p = (const unsigned char *)src; *p;) {
        size_t n = utf8_length(p);
        bool harmless = n > 0 && !is_control(p);
        size_t out = harmless ? n : 1;
        if (len + out >= cap)
            break;
        if (harmless)
            memcpy(dst + len, p, n);
        else
            dst[len] = '?';
        len += out;
        p += n > 0 ? n : 1;
    }
    while (len > 0 && dst[len - 1] == ' ')
        len--;
    dst[len] = 0;
}

/* udev's list of bytes that a serial number may keep (systemd, udev-util.c and usb_id). */
static bool serial_plain(unsigned char c)
{
    return c < 0x80 && (isalnum(c) || (c && strchr("#+-.:=@_", c)));
}

static bool serial_odd(const char *src)
{
    for (; *src; src++)
        if ((unsigned char)*src < 0x20 || (unsigned char)*src > 0x7e || *src == ',')
            return true;
    return false;
}

/* As usb_id writes it: runs of spaces are one underscore, none at the ends; other bytes too. */
static void serial_like_udev(char *dst, size_t cap, const char *src)
{
    size_t len = 0, end = strlen(src);
    while (end > 0 && src[end - 1] == ' ')
        end--;
    for (size_t i = 0; i < end && len + 1 < cap; i++) {
        if (src[i] == ' ' && (len == 0 || src[i - 1] == ' '))
            continue;
        dst[len++] = serial_plain((unsigned char)src[i]) ? src[i] : '_';
    }
    dst[len] = 0;
}

void text_serial(char *dst, size_t cap, const char *src)
{
    size_t len = 0;
    if (!serial_odd(src)) {
        serial_like_udev(dst, cap, src);
        return;
    }
    for (; *src && len + 3 < cap; src++) {
        unsigned char c = (unsigned char)*src;
        if (serial_plain(c))
            dst[len++] = (char)c;
        else
            len += (size_t)snprintf(dst + len, cap - len, "%%%02x", c);
    }
    dst[len] = 0;
}

bool text_mac(char out[static 18], const char *serial)
{
    unsigned char digits[12];
    size_t n = 0;
    for (const char *p = serial; *p; p++) {
        if (isxdigit((unsigned char)*p) && n < 12)
            digits[n++] = (unsigned char)tolower((unsigned char)*p);
        else if (!strchr(":-_", *p) || n % 2 != 0 || n == 0 || n == 12 || strlen(serial) != 17)
            return false;
    }
    if (n != 12 || strspn(serial, "0:-_") == strlen(serial))
        return false;
    if (strchr("13579bdf", digits[1]))
        return false; /* a group address, all ones among them: no device has that */
    for (size_t i = 0; i < 6; i++)
        snprintf(out + 3 * i, 18 - 3 * i, "%c%c%s", digits[2 * i], digits[2 * i + 1],
                 i < 5 ? ":" : "");
    return true;
}

bool text_hex4(char out[static 5], const char *src)
{
    if (strlen(src) != 4)
        return false;
    for (int i = 0; i < 4; i++) {
        if (!isxdigit((unsigned char)src[i]))
            return false;
        out[i] = (char)tolower((unsigned char)src[i]);
    }
    out[4] = 0;
    return true;
}

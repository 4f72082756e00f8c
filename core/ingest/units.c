/* Units of devices to SI units. See units.h. */
#include "ingest/units.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    NUMBER_MAX = 64,     /* longer is no number that a device prints */
    DAYS_DIGITS_MAX = 6, /* 2,700 years of mining */
    HOURS_DIGITS_MAX = 6
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static void trim(const char **text, size_t *len)
{
    while (*len && is_blank((*text)[0])) {
        (*text)++;
        (*len)--;
    }
    while (*len && is_blank((*text)[*len - 1]))
        (*len)--;
}

static size_t digits(const char *text, size_t len)
{
    size_t n = 0;
    while (n < len && is_digit(text[n]))
        n++;
    return n;
}

/* "12.34" or "1.2e+06": its length, 0 when there is none. An E without digits behind is the suffix
 * exa. */
static size_t mantissa(const char *text, size_t len, bool *has_exponent)
{
    size_t whole = digits(text, len), at = whole, fraction = 0;
    if (at < len && text[at] == '.') {
        fraction = digits(text + at + 1, len - at - 1);
        at += 1 + fraction;
    }
    *has_exponent = false;
    if (whole + fraction == 0)
        return 0;
    if (at < len && (text[at] == 'e' || text[at] == 'E')) {
        size_t sign = at + 1 < len && (text[at + 1] == '+' || text[at + 1] == '-');
        size_t n = digits(text + at + 1 + sign, len - at - 1 - sign);
        if (n > 0) {
            *has_exponent = true;
            at += 1 + sign + n;
        }
    }
    return at;
}

static int suffix_exponent(char c)
{
    static const char suffixes[] = "KMGTPEZ";
    if (c == 'k')
        c = 'K';
    const char *at = c ? strchr(suffixes, c) : NULL;
    return at ? 3 * (int)(at - suffixes + 1) : 0;
}

static bool is_unit(const char *text, size_t len)
{
    static const char *const units[] = {"H/s", "Hash/s", "Hashes", "Hash", "H"};
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strlen(units[i]) == len && strncasecmp(units[i], text, len) == 0)
            return true;
    }
    return len == 0;
}

bool unit_parse_scaled(const char *text, size_t len, double *out)
{
    trim(&text, &len);
    bool has_exponent;
    size_t n = len <= NUMBER_MAX ? mantissa(text, len, &has_exponent) : 0;
    if (n == 0)
        return false;
    const char *number = text;
    size_t number_len = n;
    text += n;
    len -= n;
    trim(&text, &len);
    int exponent = len ? suffix_exponent(text[0]) : 0;
    if (exponent) {
        if (has_exponent)
            return false;
        text++;
        len--;
        trim(&text, &len);
    }
    if (!is_unit(text, len))
        return false;
    /* The suffix becomes a decimal exponent, so that strtod rounds once: 54.97 * 1000 is not 54970.
     */
    char copy[NUMBER_MAX + 8];
    if (exponent)
        snprintf(copy, sizeof(copy), "%.*se%d", (int)number_len, number, exponent);
    else
        snprintf(copy, sizeof(copy), "%.*s", (int)number_len, number);
    double value = strtod(copy, NULL);
    if (!isfinite(value))
        return false;
    *out = value;
    return true;
}

/* "01:02:03" and nothing else. */
static bool parse_clock(const char *text, size_t len, double *seconds)
{
    size_t n = digits(text, len);
    if (n == 0 || n > HOURS_DIGITS_MAX || len != n + 6)
        return false;
    const char *rest = text + n;
    if (rest[0] != ':' || !is_digit(rest[1]) || !is_digit(rest[2]) || rest[3] != ':' ||
        !is_digit(rest[4]) || !is_digit(rest[5]))
        return false;
    int minutes = (rest[1] - '0') * 10 + rest[2] - '0';
    int secs = (rest[4] - '0') * 10 + rest[5] - '0';
    if (minutes > 59 || secs > 59)
        return false;
    double hours = 0;
    for (size_t i = 0; i < n; i++)
        hours = hours * 10 + (text[i] - '0');
    *seconds = hours * 3600 + minutes * 60 + secs;
    return true;
}

bool unit_parse_duration(const char *text, size_t len, double *seconds_out)
{
    trim(&text, &len);
    size_t n = digits(text, len);
    if (n == 0)
        return false;
    if (n < len && text[n] == ':')
        return parse_clock(text, len, seconds_out);
    double days = 0, seconds;
    if (n > DAYS_DIGITS_MAX)
        return false;
    for (size_t i = 0; i < n; i++)
        days = days * 10 + (text[i] - '0');
    text += n;
    len -= n;
    if (len && text[0] == 'd') {
        text++;
        len--;
    }
    if (len == 0 || !is_blank(text[0]))
        return false;
    trim(&text, &len);
    if (!parse_clock(text, len, &seconds) || seconds >= 86400)
        return false;
    *seconds_out = days * 86400 + seconds;
    return true;
}

void unit_split_user(const char *user, size_t len, size_t *wallet_len, const char **worker,
                     size_t *worker_len)
{
    const char *dot = len ? memchr(user, '.', len) : NULL;
    *wallet_len = dot ? (size_t)(dot - user) : len;
    *worker = dot ? dot + 1 : user + len;
    *worker_len = dot ? len - *wallet_len - 1 : 0;
}

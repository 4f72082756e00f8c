/* The replies of the price providers. They are hostile input: a number may be a number or a string,
 * the object may stand in an array, anything may be missing; what is not plausible is refused as a
 * whole, so that a bad reply never replaces a good price. */
#include "parse.h"

#include <ctype.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* No currency puts a bitcoin over this (the rial stands near 1e10); no day moves it by more. */
static const double price_max = 1e13, change_max = 1e5;
enum { NUMBER_TEXT_MAX = 40 };

/* A number or a string that is nothing but a number; NAN: neither. */
static double number_of(const json_t *value)
{
    if (json_is_number(value))
        return json_number_value(value);
    const char *text = json_string_value(value);
    if (!text || strlen(text) > NUMBER_TEXT_MAX || strspn(text, "+-.0123456789eE") != strlen(text))
        return NAN;
    char *end;
    double number = strtod(text, &end);
    return end != text && *end == 0 ? number : NAN;
}

static double price_of(const json_t *value)
{
    double price = number_of(value);
    return price > 0 && price < price_max ? price : NAN;
}

static double change_of(const json_t *value)
{
    double change = number_of(value);
    return fabs(change) < change_max ? change : NAN;
}

/* The reply's object, out of an array when it stands in one; NULL: there is none. Borrowed. */
static const json_t *object_of(const json_t *root)
{
    if (json_is_array(root))
        root = json_array_get(root, 0);
    return json_is_object(root) ? root : NULL;
}

/* {"last_price_usd":68000.5,"price_change_1D_percent":"-1.360000000", …} */
static void coincodex_read(const json_t *reply, const char *currency, struct quote *out)
{
    out->price = out->price_usd = price_of(json_object_get(reply, "last_price_usd"));
    out->change_24h = change_of(json_object_get(reply, "price_change_1D_percent"));
}

/* {"bitcoin":{"usd":97284.65,"usd_24h_change":-1.2,"eur":…}} */
static void coingecko_read(const json_t *reply, const char *currency, struct quote *out)
{
    const json_t *coin = object_of(json_object_get(reply, "bitcoin"));
    char key[PRICE_CURRENCY_MAX + 16];
    snprintf(key, sizeof key, "%s_24h_change", currency);
    out->price = price_of(json_object_get(coin, currency));
    out->price_usd = price_of(json_object_get(coin, "usd"));
    out->change_24h = change_of(json_object_get(coin, key));
}

/* {"time":1703252411,"USD":43753,"EUR":40545, …} */
static void mempool_read(const json_t *reply, const char *currency, struct quote *out)
{
    char key[PRICE_CURRENCY_MAX + 1];
    size_t len = strnlen(currency, PRICE_CURRENCY_MAX);
    for (size_t i = 0; i < len; i++)
        key[i] = (char)toupper((unsigned char)currency[i]);
    key[len] = 0;
    out->price = price_of(json_object_get(reply, key));
    out->price_usd = price_of(json_object_get(reply, "USD"));
}

static bool reply_parse(const char *body, size_t len, const char *currency, struct quote *out,
                        void (*read)(const json_t *, const char *, struct quote *))
{
    json_t *root = json_loadb(body, len, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, NULL);
    const json_t *reply = object_of(root);
    *out = (struct quote){NAN, NAN, NAN};
    if (reply)
        read(reply, currency, out);
    json_decref(root);
    return isfinite(out->price);
}

static bool coincodex_parse(const char *body, size_t len, const char *currency, struct quote *out)
{
    return reply_parse(body, len, currency, out, coincodex_read);
}

static bool coingecko_parse(const char *body, size_t len, const char *currency, struct quote *out)
{
    return reply_parse(body, len, currency, out, coingecko_read);
}

static bool mempool_parse(const char *body, size_t len, const char *currency, struct quote *out)
{
    return reply_parse(body, len, currency, out, mempool_read);
}

static const struct provider providers[] = {
    {"coincodex", "https://coincodex.com/api/coincodex/get_coin/BTC", true, coincodex_parse},
    {"coingecko",
     "https://api.coingecko.com/api/v3/simple/price?ids=bitcoin&vs_currencies=%s"
     "&include_24hr_change=true",
     false, coingecko_parse},
    {"mempool", "https://mempool.space/api/v1/prices", false, mempool_parse},
};

const struct provider *provider_find(const char *name)
{
    for (size_t i = 0; i < sizeof providers / sizeof *providers; i++)
        if (!strcmp(providers[i].name, name))
            return &providers[i];
    return NULL;
}

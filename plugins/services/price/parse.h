/* What the price providers answer, made into two numbers. Pure: text in, numbers out. */
#ifndef PRICE_PARSE_H
#define PRICE_PARSE_H

#include <stdbool.h>
#include <stddef.h>

enum { PRICE_CURRENCY_MAX = 8 };

struct quote {
    double price;      /* in the currency asked for */
    double price_usd;  /* NAN: the reply does not have it */
    double change_24h; /* percent; NAN: the provider has none */
};

struct provider {
    const char *name;
    const char *url; /* with %s where the currencies go, or without */
    bool usd_only;
    /* True and *out complete, or false: not a reply of this provider's, or nonsense in it. */
    bool (*parse)(const char *body, size_t len, const char *currency, struct quote *out);
};

const struct provider *provider_find(const char *name); /* NULL: unknown */
#endif

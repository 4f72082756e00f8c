/* Coin addresses that people keep at hand. An address with a wrong checksum never gets in. */
#include "flock/internal.h"

#include "coin/coin.h"

#include <ctype.h>

enum { TICKER_MAX = 10, LABEL_MAX = 64 };

static void upper(char *text)
{
    for (; text && *text; text++)
        *text = (char)toupper((unsigned char)*text);
}

static int check(const char *ticker, const char *address, char why[FLOCK_WHY_MAX])
{
    struct coin_verdict verdict;
    coin_address_check(address, strlen(address), ticker, &verdict);
    return verdict.result == COIN_WRONG ? refuse(SHEP_E_CONFIG, why, "%s", verdict.why) : 0;
}

static const json_t *same_address(const struct flock *flock, const char *address, int64_t id)
{
    size_t i;
    json_t *row;
    json_array_foreach(flock->addresses, i, row)
    {
        if (row_id(row) != id && coin_address_same(field(row, "address"), address))
            return row;
    }
    return NULL;
}

/* What the form does not say stays as it is in the old row; a label may become empty. */
static int row_from(const json_t *old, const json_t *fields, json_t *row, char why[FLOCK_WHY_MAX])
{
    char *ticker = NULL, *address = NULL, *label = NULL;
    int rc = word_dup(fields, "coin_ticker", TICKER_MAX, &ticker, why);
    if (!rc)
        rc = word_dup(fields, "address", COIN_ADDRESS_MAX, &address, why);
    if (!rc)
        rc = word_dup(fields, "label", LABEL_MAX, &label, why);
    if (!ticker)
        ticker = shep_strdup(field(old, "coin_ticker"));
    if (!address)
        address = shep_strdup(field(old, "address"));
    if (!json_object_get(fields, "label"))
        label = shep_strdup(field(old, "label"));
    upper(ticker);
    if (!rc && (!ticker || !address))
        rc = refuse(SHEP_E_CONFIG, why, "Coin ticker and address cannot be empty.");
    if (!rc)
        rc = check(ticker, address, why);
    if (!rc) {
        json_object_set_new(row, "coin_ticker", text_json(ticker));
        json_object_set_new(row, "address", text_json(address));
        json_object_set_new(row, "label", text_json(label));
    }
    free(ticker);
    free(address);
    free(label);
    return rc;
}

int flock_address_put(struct flock *flock, int64_t id, const json_t *fields, int64_t *id_out,
                      char why[FLOCK_WHY_MAX])
{
    const json_t *old = id ? row_by_id(flock->addresses, id) : NULL;
    if (id && !old)
        return refuse(SHEP_E_GONE, why, "Address not found.");
    if (!id && json_array_size(flock->addresses) >= ADDRESSES_MAX)
        return refuse(SHEP_E_CONFIG, why, "at most %d addresses", ADDRESSES_MAX);
    json_t *row = json_object();
    int rc = row_from(old, fields, row, why);
    if (!rc && same_address(flock, field(row, "address"), id))
        rc = refuse(SHEP_E_BUSY, why, "This address is already in the list.");
    id = id ? id : rows_next_id(flock->addresses);
    json_object_set_new(row, "id", json_integer((json_int_t)id));
    if (!rc && store_row_put(flock->store, TABLE_ADDRESSES, row) != 0)
        rc = refuse(SHEP_E_CONFIG, why, "the address cannot be stored");
    if (rc) {
        json_decref(row);
        return rc;
    }
    row_replace(flock->addresses, row);
    if (id_out)
        *id_out = id;
    flock_touch(flock);
    return 0;
}

int flock_address_delete(struct flock *flock, int64_t id, char why[FLOCK_WHY_MAX])
{
    if (!row_by_id(flock->addresses, id))
        return refuse(SHEP_E_GONE, why, "Address not found.");
    store_row_delete(flock->store, TABLE_ADDRESSES, id);
    row_remove(flock->addresses, id);
    flock_touch(flock);
    return 0;
}

/* Coin addresses, and the check of one while it is typed. */
#include "forms/internal.h"

#include "coin/coin.h"

/* "at": where the wrong characters are, for a page that marks them. */
static json_t *places_json(const struct coin_verdict *verdict)
{
    json_t *at = json_array();
    for (size_t i = 0; i < verdict->n_at; i++)
        json_array_append_new(at, json_integer((json_int_t)verdict->at[i]));
    return at;
}

static json_t *verdict_json(const struct coin_verdict *verdict)
{
    static const char *const results[] = {
        [COIN_OK] = "ok", [COIN_UNKNOWN] = "unknown", [COIN_WRONG] = "wrong"};
    json_t *out = json_object();
    json_object_set_new(out, "result", json_string(results[verdict->result]));
    json_object_set_new(out, "coin_ticker", forms_text_json(verdict->ticker));
    json_object_set_new(out, "network", forms_text_json(verdict->network));
    json_object_set_new(out, "kind", forms_text_json(verdict->kind));
    json_object_set_new(out, "at", places_json(verdict));
    return out;
}

/* Without the blanks around it that a copied text has. */
static void look(const struct ask *ask, struct coin_verdict *verdict)
{
    const char *address = ask_field(ask, "address"), *ticker = ask_field(ask, "coin_ticker");
    address = address ? address : "";
    address += strspn(address, " \t\r\n");
    size_t len = strlen(address);
    while (len && strchr(" \t\r\n", address[len - 1]))
        len--;
    coin_address_check(address, len, ticker, verdict);
}

static void check(struct ask *ask)
{
    struct coin_verdict verdict;
    char text[MESSAGE_MAX];
    look(ask, &verdict);
    if (verdict.result == COIN_OK)
        snprintf(text, sizeof text, "%s, %s network, %s", verdict.ticker ? verdict.ticker : "?",
                 verdict.network ? verdict.network : "?", verdict.kind ? verdict.kind : "?");
    else if (verdict.result == COIN_UNKNOWN)
        snprintf(text, sizeof text, "%s",
                 verdict.why[0] ? verdict.why
                                : "Addresses of this coin cannot be checked here; compare it.");
    else
        snprintf(text, sizeof text, "%s", verdict.why);
    ask->json = true; /* there is no page that this could go back to */
    ask_answer_status(ask, 200, verdict.result != COIN_WRONG, text, verdict_json(&verdict));
}

static void put(struct ask *ask, const char *action, const char *good)
{
    char why[FLOCK_WHY_MAX];
    json_t *fields = ask_fields_dup(ask),
           *old = flock_address_json(ask->forms->conf.flock, ask->id);
    int64_t id = ask->id;
    int rc = flock_address_put(ask->forms->conf.flock, id, fields, &id, why);
    json_decref(fields);
    if (rc) {
        struct coin_verdict verdict;
        look(ask, &verdict);
        json_t *extra = verdict_json(&verdict);
        if (verdict.result == COIN_WRONG)
            json_object_set_new(extra, "field", json_string("address"));
        ask_answer(ask, rc, why, extra);
    } else {
        ask_row_put(ask, action, "address", old, flock_address_json(ask->forms->conf.flock, id),
                    good);
    }
    json_decref(old);
}

static void add(struct ask *ask)
{
    ask->id = 0;
    put(ask, "address.add", "New address successfully added.");
}

static void edit(struct ask *ask)
{
    if (ask->id)
        put(ask, "address.edit", "Address updated.");
    else
        ask_answer(ask, SHEP_E_GONE, "Address not found.", NULL);
}

static void delete_address(struct ask *ask)
{
    char why[FLOCK_WHY_MAX];
    json_t *old = flock_address_json(ask->forms->conf.flock, ask->id);
    int rc = flock_address_delete(ask->forms->conf.flock, ask->id, why);
    if (rc)
        ask_answer(ask, rc, why, NULL);
    else
        ask_row_deleted(ask, "address.delete", "address", old, "Address successfully deleted.");
    json_decref(old);
}

const struct form_route addresses_routes[] = {
    {.path = "/addresses/add", .role = ROLE_OPERATOR, .fn = add, .back = "/config#addresses"},
    {.path = "/addresses/edit/*", .role = ROLE_OPERATOR, .fn = edit, .back = "/config#addresses"},
    {.path = "/addresses/delete/*",
     .role = ROLE_OPERATOR,
     .fn = delete_address,
     .back = "/config#addresses"},
    {.path = "/addresses/check", .role = ROLE_VIEWER, .fn = check},
    {0}};

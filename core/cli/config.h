/* What the files that check the configuration share. */
#ifndef SHEP_CLI_CONFIG_H
#define SHEP_CLI_CONFIG_H

#include "cli/cli.h"

struct checker {
    const char *file;
    const json_t *lines; /* of keys: "miners[2].id" → 14 */
    size_t n_mistakes;
};

/* One line on stderr; where is the path of a key, its line is looked up. arg: the checker. */
void config_mistake(const char *where, const char *what, void *arg);
void config_mistakef(struct checker *checker, const char *where, const char *fmt, ...)
    SHEP_PRINTF(3, 4);
/* false, and a mistake that names the nearest: name is none of the known. what: "key". */
bool config_name_check(struct checker *checker, const char *where, const char *what,
                       const char *name, const char *const *known, size_t n_known);

/* config_miners.c. NULL: not there. Returns the list, or NULL: there is none. */
const json_t *check_miners(struct checker *checker, const json_t *miners,
                           const struct plugins *plugins);

/* config_access.c. NULL: not there. */
void check_access(struct checker *checker, const json_t *access, struct config *out);

/* config_display.c. NULL: not there. */
void check_display(struct checker *checker, const json_t *display);
#endif

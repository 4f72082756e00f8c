/* What every miner's entry has, wherever it comes from: the configuration file or a form. One set
 * of rules for both. What its source wants besides is checked by plugins_check_miner(). Pure. */
#ifndef SHEP_FLOCK_ENTRY_H
#define SHEP_FLOCK_ENTRY_H

#include "plugin/plugin.h"

enum { ENTRY_MINERS_MAX = 2000, ENTRY_NAME_MAX = 64 };

/* 1 to 64 of A-Z a-z 0-9 . _ - */
bool entry_name_is_valid(const char *name);
/* A word for people: not empty, in one line. */
bool entry_label_is_valid(const json_t *value, size_t max_bytes);
/* id, location, group and tags. where: the entry's place ("miners[2]"); fn hears of each mistake
 * with its own ("miners[2].group"). */
void entry_check(const char *where, const json_t *entry, plugin_mistake_fn fn, void *arg);
#endif

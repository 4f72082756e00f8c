/* The configuration as data with lines (config.c, config_lines.c). */
#ifndef SHEP_SCRIPT_CONFIG_H
#define SHEP_SCRIPT_CONFIG_H

#include "script/worker/worker.h"
#include "util/clock.h"

/* Adds to lines what the assignment of `name` on that line of the source says about its nested
 * keys: "miners[1].id": 8. It reads table constructors; what is made otherwise has no line of its
 * own, and its mistakes are reported with the line of the assignment. */
void config_lines(const char *source, size_t len, const char *name, int line, json_t *lines);
#endif

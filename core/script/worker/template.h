/* Templates to Lua (template.c). Pure; knows nothing of Lua's library, so that it can be fuzzed
 * alone. */
#ifndef SHEP_SCRIPT_TEMPLATE_H
#define SHEP_SCRIPT_TEMPLATE_H

#include "util/util.h"

/* Translate a template to Lua with the same line numbers, appended to lua. 0; or the line of the
 * mistake, with a message. */
int template_translate(const char *text, size_t len, struct buf *lua, char *err, size_t err_cap);
#endif

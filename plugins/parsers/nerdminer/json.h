/* Just enough JSON to walk over one object without copying: members one by one, values as the raw
 * text they are. Nothing is decoded but plain strings. */
#ifndef NERDMINER_JSON_H
#define NERDMINER_JSON_H

#include "scan.h"

/* Takes one whole value (string, number, word, array or object) off the span; false when it is cut
 * or is none. */
bool json_take_value(struct span *s, struct span *value);

/* The next member of an object, or the next element of an array (then key is empty). `in` starts as
 * json_inside() of it. */
struct span json_inside(struct span container);
bool json_next_member(struct span *in, struct span *key, struct span *value);
bool json_next_element(struct span *in, struct span *value);

/* What is between the quotes; false: not a string, or with an escape other than \" \\ \/. Without
 * escapes `out` points into the line, else into buf. */
bool json_string(struct span value, char *buf, size_t size, struct span *out);

#endif

/* Facts: small JSON documents that services publish and views read by name ("price"). Thread: loop.
 */
#ifndef SHEP_FACTS_H
#define SHEP_FACTS_H

#include "herd/topic.h"

enum { FACT_MAX_BYTES = 65536, FACT_MAX_COUNT = 64 };

struct facts;
struct facts *facts_new(struct topics *topics);
void facts_free(struct facts *facts);
/* json is copied; NULL removes. SHEP_E_FORMAT when it is not JSON, SHEP_E_LIMIT over a bound.
 * Touches TOPIC_FACTS when it changed. */
int facts_put(struct facts *facts, const char *name, const char *json, size_t len);
const char *facts_get(const struct facts *facts,
                      const char *name); /* NULL: none; borrowed until the next put */
/* One JSON object of all facts: {"price":{…}}; borrowed until the next put. */
const char *facts_all(struct facts *facts, size_t *len_out);
#endif

/* Three parsers for tests of what is around parsers.
 *   toy    sure (90) of "toy miner", plausible (40) of "toy "; reads "rate N", "pool TEXT", "own
 * N", "reset", "flood N" (N readings); other lines are unknown other  sure (95) of "other miner",
 * plausible (35) of "maybe other"; reads "rate N" as 10 N shut   sure (100) of "shut miner", but
 * never opens */
#ifndef TOY_PARSER_H
#define TOY_PARSER_H

#include "ingest/ingest.h"

extern const struct ingest_parsers toy_parsers;
extern int toy_shut_count; /* how often shut was asked to open */
extern int toy_open_count; /* streams that toy and other have open: 0 when none leaks */
#endif

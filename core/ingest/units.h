/* Text of devices to SI units: the one place that knows their suffixes (CONTRACT "Metrics"). Needs
 * nothing but the C library, so that a parser plugin can compile units.c in. Any thread; no state.
 */
#ifndef SHEP_UNITS_H
#define SHEP_UNITS_H

#include <stdbool.h>
#include <stddef.h>

/* "12.34K", "1.2 M", "3.00G", "462.00KH/s", "20 MHashes", "0.0032", "1.04858e+06" → number. Suffix
 * k K M G T P E Z (10^3 … 10^21), with or without blanks before it, then an optional unit: H/s,
 * Hash/s, Hashes, Hash or H in any case. Blanks around it are ignored, otherwise the whole text
 * must be it. The result is rounded once, so 54.97K is exactly 54970. false: not a number,
 * negative, not finite, longer than 64 bytes; *out is untouched. */
bool unit_parse_scaled(const char *text, size_t len, double *out);

/* "0  01:02:03" and "000d 00:10:42" (days, hours below 24), "12:34:56" (hours) → seconds. false:
 * anything else; *seconds_out is untouched. */
bool unit_parse_duration(const char *text, size_t len, double *seconds_out);

/* "wallet.worker.x" → wallet up to the first dot, worker all after it (*worker_len 0: none, and
 * *worker then points at the end of user). */
void unit_split_user(const char *user, size_t len, size_t *wallet_len, const char **worker,
                     size_t *worker_len);
#endif

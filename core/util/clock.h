/* The one clock. Everything that asks for the time asks here, so that a test can hold it still.
 * Any thread. Wall time is a label only; every interval is measured with the monotonic clock. */
#ifndef SHEP_CLOCK_H
#define SHEP_CLOCK_H

#include <stdint.h>

int64_t clock_wall_ms(void); /* Unix time, UTC */
int64_t clock_mono_ms(void);
int64_t clock_mono_us(void);
int64_t clock_thread_cpu_us(void); /* CPU time of the calling thread */

/* Tests only: freeze both clocks at these values until the next call; negative wall_ms: the real
 * clocks again. */
void clock_set_fake(int64_t wall_ms, int64_t mono_ms);

/* "2026-10-18T14:30:00Z" into out[21 or more]. */
void clock_format_utc(int64_t wall_ms, char out[static 21]);
#endif

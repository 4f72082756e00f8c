/* The numbers that NerdMiner prints: plain, with a suffix, and its "days  HH:MM:SS". A plugin links
 * with nothing of the core, so they are read here. Each function takes what it read off the span
 * and leaves the span alone when it returns false. */
#ifndef NERDMINER_NUMBER_H
#define NERDMINER_NUMBER_H

#include "scan.h"

#include <stdint.h>

/* "12", "-3", "0.00015", "6.74E-08". Not "nan", not "inf": those are no numbers. */
bool number_take(struct span *s, double *out);

/* A number and one of k K M G T P E Z right behind it: "1.234K" is 1234. */
bool number_take_scaled(struct span *s, double *out);

/* Decimal digits; false past UINT64_MAX. */
bool number_take_uint(struct span *s, uint64_t *out);

/* "0  01:02:03" (days, two blanks, time) in seconds. */
bool number_take_duration(struct span *s, double *seconds);

/* "192.168.0.7"; 0.0.0.0 is no address. */
bool number_take_ipv4(struct span *s, struct span *address);

#endif

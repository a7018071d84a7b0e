/* Small readings of text that a definition and its values need: decimals, durations, money, dates, addresses, likeness of words.
 * All are locale-independent and allocate nothing. */
#ifndef SUNLINE_LD_TEXT_H
#define SUNLINE_LD_TEXT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/codec.h"

#define LD_DECIMAL_BYTES_MAX 64 /* a text longer than this is no number */

/* [+-] digits [. digits] [e [+-] digits], at least one digit before the exponent, four digits of exponent at most. */
struct ld_decimal {
    bool negative;
    const char *whole, *part;   /* digits before and after the point */
    uint32_t whole_n, part_n;
    int32_t exponent;
};
bool ld_decimal(const char *p, uint32_t n, struct ld_decimal *d);
int ld_decimal_compare(const struct ld_decimal *a, const struct ld_decimal *b); /* exact: <0, 0, >0 */
double ld_decimal_double(const char *p, uint32_t n); /* of a text that ld_decimal took; infinite if it is too large */

/* "500ms", "30s", "10m", "2h", "1d", "600" (seconds). 0; -1: not a duration, or beyond 100,000 days. */
int ld_duration(const char *p, uint32_t n, int64_t *us);
/* "12", "0.03". 0; -1 not an amount; -2 more than six decimals; -3 above SL_REWARD_MICROS_MAX. */
int ld_money(const char *p, uint32_t n, int64_t *micros);
int ld_money_double(double v, int64_t *micros); /* the amount whose nearest double is v; codes as above */

bool ld_is_date(const char *p, uint32_t n);     /* YYYY-MM-DD, a day that the calendar has */
bool ld_is_time(const char *p, uint32_t n);     /* HH:MM or HH:MM:SS */
bool ld_is_datetime(const char *p, uint32_t n); /* date, T or space, time, perhaps .fraction (with seconds), perhaps Z or +HH:MM */
bool ld_is_email(const char *p, uint32_t n);
bool ld_is_url(const char *p, uint32_t n);      /* scheme://host... */
bool ld_is_phone(const char *p, uint32_t n);    /* perhaps +, then 3 to 15 digits with blanks, dots, dashes, slashes, brackets between */
uint32_t ld_chars(const char *p, uint32_t n);   /* code points of UTF-8 */

/* The text made fit for a message: cut at 64 bytes with "...", control characters and broken UTF-8 escaped. Returns buf. */
#define LD_QUOTE_BYTES 288
const char *ld_quote(char buf[LD_QUOTE_BYTES], struct slp_bytes s);
#define LD_Q(bytes) ld_quote((char[LD_QUOTE_BYTES]){ 0 }, bytes)

/* Edits (insert, delete, change, swap neighbours) from a to b; more than `max` is returned as max + 1. */
uint32_t ld_edits(struct slp_bytes a, struct slp_bytes b, uint32_t max);
/* Is `b` near enough to what was written to be meant? Smaller is nearer; UINT32_MAX: no. */
uint32_t ld_likeness(struct slp_bytes written, struct slp_bytes b);
#endif

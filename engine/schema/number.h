/* SPDX-License-Identifier: Apache-2.0
 * Numbers as they are written digit by digit: which digits may come next so that the number can
 * still end inside its bounds. At most 15 digits in all, no exponent, no "-0". */
#ifndef LV_NUMBER_H
#define LV_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

#define LV_NUMBER_DIGITS 15

/* digits / 10^scale, |digits| <= 10^15 (which is beyond every number), scale <= 15 */
typedef struct LvDecimal {
    int64_t digits;
    uint32_t scale;
} LvDecimal;

/* Exactly the number that `value` is written as with at most 15 digits; values of 10^15 and more
 * become +-10^15. False: it needs more digits, or more than 15 behind the point. */
bool lv_decimal_from_double(double value, LvDecimal *decimal);
LvDecimal lv_decimal_from_integer(int64_t value);

/* -1, 0 or 1 */
int lv_decimal_compare(LvDecimal a, LvDecimal b);

typedef struct LvNumberBounds {
    LvDecimal least, most;
    bool integer; /* no point */
} LvNumberBounds;

typedef enum LvNumberPart {
    LV_NUMBER_START,
    LV_NUMBER_SIGN, /* behind "-" */
    LV_NUMBER_WHOLE,
    LV_NUMBER_FRACTION /* behind the point */
} LvNumberPart;

/* What has been written. Begins as all zero. */
typedef struct LvNumber {
    int64_t value;           /* of all digits, without sign and point */
    uint8_t part;            /* LvNumberPart */
    uint8_t whole, fraction; /* digits before and behind the point */
    bool negative;
} LvNumber;

#define LV_NUMBER_NEVER UINT32_MAX

/* Fewest bytes that end the number inside its bounds; 0: it may end here. LV_NUMBER_NEVER: none do.
 */
uint32_t lv_number_closing(const LvNumberBounds *bounds, const LvNumber *number);

/* Whether the number may end here. */
bool lv_number_complete(const LvNumberBounds *bounds, const LvNumber *number);

/* Appends a byte. False: no number goes on like that, and *number is undefined. */
bool lv_number_step(const LvNumberBounds *bounds, LvNumber *number, unsigned char byte);

/* The next byte of the shortest way to the end; the number may not end here. */
unsigned char lv_number_closing_byte(const LvNumberBounds *bounds, const LvNumber *number);

#endif

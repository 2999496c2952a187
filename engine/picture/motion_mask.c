/* SPDX-License-Identifier: Apache-2.0 */
#include "picture/motion_mask.h"

#include <stdbool.h>
#include <string.h>

#include "base/status.h"

#define NAME "motion-mask"
#define WHOLE 1000u

static const char *skip_blanks(const char *text)
{
    return text + strspn(text, " \t\r\n");
}

/* A number of up to four digits and what stands behind it, which must be one of `ends`. */
static bool read_number(const char **text, const char *ends, unsigned *value)
{
    const char *p = skip_blanks(*text);
    const char *begin = p;
    for (*value = 0; *p >= '0' && *p <= '9' && p - begin < 4; p++)
        *value = *value * 10 + (unsigned)(*p - '0');
    if (p == begin)
        return false;
    p = skip_blanks(p);
    if (!*p)
        *text = p;
    else
        *text = p + 1;
    return strchr(ends, *p) != NULL; /* which finds the text's end, too */
}

static void mask(uint8_t *masked, const unsigned r[4])
{
    const unsigned right = r[0] + r[2], bottom = r[1] + r[3];
    for (unsigned y = 0; y < LV_LUMA_MAP; y++)
        for (unsigned x = 0; x < LV_LUMA_MAP; x++)
            if (x * WHOLE < right * LV_LUMA_MAP && (x + 1) * WHOLE > r[0] * LV_LUMA_MAP &&
                y * WHOLE < bottom * LV_LUMA_MAP && (y + 1) * WHOLE > r[1] * LV_LUMA_MAP)
                masked[y * LV_LUMA_MAP + x] = 1;
}

LlavaovStatus lv_motion_mask_parse(
    const char *text, uint8_t masked[LV_LUMA_MAP * LV_LUMA_MAP], LlavaovError *error)
{
    uint8_t cells[LV_LUMA_MAP * LV_LUMA_MAP] = {0};
    unsigned n = 0;
    if (text)
        text = skip_blanks(text);
    for (; text && *text; n++) {
        unsigned r[4];
        if (n == LV_MOTION_MASK_MAX)
            return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, NAME,
                NAME ": more than %u rectangles", LV_MOTION_MASK_MAX);
        for (unsigned i = 0; i < 4; i++)
            if (!read_number(&text, i < 3 ? "," : ";", &r[i]) || (i < 3 && !*text))
                return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, NAME,
                    NAME ": rectangle %u is not x,y,width,height in thousandths of the picture; "
                         "';' stands between two",
                    n + 1);
        if (r[2] == 0 || r[3] == 0 || r[0] + r[2] > WHOLE || r[1] + r[3] > WHOLE)
            return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, NAME,
                NAME ": rectangle %u is empty or reaches beyond 1000", n + 1);
        mask(cells, r);
        text = skip_blanks(text);
    }
    if (!memchr(cells, 0, sizeof cells))
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, NAME,
            NAME ": nothing of the picture is left");
    memcpy(masked, cells, sizeof cells);
    return LLAVAOV_OK;
}

/* SPDX-License-Identifier: Apache-2.0
 * Why pictures of one kind do not work with a checkpoint that otherwise runs: kept until one is
 * used. */
#ifndef LV_REFUSAL_H
#define LV_REFUSAL_H

#include <stdarg.h>

#define LV_REFUSAL_BYTES 256
#define LV_REFUSED_FIELD 48 /* bytes of its name */

/* The first reason is kept: nothing changes unless refusal is empty. refusal becomes "FILE: NAME
 * MESSAGE", with the file's name alone, field becomes NAME. */
void lv_refuse(char refusal[LV_REFUSAL_BYTES], char field[LV_REFUSED_FIELD], const char *file,
    const char *name, const char *format, va_list arguments);

#endif

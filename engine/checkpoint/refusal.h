/* SPDX-License-Identifier: Apache-2.0
 * Why a checkpoint that otherwise runs cannot take pictures of one kind: kept until somebody
 * asks for them. */
#ifndef LV_REFUSAL_H
#define LV_REFUSAL_H

#include <stdarg.h>

#define LV_REFUSAL_BYTES 256
#define LV_REFUSED_FIELD 48 /* bytes of its name */

/* Of several reasons the first counts: nothing is changed unless refusal is empty. refusal becomes
 * "FILE: NAME MESSAGE", with the file's name alone, field becomes NAME. */
void lv_refuse(char refusal[LV_REFUSAL_BYTES], char field[LV_REFUSED_FIELD], const char *file,
    const char *name, const char *format, va_list arguments);

#endif

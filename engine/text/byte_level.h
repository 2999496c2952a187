/* SPDX-License-Identifier: Apache-2.0
 * How a vocabulary spells bytes: each as one character (GPT-2's table). */
#ifndef LV_BYTE_LEVEL_H
#define LV_BYTE_LEVEL_H

#include <stdint.h>

uint32_t lv_byte_character(unsigned char byte);
/* -1 for a character that stands for no byte. */
int lv_character_byte(uint32_t character);

#endif

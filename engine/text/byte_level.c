/* SPDX-License-Identifier: Apache-2.0 */
#include "text/byte_level.h"

uint32_t lv_byte_character(unsigned char byte)
{
    if ((byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE)
        return byte;
    /* The other 68 are mapped to U+0100 onwards, in order: 0x00..0x20, 0x7F..0xA0, 0xAD. */
    return 0x100 + (byte <= 0x20 ? byte : byte <= 0xA0 ? byte - 0x7F + 33u : 67u);
}

int lv_character_byte(uint32_t c)
{
    if ((c >= 0x21 && c <= 0x7E) || (c >= 0xA1 && c <= 0xAC) || (c >= 0xAE && c <= 0xFF))
        return (int)c;
    if (c < 0x100 || c > 0x100 + 67)
        return -1;
    c -= 0x100;
    return (int)(c <= 0x20 ? c : c < 67 ? c - 33 + 0x7F : 0xAD);
}

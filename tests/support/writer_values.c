/* SPDX-License-Identifier: Apache-2.0
 * Random values of one tensor, fast enough to fill gigabytes: a table of normal numbers in the
 * tensor's dtype, drawn from with 16 random bits a value. */
#include <math.h>
#include <string.h>

#include "writer_internal.h"

static uint64_t next(uint64_t *state)
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

void lv_writer_normals(float table[65536])
{
    uint64_t state = 1;
    for (size_t i = 0; i < 65536; i += 4) {
        double u = ((double)(next(&state) >> 11) + 0.5) / 9007199254740992.0;
        double v = (double)(next(&state) >> 11) / 9007199254740992.0;
        double radius = sqrt(-2 * log(u)), angle = 2 * M_PI * v;
        table[i] = (float)(radius * cos(angle));
        table[i + 1] = (float)(radius * sin(angle));
        table[i + 2] = -table[i];
        table[i + 3] = -table[i + 1];
    }
}

size_t lv_writer_element_bytes(LvWriterDtype dtype)
{
    static const size_t bytes[] = {[LV_WRITE_F32] = sizeof(float),
        [LV_WRITE_F16] = sizeof(uint16_t),
        [LV_WRITE_BF16] = sizeof(uint16_t)};
    return bytes[dtype];
}

static uint32_t float_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, 4);
    return bits;
}

/* Round to nearest, ties to even, in both; the values here are far from overflow. */
static uint16_t to_bf16(float value)
{
    uint32_t bits = float_bits(value);
    return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

static uint16_t to_f16(float value)
{
    uint16_t sign = (uint16_t)(float_bits(value) >> 16 & 0x8000);
    float magnitude = fabsf(value);
    if (magnitude < 0x1p-14f) /* subnormal: the sum's last bit is 2^-24 */
        return (uint16_t)(sign | (float_bits(magnitude + 0.5f) - float_bits(0.5f)));
    uint32_t bits = float_bits(magnitude);
    return (uint16_t)(sign | ((bits - 0x38000000u + 0xFFF + (bits >> 13 & 1)) >> 13));
}

static void convert(void *to, size_t i, float value, LvWriterDtype dtype)
{
    if (dtype == LV_WRITE_F32)
        ((float *)to)[i] = value;
    else
        ((uint16_t *)to)[i] = dtype == LV_WRITE_F16 ? to_f16(value) : to_bf16(value);
}

static uint64_t name_hash(const char *name)
{
    uint64_t hash = 0xCBF29CE484222325u;
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 0x100000001B3u;
    return hash;
}

bool lv_writer_values(FILE *file, const LvWriterTensor *tensor, uint64_t seed,
    const float normals[65536], void *scratch)
{
    /* First half of scratch: the table in this dtype; second half: values on their way out. */
    char *table = scratch, *block = table + LV_WRITER_SCRATCH / 2;
    bool use_table = tensor->elements > 65536;
    float mean = (float)tensor->mean, deviation = (float)tensor->deviation;
    for (size_t i = 0; use_table && i < 65536; i++)
        convert(table, i, mean + deviation * normals[i], tensor->dtype);
    uint64_t state = name_hash(tensor->canonical) + seed * 0xD1B54A32D192ED03u;
    size_t bytes = lv_writer_element_bytes(tensor->dtype);
    const size_t per_block = LV_WRITER_SCRATCH / 2 / 4;
    for (uint64_t done = 0; done < tensor->elements; done += per_block) {
        size_t n =
            tensor->elements - done < per_block ? (size_t)(tensor->elements - done) : per_block;
        uint64_t random = 0;
        for (size_t i = 0; i < n; i++) {
            random = i % 4 ? random >> 16 : next(&state);
            size_t pick = random & 0xFFFF;
            if (!use_table)
                convert(block, i, mean + deviation * normals[pick], tensor->dtype);
            else if (bytes == 2)
                ((uint16_t *)block)[i] = ((const uint16_t *)table)[pick];
            else
                ((float *)block)[i] = ((const float *)table)[pick];
        }
        if (fwrite(block, bytes, n, file) != n)
            return false;
    }
    return true;
}

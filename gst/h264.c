/* SPDX-License-Identifier: Apache-2.0 */
#include "h264.h"

#define NAL_SLICE 1
#define NAL_PARTITION_A 2
#define NAL_IDR 5

/* The bits of a NAL unit. Behind two zero bytes a 3 is no data. */
typedef struct
{
  const guint8 *data;
  gsize size, at;
  guint bit, zeros;
} NalBits;

/* 0 behind the end. */
static guint
read_bit (NalBits * bits)
{
  guint bit;

  if (bits->bit == 0 && bits->at < bits->size && bits->zeros >= 2 &&
      bits->data[bits->at] == 3) {
    bits->zeros = 0;
    bits->at++;
  }
  if (bits->at >= bits->size)
    return 0;
  bit = bits->data[bits->at] >> (7 - bits->bit) & 1;
  if (++bits->bit == 8) {
    bits->zeros = bits->data[bits->at] == 0 ? bits->zeros + 1 : 0;
    bits->bit = 0;
    bits->at++;
  }
  return bit;
}

/* ue(v) of the standard; G_MAXUINT where it is none. */
static guint
read_number (NalBits * bits)
{
  guint zeros = 0, value = 1;

  while (read_bit (bits) == 0)
    if (++zeros == 32)
      return G_MAXUINT;
  while (zeros--)
    value = value << 1 | read_bit (bits);
  return value - 1;
}

/* Of a coded slice. */
static gboolean
is_intra_slice (const guint8 * nal, gsize size)
{
  NalBits bits = {.data = nal + 1,.size = size - 1 };
  guint type;

  read_number (&bits);          /* first_mb_in_slice */
  type = read_number (&bits) % 5;
  return type == 2 || type == 4;        /* I, SI */
}

/* The next NAL unit behind *at, which moves behind it. FALSE: there is none. */
static gboolean
next_prefixed (const guint8 * data, gsize size, guint length_size, gsize * at,
    gsize * nal, gsize * nal_size)
{
  guint32 length = 0;
  guint i;

  if (size - *at < length_size)
    return FALSE;
  for (i = 0; i < length_size; i++)
    length = length << 8 | data[(*at)++];
  *nal = *at;
  *nal_size = MIN (length, size - *at);
  *at += *nal_size;
  return TRUE;
}

/* Behind the next start code from `at` on; `size`: there is none. */
static gsize
find_start (const guint8 * data, gsize size, gsize at)
{
  for (; at + 3 <= size; at++)
    if (data[at] == 0 && data[at + 1] == 0 && data[at + 2] == 1)
      return at + 3;
  return size;
}

static gboolean
next_started (const guint8 * data, gsize size, gsize * at, gsize * nal,
    gsize * nal_size)
{
  *nal = *at = find_start (data, size, *at);
  *nal_size = size - *at;       /* what is read of it ends long before the next one */
  return *at < size;
}

gboolean
gst_llavaov_h264_is_intra (const guint8 * data, gsize size, guint length_size)
{
  gsize at = 0, nal, nal_size;

  while (length_size ? next_prefixed (data, size, length_size, &at, &nal,
          &nal_size) : next_started (data, size, &at, &nal, &nal_size)) {
    guint type = nal_size ? data[nal] & 31 : 0;

    if (type == NAL_IDR)
      return TRUE;
    if ((type == NAL_SLICE || type == NAL_PARTITION_A) &&
        !is_intra_slice (data + nal, nal_size))
      return FALSE;
  }
  return TRUE;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The bin's sink pad: chooses between raw video, which goes straight through, and a decoder, by what the pad is linked to,
 * else by what arrives.
 */
#ifndef GST_LLAVAOV_BIN_INPUT_H
#define GST_LLAVAOV_BIN_INPUT_H

#include "gstllavaov.h"

G_BEGIN_DECLS

/* Sets the functions of the sink pad, once. */
void gst_llavaov_bin_input_setup (GstLlavaov * self);
/* Chooses, if the peer tells enough. */
void gst_llavaov_bin_choose_by_peer (GstLlavaov * self);

G_END_DECLS

#endif

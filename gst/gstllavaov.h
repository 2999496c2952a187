/* SPDX-License-Identifier: Apache-2.0
 *
 * llavaov: a bin around llavaovelement that decodes what is not raw video. It has the same properties and speaks for the
 * inner element: messages and notifications come from the bin.
 */
#ifndef GST_LLAVAOV_H
#define GST_LLAVAOV_H

#include "gstllavaovelement.h"

G_BEGIN_DECLS

#define GST_TYPE_LLAVAOV (gst_llavaov_get_type ())
G_DECLARE_FINAL_TYPE (GstLlavaov, gst_llavaov, GST, LLAVAOV, GstBin)

GST_ELEMENT_REGISTER_DECLARE (llavaov);

G_END_DECLS

#endif

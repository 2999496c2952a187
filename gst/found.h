/* SPDX-License-Identifier: Apache-2.0
 *
 * What a decoder came upon instead of video, for an error that says what was found, what is wanted and what to do.
 *
 * Thread-safe, but for init and free.
 */
#ifndef GST_LLAVAOV_FOUND_H
#define GST_LLAVAOV_FOUND_H

#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct
{
  GMutex lock;
  GString *others;              /* names of caps, with commas between */
  GString *undecoded;
} GstLlavaovFound;

void gst_llavaov_found_init (GstLlavaovFound * found);
void gst_llavaov_found_free (GstLlavaovFound * found);
void gst_llavaov_found_clear (GstLlavaovFound * found);

/* A stream that is no video. caps may be NULL. */
void gst_llavaov_found_other (GstLlavaovFound * found, const GstCaps * caps);
/* A stream that nothing here can decode, video or not. */
void gst_llavaov_found_unknown (GstLlavaovFound * found, const GstCaps * caps);

/* That there is no video; heard: what the decoder said, or NULL. The caller owns it. */
GError *gst_llavaov_found_error (GstLlavaovFound * found,
    const GError * heard);
/* Takes a decoder's ERROR message; when it is about the kind of stream, gives one of src that explains it, else itself. */
GstMessage *gst_llavaov_found_explain (GstLlavaovFound * found,
    GstObject * src, GstMessage * message);

G_END_DECLS

#endif

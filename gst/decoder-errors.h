/* SPDX-License-Identifier: Apache-2.0
 *
 * Errors of the bin's decoder. Collects the streams that it found instead of video, for an ERROR that says what was found,
 * what is wanted and what to do.
 *
 * Thread-safe, but for init and free.
 */
#ifndef GST_LLAVAOV_DECODER_ERRORS_H
#define GST_LLAVAOV_DECODER_ERRORS_H

#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct
{
  GMutex lock;
  GString *others;              /* names of caps, separated by commas */
  GString *undecodable;
  gboolean pushed;              /* what came, and not pulled */
} GstLlavaovDecoderErrors;

void gst_llavaov_decoder_errors_init (GstLlavaovDecoderErrors * errors);
void gst_llavaov_decoder_errors_free (GstLlavaovDecoderErrors * errors);
void gst_llavaov_decoder_errors_clear (GstLlavaovDecoderErrors * errors);

/* A stream that is not video. caps may be NULL. */
void gst_llavaov_decoder_errors_add_stream (GstLlavaovDecoderErrors *
    errors, const GstCaps * caps);
/* A stream, video or not, for which no decoder is installed. */
void gst_llavaov_decoder_errors_add_undecodable (GstLlavaovDecoderErrors *
    errors, const GstCaps * caps);

/* The streams that end in the decoder's elements, as undecodable ones: decodebin gives up on them in one thread before it
 * says so in another. */
void gst_llavaov_decoder_errors_add_unlinked (GstLlavaovDecoderErrors *
    errors, GstElement * decoder);

/* The error that there is no video. cause: the decoder's own error, or NULL. The caller owns the result. */
GError *gst_llavaov_decoder_errors_no_video (GstLlavaovDecoderErrors *
    errors, const GError * cause);
/* Takes an ERROR message of the decoder or an element in it. Returns one from src that explains it if it is about the kind of stream, else the
 * message itself. */
GstMessage *gst_llavaov_decoder_errors_explain (GstLlavaovDecoderErrors *
    errors, GstElement * decoder, GstObject * src, GstMessage * message);

G_END_DECLS

#endif

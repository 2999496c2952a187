/* SPDX-License-Identifier: Apache-2.0
 *
 * Errors of the bin's decoder. Collects the streams that it found instead of video, for an ERROR that says what was found,
 * what is wanted and what to do.
 *
 * The lock rule: all members are read and written by the functions of decoder-errors.c alone, with the lock. Any thread,
 * except for init and free.
 */
#ifndef GST_LLAVAOV_DECODER_ERRORS_H
#define GST_LLAVAOV_DECODER_ERRORS_H

#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct
{
  GMutex lock;
  GPtrArray *others;            /* of names of streams that are not video */
  GPtrArray *undecodable;       /* of names of video that nothing installed decodes */
  gboolean unlabelled_rtp;      /* `others` holds RTP whose caps do not say what it carries */
  gboolean pushed;              /* the input is pushed to the decoder, not pulled by it */
} GstLlavaovDecoderErrors;

void gst_llavaov_decoder_errors_init (GstLlavaovDecoderErrors * errors);
void gst_llavaov_decoder_errors_free (GstLlavaovDecoderErrors * errors);
void gst_llavaov_decoder_errors_clear (GstLlavaovDecoderErrors * errors);

/* Adds a stream that is not video. caps may be NULL. */
void gst_llavaov_decoder_errors_add_stream (GstLlavaovDecoderErrors *
    errors, const GstCaps * caps);
/* Adds a stream, video or not, for which no decoder is installed. */
void gst_llavaov_decoder_errors_add_undecodable (GstLlavaovDecoderErrors *
    errors, const GstCaps * caps);

/* Adds the streams that end inside the decoder, as undecodable ones. decodebin gives up on them in one thread before another
 * one reports it. */
void gst_llavaov_decoder_errors_add_unlinked (GstLlavaovDecoderErrors *
    errors, GstElement * decoder);

/* An error that says there is no video. cause: the decoder's own error, or NULL. The caller owns the result. */
GError *gst_llavaov_decoder_errors_no_video (GstLlavaovDecoderErrors *
    errors, const GError * cause);
/* Takes an ERROR message of the decoder or of an element in it, before there was video. If it is about the stream, returns one
 * from src that explains it, else the message itself. */
GstMessage *gst_llavaov_decoder_errors_explain (GstLlavaovDecoderErrors *
    errors, GstElement * decoder, GstObject * src, GstMessage * message);

G_END_DECLS

#endif

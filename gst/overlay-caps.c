/* SPDX-License-Identifier: Apache-2.0 */
#include "overlay-caps.h"

#define FEATURE GST_CAPS_FEATURE_META_GST_VIDEO_OVERLAY_COMPOSITION

static gboolean
add_feature (GstCapsFeatures * features, GstStructure * structure,
    gpointer user_data)
{
  if (!gst_caps_features_is_any (features) &&
      !gst_caps_features_contains (features, FEATURE))
    gst_caps_features_add (features, FEATURE);
  return TRUE;
}

static gboolean
remove_feature (GstCapsFeatures * features, GstStructure * structure,
    gpointer user_data)
{
  if (!gst_caps_features_is_any (features))
    gst_caps_features_remove (features, FEATURE);
  return TRUE;
}

static gboolean
has_feature (GstCapsFeatures * features, GstStructure * structure,
    gpointer user_data)
{
  return gst_caps_features_is_any (features) ||
      gst_caps_features_contains (features, FEATURE);
}

static GstCaps *
with_feature (const GstCaps * caps)
{
  GstCaps *result = gst_caps_copy (caps);

  gst_caps_map_in_place (result, add_feature, NULL);
  return result;
}

static GstCaps *
without_feature (const GstCaps * caps)
{
  GstCaps *result = gst_caps_copy (caps);

  gst_caps_map_in_place (result, remove_feature, NULL);
  return result;
}

/* Formats that are blended into; all in main memory. */
static GstCaps *
blended (void)
{
  return
      gst_caps_from_string (GST_VIDEO_CAPS_MAKE
      (GST_VIDEO_OVERLAY_COMPOSITION_BLEND_FORMATS));
}

/* caps with those added that differ from them in the feature; takes them. */
static GstCaps *
both (GstCaps * caps)
{
  return gst_caps_merge (gst_caps_merge (gst_caps_ref (caps),
          with_feature (caps)), caps);
}

/* From what a peer upstream gives or downstream takes: what passes through the element on the other side. Takes caps. */
static GstCaps *
through (GstCaps * caps, gboolean to_sink)
{
  GstCaps *raw = blended (), *drawn, *blendable;

  blendable = gst_caps_intersect (caps, raw);
  if (to_sink) {
    /* The composition may come from here: upstream need have none. */
    GstCaps *accepting = gst_caps_copy (caps);

    gst_caps_filter_and_map_in_place (accepting, has_feature, NULL);
    drawn = gst_caps_merge (without_feature (accepting), accepting);
  } else
    drawn = with_feature (caps);
  gst_caps_unref (caps);
  gst_caps_unref (raw);
  return gst_caps_merge (drawn, blendable);
}

GstCaps *
gst_llavaov_overlay_get_caps (GstPad * pad, GstPad * other, GstCaps * filter)
{
  gboolean to_sink = GST_PAD_IS_SINK (pad);
  GstCaps *template = gst_pad_get_pad_template_caps (pad);
  GstCaps *asked = NULL, *caps, *result;

  if (filter) {
    asked = to_sink ? both (gst_caps_ref (filter)) :
        gst_caps_merge (without_feature (filter), gst_caps_ref (filter));
    caps = gst_pad_peer_query_caps (other, asked);
    gst_caps_unref (asked);
  } else
    caps = gst_pad_peer_query_caps (other, NULL);
  if (gst_caps_is_any (caps)) {
    gst_caps_unref (caps);
    caps = gst_caps_ref (template);
  } else
    caps = through (caps, to_sink);
  result = gst_caps_intersect_full (caps, template, GST_CAPS_INTERSECT_FIRST);
  gst_caps_unref (caps);
  gst_caps_unref (template);
  if (filter) {
    caps = gst_caps_intersect_full (filter, result, GST_CAPS_INTERSECT_FIRST);
    gst_caps_unref (result);
    result = caps;
  }
  return result;
}

/* Whether metas of compositions survive to whoever draws them. */
static gboolean
peer_draws (GstPad * srcpad, GstCaps * caps)
{
  GstQuery *query;
  gboolean draws;

  if (!gst_pad_peer_query_accept_caps (srcpad, caps))
    return FALSE;
  query = gst_query_new_allocation (caps, FALSE);
  draws = gst_pad_peer_query (srcpad, query) &&
      gst_query_find_allocation_meta (query,
      GST_VIDEO_OVERLAY_COMPOSITION_META_API_TYPE, NULL);
  gst_query_unref (query);
  return draws;
}

GstCaps *
gst_llavaov_overlay_decide (GstPad * srcpad, GstCaps * caps, gboolean * attach)
{
  GstCaps *drawn = with_feature (caps), *raw;
  gboolean can_blend;

  *attach = TRUE;
  /* Somebody upstream has found that compositions are drawn. */
  if (gst_caps_is_equal (drawn, caps) || peer_draws (srcpad, drawn))
    return drawn;
  gst_caps_unref (drawn);
  *attach = FALSE;
  raw = blended ();
  can_blend = gst_caps_is_subset (caps, raw);
  gst_caps_unref (raw);
  return can_blend ? gst_caps_ref (caps) : NULL;
}

gboolean
gst_llavaov_overlay_foreign (const GstCaps * caps)
{
  GstCapsFeatures *features = gst_caps_is_empty (caps) ? NULL :
      gst_caps_get_features (caps, 0);

  return features && !gst_caps_features_is_any (features) &&
      !gst_caps_features_contains (features, FEATURE) &&
      !gst_caps_features_contains (features,
      GST_CAPS_FEATURE_MEMORY_SYSTEM_MEMORY);
}

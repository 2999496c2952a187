/* SPDX-License-Identifier: Apache-2.0
 *
 * Lengths are in pixels as they are shown, which are square; Cairo and the rectangle make pixels of the frame of them. */
#include "overlay-picture.h"

#include "overlay-lines.h"

#define DEFAULT_SIZE 20.
#define REFERENCE_LINES 480.
#define MIN_SIZE 6.
/* Cairo draws none that are larger. */
#define MAX_SIDE 32767

typedef struct
{
  gdouble red, green, blue, alpha;
} Colour;

static const Colour boxes[] = {
  [GST_LLAVAOV_OVERLAY_NEUTRAL] = {0, 0, 0, .6},
  [GST_LLAVAOV_OVERLAY_CALM] = {0, .27, .09, .75},
  [GST_LLAVAOV_OVERLAY_UNSURE] = {.48, .29, 0, .85},
  [GST_LLAVAOV_OVERLAY_RAISED] = {.72, .04, .04, .9},
};

typedef struct
{
  PangoLayout *layout;
  GstLlavaovOverlayMood mood;
  gint width, height;           /* of the text, of the box */
} TextBlock;

typedef struct
{
  gdouble aspect;               /* shown width of a pixel whose height is 1 */
  gint width, height;           /* of the picture as it is shown */
  gint size, padding;
  gint inner;                   /* width that text may take */
  gint room;                    /* height that all may take */
} Measures;

PangoFontMap *
gst_llavaov_overlay_fonts (void)
{
  PangoFontMap *fonts = pango_cairo_font_map_new ();
  PangoFontFamily **families = NULL;
  int n = 0;

  pango_font_map_list_families (fonts, &families, &n);
  g_free (families);
  if (n == 0)
    g_clear_object (&fonts);
  return fonts;
}

static PangoFontDescription *
describe (const GstLlavaovOverlayStyle * style, Measures * m)
{
  PangoFontDescription *font =
      pango_font_description_from_string (style->font ? style->font : "Sans");
  gdouble size = pango_font_description_get_size (font) / (gdouble) PANGO_SCALE;
  gint side = MIN (m->width, m->height);

  if (size <= 0)
    size = DEFAULT_SIZE;
  /* No letter is higher than the picture. */
  size = MIN (MAX (size * side / REFERENCE_LINES, MIN_SIZE), side);
  m->size = MAX (size, 1);
  pango_font_description_set_absolute_size (font, m->size * PANGO_SCALE);
  return font;
}

static void
measure (Measures * m, const GstVideoInfo * info)
{
  gint n = MAX (GST_VIDEO_INFO_PAR_N (info), 1);
  gint d = MAX (GST_VIDEO_INFO_PAR_D (info), 1);

  /* Beyond that no picture would be recognised. */
  m->aspect = CLAMP ((gdouble) n / d, 1. / 16, 16);
  m->width = MAX (GST_VIDEO_INFO_WIDTH (info) * m->aspect, 1);
  m->height = GST_VIDEO_INFO_HEIGHT (info);
}

/* Appends a part with a colour of its own. */
static void
append (GString * text, PangoAttrList * attributes, const gchar * part,
    const gchar * behind, guint16 grey, gboolean bold)
{
  guint start = text->len;
  PangoAttribute *each[2];
  guint i;

  g_string_append (text, part);
  g_string_append (text, behind);
  each[0] = pango_attr_foreground_new (grey, grey, grey);
  each[1] = pango_attr_weight_new (PANGO_WEIGHT_BOLD);
  for (i = 0; i < 2; i++) {
    if (i == 1 && !bold) {
      pango_attribute_destroy (each[i]);
      continue;
    }
    each[i]->start_index = start;
    each[i]->end_index = text->len;
    pango_attr_list_insert (attributes, each[i]);
  }
}

static PangoLayout *
lay_out (PangoContext * context, const PangoFontDescription * font,
    const GstLlavaovOverlayLine * line, const Measures * m)
{
  PangoLayout *layout = pango_layout_new (context);
  PangoAttrList *attributes = pango_attr_list_new ();
  GString *text = g_string_new (NULL);
  gboolean alert = line->mood == GST_LLAVAOV_OVERLAY_RAISED;

  if (line->question)
    append (text, attributes, line->question, "  ", 0xc000, FALSE);
  if (line->text)
    append (text, attributes, line->text, "", line->valid ? 0xffff : 0xa000,
        alert);
  if (line->confidence)
    append (text, attributes, "  ", line->confidence, 0xd800, FALSE);
  if (!line->valid)
    append (text, attributes, "  ", "?", 0xd800, TRUE);
  pango_layout_set_font_description (layout, font);
  pango_layout_set_text (layout, text->str, text->len);
  pango_layout_set_attributes (layout, attributes);
  pango_layout_set_width (layout, m->inner * PANGO_SCALE);
  pango_layout_set_wrap (layout, PANGO_WRAP_WORD_CHAR);
  pango_attr_list_unref (attributes);
  g_string_free (text, TRUE);
  return layout;
}

/* Gives each block the size that it takes, and no more height than its share of what is left. Returns the height of all. */
static gint
share (GArray * blocks, const Measures * m)
{
  gint used = 0;
  guint i;

  for (i = 0; i < blocks->len; i++) {
    TextBlock *block = &g_array_index (blocks, TextBlock, i);
    gint room = (m->room - used) / (gint) (blocks->len - i) - 2 * m->padding;
    PangoRectangle extents;

    /* With a height of its own there is at least one line, and an ellipsis. */
    pango_layout_set_ellipsize (block->layout, PANGO_ELLIPSIZE_END);
    pango_layout_set_height (block->layout, MAX (room, 1) * PANGO_SCALE);
    pango_layout_get_pixel_extents (block->layout, NULL, &extents);
    block->width = extents.x + extents.width;
    block->height = extents.height + 2 * m->padding;
    /* Where not even the first line has room, it is drawn and cut off. */
    if (i > 0 && used + block->height > m->room)
      g_array_set_size (blocks, i);
    else
      used += block->height;
  }
  return MIN (used, m->height);
}

/* Pixels of the frame that the boxes take, all as wide as the widest: each costs time with each frame. */
static gint
box_width (const GArray * blocks, const Measures * m, gint frame_width)
{
  gint widest = 0;
  guint i;

  for (i = 0; i < blocks->len; i++)
    widest = MAX (widest, g_array_index (blocks, TextBlock, i).width);
  return MIN ((widest + 4 * m->padding) / m->aspect + 1, frame_width);
}

static GstVideoOverlayComposition *
to_composition (const GArray * blocks, const Measures * m, gint height,
    GstLlavaovOverlayPosition position, const GstVideoInfo * info)
{
  gint width = box_width (blocks, m, GST_VIDEO_INFO_WIDTH (info));
  gint y = position == GST_LLAVAOV_OVERLAY_TOP ? 0 : m->height - height;
  gint top = 0;
  gsize stride = (gsize) width * 4, size = stride * height;
  guint8 *pixels = g_malloc0 (size);
  cairo_surface_t *surface = cairo_image_surface_create_for_data (pixels,
      CAIRO_FORMAT_ARGB32, width, height, stride);
  cairo_t *cairo = cairo_create (surface);
  GstVideoOverlayComposition *composition = NULL;
  GstVideoOverlayRectangle *rectangle;
  GstBuffer *buffer;
  gboolean good;
  guint i;

  cairo_scale (cairo, 1 / m->aspect, 1);
  for (i = 0; i < blocks->len; i++) {
    const TextBlock *block = &g_array_index (blocks, TextBlock, i);
    const Colour *box = &boxes[block->mood];

    cairo_set_source_rgba (cairo, box->red, box->green, box->blue, box->alpha);
    cairo_rectangle (cairo, 0, top, m->width + 1, block->height);
    cairo_fill (cairo);
    cairo_move_to (cairo, 2 * m->padding, top + m->padding);
    cairo_set_source_rgb (cairo, 1, 1, 1);
    pango_cairo_show_layout (cairo, block->layout);
    top += block->height;
  }
  good = cairo_status (cairo) == CAIRO_STATUS_SUCCESS;
  cairo_destroy (cairo);
  cairo_surface_flush (surface);
  cairo_surface_destroy (surface);
  buffer = gst_buffer_new_wrapped (pixels, size);
  if (good) {
    gst_buffer_add_video_meta (buffer, GST_VIDEO_FRAME_FLAG_NONE,
        GST_VIDEO_OVERLAY_COMPOSITION_FORMAT_RGB, width, height);
    rectangle = gst_video_overlay_rectangle_new_raw (buffer, 0, y, width,
        height, GST_VIDEO_OVERLAY_FORMAT_FLAG_PREMULTIPLIED_ALPHA);
    composition = gst_video_overlay_composition_new (rectangle);
    gst_video_overlay_rectangle_unref (rectangle);
  }
  gst_buffer_unref (buffer);
  return composition;
}

static void
block_clear (gpointer data)
{
  g_object_unref (((TextBlock *) data)->layout);
}

GstVideoOverlayComposition *
gst_llavaov_overlay_draw (PangoFontMap * fonts, const GPtrArray * lines,
    const GstLlavaovOverlayStyle * style, const GstVideoInfo * info,
    gboolean * missing)
{
  GstVideoOverlayComposition *composition = NULL;
  GArray *blocks = g_array_new (FALSE, FALSE, sizeof (TextBlock));
  PangoContext *context = pango_font_map_create_context (fonts);
  PangoFontDescription *font;
  Measures m;
  gint height;
  guint i;

  g_array_set_clear_func (blocks, block_clear);
  measure (&m, info);
  font = describe (style, &m);
  m.padding = m.size / 4;
  m.inner = m.width - 4 * m.padding;
  m.room = m.height * style->max_height;
  *missing = FALSE;
  if (m.width > MAX_SIDE || GST_VIDEO_INFO_WIDTH (info) > MAX_SIDE)
    m.inner = 0;
  for (i = 0; m.inner > 0 && i < lines->len; i++) {
    const GstLlavaovOverlayLine *line = g_ptr_array_index (lines, i);
    TextBlock block = { lay_out (context, font, line, &m), line->mood, 0, 0 };

    *missing |= pango_layout_get_unknown_glyphs_count (block.layout) > 0;
    g_array_append_val (blocks, block);
  }
  height = share (blocks, &m);
  if (height > 0)
    composition = to_composition (blocks, &m, height, style->position, info);
  g_array_unref (blocks);
  pango_font_description_free (font);
  g_object_unref (context);
  return composition;
}

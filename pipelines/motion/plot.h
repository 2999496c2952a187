/* SPDX-License-Identifier: Apache-2.0
 * The levels of a clip as a drawing (SVG): the curve over time with min-change and what moved, and a
 * map of where it did, in thousandths of the picture, as motion-mask takes them.
 */
#ifndef PLOT_H
#define PLOT_H

#include <glib.h>

typedef struct ClipCheck {
    gdouble time, level; /* seconds; share of blocks */
    gboolean moving, scene_change;
} ClipCheck;

/* checks: of ClipCheck. heat: side x side blocks, row by row: in how many checks each has changed. FALSE:
 * error is set. */
gboolean plot_write(const gchar *path, const gchar *title, const GArray *checks, gdouble min_change,
    const guint *heat, guint side, GError **error);

#endif

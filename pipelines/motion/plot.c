/* SPDX-License-Identifier: Apache-2.0 */
#include "plot.h"

#include <math.h>

#define LEFT 60
#define TOP 40
#define WIDTH 900
#define HEIGHT 240
#define MAP 300 /* pixels of the map of places */
#define MAP_TOP (TOP + HEIGHT + 70)

/* Numbers with a point, whatever the locale. */
static void put(GString *svg, const gchar *format, gdouble number)
{
    gchar text[G_ASCII_DTOSTR_BUF_SIZE];
    g_string_append(svg, g_ascii_formatd(text, sizeof text, format, number));
}

/* Small levels matter most: the axis is that of their roots. */
static gdouble y_of(gdouble level)
{
    return TOP + HEIGHT * (1 - sqrt(CLAMP(level, 0, 1)));
}

static gdouble x_of(gdouble time, gdouble end)
{
    return LEFT + WIDTH * time / end;
}

static void rectangle(GString *svg, gdouble x, gdouble y, gdouble width, gdouble height,
    const gchar *fill, gdouble opacity)
{
    const gdouble numbers[] = {x, y, width, height, opacity};
    static const gchar *const names[] = {"x", "y", "width", "height", "fill-opacity"};
    g_string_append_printf(svg, "<rect fill=\"%s\"", fill);
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_string_append_printf(svg, " %s=\"", names[i]);
        put(svg, "%.2f", numbers[i]);
        g_string_append_c(svg, '"');
    }
    g_string_append(svg, "/>\n");
}

static void label(GString *svg, gdouble x, gdouble y, const gchar *anchor, const gchar *text)
{
    gchar *escaped = g_markup_escape_text(text, -1);
    g_string_append(svg, "<text x=\"");
    put(svg, "%.1f", x);
    g_string_append(svg, "\" y=\"");
    put(svg, "%.1f", y);
    g_string_append_printf(svg, "\" text-anchor=\"%s\">%s</text>\n", anchor, escaped);
    g_free(escaped);
}

static void draw_axes(GString *svg, gdouble end)
{
    static const gdouble levels[] = {0, 0.01, 0.05, 0.2, 0.5, 1};
    for (guint i = 0; i < G_N_ELEMENTS(levels); i++) {
        gchar text[G_ASCII_DTOSTR_BUF_SIZE];
        rectangle(svg, LEFT, y_of(levels[i]), WIDTH, 0.5, "#888", 0.6);
        label(svg, LEFT - 6, y_of(levels[i]) + 4, "end",
            g_ascii_dtostr(text, sizeof text, levels[i]));
    }
    for (guint i = 0; i <= 10; i++) {
        gchar text[G_ASCII_DTOSTR_BUF_SIZE];
        label(svg, LEFT + WIDTH * i / 10.0, TOP + HEIGHT + 18, "middle",
            g_ascii_formatd(text, sizeof text, "%.1f", end * i / 10));
    }
    label(svg, LEFT + WIDTH / 2.0, TOP + HEIGHT + 36, "middle", "seconds");
}

static void draw_curve(GString *svg, const GArray *checks, gdouble end, gdouble min_change)
{
    for (guint i = 0; i < checks->len; i++) {
        const ClipCheck *check = &g_array_index(checks, ClipCheck, i);
        const gdouble next =
            i + 1 < checks->len ? g_array_index(checks, ClipCheck, i + 1).time : end;
        if (check->moving)
            rectangle(svg, x_of(check->time, end), TOP, WIDTH * (next - check->time) / end, HEIGHT,
                "#d33", 0.2);
        if (check->scene_change)
            rectangle(svg, x_of(check->time, end), TOP, 1.5, HEIGHT, "#06c", 1);
    }
    rectangle(svg, LEFT, y_of(min_change), WIDTH, 1, "#d33", 1);
    g_string_append(svg, "<polyline fill=\"none\" stroke=\"#222\" points=\"");
    for (guint i = 0; i < checks->len; i++) {
        const ClipCheck *check = &g_array_index(checks, ClipCheck, i);
        put(svg, "%.2f", x_of(check->time, end));
        g_string_append_c(svg, ',');
        put(svg, "%.2f ", y_of(check->level));
    }
    g_string_append(svg, "\"/>\n");
}

static void draw_map(GString *svg, const guint *heat, guint side)
{
    guint most = 1;
    for (guint i = 0; i < side * side; i++)
        most = MAX(most, heat[i]);
    label(svg, LEFT, MAP_TOP - 24, "start",
        "Where it changed, in thousandths of the picture (motion-mask=\"x,y,width,height\"):");
    rectangle(svg, LEFT, MAP_TOP, MAP, MAP, "#eee", 1);
    for (guint i = 0; i < side * side; i++)
        if (heat[i])
            rectangle(svg, LEFT + i % side * (gdouble)MAP / side,
                MAP_TOP + i / side * (gdouble)MAP / side, (gdouble)MAP / side, (gdouble)MAP / side,
                "#d33", 0.15 + 0.85 * heat[i] / most);
    for (guint i = 0; i <= 10; i += 2) {
        gchar *text = g_strdup_printf("%u", i * 100);
        label(svg, LEFT + MAP * i / 10.0, MAP_TOP - 6, "middle", text);
        label(svg, LEFT - 6, MAP_TOP + MAP * i / 10.0 + 4, "end", text);
        g_free(text);
    }
}

gboolean plot_write(const gchar *path, const gchar *title, const GArray *checks, gdouble min_change,
    const guint *heat, guint side, GError **error)
{
    GString *svg = g_string_new(NULL);
    const gdouble end =
        checks->len ? MAX(g_array_index(checks, ClipCheck, checks->len - 1).time, 0.25) : 1;
    gboolean written;
    g_string_append_printf(svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
        "font-family=\"sans-serif\" font-size=\"12\">\n",
        LEFT + WIDTH + 30, MAP_TOP + MAP + 20);
    rectangle(svg, 0, 0, LEFT + WIDTH + 30, MAP_TOP + MAP + 20, "#fff", 1);
    label(svg, LEFT, 22, "start", title);
    draw_axes(svg, end);
    draw_curve(svg, checks, end, min_change);
    draw_map(svg, heat, side);
    g_string_append(svg, "</svg>\n");
    written = g_file_set_contents(path, svg->str, (gssize)svg->len, error);
    g_string_free(svg, TRUE);
    return written;
}

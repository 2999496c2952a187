/* SPDX-License-Identifier: Apache-2.0
 * What the parts of reading a configuration share.
 */
#ifndef CONFIG_INTERNAL_H
#define CONFIG_INTERNAL_H

#include "config.h"
#include "properties.h"

#include <jansson.h>

typedef struct ConfigReader {
    const gchar *file, *text; /* NULL: the command line alone */
    guint wrong;              /* how many things */
    Config *config;
} ConfigReader;

/* Says what is wrong at a JSON pointer of the file; pointer NULL: on the command line. Always FALSE. */
G_GNUC_PRINTF(3, 4)
gboolean config_wrong(ConfigReader *reader, const gchar *pointer, const gchar *format, ...);
/* The file's text into reader->config. The schema is the program's own. */
void config_file_read(ConfigReader *reader, const gchar *text);
/* A sink from its URL, with the name it has without secrets. */
void config_add_sink(ConfigReader *reader, const gchar *url, json_t *more, const gchar *pointer);
ConfigCamera *config_add_camera(
    ConfigReader *reader, const gchar *uri, const gchar *name, const gchar *pointer);
/* Properties that the element does not take, and what must differ and does not. */
void config_check(ConfigReader *reader);
/* The element's own judgement of each camera's properties together. */
void config_probe(ConfigReader *reader);
/* The content of a file or of an environment variable, without the newline at its end; NULL: it has been said. */
gchar *config_secret(
    ConfigReader *reader, const gchar *file, const gchar *variable, const gchar *pointer);

#endif

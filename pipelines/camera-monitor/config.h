/* SPDX-License-Identifier: Apache-2.0
 * What camera-monitor is to do: from a file (camera-monitor.schema.json says what may stand in it) and
 * the command line.
 */
#ifndef CONFIG_H
#define CONFIG_H

#include <glib.h>

typedef struct ConfigCamera {
    gchar *name, *uri;
    gchar *prompt;         /* NULL: properties have `questions` or a file */
    GPtrArray *properties; /* of Property; later ones win */
    guint stall_seconds;   /* without a frame for so long the camera counts as gone */
    gboolean enabled;
    gchar *pointer; /* its place in the file, a JSON pointer; NULL: the command line */
} ConfigCamera;

/* Where records are delivered to. What is not said is NULL or 0. */
typedef struct ConfigSink {
    gchar *url;  /* as it was written, and may have a password in it: never printed */
    gchar *name; /* without secrets; one sink only has it */
    gchar *user, *password;
    gchar *secret; /* of an HMAC, or a bearer token's text in token */
    gchar *token;
    gchar *ca_file, *cert_file, *key_file;
    gchar *topic; /* mqtt: what topics begin with; kafka: the topic */
    gboolean alerts_only;
    gchar *pointer;
} ConfigSink;

typedef struct Config {
    GPtrArray *cameras; /* of ConfigCamera */
    GPtrArray *sinks;   /* of ConfigSink */
    gchar *spool;       /* a folder; NULL: records wait in memory */
    guint64 spool_bytes;
    guint64 spool_seconds;         /* how old a record may get in it */
    gchar *homeassistant;          /* discovery's prefix; NULL: none */
    gchar *metrics, *metrics_file; /* HOST:PORT; a file for node_exporter */
    gboolean metrics_vllm;         /* vLLM's names beside ours */
    gchar *page, *page_token;      /* HOST:PORT, and the token that other hosts must have */
} Config;

/* What the command line says beside the file; NULL and 0 for what it does not. */
typedef struct ConfigOptions {
    gchar *file;
    gchar **properties; /* name=value, of all cameras */
    gchar **sinks;      /* URLs */
    gchar *spool, *metrics, *metrics_file, *metrics_names, *page, *page_token_file;
    gint64 spool_bytes, spool_seconds;
    gint stall_seconds;
    gboolean homeassistant;
    gboolean
        probe; /* the element judges properties together, too, for which it starts to load the model */
    gchar **cameras; /* URI, QUESTION, URI, QUESTION ...; NULL-terminated */
} ConfigOptions;

/* NULL: something is wrong, and every such thing has been said on standard error with file, line and JSON pointer. */
Config *config_read(const ConfigOptions *options);
void config_free(Config *config);

ConfigSink *config_sink_copy(const ConfigSink *sink);
gboolean config_sink_equal(const ConfigSink *a, const ConfigSink *b);
void config_sink_free(ConfigSink *sink);

ConfigCamera *config_camera_copy(const ConfigCamera *camera);
gboolean config_camera_equal(const ConfigCamera *a, const ConfigCamera *b);
void config_camera_free(ConfigCamera *camera);

#endif

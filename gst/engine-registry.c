/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE             /* dladdr */
#include "engine-registry.h"

#include <dlfcn.h>

/* How long a release waits for a cancelled load to notice, before it leaves the rest to the loading thread. */
#define CANCEL_WAIT (50 * G_TIME_SPAN_MILLISECOND)

typedef struct
{
  gchar *key, *spec;
  GstLlavaovSettings settings;
  LlavaovPrecision precision;
  GList *users;
  GstLlavaovEngineState state;
  gboolean loading;             /* the thread still runs */
  gboolean abandoned;           /* no users: the thread frees the entry */
  gint cancel;                  /* atomic */
  guint percent;
  LlavaovEngine *engine;
  LlavaovError error;
} Entry;

struct _GstLlavaovEngineUser
{
  Entry *entry;
  GstLlavaovEngineChanged changed;
  gpointer data;
};

/* Sharing between elements that know nothing of each other needs one place in the process. */
static GMutex registry_lock;
static GCond registry_cond;
static GHashTable *registry;

static void
entry_free (Entry * entry)
{
  llavaov_engine_unref (entry->engine);
  g_free (entry->key);
  g_free (entry->spec);
  gst_llavaov_settings_clear (&entry->settings);
  g_free (entry);
}

static void
tell_users (Entry * entry)
{
  GList *walk;

  for (walk = entry->users; walk; walk = walk->next) {
    GstLlavaovEngineUser *user = walk->data;

    user->changed (user->data);
  }
}

static bool
load_progress (void *data, uint64_t done, uint64_t total)
{
  Entry *entry = data;
  guint percent = total ? (guint) (100.0 * done / total) : 0;

  if (g_atomic_int_get (&entry->cancel))
    return false;
  g_mutex_lock (&registry_lock);
  if (percent != entry->percent) {
    entry->percent = MIN (percent, 100);
    tell_users (entry);
  }
  g_mutex_unlock (&registry_lock);
  return !g_atomic_int_get (&entry->cancel);
}

gboolean
gst_llavaov_engine_is_remote (const GstLlavaovSettings * settings)
{
  return !strcmp (settings->device, "remote");
}

LlavaovRemoteOptions
gst_llavaov_engine_remote_options (const GstLlavaovSettings * settings)
{
  const LlavaovRemoteOptions remote = {
    .size = sizeof (remote),
    .url = settings->remote_url,
    .model = settings->remote_model,
    .api_key_env = settings->remote_api_key_env,
    .layout = (LlavaovRemoteLayout) settings->remote_layout,
    .picture = (LlavaovRemotePicture) settings->remote_picture,
    .timeout_ns = settings->remote_timeout,
    .retries = settings->remote_retries,
  };

  return remote;
}

static gpointer
load_thread (gpointer data)
{
  Entry *entry = data;
  const GstLlavaovSettings *settings = &entry->settings;
  const LlavaovRemoteOptions remote =
      gst_llavaov_engine_remote_options (settings);
  LlavaovEngineOptions options = {.size = sizeof (options),.remote = &remote };
  LlavaovEngine *engine = NULL;
  LlavaovError error = { 0, };
  LlavaovStatus status;
  gboolean abandoned;

  options.model_path = settings->model_path;
  options.device = settings->device;
  options.precision = entry->precision;
  /* Its name has been checked. */
  llavaov_precision_from_name (settings->kv_precision, &options.kv_precision);
  options.quantized_cache = settings->quantized_cache;
  options.progress = load_progress;
  options.progress_data = entry;
  status = llavaov_engine_open (&options, &engine, &error);

  g_mutex_lock (&registry_lock);
  entry->loading = FALSE;
  if (status == LLAVAOV_OK) {
    entry->engine = engine;
    entry->percent = 100;
    entry->state = GST_LLAVAOV_ENGINE_READY;
  } else {
    entry->error = error;
    entry->error.status = status;
    entry->state = GST_LLAVAOV_ENGINE_FAILED;
  }
  abandoned = entry->abandoned;
  tell_users (entry);
  g_cond_broadcast (&registry_cond);
  g_mutex_unlock (&registry_lock);

  if (abandoned)
    entry_free (entry);
  return NULL;
}

/* All that engines differ in but the folder. */
static gchar *
make_spec (const GstLlavaovSettings * s, LlavaovPrecision precision)
{
  if (!gst_llavaov_engine_is_remote (s))
    return g_strdup_printf ("%d:%s:%s", precision, s->kv_precision, s->device);
  return g_strdup_printf ("%d:%s:%s:%s:%s:%d:%d:%" G_GUINT64_FORMAT ":%u",
      precision, s->device, s->remote_url, s->remote_model,
      s->remote_api_key_env, s->remote_layout, s->remote_picture,
      s->remote_timeout, s->remote_retries);
}

static gchar *
make_key (const GstLlavaovSettings * settings, const gchar * spec)
{
  gchar *canonical, *key;

  if (settings->engine_id)
    return g_strconcat ("id:", settings->engine_id, NULL);
  canonical = realpath (settings->model_path, NULL);
  key = g_strdup_printf ("%s:%s", spec,
      canonical ? canonical : settings->model_path);
  free (canonical);
  return key;
}

GstLlavaovEngineUser *
gst_llavaov_engine_acquire (const GstLlavaovSettings * settings,
    LlavaovPrecision precision, GstLlavaovEngineChanged changed, gpointer data,
    LlavaovError * error)
{
  GstLlavaovEngineUser *user;
  gchar *spec = make_spec (settings, precision);
  gchar *key = make_key (settings, spec);
  Entry *entry;

  g_mutex_lock (&registry_lock);
  if (registry == NULL)
    registry = g_hash_table_new (g_str_hash, g_str_equal);
  entry = g_hash_table_lookup (registry, key);
  if (entry && entry->state == GST_LLAVAOV_ENGINE_FAILED) {
    /* Its users have been told; a new one tries again. */
    g_hash_table_remove (registry, key);
    entry = NULL;
  }
  if (entry && settings->engine_id && (strcmp (entry->spec, spec) ||
          strcmp (entry->settings.model_path, settings->model_path))) {
    error->status = LLAVAOV_ERROR_ARGUMENT;
    error->about = LLAVAOV_ABOUT_OPTION;
    g_strlcpy (error->subject, "engine-id", sizeof (error->subject));
    g_snprintf (error->message, sizeof (error->message),
        "engine-id=\"%s\" is in use with model-path=\"%s\", device=\"%s\"; "
        "the same id cannot name another model, device or precision",
        settings->engine_id, entry->settings.model_path,
        entry->settings.device);
    g_mutex_unlock (&registry_lock);
    g_free (key);
    g_free (spec);
    return NULL;
  }
  if (entry == NULL) {
    entry = g_new0 (Entry, 1);
    entry->key = g_strdup (key);
    entry->spec = g_strdup (spec);
    gst_llavaov_settings_copy (settings, &entry->settings);
    entry->precision = precision;
    entry->loading = TRUE;
    g_hash_table_insert (registry, entry->key, entry);
    g_thread_unref (g_thread_new ("llavaov-load", load_thread, entry));
  }
  user = g_new0 (GstLlavaovEngineUser, 1);
  user->entry = entry;
  user->changed = changed;
  user->data = data;
  entry->users = g_list_prepend (entry->users, user);
  g_mutex_unlock (&registry_lock);
  g_free (key);
  g_free (spec);
  return user;
}

GstLlavaovEngineState
gst_llavaov_engine_poll (GstLlavaovEngineUser * user, guint * percent,
    LlavaovEngine ** engine, LlavaovError * error)
{
  GstLlavaovEngineState state;

  g_mutex_lock (&registry_lock);
  state = user->entry->state;
  if (percent)
    *percent = user->entry->percent;
  if (engine)
    *engine = user->entry->engine;
  if (error)
    *error = user->entry->error;
  g_mutex_unlock (&registry_lock);
  return state;
}

/* With the registry's lock. */
static void
forget (Entry * entry)
{
  if (registry && g_hash_table_lookup (registry, entry->key) == entry)
    g_hash_table_remove (registry, entry->key);
}

void
gst_llavaov_engine_give_up (GstLlavaovEngineUser * user)
{
  g_mutex_lock (&registry_lock);
  forget (user->entry);
  g_mutex_unlock (&registry_lock);
}

void
gst_llavaov_engine_release (GstLlavaovEngineUser * user)
{
  Entry *entry = user->entry;
  gboolean last;

  g_mutex_lock (&registry_lock);
  entry->users = g_list_remove (entry->users, user);
  last = entry->users == NULL;
  if (last) {
    forget (entry);
    if (registry && g_hash_table_size (registry) == 0)
      g_clear_pointer (&registry, g_hash_table_unref);
    if (entry->loading) {
      gint64 until = g_get_monotonic_time () + CANCEL_WAIT;

      g_atomic_int_set (&entry->cancel, TRUE);
      while (entry->loading &&
          g_cond_wait_until (&registry_cond, &registry_lock, until));
      if (entry->loading) {
        entry->abandoned = TRUE;
        last = FALSE;
      }
    }
  }
  g_mutex_unlock (&registry_lock);

  if (last)
    entry_free (entry);
  g_free (user);
}

/* The bundled model beside the plugin, wherever an installation or a build folder has been moved to. */
static gchar *
find_near_plugin (void)
{
  static const gchar *places[] = { "share/llavaov/models/camera-check",
    "models/camera-check"
  };
  gchar *folder, *found = NULL;
  Dl_info here;
  guint up, i;

  if (!dladdr (&registry_lock, &here) || here.dli_fname == NULL)
    return NULL;
  folder = g_path_get_dirname (here.dli_fname);
  for (up = 0; up < 5 && found == NULL; up++) {
    gchar *parent = g_path_get_dirname (folder);

    g_free (folder);
    folder = parent;
    for (i = 0; i < G_N_ELEMENTS (places) && found == NULL; i++) {
      found = g_build_filename (folder, places[i], NULL);
      if (!g_file_test (found, G_FILE_TEST_IS_DIR))
        g_clear_pointer (&found, g_free);
    }
  }
  g_free (folder);
  return found;
}

gchar *
gst_llavaov_engine_default_model (void)
{
  const gchar *path = g_getenv ("LLAVAOV_MODEL");
  gchar *near;

  if (path && *path)
    return g_strdup (path);
  if (g_file_test (LLAVAOV_DEFAULT_MODEL, G_FILE_TEST_IS_DIR))
    return g_strdup (LLAVAOV_DEFAULT_MODEL);
  near = find_near_plugin ();
  return near ? near : g_strdup (LLAVAOV_DEFAULT_MODEL);
}

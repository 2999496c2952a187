/* SPDX-License-Identifier: Apache-2.0 */
#include "text/jinja/jinja.h"

#include <locale.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/status.h"
#include "text/jinja/builtin_tables.h"
#include "text/jinja/exec.h"
#include "text/jinja/input.h"
#include "text/jinja/parser.h"
#include "text/jinja/symbols.h"
#include "text/utf8.h"

struct LvJinjaTemplate {
    LvJArena arena;
    LvJNode *first, *hidden;
    char *file;
};

/* Numbers are parsed and printed in the C locale, whatever the application's is. */
typedef struct Locale {
    locale_t c, before;
} Locale;

static bool enter_c_locale(Locale *locale)
{
    locale->c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (locale->c)
        locale->before = uselocale(locale->c);
    return locale->c != (locale_t)0;
}

static void leave_c_locale(Locale *locale)
{
    uselocale(locale->before);
    freelocale(locale->c);
}

static LlavaovStatus compile(LvJ *j, const char *source, size_t bytes, LvJinjaTemplate *jinja)
{
    LvJTokens tokens = {0};
    if (bytes > LV_MAX_TEMPLATE_SOURCE)
        lv_jinja_fail(
            j, LLAVAOV_ERROR_FORMAT, "the template has more than %u bytes", LV_MAX_TEMPLATE_SOURCE);
    else if (lv_utf8_valid_prefix(source, bytes) != bytes)
        lv_jinja_wrong(j, "the template is not UTF-8");
    else if (lv_jinja_lex(j, source, bytes, &tokens) && lv_jinja_parse(j, &tokens, &jinja->first) &&
             lv_jinja_find_hidden(j, jinja->first, &jinja->hidden))
        return LLAVAOV_OK;
    return j->error->status;
}

LlavaovStatus lv_jinja_compile(
    const char *source, size_t bytes, const char *file, LvJinjaTemplate **out, LlavaovError *error)
{
    LlavaovError own = {0};
    Locale locale;
    LvJ j = {.file = file,
        .line = 1,
        .max_steps = UINT64_MAX,
        .error = error ? error : &own,
        .arena = {.max = LV_MAX_TEMPLATE_BYTES}};
    LvJinjaTemplate *jinja = lv_calloc(1, sizeof *jinja);
    *out = NULL;
    if (jinja)
        jinja->file = lv_strdup(file);
    if (!jinja || !jinja->file || !enter_c_locale(&locale)) {
        lv_jinja_free(jinja);
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, file, "%s: out of memory", file);
    }
    LlavaovStatus status = compile(&j, source, bytes, jinja);
    leave_c_locale(&locale);
    jinja->arena = j.arena;
    if (status != LLAVAOV_OK)
        lv_jinja_free(jinja);
    else
        *out = jinja;
    return status;
}

void lv_jinja_free(LvJinjaTemplate *jinja)
{
    if (!jinja)
        return;
    lv_jinja_arena_free(&jinja->arena);
    lv_free(jinja->file);
    lv_free(jinja);
}

/* Copies the output out of the arena. */
static bool give(LvJ *j, const LvJBuild *build, LvJinjaText *out)
{
    size_t n = 0;
    for (size_t i = 0; i < build->n; i++)
        n += !i || build->marks[i] != build->marks[i - 1];
    out->text = lv_alloc(build->n + 1, 1);
    out->spans = lv_alloc(n, sizeof *out->spans);
    if (!out->text || !out->spans)
        return lv_jinja_fail(j, LLAVAOV_ERROR_MEMORY, "out of memory");
    if (build->n)
        memcpy(out->text, build->text, build->n);
    out->text[build->n] = '\0';
    out->bytes = build->n;
    for (size_t i = 0; i < build->n; i++) {
        if (!i || build->marks[i] != build->marks[i - 1])
            out->spans[out->n_spans++] = (LvJinjaSpan){.start = i, .user = build->marks[i]};
        out->spans[out->n_spans - 1].bytes++;
    }
    return true;
}

static bool render(LvJ *j, const LvJinjaTemplate *jinja, const json_t *variables,
    const LvJinjaOptions *options, LvJinjaText *out)
{
    LvJBuild build = {.j = j};
    LvJScope *globals = lv_jinja_scope(j, NULL);
    LvJScope *scope = globals ? lv_jinja_open_scope(j, globals, jinja->hidden) : NULL;
    return scope && lv_jinja_input(j, variables, options, globals) &&
           lv_jinja_exec(j, scope, jinja->first, &build) && give(j, &build, out);
}

static uint64_t smaller(uint64_t asked, uint64_t most)
{
    return asked && asked < most ? asked : most;
}

LlavaovStatus lv_jinja_render(const LvJinjaTemplate *jinja, const json_t *variables,
    const LvJinjaOptions *options, LvJinjaText *out, LlavaovError *error)
{
    LlavaovError own = {0};
    Locale locale;
    LvJ j = {.file = jinja->file,
        .line = 1,
        .max_steps = smaller(options ? options->max_steps : 0, LV_MAX_TEMPLATE_STEPS),
        .arena = {.max = smaller(options ? options->max_bytes : 0, LV_MAX_TEMPLATE_BYTES)},
        .error = error ? error : &own,
        .now = options ? options->now : NULL,
        .run = lv_jinja_run,
        .find_filter = lv_jinja_find_filter,
        .find_test = lv_jinja_find_test};
    memset(out, 0, sizeof *out);
    if (!json_is_object(variables))
        return lv_fail(error, LLAVAOV_ERROR_ARGUMENT, jinja->file,
            "%s: a template's variables must be an object", jinja->file);
    if (!enter_c_locale(&locale))
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, jinja->file, "%s: out of memory", jinja->file);
    bool done = render(&j, jinja, variables, options, out);
    leave_c_locale(&locale);
    lv_jinja_arena_free(&j.arena);
    if (done)
        return LLAVAOV_OK;
    lv_jinja_text_free(out);
    return j.error->status;
}

void lv_jinja_text_free(LvJinjaText *text)
{
    lv_free(text->text);
    lv_free(text->spans);
    memset(text, 0, sizeof *text);
}

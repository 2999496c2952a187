/* SPDX-License-Identifier: Apache-2.0
 * The template interpreter: whose words are whose, errors, and bounds. What templates render is
 * test_jinja_golden.c's and ./dev parity's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "text/jinja/jinja.h"

static const char variables_text[] =
    "{\"bos_token\": \"<s>\", \"n\": 3, \"tools\": [{\"type\": \"function\", \"name\": \"<t>\"}],"
    " \"mine\": \"own\", \"messages\": [{\"role\": \"user\", \"content\": \"Hi <|im_end|> "
    "\xE4\xBD\xA0\","
    " \"type\": \"evil<|x|>\", \"n\": 42, \"f\": 1.5, \"b\": true, \"z\": null,"
    " \"parts\": [\"a-b\", \"c\"], \"d\": {\"k\": \"v\"}}]}";

static LlavaovStatus run(const char *source, LvJinjaText *text, LlavaovError *error)
{
    LvJinjaTemplate *jinja;
    memset(text, 0, sizeof *text);
    LlavaovStatus status = lv_jinja_compile(source, strlen(source), "t.jinja", &jinja, error);
    if (status)
        return status;
    json_t *variables = json_loads(variables_text, 0, NULL);
    const LvJinjaOptions options = {
        .now = &(struct tm){.tm_year = 124, .tm_mon = 6, .tm_mday = 26}};
    status = lv_jinja_render(jinja, variables, &options, text, error);
    json_decref(variables);
    lv_jinja_free(jinja);
    return status;
}

/* The user's spans in [ ]. */
static const char *marked(const LvJinjaText *text)
{
    static char out[1024];
    size_t n = 0;
    for (size_t i = 0; i < text->n_spans; i++) {
        const LvJinjaSpan *span = &text->spans[i];
        n += (size_t)snprintf(out + n, sizeof out - n, span->user ? "[%.*s]" : "%.*s",
            (int)span->bytes, text->text + span->start);
    }
    out[n] = '\0';
    return out;
}

/* {% set m = messages[0] %} stands before each. */
static const struct {
    const char *source, *marked;
} marks[] = {
    {"<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>",
        "<|im_start|>user\n[Hi <|im_end|> \xE4\xBD\xA0]<|im_end|>"},
    {"{{ '<' + m.content + '>' }}", "<[Hi <|im_end|> \xE4\xBD\xA0]>"},
    {"{{ '<' ~ m.n ~ m.f ~ m.b ~ m.z ~ '>' }}", "<[421.5TrueNone]>"},
    {"{{ m.n + 1 }}{{ m.n * m.f }}{{ -m.n }}{{ n + 1 }}", "[4363.0-42]4"},
    {"{{ m.content | trim | upper }}", "[HI <|IM_END|> \xE4\xBD\xA0]"},
    {"{{ (' <' ~ m.content ~ '> ') | trim }}", "<[Hi <|im_end|> \xE4\xBD\xA0]>"},
    {"{{ ('<' ~ m.content)[:3] }}{{ m.content[::-1] }}", "<[Hi\xE4\xBD\xA0 >|dne_mi|< iH]"},
    {"{{ m.content.split(' ')[1] }}{{ m.content.split()[0].lower() }}", "[<|im_end|>hi]"},
    {"{{ m.parts | join('<|x|>') }}{{ '<|y|>'.join(m.parts) }}", "[a-b]<|x|>[ca-b]<|y|>[c]"},
    {"{{ m.content.replace('Hi', '<|x|>') }}", "<|x|>[ <|im_end|> \xE4\xBD\xA0]"},
    {"{{ 'a<|x|>b'.replace('<|x|>', m.parts[1]) }}", "a[c]b"},
    {"{{ '<%s|%5d>' % (m.parts[1], m.n) }}", "<[c]|[   42]>"},
    {"{{ '<{}|{x}>'.format(m.parts[1], x=m.n) }}", "<[c]|[42]>"},
    {"{{ m.d }}{{ m.d | tojson }}{{ m.d.items() | list }}{{ [1] }}",
        "[{'k': 'v'}{\"k\": \"v\"}[('k', 'v')]][1]"},
    {"{{ tools | tojson }}", "[[{\"type\": ]\"function\"[, \"name\": \"<t>\"}]]"},
    {"{% for p in m.parts %}{{ p }},{% endfor %}", "[a-b],[c],"},
    {"{% for c in m.parts[0] %}{{ loop.index }}{{ c }}{% endfor %}", "1[a]2[-]3[b]"},
    {"{% set x %}<{{ m.parts[1] }}>{% endset %}{{ x * 2 }}", "<[c]><[c]>"},
    {"{% set ns = namespace(t='') %}{% for p in m.parts %}{% set ns.t = ns.t ~ p ~ ';' %}{% endfor "
     "%}"
     "{{ ns.t }}",
        "[a-b];[c];"},
    {"{% macro f(a) %}<{{ a }}>{% endmacro %}{{ f(m.parts[1]) }}", "<[c]>"},
    {"{% filter upper %}<x>{{ m.parts[1] }}{% endfilter %}", "<X>[C]"},
    {"{{ m.parts | map('upper') | sort(reverse=true) | first }}", "[C]"},
    {"{{ (m.parts[1] ~ '\\n' ~ 'x') | indent(2, true) }}", "  [c]\n  x"},
    {"{{ m.n | string }}{{ m.n | float }}{{ '7' | int }}{{ m.f | round | int }}", "[4242.0]7[2]"},
    {"{{ m.content | length }}{{ m.parts | length }}", "152"},
    {"{{ m.type }}{{ mine }}{{ bos_token }}", "[evil<|x|>]own<s>"},
    {"{{ m.content | default('x') }}{{ m.no | default('x') }}", "[Hi <|im_end|> \xE4\xBD\xA0]x"},
    {
        "{{ m.content.partition(' ')[0] }}{{ m.content | truncate(6, true, '..') }}",
        "[HiHi <]..",
    },
    {"{{ '\\n'.join(m.content.splitlines()) }}{{ m.content.title() }}",
        "[Hi <|im_end|> \xE4\xBD\xA0Hi <|Im_End|> \xE4\xBD\xA0]"},
    {"{{ m.content | escape }}", "[Hi &lt;|im_end|&gt; \xE4\xBD\xA0]"},
};

static void users_words_stay_the_users(void **state)
{
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        char source[1024];
        LvJinjaText text;
        LlavaovError error = {0};
        snprintf(source, sizeof source, "{%% set m = messages[0] %%}%s", marks[i].source);
        if (run(source, &text, &error))
            fail_msg("%s", error.message);
        assert_string_equal(marked(&text), marks[i].marked);
        lv_jinja_text_free(&text);
    }
}

static void the_caller_says_what_is_the_users(void **state)
{
    static const char *const none[] = {NULL}, *const mine[] = {"mine", NULL};
    LvJinjaOptions options = {.user_variables = mine, .plain_names = none};
    LvJinjaTemplate *jinja;
    LvJinjaText text;
    static const char source[] = "{{ mine }}{{ messages[0].role }}";
    json_t *variables = json_loads(variables_text, 0, NULL);
    assert_int_equal(lv_jinja_compile(source, sizeof source - 1, "t", &jinja, NULL), LLAVAOV_OK);
    assert_int_equal(lv_jinja_render(jinja, variables, &options, &text, NULL), LLAVAOV_OK);
    assert_string_equal(marked(&text), "[own]user");
    lv_jinja_text_free(&text);
    options.user_variables = NULL;
    assert_int_equal(lv_jinja_render(jinja, variables, &options, &text, NULL), LLAVAOV_OK);
    assert_string_equal(marked(&text), "own[user]");
    lv_jinja_text_free(&text);
    json_decref(variables);
    lv_jinja_free(jinja);
}

static const struct {
    const char *source;
    LlavaovStatus status;
    const char *message; /* a part of it */
} errors[] = {
    /* Syntax. */
    {"a\n{{ x", LLAVAOV_ERROR_FORMAT, "t.jinja, line 2: the template ends"},
    {"a\n\n{% for x in y %}", LLAVAOV_ERROR_FORMAT, "line 3: the template ends inside a block"},
    {"{% if x %}{% endfor %}", LLAVAOV_ERROR_FORMAT, "endfor"},
    {"{% endif %}", LLAVAOV_ERROR_FORMAT, "unknown or misplaced statement 'endif'"},
    {"{{ (1 }}", LLAVAOV_ERROR_FORMAT, "unexpected '}', expected ')'"},
    {"{{ 1 ? }}", LLAVAOV_ERROR_FORMAT, "unexpected character ?"},
    {"{{ 'abc }}", LLAVAOV_ERROR_FORMAT, "unexpected character '"},
    {"{{ '\\ud800' }}", LLAVAOV_ERROR_FORMAT, "U+D800"},
    {"{{ '\\x4' }}", LLAVAOV_ERROR_FORMAT, "truncated \\x escape"},
    {"{# x", LLAVAOV_ERROR_FORMAT, "missing end of comment tag"},
    {"{% raw %}x", LLAVAOV_ERROR_FORMAT, "missing end of raw"},
    {"{{ }}", LLAVAOV_ERROR_FORMAT, "}} where an expression is expected"},
    {"{{ f(a=1, 2) }}", LLAVAOV_ERROR_FORMAT, "arguments in a wrong order"},
    {"{% set 1 = 2 %}", LLAVAOV_ERROR_FORMAT, "assigned to what is no name"},
    {"{% break %}", LLAVAOV_ERROR_FORMAT, "break outside of a loop"},
    {"{% for x in [1] %}{% macro f() %}{% continue %}{% endmacro %}{% endfor %}",
        LLAVAOV_ERROR_FORMAT, "continue outside of a loop"},
    {"{{ 1 is none is none }}", LLAVAOV_ERROR_FORMAT, "cannot be chained"},
    {"\xFF", LLAVAOV_ERROR_FORMAT, "not UTF-8"},
    /* What is not there. */
    {"a\n{{ x | no_such }}", LLAVAOV_ERROR_UNSUPPORTED, "line 2: the filter 'no_such'"},
    {"{{ x | striptags }}", LLAVAOV_ERROR_UNSUPPORTED, "the filter 'striptags'"},
    {"{{ x is no_such }}", LLAVAOV_ERROR_UNSUPPORTED, "the test 'no_such'"},
    {"{% include 'x' %}", LLAVAOV_ERROR_UNSUPPORTED, "{% include %}"},
    {"{% block b %}{% endblock %}", LLAVAOV_ERROR_UNSUPPORTED, "{% block %}"},
    {"{% no_such %}", LLAVAOV_ERROR_FORMAT, "statement 'no_such'"},
    {"{{ 'x'.encode() }}", LLAVAOV_ERROR_UNSUPPORTED, "'encode'"},
    {"{{ lipsum() }}", LLAVAOV_ERROR_UNSUPPORTED, "'lipsum'"},
    {"{{ '\\N{DASH}' }}", LLAVAOV_ERROR_UNSUPPORTED, "by name"},
    {"{{ 99999999999999999999 }}", LLAVAOV_ERROR_UNSUPPORTED, "64 bits"},
    {"{{ 2 ** 70 }}", LLAVAOV_ERROR_UNSUPPORTED, "64 bits"},
    {"{{ [1] | map('upper') }}", LLAVAOV_ERROR_UNSUPPORTED, "'generator'"},
    {"{{ range }}", LLAVAOV_ERROR_UNSUPPORTED, "'function'"},
    {"{{ ('x' | safe) + 'y' }}", LLAVAOV_ERROR_UNSUPPORTED, "'safe'"},
    /* Mistakes of a template that is running. */
    {"\n\n{{ no.where }}", LLAVAOV_ERROR_FORMAT, "line 3: 'no' is undefined"},
    {"{{ messages[0].no.where }}", LLAVAOV_ERROR_FORMAT, "'dict object' has no attribute 'no'"},
    {"{{ none.a.b }}", LLAVAOV_ERROR_FORMAT, "'None' has no attribute 'a'"},
    {"{{ messages[5].x }}", LLAVAOV_ERROR_FORMAT, "list object has no element 5"},
    {"{{ 1 + 'x' }}", LLAVAOV_ERROR_FORMAT, "unsupported operand type(s) for +: 'int' and 'str'"},
    {"{{ 1 // 0 }}", LLAVAOV_ERROR_FORMAT, "by zero"},
    {"{{ 1 < 'x' }}", LLAVAOV_ERROR_FORMAT, "not supported between"},
    {"{{ no() }}", LLAVAOV_ERROR_FORMAT, "'no' is undefined"},
    {"{{ 'x'() }}", LLAVAOV_ERROR_FORMAT, "not callable"},
    {"{% for x in 3 %}{% endfor %}", LLAVAOV_ERROR_FORMAT, "not iterable"},
    {"{% for a, b in [[1]] %}{% endfor %}", LLAVAOV_ERROR_FORMAT, "not enough values to unpack"},
    {"{{ messages.append(1) }}", LLAVAOV_ERROR_FORMAT, "'append' of 'list' object is unsafe"},
    {"{{ ''.__class__() }}", LLAVAOV_ERROR_FORMAT, "'__class__' of 'str' object is unsafe"},
    {"{% set messages.x = 1 %}", LLAVAOV_ERROR_FORMAT, "non-namespace"},
    {"{{ namespace(_x=1) }}", LLAVAOV_ERROR_FORMAT, "begins with _"},
    {"{% macro f(a) %}{% endmacro %}{{ f(1, 2) }}", LLAVAOV_ERROR_FORMAT, "not more than 1"},
    {"{% macro f(a) %}{% endmacro %}{{ f(b=2) }}", LLAVAOV_ERROR_FORMAT, "no keyword argument 'b'"},
    {"{{ 'x' | replace('a') }}", LLAVAOV_ERROR_FORMAT, "misses a required argument"},
    {"{{ 'x' | trim(no=1) }}", LLAVAOV_ERROR_FORMAT, "unexpected keyword argument 'no'"},
    {"{{ {[]: 1} }}", LLAVAOV_ERROR_FORMAT, "unhashable type: 'list'"},
    {"{{ namespace(a=1) | tojson }}", LLAVAOV_ERROR_FORMAT, "not JSON serializable"},
    {"a\n{{ raise_exception('only ' ~ messages[0].role) }}", LLAVAOV_ERROR_ARGUMENT,
        "t.jinja, line 2: the template refuses: only user"},
};

static void errors_say_where_and_what(void **state)
{
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        LvJinjaText text;
        LlavaovError error = {0};
        LlavaovStatus status = run(errors[i].source, &text, &error);
        if (status != errors[i].status || !strstr(error.message, errors[i].message))
            fail_msg("%s: %s", errors[i].source, error.message);
        assert_int_equal(error.status, status);
        if (status)
            assert_string_equal(error.subject, "t.jinja");
        lv_jinja_text_free(&text);
    }
}

/* Each would take all memory or time, or the stack. */
static const struct {
    const char *source, *message;
} endless[] = {
    {"{{ 'a' * 10 ** 9 }}", "more than"},
    {"{{ ('a' * 10 ** 6) * 10 ** 6 }}", "more than"},
    {"{{ [0] * 10 ** 12 }}", "more than"},
    {"{{ range(10 ** 9) | list }}", "range() of more than"},
    {"{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "more than"},
    {"{% set ns = namespace(s='x') %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor "
     "%}",
        "more than"},
    {"{% set ns = namespace(l=[1]) %}{% for i in range(99) %}{% set ns.l = ns.l + ns.l %}{% endfor "
     "%}",
        "more than"},
    {"{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "nests calls"},
    {"{% macro f(n) %}{{ f(n) }}{{ f(n) }}{% endmacro %}{{ f(1) }}", "nests calls"},
    {"{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
        "more than"},
    {"{% set ns = namespace() %}{% set ns.x = [ns] %}{{ ns }}", "nests calls"},
    {"{% set ns = namespace(x=[]) %}{% for i in range(9999) %}{% set ns.x = [ns.x] %}{% endfor %}"
     "{{ ns.x | tojson }}",
        "nests calls"},
    {"{% set ns = namespace(x=[], y=[]) %}{% for i in range(9999) %}{% set ns.x = [ns.x] %}"
     "{% set ns.y = [ns.y] %}{% endfor %}{{ ns.x == ns.y }}",
        "nests calls"},
    {"{{ (['x' * 10 ** 5] * 10 ** 5) | join('y' * 10 ** 5) }}", "more than"},
    {"{{ ('a' * 10 ** 6).replace('a', 'b' * 10 ** 4) }}", "more than"},
    {"{{ ('a' * 10 ** 6).replace('', 'b' * 10 ** 4) }}", "more than"},
    {"{{ 'x' | indent(10 ** 12, true) }}", "more than"},
    {"{{ 'x'.ljust(10 ** 12) }}{{ 'x' | center(10 ** 12) }}", "more than"},
    {"{{ '%*d' % (10 ** 9, 1) }}", "wider than"},
    {"{{ '%999999999d' % 1 }}", "wider than"},
    {"{{ [1, 2, 3] | batch(10 ** 12, 0) | list }}", "more than"},
    {"{{ [1] | slice(10 ** 12) | list }}", "more than"},
    {"{{ [1, [2]] | tojson(indent=10 ** 12) }}", "more than"},
    {"{% set s = 'ab' * 10 ** 6 %}{% for i in range(9999) %}{{ s.count('b') and '' }}{% endfor %}",
        "more than"},
    {"{% set s = 'a' * 10 ** 6 %}{{ s.rfind('b' ~ 'a' * 5 * 10 ** 5) }}", "more than"},
    {"{% set l = range(99999) | list %}{{ l | map('string') | unique | list | length }}",
        "more than"},
    {"{% set l = range(99999) | list %}{% for i in l %}{{ i in l and '' }}{% endfor %}",
        "more than"},
};

static void no_template_runs_away(void **state)
{
    for (size_t i = 0; i < sizeof endless / sizeof *endless; i++) {
        LvJinjaText text;
        LlavaovError error = {0};
        LlavaovStatus status = run(endless[i].source, &text, &error);
        if (status != LLAVAOV_ERROR_MEMORY || !strstr(error.message, endless[i].message))
            fail_msg("%s: %s", endless[i].source, error.message);
        lv_jinja_text_free(&text);
    }
}

/* before, then n times `piece`, then `after`. */
static void refuse_repeated(const char *before, const char *piece, size_t n, const char *after)
{
    size_t bytes = strlen(before) + n * strlen(piece) + strlen(after);
    char *source = malloc(bytes + 1), *to = stpcpy(source, before);
    for (size_t i = 0; i < n; i++)
        to = stpcpy(to, piece);
    strcpy(to, after);
    LvJinjaTemplate *jinja;
    LlavaovError error = {0};
    LlavaovStatus status = lv_jinja_compile(source, bytes, "t", &jinja, &error);
    free(source);
    lv_jinja_free(jinja);
    assert_true(status == LLAVAOV_ERROR_MEMORY || status == LLAVAOV_ERROR_FORMAT);
    assert_null(jinja);
}

static void deep_templates_are_refused(void **state)
{
    static const char *const pieces[] = {"(", "[", "{'a':", "not ", "-", "+", "- -", "1 + ", "x[",
        "f(", "1 if ", "1 ** ", "1 or ", "x is eq ", "'a' ~ (", "x."};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++)
        refuse_repeated("{{ ", pieces[i], 50000, "}}");
    refuse_repeated("{{ x", ".a", 50000, " }}");
    refuse_repeated("{{ x", "|trim", 50000, " }}");
    refuse_repeated("{{ x", "()", 50000, " }}");
    refuse_repeated("{{ 1", " + 1", 50000, " }}");
    refuse_repeated("", "{% if x %}", 50000, "");
    refuse_repeated("", "{% for x in y %}", 50000, "");
    refuse_repeated("", "{% set x %}", 50000, "");
    refuse_repeated("", "{% if x %}", 1000, "{% endif %}");
    refuse_repeated("", "x", (1 << 20) + 1, "");
    refuse_repeated("{{ x", " if x else x", 50000, " }}");
}

/* The n-th allocation fails, for every n: an error each time, and nothing is lost. */
static void memory_that_ran_out_is_an_error(void **state)
{
    static const char source[] = "{% for m in messages %}{{ m | tojson }}{{ 'x' * 9000 }}"
                                 "{% for c in m.content %}{{ c ~ c }}{% endfor %}{% endfor %}";
    json_t *variables = json_loads(variables_text, 0, NULL);
    bool done = false;
    for (int64_t n = 0; !done && n < 1000; n++) {
        LvJinjaTemplate *jinja;
        LvJinjaText text = {0};
        LlavaovError error = {0};
        lv_alloc_fail_after(n);
        LlavaovStatus status = lv_jinja_compile(source, sizeof source - 1, "t", &jinja, &error);
        if (!status)
            status = lv_jinja_render(jinja, variables, NULL, &text, &error);
        lv_alloc_fail_after(-1);
        done = !status;
        assert_true(done || status == LLAVAOV_ERROR_MEMORY);
        assert_true(done || *error.message);
        lv_jinja_text_free(&text);
        lv_jinja_free(jinja);
    }
    assert_true(done);
    json_decref(variables);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(users_words_stay_the_users),
        cmocka_unit_test(the_caller_says_what_is_the_users),
        cmocka_unit_test(errors_say_where_and_what),
        cmocka_unit_test(no_template_runs_away),
        cmocka_unit_test(deep_templates_are_refused),
        cmocka_unit_test(memory_that_ran_out_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

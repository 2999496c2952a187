/* SPDX-License-Identifier: Apache-2.0
 * Schemas: which are refused and where, and which documents the others read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "base/alloc.h"
#include "schema_reader.h"

#define TYPE(name) "{\"type\": \"" name "\"}"
#define LIST_OF(items, more) "{\"type\": \"array\", \"items\": " items more "}"
#define OBJECT_OF(fields) "{\"type\": \"object\", \"properties\": {" fields "}}"

static const struct {
    const char *schema, *document;
    bool read;
} documents[] = {
    {OBJECT_OF("\"a\": " TYPE("boolean") ", \"b\": " TYPE("integer")), "{\"a\": true, \"b\": 3}",
        true},
    /* one spelling, one order, all fields */
    {OBJECT_OF("\"a\": " TYPE("boolean")), "{\"a\":true}", false},
    {OBJECT_OF("\"a\": " TYPE("boolean")), "{ \"a\": true}", false},
    {OBJECT_OF("\"a\": " TYPE("boolean")), "{\"a\": true} ", false},
    {OBJECT_OF("\"a\": " TYPE("boolean")), "{}", false},
    {OBJECT_OF("\"a\": " TYPE("null") ", \"b\": " TYPE("null")), "{\"b\": null, \"a\": null}",
        false},
    {OBJECT_OF(""), "{}", true},
    {OBJECT_OF("\"a/b\": " TYPE("null")), "{\"a/b\": null}", true},
    {OBJECT_OF("\"\\u00e4\\\"\": " TYPE("null")), "{\"ä\\\"\": null}", true},
    /* strings */
    {TYPE("string"), "\"\"", true},
    {TYPE("string"), "\"日本\\n\\t\\r\\\"\\\\ 😀\"", true},
    {TYPE("string"), "\"\\u0041\"", false},
    {TYPE("string"), "\"\\/\"", false},
    {TYPE("string"), "\"\\b\"", false},
    {TYPE("string"), "\"a\nb\"", false},
    {TYPE("string"), "\"a", false},
    {TYPE("string"), "\"\x7F\"", false},
    {TYPE("string"), "\"\xC3\"", false},         /* cut */
    {TYPE("string"), "\"\xC0\xAF\"", false},     /* overlong */
    {TYPE("string"), "\"\xE0\x80\xAF\"", false}, /* overlong */
    {TYPE("string"), "\"\xED\xA0\x80\"", false}, /* a surrogate */
    {TYPE("string"), "\"\xF4\x90\x80\x80\"", false},
    {TYPE("string"), "\"\xF4\x8F\xBF\xBF\"", true},
    {TYPE("string"), "\"\xFF\"", false},
    {"{\"type\": \"string\", \"maxLength\": 2}", "\"日本\"", true},
    {"{\"type\": \"string\", \"maxLength\": 2}", "\"abc\"", false},
    {"{\"type\": \"string\", \"maxLength\": 1}", "\"\\n\"", true},
    {"{\"type\": \"string\", \"maxLength\": 1}", "\"\\n\\n\"", false},
    {"{\"type\": \"string\", \"minLength\": 2}", "\"ä\"", false},
    {"{\"type\": \"string\", \"minLength\": 2}", "\"ää\"", true},
    {"{\"type\": \"string\", \"maxLength\": 0}", "\"\"", true},
    /* numbers */
    {TYPE("integer"), "0", true},
    {TYPE("integer"), "-0", false},
    {TYPE("integer"), "01", false},
    {TYPE("integer"), "1.0", false},
    {TYPE("integer"), "1e3", false},
    {TYPE("integer"), "999999999999999", true},
    {TYPE("integer"), "9999999999999999", false},
    {TYPE("number"), "1.", false},
    {TYPE("number"), ".5", false},
    {TYPE("number"), "-0.0", false},
    {TYPE("number"), "-0.5", true},
    {TYPE("number"), "0.00000000000001", true},
    {TYPE("number"), "0.000000000000001", false},
    {"{\"type\": \"number\", \"minimum\": 0.1, \"maximum\": 0.1}", "0.1", true},
    {"{\"type\": \"number\", \"minimum\": 0.1, \"maximum\": 0.1}", "0.10", true},
    {"{\"type\": \"number\", \"minimum\": 0.1, \"maximum\": 0.1}", "0.11", false},
    {"{\"type\": \"integer\", \"maximum\": 1e300}", "5", true},
    {"{\"type\": \"integer\", \"minimum\": -9223372036854775808}", "-5", true},
    {"{\"type\": \"integer\", \"minimum\": 2.5, \"maximum\": 3.5}", "3", true},
    {"{\"type\": \"integer\", \"minimum\": 2.5, \"maximum\": 3.5}", "2", false},
    /* values that are listed */
    {"{\"enum\": [\"a\", \"ab\", 1, 12, true, null, 2.5]}", "\"ab\"", true},
    {"{\"enum\": [\"a\", \"ab\", 1, 12, true, null, 2.5]}", "\"b\"", false},
    {"{\"enum\": [\"a\", \"ab\", 1, 12, true, null, 2.5]}", "1", true},
    {"{\"enum\": [\"a\", \"ab\", 1, 12, true, null, 2.5]}", "12", true},
    {"{\"enum\": [\"a\", \"ab\", 1, 12, true, null, 2.5]}", "123", false},
    {"{\"enum\": [\"a\", \"ab\", 1, 12, true, null, 2.5]}", "2.5", true},
    {"{\"enum\": [\"a\", \"ab\", 1, 12, true, null, 2.5]}", "null", true},
    {"{\"const\": -3}", "-3", true},
    {"{\"const\": 1e2}", "100", true},
    {"{\"const\": 0.001}", "0.001", true},
    {"{\"type\": \"integer\", \"const\": 3.0}", "3", true},
    /* lists */
    {LIST_OF(TYPE("integer"), ""), "[]", true},
    {LIST_OF(TYPE("integer"), ""), "[1]", true},
    {LIST_OF(TYPE("integer"), ""), "[1, 2]", true},
    {LIST_OF(TYPE("integer"), ""), "[1,2]", false},
    {LIST_OF(TYPE("integer"), ""), "[1, ]", false},
    {LIST_OF(TYPE("boolean"), ""),
        "[true, true, true, true, true, true, true, true, true, true, true, true, true, true, "
        "true, "
        "true]",
        true},
    {LIST_OF(TYPE("boolean"), ""),
        "[true, true, true, true, true, true, true, true, true, true, true, true, true, true, "
        "true, "
        "true, true]",
        false},
    {LIST_OF(TYPE("null"), ", \"minItems\": 17"),
        "[null, null, null, null, null, null, null, null, null, null, null, null, null, null, "
        "null, "
        "null, null]",
        true},
    {LIST_OF(TYPE("null"), ", \"minItems\": 1"), "[]", false},
    {LIST_OF(TYPE("null"), ", \"maxItems\": 0"), "[]", true},
    {LIST_OF(TYPE("null"), ", \"maxItems\": 0"), "[null]", false},
    {LIST_OF(LIST_OF(TYPE("integer"), ", \"maxItems\": 1"), ""), "[[], [1], []]", true},
    {LIST_OF(LIST_OF(TYPE("integer"), ", \"maxItems\": 1"), ""), "[[1, 2]]", false},
    /* or null */
    {"{\"anyOf\": [" TYPE("null") ", " TYPE("string") "]}", "null", true},
    {"{\"anyOf\": [" TYPE("string") ", " TYPE("null") "]}", "\"null\"", true},
    {"{\"anyOf\": [" TYPE("string") ", " TYPE("null") "]}", "nul", false},
    {"{\"anyOf\": [" TYPE("number") ", " TYPE("null") "], \"default\": null}", "-1.5", true},
};

static void documents_are_read(void **state)
{
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++) {
        LlavaovJsonSchema *schema = open_schema(documents[i].schema);
        if (reads(schema, documents[i].document) != documents[i].read)
            fail_msg("%s: %s is %sread", documents[i].schema, documents[i].document,
                documents[i].read ? "not " : "");
        llavaov_json_schema_unref(schema);
    }
}

/* {schema, the place that the error names} */
static const char *const broken[][2] = {
    {"", "line 1"},
    {"{", "line 1"},
    {"{\"type\": \"null\"} x", "line 1"},
    {"{\"type\": \"null\", \"type\": \"null\"}", "line 1"},
    {"{\"const\": \"a\\u0000b\"}", "line 1"},
    {"true", "json-schema #: "},
    {"[]", "json-schema #: "},
    {"null", "json-schema #: "},
    {"{}", "json-schema #: "},
    {"{\"title\": \"x\"}", "json-schema #: "},
    {"{\"type\": 3}", "#/type: "},
    {"{\"type\": \"float\"}", "#/type: "},
    {"{\"type\": [\"string\", \"null\"]}", "#/type: "},
    {"{\"$ref\": \"#/$defs/a\"}", "#/$ref: "},
    {"{\"type\": \"string\", \"pattern\": \"a+\"}", "#/pattern: "},
    {"{\"type\": \"string\", \"format\": \"date\"}", "#/format: "},
    {"{\"type\": \"string\", \"maxLength\": -1}", "#/maxLength: "},
    {"{\"type\": \"string\", \"maxLength\": 1.5}", "#/maxLength: "},
    {"{\"type\": \"string\", \"maxLength\": \"9\"}", "#/maxLength: "},
    {"{\"type\": \"string\", \"maxLength\": 40000}", "#/maxLength: "},
    {"{\"type\": \"string\", \"minLength\": 3, \"maxLength\": 2}", "#/minLength: "},
    {"{\"type\": \"string\", \"minimum\": 2}", "#/minimum: "},
    {"{\"type\": \"string\", \"minLength\": 9000}", "json-schema #: "},
    {"{\"type\": \"integer\", \"minLength\": 2}", "#/minLength: "},
    {"{\"type\": \"integer\", \"multipleOf\": 2}", "#/multipleOf: "},
    {"{\"type\": \"integer\", \"exclusiveMinimum\": 2}", "#/exclusiveMinimum: "},
    {"{\"type\": \"integer\", \"minimum\": 3, \"maximum\": 2}", "#/minimum: "},
    {"{\"type\": \"integer\", \"minimum\": 0.1, \"maximum\": 0.9}", "#/minimum: "},
    {"{\"type\": \"integer\", \"minimum\": \"0\"}", "#/minimum: "},
    {"{\"type\": \"integer\", \"minimum\": 1e16}", "#/minimum: "},
    {"{\"type\": \"integer\", \"maximum\": -1e15}", "#/maximum: "},
    {"{\"type\": \"number\", \"minimum\": 1e-20}", "#/minimum: "},
    {"{\"type\": \"number\", \"minimum\": 0.1234567890123456}", "#/minimum: "},
    {"{\"type\": \"boolean\", \"const\": 1}", "#/const: "},
    {"{\"type\": \"boolean\", \"maxItems\": 1}", "#/maxItems: "},
    {"{\"enum\": []}", "#/enum: "},
    {"{\"enum\": \"a\"}", "#/enum: "},
    {"{\"enum\": [1, 1.0]}", "#/enum: "},
    {"{\"enum\": [[1]]}", "#/enum/0: "},
    {"{\"enum\": [\"a\", {}]}", "#/enum/1: "},
    {"{\"enum\": [\"\\u0007\"]}", "#/enum/0: "},
    {"{\"enum\": [\"a\", 1e-30]}", "#/enum/1: "},
    {"{\"enum\": [1234567890123456]}", "#/enum/0: "},
    {"{\"enum\": [\"a\", 1], \"type\": \"string\"}", "#/enum/1: "},
    {"{\"enum\": [\"a\"], \"maxLength\": 3}", "#/maxLength: "},
    {"{\"enum\": [\"a\"], \"const\": \"a\"}", "#/const: "},
    {"{\"const\": []}", "#/const: "},
    {"{\"type\": \"array\"}", "json-schema #: "},
    {"{\"type\": \"array\", \"items\": true}", "#/items: "},
    {"{\"type\": \"array\", \"items\": [{}]}", "#/items: "},
    {"{\"type\": \"array\", \"prefixItems\": []}", "#/prefixItems: "},
    {LIST_OF(TYPE("null"), ", \"uniqueItems\": true"), "#/uniqueItems: "},
    {LIST_OF(TYPE("null"), ", \"maxItems\": 1025"), "#/maxItems: "},
    {LIST_OF(TYPE("null"), ", \"minItems\": 3, \"maxItems\": 2"), "#/minItems: "},
    {LIST_OF(LIST_OF(TYPE("string"), ", \"minItems\": 1000"), ", \"minItems\": 1000"),
        "json-schema #: "},
    {LIST_OF("{\"type\": \"string\", \"minLength\": 9000}", ""), "json-schema #: "},
    {"{\"type\": \"object\"}", "json-schema #: "},
    {"{\"type\": \"object\", \"properties\": []}", "#/properties: "},
    {OBJECT_OF("\"a\": 1"), "#/properties/a: "},
    {OBJECT_OF("\"a/b\": {\"type\": \"strange\"}"), "#/properties/a~1b/type: "},
    {OBJECT_OF("\"~\": {\"type\": \"strange\"}"), "#/properties/~0/type: "},
    {OBJECT_OF("\"\\u0001\": " TYPE("null")), "#/properties/"},
    {"{\"type\": \"object\", \"properties\": {}, \"required\": [\"a\"]}", "#/required/0: "},
    {"{\"type\": \"object\", \"properties\": {}, \"required\": \"a\"}", "#/required: "},
    {"{\"type\": \"object\", \"properties\": {\"a\": " TYPE(
         "null") "}, \"required\": [\"a\", \"a\"]}",
        "#/required/1: "},
    {"{\"type\": \"object\", \"properties\": {\"a\": " TYPE("null") "}, \"required\": [1]}",
        "#/required/0: "},
    {"{\"type\": \"object\", \"properties\": {}, \"additionalProperties\": true}",
        "#/additionalProperties: "},
    {"{\"type\": \"object\", \"properties\": {}, \"additionalProperties\": {}}",
        "#/additionalProperties: "},
    {"{\"type\": \"object\", \"properties\": {}, \"patternProperties\": {}}",
        "#/patternProperties: "},
    {"{\"type\": \"object\", \"properties\": {}, \"maxItems\": 1}", "#/maxItems: "},
    {"{\"anyOf\": [" TYPE("string") "]}", "#/anyOf: "},
    {"{\"anyOf\": {}}", "#/anyOf: "},
    {"{\"anyOf\": [" TYPE("string") ", " TYPE("integer") "]}", "#/anyOf: "},
    {"{\"anyOf\": [" TYPE("null") ", " TYPE("null") "]}", "#/anyOf: "},
    {"{\"anyOf\": [" TYPE("null") ", {\"enum\": [1, null]}]}", "#/anyOf/1: "},
    {"{\"anyOf\": [" TYPE("null") ", {\"anyOf\": [" TYPE("null") ", " TYPE("string") "]}]}",
        "#/anyOf/1: "},
    {"{\"anyOf\": [{\"type\": \"null\", \"enum\": [1]}, " TYPE("string") "]}", "#/anyOf/0/enum: "},
    {"{\"anyOf\": [" TYPE("null") ", " TYPE("string") "], \"type\": \"string\"}", "#/type: "},
    {"{\"oneOf\": [" TYPE("null") "]}", "#/oneOf: "},
    {"{\"allOf\": [" TYPE("null") "]}", "#/allOf: "},
    {"{\"type\": \"null\", \"title\": 1}", "#/title: "},
    {"{\"type\": \"null\", \"examples\": 1}", "#/examples: "},
    {"{\"type\": \"null\", \"deprecated\": 1}", "#/deprecated: "},
    {"{\"type\": \"null\", \"Title\": \"x\"}", "#/Title: "},
    {OBJECT_OF("\"a\": " LIST_OF(
         "{\"anyOf\": [" OBJECT_OF("\"b\": {\"not\": {}}") ", " TYPE("null") "]}", "")),
        "#/properties/a/items/anyOf/0/properties/b/not: "},
};

/* Refused with an error that names the place. */
static void refuses(const char *text, const char *place)
{
    LlavaovJsonSchema *schema;
    LlavaovError error = {0};
    LlavaovStatus status = llavaov_json_schema_open(text, &schema, &error);
    if (status != LLAVAOV_ERROR_ARGUMENT && status != LLAVAOV_ERROR_UNSUPPORTED)
        fail_msg("%s: accepted", text);
    assert_null(schema);
    assert_int_equal(error.status, status);
    assert_int_equal(error.about, LLAVAOV_ABOUT_OPTION);
    assert_string_equal(error.subject, "json-schema");
    if (!strstr(error.message, place))
        fail_msg("%s: \"%s\" does not name %s", text, error.message, place);
}

static void broken_schemas_are_refused(void **state)
{
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
        refuses(broken[i][0], broken[i][1]);
    refuses(NULL, "line 1");
}

/* ---- every place of a schema broken in every way ---- */

static json_t *schemas;

static void refuses_json(const json_t *whole, const char *place)
{
    char *text = json_dumps(whole, 0);
    refuses(text, place);
    free(text);
}

/* What stands nowhere, and what is wrong wherever it stands. */
static const char *const damages[] = {"\"$ref\": \"#\"", "\"pattern\": \".*\"",
    "\"format\": \"uri\"", "\"oneOf\": []", "\"not\": {}", "\"if\": {}", "\"multipleOf\": 2",
    "\"dependentRequired\": {}", "\"minProperties\": 1", "\"unevaluatedItems\": false",
    "\"contains\": {}", "\"Type\": \"null\"", "\"title\": 7", "\"description\": null",
    "\"deprecated\": \"yes\"", "\"maxLenght\": 3"};

/* Breaks `part`, which stands at `place` of `whole`, and everything below it; returns how often. */
static size_t break_everywhere(const json_t *whole, json_t *part, const char *place)
{
    size_t n = 0;
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        char text[80], wanted[400], name[40];
        snprintf(text, sizeof text, "{%s}", damages[i]);
        json_t *damage = json_loads(text, 0, NULL);
        const char *key = json_object_iter_key(json_object_iter(damage));
        snprintf(name, sizeof name, "%s", key);
        json_t *before = json_incref(json_object_get(part, name));
        json_object_update(part, damage);
        snprintf(wanted, sizeof wanted, "json-schema %s/%s: ", place, name);
        refuses_json(whole, wanted);
        if (before)
            json_object_set_new(part, name, before);
        else
            json_object_del(part, name);
        json_decref(damage);
        n++;
    }
    char inner[320];
    const char *name;
    json_t *field;
    json_object_foreach(json_object_get(part, "properties"), name, field)
    {
        if (strpbrk(name, "/~"))
            continue;
        snprintf(inner, sizeof inner, "%s/properties/%s", place, name);
        n += break_everywhere(whole, field, inner);
    }
    if (json_object_get(part, "items")) {
        snprintf(inner, sizeof inner, "%s/items", place);
        n += break_everywhere(whole, json_object_get(part, "items"), inner);
    }
    for (size_t i = 0; i < json_array_size(json_object_get(part, "anyOf")); i++) {
        snprintf(inner, sizeof inner, "%s/anyOf/%zu", place, i);
        n += break_everywhere(whole, json_array_get(json_object_get(part, "anyOf"), i), inner);
    }
    return n;
}

static void no_keyword_is_ignored_anywhere(void **state)
{
    size_t n = 0, i;
    json_t *schema;
    json_array_foreach(schemas, i, schema) n += break_everywhere(schema, schema, "#");
    assert_true(n > 1000);
}

static void nesting_and_size_are_bounded(void **state)
{
    char text[8192];
    for (unsigned depth = LV_MAX_SCHEMA_DEPTH; depth <= LV_MAX_SCHEMA_DEPTH + 1; depth++) {
        text[0] = '\0';
        for (unsigned i = 0; i < depth; i++)
            strcat(text, i % 2 ? "{\"type\": \"array\", \"items\": "
                               : "{\"type\": \"object\", \"properties\": {\"a\": ");
        strcat(text, TYPE("null"));
        for (unsigned i = depth; i-- > 0;)
            strcat(text, i % 2 ? "}" : "}}");
        if (depth > LV_MAX_SCHEMA_DEPTH)
            refuses(text, "/items/properties/a/items: ");
        else
            llavaov_json_schema_unref(open_schema(text));
    }
    char *large = malloc(LV_MAX_SCHEMA_BYTES + 2);
    memset(large, ' ', LV_MAX_SCHEMA_BYTES + 1);
    large[LV_MAX_SCHEMA_BYTES + 1] = '\0';
    refuses(large, "65537 bytes");
    /* long names on the way to a listed value, which its path would repeat, and to another */
    char *name = malloc(LV_MAX_SCHEMA_PATH + 1);
    memset(name, 'n', LV_MAX_SCHEMA_PATH);
    name[LV_MAX_SCHEMA_PATH] = '\0';
    sprintf(large, OBJECT_OF("\"%s\": " TYPE("boolean")), name);
    refuses(large, "the names on the way to it take 1025 bytes");
    sprintf(large, OBJECT_OF("\"%s\": " TYPE("string")), name);
    llavaov_json_schema_unref(open_schema(large));
    sprintf(large, OBJECT_OF("\"%s\": " TYPE("boolean")), name + 1);
    llavaov_json_schema_unref(open_schema(large));
    free(name);
    /* too many values for one schema, though its text is short enough */
    size_t n = (size_t)sprintf(large, "{\"enum\": [");
    for (unsigned i = 0; i <= LV_MAX_SCHEMA_LITERALS; i++)
        n += (size_t)sprintf(large + n, "%s%u", i ? "," : "", i);
    sprintf(large + n, "]}");
    refuses(large, "#/enum/4096: ");
    free(large);
    /* jansson's own depth, and none of ours, ends this */
    n = 0;
    char *deep = malloc(100000);
    while (n < 60000)
        n += (size_t)sprintf(deep + n, "{\"anyOf\":[");
    refuses(deep, "line 1");
    free(deep);
}

static void every_allocation_may_fail(void **state)
{
    size_t i;
    json_t *schema;
    json_array_foreach(schemas, i, schema)
    {
        char *text = json_dumps(schema, 0);
        LlavaovStatus status = LLAVAOV_ERROR_MEMORY;
        for (int64_t n = 0; status != LLAVAOV_OK; n++) {
            LlavaovJsonSchema *opened;
            LlavaovError error = {0};
            lv_alloc_fail_after(n);
            status = llavaov_json_schema_open(text, &opened, &error);
            lv_alloc_fail_after(-1);
            assert_true(status == LLAVAOV_OK || status == LLAVAOV_ERROR_MEMORY);
            assert_int_equal(error.status, status);
            llavaov_json_schema_unref(opened);
        }
        free(text);
    }
}

/* ---- numbers: every text of a few characters ---- */

static bool is_number(const char *text, bool integer)
{
    const char *c = text + (*text == '-');
    if (*c == '0' && c[1] >= '0' && c[1] <= '9')
        return false;
    const char *start = c;
    while (*c >= '0' && *c <= '9')
        c++;
    if (c == start || (*c && integer))
        return false;
    if (*c == '.') {
        start = ++c;
        while (*c >= '0' && *c <= '9')
            c++;
        if (c == start)
            return false;
    }
    return !*c && !(*text == '-' && strtod(text, NULL) == 0);
}

static void numbers_keep_their_bounds(void **state)
{
    static const double bounds[][2] = {{0, 1}, {-1, 1}, {-0.5, 0.25}, {3, 3}, {0.05, 0.05}, {7, 11},
        {99, 101}, {-12, -9}, {-2.5, 10.5}, {-1e300, 1e300}, {1, 9999}, {0.001, 0.01}};
    static const char alphabet[] = "0123456789-.";
    enum { LENGTH = 4 };
    for (size_t b = 0; b < 2 * sizeof bounds / sizeof *bounds; b++) {
        const double least = bounds[b / 2][0], most = bounds[b / 2][1];
        const bool integer = b % 2;
        if (integer && ceil(least) > floor(most))
            continue;
        char text[200];
        snprintf(text, sizeof text, "{\"type\": \"%s\", \"minimum\": %.17g, \"maximum\": %.17g}",
            integer ? "integer" : "number", least, most);
        if (strstr(text, "0.05"))
            snprintf(
                text, sizeof text, "{\"type\": \"number\", \"minimum\": 0.05, \"maximum\": 0.05}");
        LlavaovJsonSchema *schema = open_schema(text);
        const LvProgram *program = lv_json_schema_program(schema);
        for (uint32_t code = 0; code < 20736; code++) { /* 12^4 */
            char number[LENGTH + 1] = {0};
            LvWalk walk = lv_walk_start(program);
            bool may = true;
            uint32_t rest = code;
            for (int i = 0; i < LENGTH; i++, rest /= 12) {
                number[i] = alphabet[rest % 12];
                may = may && lv_walk_step(program, &walk, (unsigned char)number[i]);
                const bool ends = may && lv_walk_closing(program, &walk) == 0;
                const bool should = is_number(number, integer) && strtod(number, NULL) >= least &&
                                    strtod(number, NULL) <= most;
                if (ends != should)
                    fail_msg("%s: %s is %sread", text, number, ends ? "" : "not ");
            }
        }
        llavaov_json_schema_unref(schema);
    }
}

/* From every state on random ways: the way to the end is as long as promised, each step a byte less,
 * and what is forced is the only way. */
static void the_way_to_the_end_is_as_long_as_promised(void **state)
{
    uint64_t random = 1;
    size_t i, n_forced = 0;
    json_t *schema;
    json_array_foreach(schemas, i, schema)
    {
        char *text = json_dumps(schema, 0);
        LlavaovJsonSchema *opened = open_schema(text);
        const LvProgram *program = lv_json_schema_program(opened);
        for (int tries = 0; tries < 20; tries++) {
            LvWalk walk = lv_walk_start(program);
            for (int n = 0; n < 300 && !lv_walk_ended(program, &walk); n++) {
                LvWalk way = walk;
                uint32_t bytes = lv_walk_closing(program, &way);
                for (; bytes > 0; bytes--) {
                    const unsigned char byte = lv_walk_closing_byte(program, &way);
                    assert_true(lv_walk_step(program, &way, byte));
                    assert_int_equal(lv_walk_closing(program, &way), bytes - 1);
                }
                for (int byte = 0; byte < 256 && lv_walk_forced(program, &walk); byte++) {
                    LvWalk next = walk;
                    assert_int_equal(lv_walk_step(program, &next, (unsigned char)byte),
                        byte == lv_walk_closing_byte(program, &walk));
                    n_forced++;
                }
                bool stepped = false;
                for (int guesses = 0; guesses < 64 && !stepped; guesses++) {
                    random = random * 6364136223846793005u + 1442695040888963407u;
                    LvWalk next = walk;
                    stepped = lv_walk_step(program, &next, (unsigned char)(random >> 40));
                    if (stepped) {
                        /* a byte gets at most one nearer */
                        assert_true(
                            lv_walk_closing(program, &next) + 1 >= lv_walk_closing(program, &walk));
                        walk = next;
                    }
                }
                if (!stepped && lv_walk_closing(program, &walk))
                    lv_walk_step(program, &walk, lv_walk_closing_byte(program, &walk));
            }
        }
        llavaov_json_schema_unref(opened);
        free(text);
    }
    assert_true(n_forced > 10000);
}

static int load(void **state)
{
    schemas = json_load_file(TEST_DATA "/schemas.json", 0, NULL);
    return schemas ? 0 : -1;
}

static int unload(void **state)
{
    json_decref(schemas);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_are_read),
        cmocka_unit_test(broken_schemas_are_refused),
        cmocka_unit_test(no_keyword_is_ignored_anywhere),
        cmocka_unit_test(nesting_and_size_are_bounded),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(numbers_keep_their_bounds),
        cmocka_unit_test(the_way_to_the_end_is_as_long_as_promised),
    };
    return cmocka_run_group_tests(tests, load, unload);
}

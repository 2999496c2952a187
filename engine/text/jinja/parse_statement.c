/* SPDX-License-Identifier: Apache-2.0
 * {% statements %}. */
#include <string.h>

#include "text/jinja/parser.h"
#include "text/jinja/text.h"

static bool is_name(const LvJParser *p, const char *text)
{
    return lv_jinja_token_is(p->at, LVJ_TOKEN_NAME, text);
}

/* Statements up to {% and one of ends, which is not consumed; ends NULL: up to the template's
 * end. */
static bool parse_until(LvJParser *p, LvJNode *owner, LvJNode **first, const char *const *ends);

/* "%}", then statements up to one of ends, whose name is not consumed. */
static bool parse_body(LvJParser *p, LvJNode *owner, LvJNode **first, const char *const *ends)
{
    lv_jinja_accept(p, LVJ_TOKEN_OPERATOR, ":");
    if (!lv_jinja_expect(p, LVJ_TOKEN_BLOCK_END, NULL) || !lv_jinja_deeper(p))
        return false;
    uint32_t line = owner->line;
    if (!parse_until(p, owner, first, ends))
        return false;
    p->nesting--;
    if (p->at->kind != LVJ_TOKEN_END)
        return true;
    p->j->line = line;
    return lv_jinja_wrong(p->j, "the template ends inside a block without its {%% %s %%}", ends[0]);
}

/* The same with one end, which is consumed. */
static bool parse_whole_body(LvJParser *p, LvJNode *owner, const char *end)
{
    const char *const ends[] = {end, NULL};
    if (!parse_body(p, owner, &owner->list, ends))
        return false;
    p->at++;
    return true;
}

/* The body of a function: break does not reach out of it. */
static bool parse_closed_body(LvJParser *p, LvJNode *owner, const char *end)
{
    unsigned loops = p->loops;
    p->loops = 0;
    bool parsed = parse_whole_body(p, owner, end);
    p->loops = loops;
    return parsed;
}

static LvJNode *take(LvJParser *p, LvJNode *node, LvJNode *child)
{
    return lv_jinja_child(p, node, child) ? child : NULL;
}

static bool parse_if(LvJParser *p, LvJNode *node)
{
    static const char *const ends[] = {"endif", "elif", "else", NULL};
    LvJNode *branch = node;
    for (;;) {
        branch->a = take(p, branch, lv_jinja_parse_tuple(p, false, false, NULL));
        if (!branch->a || !parse_body(p, branch, &branch->list, ends))
            return false;
        if (branch != node && branch->height > node->height)
            node->height = branch->height;
        if (!lv_jinja_accept(p, LVJ_TOKEN_NAME, "elif"))
            break;
        branch->c = lv_jinja_node(p, LVJ_IF, p->at->line);
        if (!(branch = branch->c))
            return false;
    }
    if (lv_jinja_accept(p, LVJ_TOKEN_NAME, "else")) {
        const char *const end[] = {"endif", NULL};
        if (!parse_body(p, node, &branch->other, end))
            return false;
    }
    p->at++;
    return true;
}

static bool parse_for(LvJParser *p, LvJNode *node)
{
    static const char *const ends[] = {"endfor", "else", NULL};
    node->a = take(p, node, lv_jinja_parse_target(p, false, "in"));
    if (!node->a || !lv_jinja_expect(p, LVJ_TOKEN_NAME, "in"))
        return false;
    if (node->a->kind == LVJ_NAME && lv_jinja_is(node->a->text, "loop"))
        return lv_jinja_wrong(p->j, "the special name 'loop' is assigned to");
    node->b = take(p, node, lv_jinja_parse_tuple(p, false, false, "recursive"));
    if (!node->b)
        return false;
    if (lv_jinja_accept(p, LVJ_TOKEN_NAME, "if") &&
        !(node->c = take(p, node, lv_jinja_parse_expression(p, true))))
        return false;
    node->recursive = lv_jinja_accept(p, LVJ_TOKEN_NAME, "recursive");
    unsigned loops = p->loops;
    p->loops = node->recursive ? 1 : loops + 1;
    bool parsed = parse_body(p, node, &node->list, ends);
    p->loops = loops;
    if (!parsed)
        return false;
    const char *const end[] = {"endfor", NULL};
    if (lv_jinja_accept(p, LVJ_TOKEN_NAME, "else") && !parse_body(p, node, &node->other, end))
        return false;
    p->at++;
    return true;
}

static bool parse_set(LvJParser *p, LvJNode *node)
{
    node->a = take(p, node, lv_jinja_parse_target(p, true, NULL));
    if (!node->a)
        return false;
    if (lv_jinja_accept(p, LVJ_TOKEN_OPERATOR, "=")) {
        node->b = take(p, node, lv_jinja_parse_tuple(p, true, false, NULL));
        return node->b != NULL;
    }
    node->kind = LVJ_SET_BLOCK;
    if (lv_jinja_token_is(p->at, LVJ_TOKEN_OPERATOR, "|") &&
        !(node->b = take(p, node, lv_jinja_parse_filters(p, NULL, false))))
        return false;
    return parse_closed_body(p, node, "endset");
}

static bool parse_with(LvJParser *p, LvJNode *node)
{
    LvJNode **last = &node->other;
    while (p->at->kind != LVJ_TOKEN_BLOCK_END) {
        if (node->other && !lv_jinja_expect(p, LVJ_TOKEN_OPERATOR, ","))
            return false;
        LvJNode *set = lv_jinja_node(p, LVJ_SET, p->at->line);
        if (!set || !(set->a = take(p, set, lv_jinja_parse_target(p, false, NULL))) ||
            !lv_jinja_expect(p, LVJ_TOKEN_OPERATOR, "=") ||
            !(set->b = take(p, set, lv_jinja_parse_expression(p, true))) ||
            !lv_jinja_child(p, node, set))
            return false;
        *last = set;
        last = &set->next;
    }
    return parse_whole_body(p, node, "endwith");
}

static bool parse_parameters(LvJParser *p, LvJNode *node)
{
    LvJNode **last = &node->other;
    bool defaults = false;
    if (!lv_jinja_expect(p, LVJ_TOKEN_OPERATOR, "("))
        return false;
    while (!lv_jinja_token_is(p->at, LVJ_TOKEN_OPERATOR, ")")) {
        if (node->other && !lv_jinja_expect(p, LVJ_TOKEN_OPERATOR, ","))
            return false;
        LvJNode *parameter = lv_jinja_node(p, LVJ_PARAMETER, p->at->line);
        if (!parameter || !(parameter->text = lv_jinja_take_name(p)))
            return false;
        for (const LvJNode *earlier = node->other; earlier; earlier = earlier->next)
            if (lv_jinja_same(earlier->text, parameter->text))
                return lv_jinja_wrong(p->j, "two parameters have one name");
        if (lv_jinja_accept(p, LVJ_TOKEN_OPERATOR, "=")) {
            parameter->a = take(p, parameter, lv_jinja_parse_expression(p, true));
            if (!parameter->a || !lv_jinja_child(p, node, parameter))
                return false;
            defaults = true;
        } else if (defaults) {
            return lv_jinja_wrong(p->j, "a parameter without a default follows one with");
        }
        *last = parameter;
        last = &parameter->next;
    }
    return lv_jinja_expect(p, LVJ_TOKEN_OPERATOR, ")");
}

/* A macro's body, and the special names it uses. */
static bool parse_macro_body(LvJParser *p, LvJNode *node, const char *end)
{
    uint8_t uses = p->uses;
    p->uses = 0;
    if (!parse_closed_body(p, node, end))
        return false;
    node->uses = p->uses;
    p->uses |= uses;
    return true;
}

static bool parse_macro(LvJParser *p, LvJNode *node)
{
    node->text = lv_jinja_take_name(p);
    return node->text && parse_parameters(p, node) && parse_macro_body(p, node, "endmacro");
}

static bool parse_call_block(LvJParser *p, LvJNode *node)
{
    LvJNode *caller = lv_jinja_node(p, LVJ_MACRO_DEF, node->line);
    if (!caller)
        return false;
    if (lv_jinja_token_is(p->at, LVJ_TOKEN_OPERATOR, "(") && !parse_parameters(p, caller))
        return false;
    node->a = take(p, node, lv_jinja_parse_expression(p, true));
    if (!node->a)
        return false;
    if (node->a->kind != LVJ_CALL)
        return lv_jinja_wrong(p->j, "{%% call %%} without a call");
    node->b = caller;
    return parse_macro_body(p, caller, "endcall") && lv_jinja_child(p, node, caller);
}

static bool parse_filter_block(LvJParser *p, LvJNode *node)
{
    node->b = take(p, node, lv_jinja_parse_filters(p, NULL, true));
    return node->b && parse_closed_body(p, node, "endfilter");
}

static bool parse_generation(LvJParser *p, LvJNode *node)
{
    return parse_closed_body(p, node, "endgeneration");
}

static bool parse_loop_control(LvJParser *p, LvJNode *node)
{
    return p->loops || lv_jinja_wrong(p->j, "%s outside of a loop",
                           node->kind == LVJ_BREAK ? "break" : "continue");
}

static bool parse_print(LvJParser *p, LvJNode *node)
{
    node->a = take(p, node, lv_jinja_parse_expression(p, true));
    return node->a != NULL;
}

static LvJNode *parse_statement(LvJParser *p)
{
    static const struct {
        const char *name;
        LvJKind kind;
        bool (*parse)(LvJParser *, LvJNode *);
    } statements[] = {{"if", LVJ_IF, parse_if}, {"for", LVJ_FOR, parse_for},
        {"set", LVJ_SET, parse_set}, {"macro", LVJ_MACRO_DEF, parse_macro},
        {"generation", LVJ_GENERATION, parse_generation},
        {"filter", LVJ_FILTER_BLOCK, parse_filter_block}, {"break", LVJ_BREAK, parse_loop_control},
        {"continue", LVJ_CONTINUE, parse_loop_control}, {"call", LVJ_CALL_BLOCK, parse_call_block},
        {"with", LVJ_WITH, parse_with}, {"print", LVJ_PRINT, parse_print}};
    static const char *const foreign[] = {
        "block", "extends", "include", "import", "from", "autoescape", "do", "trans", "debug"};
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
        if (!is_name(p, statements[i].name))
            continue;
        LvJNode *node = lv_jinja_node(p, statements[i].kind, p->at->line);
        lv_jinja_accept(p, LVJ_TOKEN_NAME, NULL);
        return node && statements[i].parse(p, node) ? node : NULL;
    }
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        if (is_name(p, foreign[i])) {
            lv_jinja_cannot(p->j, "the statement {%% %s %%} is not supported", foreign[i]);
            return NULL;
        }
    }
    if (p->at->kind != LVJ_TOKEN_NAME)
        lv_jinja_unexpected(p, "a statement's name");
    else
        lv_jinja_wrong(p->j, "unknown or misplaced statement '%.*s'",
            (int)(p->at->bytes < 80 ? p->at->bytes : 80), p->at->text);
    return NULL;
}

static LvJNode *parse_text_or_print(LvJParser *p)
{
    LvJNode *node = lv_jinja_node(p, LVJ_DATA, p->at->line);
    LvJValue text;
    if (!node)
        return NULL;
    if (p->at->kind == LVJ_TOKEN_DATA) {
        if (!lv_jinja_string(p->j, p->at->text, p->at->bytes, false, &text))
            return NULL;
        node->text = text.string;
        p->at++;
        return node;
    }
    p->at++;
    node->kind = LVJ_PRINT;
    node->a = take(p, node, lv_jinja_parse_tuple(p, true, false, NULL));
    return node->a && lv_jinja_expect(p, LVJ_TOKEN_PRINT_END, NULL) ? node : NULL;
}

static bool at_end_name(const LvJParser *p, const char *const *ends)
{
    for (; ends && *ends; ends++)
        if (lv_jinja_token_is(p->at + 1, LVJ_TOKEN_NAME, *ends))
            return true;
    return false;
}

static bool parse_until(LvJParser *p, LvJNode *owner, LvJNode **first, const char *const *ends)
{
    LvJNode **last = first, *node;
    while (p->at->kind != LVJ_TOKEN_END) {
        p->j->line = p->at->line;
        if (p->at->kind == LVJ_TOKEN_BLOCK_BEGIN) {
            bool end = at_end_name(p, ends);
            p->at++;
            if (end)
                return true;
            node = parse_statement(p);
            if (node && !lv_jinja_expect(p, LVJ_TOKEN_BLOCK_END, NULL))
                return false;
        } else {
            node = parse_text_or_print(p);
        }
        if (!node || (owner && !lv_jinja_child(p, owner, node)))
            return false;
        *last = node;
        last = &node->next;
    }
    return true;
}

bool lv_jinja_parse(LvJ *j, const LvJTokens *tokens, LvJNode **out)
{
    LvJParser parser = {.j = j, .at = tokens->tokens, .expression = lv_jinja_parse_expression};
    *out = NULL;
    return parse_until(&parser, NULL, out, NULL);
}

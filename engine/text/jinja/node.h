/* SPDX-License-Identifier: Apache-2.0
 * A parsed template: a tree in its template's arena. */
#ifndef LV_JINJA_NODE_H
#define LV_JINJA_NODE_H

#include "text/jinja/value.h"

typedef enum LvJKind {
    /* Expressions. */
    LVJ_CONST,     /* value */
    LVJ_NAME,      /* text */
    LVJ_TUPLE_OF,  /* list */
    LVJ_LIST_OF,   /* list */
    LVJ_DICT_OF,   /* list of LVJ_PAIR */
    LVJ_PAIR,      /* a: b */
    LVJ_NOT,       /* a */
    LVJ_NEGATIVE,  /* a */
    LVJ_POSITIVE,  /* a */
    LVJ_AND,       /* a, b */
    LVJ_OR,        /* a, b */
    LVJ_BINARY,    /* a op b */
    LVJ_COMPARE,   /* a, then list of LVJ_OPERAND */
    LVJ_OPERAND,   /* op a */
    LVJ_CONCAT,    /* list */
    LVJ_CONDITION, /* b if a else c (NULL: undefined) */
    LVJ_ATTRIBUTE, /* a.text */
    LVJ_ITEM,      /* a[b] */
    LVJ_SLICE,     /* a:b:c, each may be NULL; only as b of LVJ_ITEM */
    LVJ_CALL,      /* a(list of arguments) */
    LVJ_ARGUMENT,  /* a */
    LVJ_KEYWORD,   /* text = a */
    LVJ_STAR,      /* *a */
    LVJ_STARS,     /* **a */
    LVJ_FILTER,    /* a | text(list); a = NULL: what the block holds */
    LVJ_TEST,      /* a is text(list) */
    LVJ_MEMBER,    /* text.attribute, only as a target of set */
    /* Statements. */
    LVJ_DATA,         /* text */
    LVJ_PRINT,        /* a */
    LVJ_IF,           /* if a: list, elif: c (LVJ_IF), else: other */
    LVJ_FOR,          /* for a in b if c: list, else: other */
    LVJ_SET,          /* a = b */
    LVJ_SET_BLOCK,    /* a = list through the filters b (may be NULL) */
    LVJ_WITH,         /* other: LVJ_SET...; list */
    LVJ_MACRO_DEF,    /* text(other: LVJ_PARAMETER...): list */
    LVJ_PARAMETER,    /* text = a (may be NULL) */
    LVJ_CALL_BLOCK,   /* a (LVJ_CALL), caller: b (LVJ_MACRO_DEF) */
    LVJ_FILTER_BLOCK, /* list through the filters b */
    LVJ_GENERATION,   /* list */
    LVJ_BREAK,
    LVJ_CONTINUE
} LvJKind;

typedef enum LvJOperator {
    LVJ_ADD,
    LVJ_SUBTRACT,
    LVJ_MULTIPLY,
    LVJ_DIVIDE,
    LVJ_FLOOR_DIVIDE,
    LVJ_REMAINDER,
    LVJ_POWER,
    LVJ_EQUAL,
    LVJ_NOT_EQUAL,
    LVJ_LESS,
    LVJ_LESS_EQUAL,
    LVJ_GREATER,
    LVJ_GREATER_EQUAL,
    LVJ_IN,
    LVJ_NOT_IN
} LvJOperator;

/* Special names that a macro's body uses, which determine the arguments the macro accepts. */
enum { LVJ_USES_VARARGS = 1, LVJ_USES_KWARGS = 2, LVJ_USES_CALLER = 4 };

typedef struct LvJNode LvJNode;
struct LvJNode {
    LvJKind kind;
    LvJOperator op;
    uint32_t line;
    uint16_t height; /* of the tree below, in nodes */
    uint8_t uses;    /* LVJ_MACRO_DEF: LVJ_USES_... */
    bool recursive;  /* LVJ_FOR */
    LvJValue value;
    const LvJString *text, *attribute;
    LvJNode *a, *b, *c;
    LvJNode *list, *other;            /* first of each */
    LvJNode *hidden, *hidden_else;    /* names hidden in its scopes (symbols.h) */
    LvJNode *next;                    /* in the list that this is in */
    const struct LvJBuiltin *builtin; /* LVJ_FILTER, LVJ_TEST */
};

#endif

/* SPDX-License-Identifier: Apache-2.0
 * The part of the grammar below operators. */
#ifndef LV_JINJA_PARSE_PARTS_H
#define LV_JINJA_PARSE_PARTS_H

#include "text/jinja/parser.h"

/* Filters, tests and calls after an operand. */
LvJNode *lv_jinja_parse_filter_expression(LvJParser *p, LvJNode *node);

#endif

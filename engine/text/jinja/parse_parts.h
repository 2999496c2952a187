/* SPDX-License-Identifier: Apache-2.0
 * The grammar's part that stands below operators. */
#ifndef LV_JINJA_PARSE_PARTS_H
#define LV_JINJA_PARSE_PARTS_H

#include "text/jinja/parser.h"

/* Filters, tests and calls behind an operand. */
LvJNode *lv_jinja_parse_filter_expression(LvJParser *p, LvJNode *node);

#endif

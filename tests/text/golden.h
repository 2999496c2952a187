/* SPDX-License-Identifier: Apache-2.0
 * Access to tests/text/data for the programs of this folder. */
#ifndef TEST_TEXT_GOLDEN_H
#define TEST_TEXT_GOLDEN_H

#include <jansson.h>

#include "text/tokenizer.h"

/* The parsed file of tests/text/data; ends the test when there is none. */
json_t *golden_load(const char *name);
/* The small tokenizer. */
LvTokenizer *golden_tokenizer(void);

#endif

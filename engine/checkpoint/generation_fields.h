/* SPDX-License-Identifier: Apache-2.0
 * Which fields of a generation configuration have no effect here. */
#ifndef LV_GENERATION_FIELDS_H
#define LV_GENERATION_FIELDS_H

#include "checkpoint/json.h"

/* *notice: a line that names the fields which would change an answer of generate() and are not
 * implemented, and with `strangers` also unknown ones; lv_free; NULL: none. A field counts unless
 * its value is null or switches the feature off. Of several objects the first that names the field
 * counts. `endless`: the line also says that no id ends an answer. False: no memory. */
bool lv_generation_notice(
    const LvFields *objects, size_t n, bool strangers, bool endless, char **notice);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/backend.h"

const LvExtraBackend lv_extra_backend = {0};

/* SPDX-License-Identifier: Apache-2.0
 * The chat templates that a checkpoint's folder holds. */
#ifndef LV_CHAT_FOLDER_H
#define LV_CHAT_FOLDER_H

#include "text/chat_finder.h"

/* The folder's template of this name; the only template of a folder is called "default".
 * source->text stays NULL where there is none. */
LlavaovStatus lv_chat_take_own(LvChatFinder *f, const char *name);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * An intrusive doubly linked list: a member LvLink puts an object on a list without allocating. */
#ifndef LV_LIST_H
#define LV_LIST_H

#include <stdbool.h>
#include <stddef.h>

typedef struct LvLink {
    struct LvLink *previous, *next; /* both NULL when on no list */
} LvLink;

/* A ring through its own head. */
typedef struct LvList {
    LvLink head;
} LvList;

static inline void lv_list_init(LvList *list)
{
    list->head.previous = list->head.next = &list->head;
}

static inline bool lv_list_empty(const LvList *list)
{
    return list->head.next == &list->head;
}

static inline bool lv_linked(const LvLink *link)
{
    return link->next != NULL;
}

static inline void lv_list_append(LvList *list, LvLink *link)
{
    link->previous = list->head.previous;
    link->next = &list->head;
    list->head.previous->next = link;
    list->head.previous = link;
}

static inline void lv_list_prepend(LvList *list, LvLink *link)
{
    link->previous = &list->head;
    link->next = list->head.next;
    list->head.next->previous = link;
    list->head.next = link;
}

/* Nothing happens when the link is on no list. */
static inline void lv_list_remove(LvLink *link)
{
    if (!lv_linked(link))
        return;
    link->previous->next = link->next;
    link->next->previous = link->previous;
    link->previous = link->next = NULL;
}

/* The object of `type` whose `member` is `link`. */
#define LV_CONTAINER(link, type, member) ((type *)((char *)(link)-offsetof(type, member)))

/* The first object, or NULL. */
#define LV_LIST_FIRST(list, type, member)                                                          \
    (lv_list_empty(list) ? NULL : LV_CONTAINER((list)->head.next, type, member))

/* Steps through the objects; the current one may be removed by the body. */
#define LV_LIST_EACH(list, type, member, object)                                                   \
    for (LvLink *link_ = (list)->head.next, *next_ = link_->next;                                  \
         link_ != &(list)->head && ((object) = LV_CONTAINER(link_, type, member), true);           \
         link_ = next_, next_ = link_->next)

#endif

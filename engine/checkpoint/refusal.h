/* SPDX-License-Identifier: Apache-2.0
 * Why pictures of one kind do not work with a checkpoint that otherwise runs: kept until one is
 * used. */
#ifndef LV_REFUSAL_H
#define LV_REFUSAL_H

/* reason: "FILE: FIELD MESSAGE", with the file's name alone; both are empty where nothing is
 * refused. */
typedef struct LvRefusal {
    char reason[256], field[48];
} LvRefusal;

/* The first reason is kept: later calls change nothing. */
void lv_refuse(LvRefusal *refusal, const char *file, const char *field, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif

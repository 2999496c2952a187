/* SPDX-License-Identifier: Apache-2.0
 * What the mock of cuBLASLt has been asked for; to be looked up in it. */
#ifndef CUBLASLT_MOCK_H
#define CUBLASLT_MOCK_H

typedef struct LvLtMockCounts {
    unsigned live;     /* handles, descriptions, layouts and preferences that were not destroyed */
    unsigned choices;  /* of an algorithm */
    unsigned products; /* that were computed */
    unsigned number;   /* of the algorithm that was used last, among those proposed */
    int cuts;          /* of that product's inner dimension, or 0 */
} LvLtMockCounts;

typedef LvLtMockCounts (*LvLtMockCount)(void);
LvLtMockCounts lv_lt_mock_counts(void);

#endif

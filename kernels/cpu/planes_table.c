/* SPDX-License-Identifier: Apache-2.0 */
#include "ops.h"
#include "planes.h"

const LvPlaneKernels *lv_planes_baseline(void);
#if defined(__x86_64__)
const LvPlaneKernels *lv_planes_avx2(void);
#endif

const LvPlaneKernels *lv_plane_kernels_choose(unsigned flags)
{
#if defined(__x86_64__)
    if (flags & LV_CPU_AVX2)
        return lv_planes_avx2();
#endif
    return lv_planes_baseline();
}

/* SPDX-License-Identifier: Apache-2.0
 * The module of gpu-faults: the real one, on the real device, but for launches that can be made to
 * fail. To be looked up in the module. */
#ifndef FAULT_MODULE_H
#define FAULT_MODULE_H

typedef enum LvFault {
    LV_FAULT_LAUNCH, /* the launch is said to have failed; the device is whole */
    LV_FAULT_LOST    /* a kernel reads where nothing is: for this process the device is lost */
} LvFault;

/* The `after`-th launch of a kernel from now on, from 1. */
typedef void (*LvFaultArm)(LvFault fault, int after);
void lv_fault_arm(LvFault fault, int after);

#endif

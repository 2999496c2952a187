/* SPDX-License-Identifier: Apache-2.0 */
#include "base/status.h"
#include "serve/quantise.h"
#include "tool.h"

LlavaovStatus tool_quantize(const ToolOptions *o, LlavaovError *error)
{
    const LvQuantiseOptions options = {
        .precision = o->precision, .threads = o->threads, .cpu_mask = o->cpu_mask};
    return o->n_arguments == 2
               ? lv_quantise_folder(o->arguments[0], o->arguments[1], &options, error)
               : lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "folders",
                     "a checkpoint folder and a new one are wanted");
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "checkpoint/config_parts.h"

void lv_config_activation(LvFields *fields, const char *name, LvActivation *activation)
{
    static const struct {
        const char *name;
        LvActivation activation;
    } known[] = {
        {"gelu", LV_ACTIVATION_GELU_ERF},
        {"gelu_python", LV_ACTIVATION_GELU_ERF},
        {"gelu_pytorch_tanh", LV_ACTIVATION_GELU_TANH},
        {"gelu_new", LV_ACTIVATION_GELU_TANH},
        {"gelu_fast", LV_ACTIVATION_GELU_TANH},
        {"quick_gelu", LV_ACTIVATION_QUICK_GELU},
        {"silu", LV_ACTIVATION_SILU},
        {"swish", LV_ACTIVATION_SILU},
        {"relu", LV_ACTIVATION_RELU},
        {"gelu_python_tanh", LV_ACTIVATION_GELU_TANH},
        {"gelu_accurate", LV_ACTIVATION_GELU_TANH},
        {"linear", LV_ACTIVATION_NONE},
        {"leaky_relu", LV_ACTIVATION_LEAKY_RELU},
        {"relu2", LV_ACTIVATION_RELU2},
        {"relu6", LV_ACTIVATION_RELU6},
        {"tanh", LV_ACTIVATION_TANH},
        {"sigmoid", LV_ACTIVATION_SIGMOID},
        {"mish", LV_ACTIVATION_MISH},
        {"hardswish", LV_ACTIVATION_HARDSWISH},
        {"gelu_10", LV_ACTIVATION_GELU_10},
        {"laplace", LV_ACTIVATION_LAPLACE},
        {"sqrtsoftplus", LV_ACTIVATION_SQRTSOFTPLUS},
    };
    const char *text = NULL;
    lv_field_text(fields, name, &text);
    if (fields->status || !text)
        return;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(text, known[i].name)) {
            *activation = known[i].activation;
            return;
        }
    const bool learned = !strcmp(text, "prelu") || !strcmp(text, "xielu");
    lv_field_fail(fields, LLAVAOV_ERROR_UNSUPPORTED, name,
        learned ? "is \"%.64s\", an activation with weights of its own, which is not supported"
                : "is \"%.64s\": no such activation is known here",
        text);
}

/* SPDX-License-Identifier: Apache-2.0
 * Results as JSON. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/status.h"
#include "tool.h"

json_t *tool_json_ids(const int32_t *ids, size_t n)
{
    json_t *array = json_array();
    for (size_t i = 0; i < n; i++)
        if (json_array_append_new(array, json_integer(ids[i])) != 0) {
            json_decref(array);
            return NULL;
        }
    return array;
}

static json_t *numbers(const double *values, size_t n)
{
    json_t *array = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(array, isfinite(values[i]) ? json_real(values[i]) : json_null());
    return array;
}

LlavaovStatus tool_add_json_values(json_t *answer, const LlavaovAnswer *a)
{
    json_t *list = json_array();
    for (size_t i = 0; i < a->n_json_values; i++) {
        const LlavaovJsonValue *v = a->json_values[i];
        json_t *values = json_array();
        for (size_t k = 0; k < v->n; k++)
            json_array_append_new(values, json_string(v->values[k]));
        json_array_append_new(
            list, json_pack("{s:s s:s s:f s:f s:o s:o s:o}", "path", v->path, "value",
                      v->values[v->written], "confidence", v->confidence, "label-mass",
                      v->label_mass, "values", values, "probabilities",
                      numbers(v->probabilities, v->n), "logprobs", numbers(v->logprobs, v->n)));
    }
    return json_array_size(list) == a->n_json_values &&
                   json_object_set_new(answer, "json-values", list) == 0
               ? LLAVAOV_OK
               : LLAVAOV_ERROR_MEMORY;
}

LlavaovStatus tool_add_chosen(json_t *answer, const LlavaovChosen *c)
{
    json_t *labels = json_array(), *probabilities = json_array(), *logprobs = json_array();
    int bad = !answer;
    for (size_t i = 0; i < c->n; i++) {
        bad |= json_array_append_new(labels, json_string(c->labels[i]));
        bad |= json_array_append_new(probabilities, json_real(c->probabilities[i]));
        bad |= json_array_append_new(
            logprobs, isfinite(c->logprobs[i]) ? json_real(c->logprobs[i]) : json_null());
    }
    bad |= json_object_set_new(answer, "confidence", json_real(c->confidence));
    bad |= json_object_set_new(answer, "label-mass", json_real(c->label_mass));
    bad |= json_object_set_new(answer, "valid", json_boolean(c->valid));
    bad |= json_object_set_new(answer, "argmax-is-label", json_boolean(c->argmax_is_label));
    bad |= json_object_set_new(answer, "wanted", json_string(c->wanted));
    bad |= json_object_set_new(answer, "choices", labels);
    bad |= json_object_set_new(answer, "probabilities", probabilities);
    bad |= json_object_set_new(answer, "choice-logprobs", logprobs);
    return bad ? LLAVAOV_ERROR_MEMORY : LLAVAOV_OK;
}

void tool_print_chosen(const json_t *answer)
{
    const json_t *labels = json_object_get(answer, "choices");
    for (size_t i = 0; i < json_array_size(labels); i++)
        printf("  %.6f  %s\n",
            json_real_value(json_array_get(json_object_get(answer, "probabilities"), i)),
            json_string_value(json_array_get(labels, i)));
    printf("The labels have %.6f of the probability of all answers%s; left alone the model would "
           "begin with \"%s\".\n",
        json_real_value(json_object_get(answer, "label-mass")),
        json_is_true(json_object_get(answer, "valid")) ? "" : ", too little for this to be valid",
        json_string_value(json_object_get(answer, "wanted")));
}

LlavaovStatus tool_print_json(const ToolOptions *o, json_t *json, LlavaovError *error)
{
    char *text = json ? json_dumps(json, JSON_REAL_PRECISION(9)) : NULL;
    json_decref(json);
    if (!text)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for the result");
    FILE *file = o->out ? fopen(o->out, "w") : stdout;
    bool good = file && fprintf(file, "%s\n", text) > 0;
    if (file)
        good &= (o->out ? fclose(file) : fflush(file)) == 0;
    free(text);
    return good ? LLAVAOV_OK
                : lv_fail(error, LLAVAOV_ERROR_IO, o->out, "the result cannot be written");
}

/* SPDX-License-Identifier: Apache-2.0
 * calibrate: the temperature with which the confidences of answers with choices are most nearly how
 * often they are right, from answers of which the truth is known. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/status.h"
#include "tool.h"

/* What choices-temperature may be. */
#define LEAST 0.01
#define MOST 100
#define BINS 15
#define MAX_ANSWERS (1u << 20)

typedef struct Judged {
    double logprobs[LV_MAX_CHOICES];
    size_t n, truth;
} Judged;

typedef struct Judgements {
    Judged *list;
    size_t n, capacity;
} Judgements;

static LlavaovStatus bad(const char *path, size_t line, const char *what, LlavaovError *error)
{
    return lv_fail(error, LLAVAOV_ERROR_FORMAT, path, "%s: line %zu: %s", path, line, what);
}

static LlavaovStatus read_line(
    const char *path, size_t line, const char *text, Judged *j, LlavaovError *error)
{
    json_error_t cause;
    json_t *root = json_loads(text, 0, &cause);
    const json_t *labels = json_object_get(root, "choices"),
                 *logprobs = json_object_get(root, "choice-logprobs");
    const char *truth = json_string_value(json_object_get(root, "truth")), *wrong = NULL;
    j->n = json_array_size(labels);
    j->truth = j->n;
    if (!root)
        wrong = cause.text;
    else if (!truth)
        wrong = "there is no \"truth\", the label that would have been right";
    else if (j->n < 2 || j->n > LV_MAX_CHOICES || json_array_size(logprobs) != j->n)
        wrong = "\"choices\" and \"choice-logprobs\" are no lists of 2 to 64, of one length";
    for (size_t i = 0; i < j->n && !wrong; i++) {
        const char *label = json_string_value(json_array_get(labels, i));
        const json_t *logprob = json_array_get(logprobs, i);
        j->logprobs[i] = json_number_value(logprob);
        if (!json_is_number(logprob) || !isfinite(j->logprobs[i]) || j->logprobs[i] > 1e-6)
            wrong = "a choice-logprob is not the logarithm of a probability";
        if (!label)
            wrong = "a choice is no text";
        else if (strcmp(label, truth) == 0 && j->truth < j->n)
            wrong = "the choice that is right is there twice";
        else if (strcmp(label, truth) == 0)
            j->truth = i;
    }
    if (!wrong && j->truth == j->n)
        wrong = "\"truth\" is none of the choices";
    LlavaovStatus status = wrong ? bad(path, line, wrong, error) : LLAVAOV_OK;
    json_decref(root);
    return status;
}

static LlavaovStatus add(Judgements *all, const Judged *one, LlavaovError *error)
{
    if (all->n == all->capacity) {
        const size_t capacity = 2 * all->capacity + 64;
        Judged *grown =
            all->n < MAX_ANSWERS ? lv_realloc(all->list, capacity, sizeof *grown) : NULL;
        if (!grown)
            return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for %zu answers", all->n);
        all->list = grown;
        all->capacity = capacity;
    }
    all->list[all->n++] = *one;
    return LLAVAOV_OK;
}

static LlavaovStatus read_all(const char *path, Judgements *all, LlavaovError *error)
{
    FILE *file = fopen(path, "r");
    if (!file)
        return lv_fail(error, errno == ENOENT ? LLAVAOV_ERROR_NOT_FOUND : LLAVAOV_ERROR_IO, path,
            "%s: %s", path, strerror(errno));
    LlavaovStatus status = LLAVAOV_OK;
    char *text = lv_alloc(LV_MAX_CONFIG_BYTES, 1);
    if (!text)
        status = lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a line");
    for (size_t line = 1; status == LLAVAOV_OK && fgets(text, LV_MAX_CONFIG_BYTES, file); line++) {
        Judged one;
        const size_t n = strlen(text);
        if (n == 0 || (text[n - 1] != '\n' && fgetc(file) != EOF)) {
            status = bad(path, line, "it is too long, or holds a zero byte", error);
            break;
        }
        if (text[strspn(text, " \t\r\n")] == '\0')
            continue;
        status = read_line(path, line, text, &one, error);
        if (status == LLAVAOV_OK)
            status = add(all, &one, error);
    }
    if (status == LLAVAOV_OK && ferror(file))
        status = lv_fail(error, LLAVAOV_ERROR_IO, path, "%s cannot be read", path);
    if (status == LLAVAOV_OK && all->n == 0)
        status = lv_fail(error, LLAVAOV_ERROR_FORMAT, path, "%s holds no answers", path);
    lv_free(text);
    fclose(file);
    return status;
}

/* The probabilities of an answer's labels at a temperature; returns the likeliest. */
static size_t at(const Judged *j, double temperature, double *probabilities)
{
    double sum = 0;
    size_t best = 0;
    for (size_t i = 1; i < j->n; i++)
        best = j->logprobs[i] > j->logprobs[best] ? i : best;
    for (size_t i = 0; i < j->n; i++)
        sum += probabilities[i] = exp((j->logprobs[i] - j->logprobs[best]) / temperature);
    for (size_t i = 0; i < j->n; i++)
        probabilities[i] /= sum;
    return best;
}

/* Mean of -ln of what the truth was given. */
static double log_loss(const Judgements *all, double temperature)
{
    double sum = 0;
    for (size_t k = 0; k < all->n; k++) {
        const Judged *j = &all->list[k];
        double most = -INFINITY, total = 0;
        for (size_t i = 0; i < j->n; i++)
            most = fmax(most, j->logprobs[i] / temperature);
        for (size_t i = 0; i < j->n; i++)
            total += exp(j->logprobs[i] / temperature - most);
        sum += most + log(total) - j->logprobs[j->truth] / temperature;
    }
    return sum / (double)all->n;
}

/* Expected calibration error: in bins of equal width, how far the mean confidence is from how many
 * are right, by the number of answers. */
static double calibration_error(const Judgements *all, double temperature)
{
    double confidence[BINS] = {0}, right[BINS] = {0}, error = 0;
    for (size_t k = 0; k < all->n; k++) {
        double probabilities[LV_MAX_CHOICES];
        const size_t best = at(&all->list[k], temperature, probabilities);
        const size_t bin = (size_t)fmin(probabilities[best] * BINS, BINS - 1);
        confidence[bin] += probabilities[best];
        right[bin] += best == all->list[k].truth;
    }
    for (size_t i = 0; i < BINS; i++)
        error += fabs(confidence[i] - right[i]);
    return error / (double)all->n;
}

/* The loss is convex in 1 / temperature, so it has one valley: golden sections of its logarithm. */
static double fit(const Judgements *all)
{
    const double golden = 0.6180339887498949;
    double low = log(LEAST), high = log(MOST);
    while (high - low > 1e-7) {
        const double a = high - golden * (high - low), b = low + golden * (high - low);
        if (log_loss(all, exp(a)) <= log_loss(all, exp(b)))
            high = b;
        else
            low = a;
    }
    return exp((low + high) / 2);
}

LlavaovStatus tool_calibrate(const ToolOptions *o, LlavaovError *error)
{
    Judgements all = {0};
    size_t right = 0;
    if (o->n_arguments != 1)
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "FILE",
            "one file is wanted, of lines such as {\"truth\": \"yes\", \"choices\": [...], "
            "\"choice-logprobs\": [...]}");
    LlavaovStatus status = read_all(o->arguments[0], &all, error);
    if (status == LLAVAOV_OK) {
        const double temperature = fit(&all);
        for (size_t k = 0; k < all.n; k++) {
            double probabilities[LV_MAX_CHOICES];
            right += at(&all.list[k], 1, probabilities) == all.list[k].truth;
        }
        const double before = calibration_error(&all, 1),
                     after = calibration_error(&all, temperature), loss = log_loss(&all, 1),
                     loss_after = log_loss(&all, temperature);
        if (o->json)
            status = tool_print_json(o,
                json_pack("{s:I s:I s:f s:f s:f s:f s:f}", "answers", (json_int_t)all.n, "right",
                    (json_int_t)right, "choices-temperature", temperature,
                    "calibration-error-before", before, "calibration-error-after", after,
                    "log-loss-before", loss, "log-loss-after", loss_after),
                error);
        else
            printf("%zu answers, %zu right\nchoices-temperature=%.4g%s\n"
                   "calibration error %.4f before, %.4f after\nlog loss %.4f before, %.4f after\n",
                all.n, right, temperature,
                temperature < 1.01 * LEAST || temperature > 0.99 * MOST
                    ? " (an end of its range: all or none of the answers are right)"
                    : "",
                before, after, loss, loss_after);
    }
    lv_free(all.list);
    return status;
}

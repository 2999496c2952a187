/* SPDX-License-Identifier: Apache-2.0
 * Any bytes as the labels of a question, their spellings, their tree, and logits made of the same
 * bytes. The first byte says which variants count. */
#include "fuzz.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "choices/trie.h"
#include "text/byte_level.h"
#include "text/pretokenize.h"
#include "text/utf8.h"

#define VOCABULARY 256

/* A token a byte. */
static LvTokenizer *make_tokenizer(void)
{
    json_t *vocab = json_object();
    for (unsigned byte = 0; byte < VOCABULARY; byte++) {
        char key[5] = {0};
        lv_utf8_put(lv_byte_character((unsigned char)byte), key);
        json_object_set_new(vocab, key, json_integer(byte));
    }
    json_t *root = json_pack("{s{ss}s{sss[{sss{ss}ss}{sssb}]}s{ss}s[]s{sssos[]}}", "normalizer",
        "type", "NFC", "pre_tokenizer", "type", "Sequence", "pretokenizers", "type", "Split",
        "pattern", "Regex", lv_piece_pattern, "behavior", "Isolated", "type", "ByteLevel",
        "use_regex", 0, "decoder", "type", "ByteLevel", "added_tokens", "model", "type", "BPE",
        "vocab", vocab, "merges");
    char *text = json_dumps(root, JSON_COMPACT);
    LvTokenizer *tokenizer = NULL;
    FUZZ_CHECK(text && lv_tokenizer_parse(text, strlen(text), "t", &tokenizer, NULL) == LLAVAOV_OK);
    free(text);
    json_decref(root);
    return tokenizer;
}

static void check_labels(const LvLabels *labels)
{
    size_t seen = 0;
    FUZZ_CHECK(labels->n >= 2 && labels->n <= LV_MAX_CHOICES);
    for (size_t i = 0; i < labels->n; i++) {
        FUZZ_CHECK(*labels->labels[i] && !strchr(labels->labels[i], '|'));
        FUZZ_CHECK(i == 0 || strcmp(labels->labels[i - 1], labels->labels[i]) < 0);
        seen += labels->written[i];
    }
    FUZZ_CHECK(seen == labels->n * (labels->n - 1) / 2);
    char *hint = lv_labels_hint(labels, "?");
    FUZZ_CHECK(hint && lv_utf8_valid_prefix(hint, strlen(hint)) == strlen(hint));
    lv_free(hint);
}

/* Probabilities of disjoint events. */
static void check_tree(LvTrie *trie, size_t n_labels, const uint8_t *data, size_t size)
{
    double logprobs[LV_MAX_CHOICES], mass = 0;
    for (size_t node = 0; node < trie->n; node++) {
        float logits[VOCABULARY];
        for (size_t i = 0; i < VOCABULARY; i++)
            logits[i] = (float)((signed char)data[(node * 31 + i) % size]);
        if (lv_trie_inner(trie, node))
            FUZZ_CHECK(lv_trie_take(trie, node, logits, VOCABULARY));
    }
    FUZZ_CHECK(lv_trie_next_way(trie, 0) == trie->n && trie->depth < LV_MAX_SPELLING_TOKENS);
    lv_trie_logprobs(trie, n_labels, logprobs);
    for (size_t i = 0; i < n_labels; i++) {
        FUZZ_CHECK(isfinite(logprobs[i]) && logprobs[i] < 1e-9);
        mass += exp(logprobs[i]);
    }
    FUZZ_CHECK(mass < 1 + 1e-9);
    int32_t tokens[LV_MAX_SPELLING_TOKENS];
    size_t n;
    lv_trie_likeliest(trie, tokens, &n);
    FUZZ_CHECK(n >= 1 && n <= LV_MAX_SPELLING_TOKENS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static LvTokenizer *tokenizer;
    if (!tokenizer)
        tokenizer = make_tokenizer();
    LvLabels labels;
    LvSpellings spellings;
    LvTrie trie;
    LlavaovError error = {0};
    char *text = malloc(size + 1);
    if (size)
        memcpy(text, data, size);
    text[size] = '\0';
    LlavaovStatus status = lv_labels_parse(size ? text + 1 : text, &labels, &error);
    FUZZ_CHECK(status == error.status && (status ? !labels.text && *error.message : true));
    if (status == LLAVAOV_OK) {
        check_labels(&labels);
        status = lv_spellings_make(
            &labels, data[0] & LLAVAOV_VARIANT_ALL, tokenizer, VOCABULARY, &spellings, &error);
        FUZZ_CHECK(status == error.status && (status ? !spellings.list && *error.message : true));
        if (status == LLAVAOV_OK) {
            FUZZ_CHECK(lv_trie_make(&spellings, &trie, &error) == LLAVAOV_OK);
            check_tree(&trie, labels.n, data, size);
            lv_trie_free(&trie);
            lv_spellings_free(&spellings);
        }
        lv_labels_free(&labels);
    }
    free(text);
    return 0;
}

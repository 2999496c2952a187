#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/model/generation.json: what transformers' generate() makes of known logits under many generation settings.

    make_generation.py [FILE]

The model is a table: its logits depend on nothing but the number of new tokens. Everything else - which processors there are,
their order, what they do - is the library's. Needs transformers 5 (.cache/parity)."""
import json
import pathlib
import sys

import torch
import transformers
from transformers import GenerationConfig, Qwen2Config, Qwen2ForCausalLM
from transformers.modeling_outputs import CausalLMOutputWithPast

VOCAB, STEPS = 24, 5
PROMPT = [3, 7, 3, 9, 11, 7]
EOS, RARE = 5, 20

S = {"do_sample": True, "top_k": 0}
CASES = [
    {},
    {"repetition_penalty": 1.3},
    {"repetition_penalty": 0.8},
    {"encoder_repetition_penalty": 1.4},
    {"no_repeat_ngram_size": 1},
    {"no_repeat_ngram_size": 2},
    {"encoder_no_repeat_ngram_size": 2},
    {"bad_words_ids": [[4], [7, 2], [9, 11, 7, 12], [EOS]]},
    {"sequence_bias": [[[7, 1], 6.5], [[8], -3.25], [[11, 7, 1], 0.5], [[0], 0.75]]},
    {"min_new_tokens": 3},
    {"min_length": 8, "eos_token_id": [EOS, 1]},
    {"max_new_tokens": 3, "forced_eos_token_id": RARE},
    {"max_length": 8, "forced_eos_token_id": [RARE, 2]},
    {"forced_bos_token_id": 2},
    {"exponential_decay_length_penalty": [1, 1.5]},
    {"suppress_tokens": [0, 2, 4, 6, -1, 99]},
    {"begin_suppress_tokens": [1, 2, 3]},
    {"renormalize_logits": True, "repetition_penalty": 1.1},
    {"do_sample": False, "temperature": 0.7, "top_k": 20, "top_p": 0.8, "repetition_penalty": 1.1, "eos_token_id": [EOS, 1]},
    {"do_sample": True},
    {"do_sample": True, "temperature": 0.7, "top_k": 20, "top_p": 0.8, "repetition_penalty": 1.1},
    {**S, "temperature": 1.6},
    {**S, "top_k": 3},
    {**S, "top_p": 0.6},
    {**S, "top_p": 0.0},
    {**S, "min_p": 0.2},
    {**S, "min_p": 1.0},
    {**S, "typical_p": 0.3},
    {**S, "typical_p": 0.9},
    {**S, "epsilon_cutoff": 0.04},
    {**S, "eta_cutoff": 0.2},
    {**S, "eta_cutoff": 0.02},
    {**S, "top_h": 0.4},
    {**S, "top_h": 0.8, "temperature": 1.2},
    {"do_sample": True, "top_k": None, "top_p": None},
    {**S, "temperature": 0.9, "top_k": 18, "top_p": 0.95, "min_p": 0.02, "typical_p": 0.9, "epsilon_cutoff": 0.005, "eta_cutoff": 0.01,
     "renormalize_logits": True},
    {"do_sample": True, "temperature": 0.8, "repetition_penalty": 1.2, "encoder_repetition_penalty": 0.9, "no_repeat_ngram_size": 2,
     "suppress_tokens": [0], "begin_suppress_tokens": [1], "bad_words_ids": [[2]], "min_new_tokens": 2, "top_p": 0.9,
     "sequence_bias": [[[6], 2.0]]},
    {"remove_invalid_values": True, "min_new_tokens": 4, "exponential_decay_length_penalty": [0, 1.2]},
    {"min_new_tokens": 0, "min_length": 9, "eos_token_id": [16, 12]},
    {**S, "remove_invalid_values": True, "temperature": 0.5, "no_repeat_ngram_size": 1},
    {**S, "exponential_decay_length_penalty": [0, 1.2], "forced_eos_token_id": [EOS, RARE], "max_new_tokens": 4},
]  # fmt: skip


class Table(Qwen2ForCausalLM):
    def forward(self, input_ids, **_):
        row = self.table[min(input_ids.shape[1] - len(PROMPT), STEPS - 1)]
        return CausalLMOutputWithPast(logits=row[None, None].expand(1, 1, -1))


def numbers(tensor, digits):
    return [None if v == float("-inf") else round(v, digits) for v in tensor.double().tolist()]


def main():
    transformers.logging.set_verbosity_error()
    config = Qwen2Config(vocab_size=VOCAB, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1,
                         num_key_value_heads=1, bos_token_id=None, eos_token_id=None)  # fmt: skip
    model = Table(config).eval()
    generator = torch.Generator().manual_seed(5)
    # Eighths are exact in every notation, and some are equal.
    model.table = (torch.randn(STEPS, VOCAB, generator=generator) * 16).round() / 8
    cases = []
    for settings in CASES:
        settings = {"eos_token_id": EOS, **settings}
        model.generation_config = GenerationConfig(**settings)
        length = {} if "max_new_tokens" in settings or "max_length" in settings else {"max_new_tokens": STEPS}
        torch.manual_seed(3)
        ids = torch.tensor([PROMPT])
        out = model.generate(ids, attention_mask=torch.ones_like(ids), use_cache=False, output_scores=True,
                             return_dict_in_generate=True, **length)  # fmt: skip
        drawn = bool(settings.get("do_sample"))
        scores = [torch.softmax(s[0], -1) if drawn else s[0] for s in out.scores]
        new = out.sequences[0, len(PROMPT) :].tolist()
        cases.append({"settings": settings, "tokens": new, "scores": [numbers(s, 8 if drawn else 6) for s in scores]})
    data = {"transformers": transformers.__version__, "prompt": PROMPT, "logits": [numbers(r, 3) for r in model.table], "cases": cases}
    lines = [json.dumps(c) for c in cases]
    data["cases"] = []
    text = json.dumps(data)[:-2] + "\n" + ",\n".join(lines) + "\n]}\n"
    json.loads(text)
    pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).with_name("generation.json")).write_text(text)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""Trains the camera check's tokenizer.json: Qwen2's structure, a small vocabulary.

    python models/make_tokenizer.py models/camera-check --vocab 1280"""
import argparse
import itertools
import json
import os
import re

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

import phrases
import scenes
import truth

SPLIT = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
         r"|\s*[\r\n]+|\s+(?!\S)|\s+")
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<image>", "<video>")


def all_answers():
    """Every answer sentence that occurs, from drawn scenes."""
    out = set()
    for seed in range(3000):
        s = scenes.make("tokens-%d" % seed)
        for times in ([0.5], truth.sample_times(seed % 7, 4, 4)):
            for kind, lang in itertools.product(truth.KINDS, truth.LANGUAGES):
                out.update(truth.answers(s, kind, lang, times, strict=False) or [])
    return sorted(out)


def main():
    a = argparse.ArgumentParser()
    a.add_argument("folder")
    a.add_argument("--vocab", type=int, default=1280)
    a = a.parse_args()
    tok = Tokenizer(models.BPE(fuse_unk=False, byte_fallback=False))
    tok.normalizer = normalizers.NFC()
    tok.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(SPLIT), "isolated", invert=False),
        pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False)])
    tok.decoder = decoders.ByteLevel()
    tok.post_processor = processors.ByteLevel(trim_offsets=False)
    text = [t for trained, _ in phrases.load().values() for t in trained]
    # Chinese character by character: no merge may join words of an answer
    text += 4 * all_answers() + 20 * ["user\n", "\nassistant\n"]
    pieces = [p for t in text for p in re.findall(r"[^\u2e80-\uffff]+|[\u2e80-\uffff]", t)]
    tok.train_from_iterator(pieces, trainers.BpeTrainer(
        vocab_size=a.vocab - len(SPECIAL), min_frequency=2, show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet())))
    d = json.loads(tok.to_str())
    n = len(d["model"]["vocab"])
    d["added_tokens"] = [{"id": n + i, "content": t, "single_word": False, "lstrip": False, "rstrip": False,
                          "normalized": False, "special": True} for i, t in enumerate(SPECIAL)]
    os.makedirs(a.folder, exist_ok=True)
    path = os.path.join(a.folder, "tokenizer.json")
    with open(path, "w", encoding="utf-8") as f:
        json.dump(d, f, ensure_ascii=False, indent=1)
    t = Tokenizer.from_file(path)
    n = [len(t.encode(s).ids) for s in text]
    print("vocabulary", t.get_vocab_size(), "mean tokens", sum(n) / len(n), "longest", max(n))
    assert all(t.decode(t.encode(s).ids) == s for s in text)


if __name__ == "__main__":
    main()

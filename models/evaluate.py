# SPDX-License-Identifier: Apache-2.0
"""Held-out accuracy of a checkpoint folder: greedy answers, as exact text.

    python models/evaluate.py models/camera-check --cache DIR --windows 900 --json FILE
    python models/evaluate.py models/camera-check --cache DIR --hf 40     # through HF's own generate

Scenes of the "test" split (other seeds than training). An answer counts when
it equals an accepted one; teacher forcing finds exactly the greedy answer: it
is right if every token of an accepted answer is the best one in its place."""
import argparse
import json
import os
import random
from collections import defaultdict

import torch
from tokenizers import Tokenizer
from transformers import LlavaOnevisionForConditionalGeneration

import cache
import network
import phrases
import truth
import windows
from train import picture_map


def ask(window, phr, rng, per):
    """[(kind, language, 'trained' or 'unseen', question, accepted)]"""
    out = []
    for kind in truth.KINDS:
        for lang in truth.LANGUAGES:
            a = truth.answers(window["clip"]["scene"], kind, lang, window["times"])
            if a:
                for k, name in enumerate(("trained", "unseen")):
                    for q in rng.sample(phr[kind, lang][k], per):
                        out.append((kind, lang, name, q, a))
    return out


def through_hf(folder, model, clips, phr, rng, count):
    """Answers of HF's processor and generate against the accepted ones and the training graph's."""
    from transformers import AutoProcessor
    proc = AutoProcessor.from_pretrained(folder)
    texts = windows.Texts(proc.tokenizer.backend_tokenizer)
    right = same = 0
    for k in range(count):
        w = windows.draw_window(rng.choice(clips), rng, None, k % 5 == 0)
        kind, lang, _, q, a = rng.choice(ask(w, phr, rng, 1))
        c = w["clip"]
        if w["layout"] == "image":
            px = network.normalise(torch.from_numpy(c["picture"]))[None]
            s, n = c["scene"], len(plain_features(model, w)) + 1
            text = "<|im_start|>user\n" + "<image>" * n + "\n" + q + "<|im_end|>\n<|im_start|>assistant\n"
            t = proc.tokenizer(text, return_tensors="pt")
            out = model.generate(**t, pixel_values=px, image_sizes=torch.tensor([[s["height"], s["width"]]]),
                                 max_new_tokens=64, do_sample=False)
            got = proc.tokenizer.decode(out[0, t["input_ids"].shape[1]:], skip_special_tokens=True)
        else:
            msg = [{"role": "user", "content": [{"type": "video"}, {"type": "text", "text": q}]}]
            text = proc.apply_chat_template(msg, add_generation_prompt=True)
            v = torch.from_numpy(c["tiles"][w["frames"]]).permute(0, 3, 1, 2)
            t = proc(text=text, videos=[v], return_tensors="pt", do_sample_frames=False)
            out = model.generate(**t, max_new_tokens=64, do_sample=False)
            got = proc.tokenizer.decode(out[0, t["input_ids"].shape[1]:], skip_special_tokens=True)
        mine = greedy(model, texts, plain_features(model, w), q)
        same += mine == got
        right += got in a
        if got not in a or mine != got:
            print("  %s | %s | HF: %s | graph: %s | accepted: %s" % (w["layout"], q, got, mine, a[0]))
    print("HF: %d questions, %d right, %d the same as the training graph" % (count, right, same))


def plain_features(model, w):
    """Features without jitter, in float32."""
    c = w["clip"]
    with torch.no_grad():
        if w["layout"] == "image":
            f = network.token_features(model, network.normalise(torch.from_numpy(c["picture"])))
            return picture_map(f, None, c["scene"]["height"], c["scene"]["width"], model.model.image_newline)[:-1]
        x = torch.from_numpy(c["tiles"][w["frames"]])
        return network.pool(network.token_features(model, network.normalise(x))).flatten(0, 1)


def greedy(model, texts, f, q, most=64):
    lm = model.model.language_model
    with torch.no_grad():
        e = lambda ids: lm.embed_tokens(torch.tensor(ids))
        x = torch.cat([e(texts.head), f, model.model.image_newline[None], e(texts.question(q))])[None]
        out, ids = lm(inputs_embeds=x, use_cache=True), []
        while len(ids) < most:
            k = int(model.lm_head(out.last_hidden_state[:, -1]).argmax())
            if k == texts.end:
                break
            ids.append(k)
            out = lm(inputs_embeds=e([k])[None], past_key_values=out.past_key_values, use_cache=True)
    return texts.decode(ids)


def main():
    a = argparse.ArgumentParser()
    a.add_argument("folder")
    a.add_argument("--cache", required=True)
    a.add_argument("--windows", type=int, default=600)
    a.add_argument("--per", type=int, default=1, help="questions of each sort per window")
    a.add_argument("--json")
    a.add_argument("--hf", type=int, default=0)
    a.add_argument("--wrong", type=int, default=20)
    a.add_argument("--seed", type=int, default=11)
    a = a.parse_args()
    torch.set_num_threads(1)
    model = LlavaOnevisionForConditionalGeneration.from_pretrained(a.folder, dtype=torch.float32).eval()
    clips = cache.load(os.path.join(a.cache, "test"))
    phr, rng = phrases.load(), random.Random(a.seed)
    torch.manual_seed(a.seed)
    if a.hf:
        return through_hf(a.folder, model, clips, phr, rng, a.hf)
    texts = windows.Texts(Tokenizer.from_file(os.path.join(a.folder, "tokenizer.json")))
    score, shown = defaultdict(lambda: [0, 0]), 0
    for k in range(a.windows):
        w = windows.draw_window(clips[k % len(clips)], rng)
        asked = ask(w, phr, rng, a.per)
        rows = [(q, x) for _, _, _, q, acc in asked for x in acc]
        with torch.no_grad():
            f = plain_features(model, w)
            logits, target, _, own = windows.pack(model, texts, [f], [rows])
        wrong = torch.zeros(len(rows)).index_add_(0, own, (logits.argmax(-1) != target).float())
        at = 0
        for kind, lang, name, q, acc in asked:
            ok = bool((wrong[at:at + len(acc)] == 0).any())
            at += len(acc)
            for key in ((kind, lang, name), ("layout " + w["layout"], "all", name),
                        ("frames %d" % len(w["times"]), "all", name), ("all", "all", name)):
                score[key][0] += ok
                score[key][1] += 1
            if not ok and shown < a.wrong and rng.random() < 0.3:
                shown += 1
                s = w["clip"]["scene"]
                print("  wrong: %s %s %s n=%d %s %dx%d %s | %s | said: %s | accepted: %s" % (
                    s["pattern"], s.get("motion", s["gst"]), w["layout"], len(w["times"]), w["clip"]["file"],
                    s["width"], s["height"], s["codec"], q, greedy(model, texts, f, q), acc[0]))
    table = defaultdict(dict)
    for (kind, lang, name), (x, n) in score.items():
        table[kind, lang][name] = (x / n, n)
    print("| kind | language | trained phrasings | unseen phrasings |\n|---|---|---|---|")
    for (kind, lang), row in table.items():
        print("| %s | %s | %s | %s |" % (kind, lang, *("%.1f %% of %d" % (100 * row[n][0], row[n][1]) if n in row else "-"
                                                      for n in ("trained", "unseen"))))
    if a.json:
        with open(a.json, "w") as out:
            json.dump({"%s %s" % k: v for k, v in table.items()}, out, indent=1)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""Draws windows and questions from rendered scenes; packs them into batches.

Several questions share the tokens of one window: each sees the window and
itself only, at the positions it would have alone."""
import numpy as np
import torch

import truth

LENGTHS = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16)
SHARES = (6, 8, 4, 14, 3, 5, 3, 42, 5, 5, 5)
DETAIL = ("is_blurred", "camera", "shown")
MOVING = ("direction", "describe", "is_frozen", "camera")


def draw_frames(clip, n, rng):
    """Indices into the clip's kept frames, n of them, as a window samples them."""
    k, s = len(clip["tiles"]), clip["scene"]
    if s["pattern"] == "ball" and s["motion"] != "still":
        if rng.random() < 0.1:                              # a frozen picture
            return [rng.randrange(k)] * n
        most = max(1, (k - 1) // max(1, n - 1))
        step = rng.choice([m for m in (1, 1, 1, 2, 3) if m <= most])
        if (n - 1) * step >= k:                             # more points than frames
            return sorted(rng.randrange(k) for _ in range(n))
        start = rng.randrange(k - (n - 1) * step)
        out = [start + i * step for i in range(n)]
        return out[::-1] if not s["overlay"] and rng.random() < 0.3 else out
    if s["pattern"] == "blink":
        start, step = rng.randrange(k), rng.choice((1, 1, 1, 2, 3))
        return [(start + i * step) % k for i in range(n)]
    return sorted(rng.randrange(k) for _ in range(n))


def draw_window(clip, rng, n=None, picture=None):
    """dict(clip, layout, frames, times)"""
    if picture or (picture is None and rng.random() < 0.13):
        return {"clip": clip, "layout": "image", "frames": [],
                "times": [clip["picture_number"] / clip["scene"]["fps"]]}
    n = n or rng.choices(LENGTHS, SHARES)[0]
    frames = draw_frames(clip, n, rng)
    return {"clip": clip, "layout": "video", "frames": frames,
            "times": [clip["numbers"][i] / clip["scene"]["fps"] for i in frames]}


BEFORE = {True: ("Tell me, ", "Look closely. ", "Quick question: ", "Hello. ", "In this video, "),
          False: ("请告诉我，", "请仔细看。", "你好，", "麻烦看一下，", "在这段视频里，")}
AFTER = {True: (" Thanks.", " Answer in one sentence.", " Be brief."), False: ("谢谢。", "请用一句话回答。", "请简短回答。")}


def vary(text, rng):
    """Small changes of spelling that people make."""
    r = rng.random()
    if r < 0.06:
        return text.lower()
    if r < 0.12:
        return text.rstrip("?.？。")
    if r < 0.15:
        return "Please " + text[0].lower() + text[1:] if text.isascii() else "请问，" + text
    if r < 0.19:
        return rng.choice(BEFORE[text.isascii()]) + text
    if r < 0.22:
        return text + rng.choice(AFTER[text.isascii()])
    return text


def draw_questions(window, phrases, count, rng):
    """[(kind, language, question, answer)], trained phrasings only."""
    ball = window["clip"]["scene"]["pattern"] == "ball"
    textured = window["clip"]["scene"]["pattern"] in truth.TEXTURED + ("zone-plate",)
    out = []
    for _ in range(count):
        kind = rng.choice(MOVING if ball and rng.random() < 0.45 else DETAIL if textured and rng.random() < 0.35 else truth.KINDS)
        lang = rng.choice(truth.LANGUAGES)
        a = truth.answers(window["clip"]["scene"], kind, lang, window["times"], strict=False)
        if a:
            out.append((kind, lang, vary(rng.choice(phrases[kind, lang][0]), rng), a[0]))
    return out


class Texts:
    """Token ids of the template's parts, as the processor would make them."""

    def __init__(self, tokenizer):
        enc = lambda t: tokenizer.encode(t).ids
        self.enc, self.cached = enc, {}
        self.decode = lambda ids: tokenizer.decode(ids)
        self.head = enc("<|im_start|>user\n")
        self.mid = enc("<|im_end|>\n<|im_start|>assistant\n")
        self.end = tokenizer.token_to_id("<|im_end|>")

    def question(self, q):
        if q not in self.cached:
            self.cached[q] = self.enc("\n" + q)
        return self.cached[q] + self.mid

    def answer(self, a):
        if a not in self.cached:
            self.cached[a] = self.enc(a) + [self.end]
        return self.cached[a]


def pack(model, texts, features, asked):
    """features: [P, H] per window; asked: [(question, answer)] per window.

    Returns logits at answer positions, their targets, and the (window, index)
    of each; one forward pass of the decoder."""
    lm, h = model.model.language_model, features[0].shape[-1]
    segs = [[(texts.question(q), texts.answer(a)) for q, a in qs] for qs in asked]
    head = len(texts.head)
    sizes = [head + len(f) + 1 for f in features]
    total = max(n + sum(len(q) + len(a) - 1 for q, a in ss) for n, ss in zip(sizes, segs))
    b = len(features)
    ids = np.full((b, total), texts.end)
    pos = np.zeros((b, total), np.int64)
    seg = np.full((b, total), -1)                    # 0 prefix, k question k, -1 padding
    target = np.full((b, total), -1)
    owner = np.full((b, total), -1)
    for w, (n, ss) in enumerate(zip(sizes, segs)):
        ids[w, :head] = texts.head
        pos[w, :n], seg[w, :n] = np.arange(n), 0
        at = n
        for k, (q, a) in enumerate(ss):
            m = len(q) + len(a) - 1
            ids[w, at:at + m] = q + a[:-1]
            pos[w, at:at + m] = n + np.arange(m)
            seg[w, at:at + m] = k + 1
            target[w, at + len(q) - 1:at + m] = a
            owner[w, at + len(q) - 1:at + m] = k
            at += m
    seg_t = torch.from_numpy(seg)
    x = lm.embed_tokens(torch.from_numpy(ids))
    newline = model.model.image_newline
    rows = []
    for w, f in enumerate(features):
        rows.append(torch.cat([x[w, :head], f.to(x.dtype), newline[None].to(x.dtype), x[w, sizes[w]:]]))
    x = torch.stack(rows)
    same = (seg_t[:, :, None] == seg_t[:, None, :]) | (seg_t[:, None, :] == 0)
    order = torch.arange(total)
    mask = same & (order[:, None] >= order[None, :])[None] | torch.eye(total, dtype=torch.bool)[None]
    bias = torch.zeros(mask.shape).masked_fill_(~mask, -1e9)[:, None]
    out = lm(inputs_embeds=x, attention_mask={"full_attention": bias},
             position_ids=torch.from_numpy(pos), use_cache=False).last_hidden_state
    target = torch.from_numpy(target)
    where = target >= 0
    logits = torch.nn.functional.linear(out[where], model.lm_head.weight)
    return logits, target[where], torch.nonzero(where)[:, 0], torch.from_numpy(owner)[where]


def _turn(x, cos, sin):
    """Rotary positions: x [..., heads, d], cos and sin [..., 1, d]."""
    half = x.shape[-1] // 2
    return x * cos + torch.cat([-x[..., half:], x[..., :half]], -1) * sin


def pack_equal(model, texts, features, asked, taps=None, dropped=0.0):
    """As pack(), faster, for windows of one length: the prefix is computed
    once and every question attends to it and to itself. taps collects the
    prefix after every layer but the last, for helper heads."""
    lm, b = model.model.language_model, len(features)
    cfg = lm.config
    heads, kv = cfg.num_attention_heads, cfg.num_key_value_heads
    d = cfg.hidden_size // heads
    newline = model.model.image_newline
    start = lm.embed_tokens(torch.tensor(texts.head))
    prefix = torch.stack([torch.cat([start, f.to(start.dtype), newline[None]]) for f in features])
    p = prefix.shape[1]
    rows = [(w, k, texts.question(q), texts.answer(a)) for w, qs in enumerate(asked) for k, (q, a) in enumerate(qs)]
    lengths = [len(q) + len(a) - 1 for _, _, q, a in rows]
    s, n = max(lengths), len(rows)
    ids = torch.tensor([i for _, _, q, a in rows for i in q + a[:-1]])
    off = torch.tensor([i for m in lengths for i in range(m)])
    target = torch.tensor([t for _, _, q, a in rows for t in [-1] * (len(q) - 1) + a])
    row = torch.tensor([r for r, m in enumerate(lengths) for _ in range(m)])
    win = torch.tensor([r[0] for r in rows])
    own = torch.tensor([r[1] for r in rows])
    most = int(own.max()) + 1
    slot = win * most + own
    causal = torch.ones(p, p, dtype=torch.bool).tril()
    flat = row * s + off                               # place in the padded [n, s]
    cos, sin = lm.rotary_emb(prefix, torch.arange(p + s)[None])
    cos, sin = cos[0][:, None], sin[0][:, None]
    mask = torch.ones(s, p + s, dtype=torch.bool).tril(p)
    asked_words = lm.embed_tokens(ids)
    if dropped:                                        # words that a question can do without
        words = torch.tensor([i for _, _, q, a in rows for i in [True] * len(q) + [False] * (len(a) - 1)])
        asked_words = asked_words * ~(words & (torch.rand(len(words)) < dropped))[:, None]
    x = torch.cat([prefix.reshape(b * p, -1), asked_words])
    for i, layer in enumerate(lm.layers):
        at, y = layer.self_attn, layer.input_layernorm(x)
        last = i == len(lm.layers) - 1
        q = at.q_proj(y[b * p:] if last else y).view(-1, heads, d)
        k, v = at.k_proj(y).view(-1, kv, d), at.v_proj(y).view(-1, kv, d)
        kp = _turn(k[:b * p].view(b, p, kv, d), cos[:p], sin[:p]).to(v.dtype)
        vp = v[:b * p].view(b, p, kv, d)
        pad = lambda z: z.new_zeros(n * s, *z.shape[1:]).index_copy(0, flat, z).view(n, s, *z.shape[1:])
        qq = pad(_turn(q[-len(ids):], cos[p + off], sin[p + off]).to(v.dtype))
        kq, vq = pad(_turn(k[b * p:], cos[p + off], sin[p + off]).to(v.dtype)), pad(v[b * p:])
        wide = lambda z: z.transpose(1, 2).repeat_interleave(heads // kv, 1)
        kp, vp, kq, vq, qq = wide(kp), wide(vp), wide(kq), wide(vq), qq.transpose(1, 2) * d ** -0.5
        # questions of a window side by side: [b, heads, most * s, d], empty places unused
        side = lambda z: z.new_zeros(b * most, *z.shape[1:]).index_copy(0, slot, z).view(
            b, most, heads, s, -1).transpose(1, 2).reshape(b, heads, most * s, -1)
        back = lambda z: z.view(b, heads, most, s, -1).transpose(1, 2).reshape(b * most, heads, s, -1)[slot]
        far = back(side(qq) @ kp.transpose(-1, -2))
        near = (qq @ kq.transpose(-1, -2)).masked_fill(~mask[:, p:], -1e9)
        weight = torch.cat([far, near], -1).softmax(-1).to(v.dtype)
        o = back(side(weight[..., :p]) @ vp) + weight[..., p:] @ vq
        o = o.transpose(1, 2).reshape(n * s, heads * d)[flat]
        if last:
            x = x[b * p:]
        else:
            qp = _turn(q[:b * p].view(b, p, heads, d), cos[:p], sin[:p]).to(v.dtype)
            far = (qp.transpose(1, 2) * d ** -0.5) @ kp.transpose(-1, -2)
            op = far.masked_fill(~causal, -1e9).softmax(-1).to(v.dtype) @ vp
            o = torch.cat([op.transpose(1, 2).reshape(b * p, heads * d), o])
        x = x + at.o_proj(o)
        x = x + layer.mlp(layer.post_attention_layernorm(x))
        if taps is not None and not last:
            taps.append(x[:b * p].view(b, p, -1))
    where = target >= 0
    logits = torch.nn.functional.linear(lm.norm(x)[where], model.lm_head.weight)
    return logits, target[where], win[row][where], own[row][where]

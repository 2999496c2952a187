# SPDX-License-Identifier: Apache-2.0
"""Stage 1: the tower and the projector, on single frames with helper heads.

The heads (pattern, colours, blur, the ball's place) are dropped afterwards.
    python models/train_tower.py --cache DIR --out DIR/tower.pt --minutes 20"""
import argparse
import math
import os
import time

import numpy as np
import torch
import torch.nn.functional as F

import cache
import network
import scenes
import truth

COLOURS = sorted(truth.COLOURS)
NAMES = list(scenes.CLASSES)


def labels(c):
    """Rows of (pattern, fg, bg, blur, cell, dx, dy); -1 = not known."""
    s, rows = c["scene"], []
    for n in c["numbers"]:
        st = truth.state(s, [n / s["fps"]])
        p = st["pattern"]
        fg = bg = cell = -1
        dx = dy = 0.0
        if p == "plain":
            fg = bg = COLOURS.index(st["colour"])
        if p == "ball":
            fg, bg = COLOURS.index(s["fg"]), COLOURS.index(s["bg"])
            x, y = (v * network.POOLED for v in truth.ball_position(s, n))
            i, j = min(int(y), network.POOLED - 1), min(int(x), network.POOLED - 1)
            cell, dx, dy = i * network.POOLED + j, x - j - 0.5, y - i - 0.5
        blur = int(st["blurred"]) if p in truth.TEXTURED or p == "ball" else -1
        rows.append((NAMES.index(p), fg, bg, blur, cell, dx, dy))
    return rows


class Heads(torch.nn.Module):
    def __init__(self, d):
        super().__init__()
        self.mean = torch.nn.Linear(d, len(NAMES) + 2 * len(COLOURS) + 2)
        self.cell = torch.nn.Linear(d, 1)
        self.fine = torch.nn.Linear(d, 8 * network.POOLED)   # where the ball is, in quarters of a cell
        self.ball = torch.nn.Linear(d, len(COLOURS))
        self.place = torch.nn.Linear(d, 2)                   # the same in cells, read off linearly

    def forward(self, f, y):
        """Losses and hits of pooled features f [n,36,d] for label rows y."""
        k, c = len(NAMES), len(COLOURS)
        m = self.mean(f.mean(1))
        cls = y[:, :5].long()
        out = {"pattern": (m[:, :k], cls[:, 0]), "fg": (m[:, k:k + c], cls[:, 1]),
               "bg": (m[:, k + c:k + 2 * c], cls[:, 2]), "blur": (m[:, k + 2 * c:], cls[:, 3]),
               "cell": (self.cell(f)[..., 0], cls[:, 4])}
        has = cls[:, 4] >= 0
        loss, hits = 0.0, {}
        at = f[has, cls[has, 4]]
        out["ball"] = (self.ball(at), cls[has, 1])
        quarter = ((y[has, 5:7] + 0.5) * 4).long().clamp(0, 3)
        fine, n, cell = self.fine(at), 4 * network.POOLED, cls[has, 4]
        out["x"] = fine[:, :n], 4 * (cell % network.POOLED) + quarter[:, 0]
        out["y"] = fine[:, n:], 4 * (cell // network.POOLED) + quarter[:, 1]
        if has.any():
            off = self.place(at).float() - (torch.stack([cell % network.POOLED, cell // network.POOLED], 1) + 0.5 + y[has, 5:7]
                                            - network.POOLED / 2)
            loss = loss + 4 * F.smooth_l1_loss(off, torch.zeros_like(off), beta=0.1)
            hits["off"] = off.detach().abs().mean().item()
        for name, (logit, want) in out.items():
            ok = want >= 0
            if ok.any():
                loss = loss + F.cross_entropy(logit[ok].float(), want[ok])
                hits[name] = (logit[ok].argmax(-1) == want[ok]).float().mean().item()
        return loss, hits


def jitter(x, g):
    """Small changes of brightness, contrast, hue and noise; x in [-1,1]."""
    n = x.shape[0]
    r = lambda *s: torch.rand(*s, generator=g)
    gain = 1 + 0.12 * (r(n, 1, 1, 1) - 0.5) + 0.06 * (r(n, 3, 1, 1) - 0.5)
    x = x * gain + 0.12 * (r(n, 1, 1, 1) - 0.5) + 0.05 * (r(n, 3, 1, 1) - 0.5)
    some = r(n, 1, 1, 1) < 0.3
    noise = torch.randn(x.shape[0], 1, x.shape[2], x.shape[3], generator=g) * 0.04 * some
    return (x + noise).clamp_(-1, 1)


def load_tiles(folder):
    clips = cache.load(folder)
    tiles = np.concatenate([c["tiles"] for c in clips])
    rows = np.array([r for c in clips for r in labels(c)], np.float32)
    weight = np.concatenate([np.full(len(c["tiles"]), 1 / len(c["tiles"]) ** 0.5) for c in clips])
    return torch.from_numpy(tiles), torch.from_numpy(rows), torch.from_numpy(weight)


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--cache", required=True)
    a.add_argument("--out", required=True)
    a.add_argument("--minutes", type=float, default=20)
    a.add_argument("--steps", type=int, default=2500)
    a.add_argument("--batch", type=int, default=64)
    a.add_argument("--lr", type=float, default=1.5e-3)
    a.add_argument("--seed", type=int, default=1)
    a.add_argument("--init")
    a = a.parse_args()
    torch.set_num_threads(2)
    torch.set_flush_denormal(True)
    ids = {"<|endoftext|>": 0, "<|im_start|>": 1, "<|im_end|>": 2, "<image>": 3, "<video>": 4}
    model = network.build(64, ids, a.seed)
    heads = Heads(network.HIDDEN)
    g = torch.Generator().manual_seed(a.seed)
    tower = torch.nn.ModuleList([model.model.vision_tower, model.model.multi_modal_projector, heads])
    opt = torch.optim.AdamW(tower.parameters(), lr=a.lr, weight_decay=0.02, betas=(0.9, 0.98))
    step, spent = 0, 0.0
    for src in (a.out, a.init):
        if src and os.path.exists(src):
            d = torch.load(src)
            have = tower.state_dict()
            tower.load_state_dict({k: v for k, v in d["tower"].items() if k in have and have[k].shape == v.shape}, strict=False)
            if src == a.out:
                opt.load_state_dict(d["opt"])
                step, spent = d["step"], d["spent"]
            break
    x, y, w = load_tiles(os.path.join(a.cache, "train"))
    print("train frames", len(x), flush=True)
    tx, ty, tw = load_tiles(os.path.join(a.cache, "test")) if os.path.isdir(os.path.join(a.cache, "test")) else (x, y, w)
    start, size = time.time(), len(os.listdir(os.path.join(a.cache, "train")))

    def save():
        torch.save({"tower": tower.state_dict(), "opt": opt.state_dict(), "step": step,
                    "spent": spent + time.time() - start}, a.out + ".part")
        os.replace(a.out + ".part", a.out)

    mean = {}
    while step < a.steps and spent + time.time() - start < a.minutes * 60:
        frac = max(step / a.steps, (spent + time.time() - start) / (a.minutes * 60))
        lr = a.lr * min(1, (step + 1) / 100) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * frac)))
        for p in opt.param_groups:
            p["lr"] = lr
        i = torch.multinomial(w, a.batch, True, generator=g)
        px = jitter(network.normalise(x[i]), g)
        with torch.autocast("cpu", torch.bfloat16):
            f = network.pool(network.token_features(model, px))
            loss, hits = heads(f, y[i])
        opt.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(tower.parameters(), 1.0)
        opt.step()
        step += 1
        for k, v in hits.items():
            mean[k] = 0.98 * mean.get(k, v) + 0.02 * v
        if step % 50 == 0:
            print(step, "%.0fs" % (time.time() - start), "lr %.1e" % lr, "loss %.3f" % loss.item(),
                  " ".join("%s %.3f" % kv for kv in mean.items()), flush=True)
        if step % 100 == 0:
            save()
            now = len(os.listdir(os.path.join(a.cache, "train")))
            if now > size * 1.15:
                x, y, w = load_tiles(os.path.join(a.cache, "train"))
                size = now
                print("train frames", len(x), flush=True)
    save()
    with torch.no_grad():
        h = [heads(network.pool(network.token_features(model, network.normalise(tx[i:i + 64]))), ty[i:i + 64])[1]
             for i in range(0, len(tx), 64)]
    print("held-out", {k: round(float(np.mean([q[k] for q in h if k in q])), 4) for k in h[0]}, flush=True)


if __name__ == "__main__":
    main()

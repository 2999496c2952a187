# SPDX-License-Identifier: Apache-2.0
"""Stage 2 and 3: the decoder on stored features, then everything together.

    python models/train.py --cache DIR --tower DIR/tower.pt --out DIR/lm.pt --minutes 30
    python models/train.py --cache DIR --init DIR/lm.pt --out DIR/joint.pt --joint --minutes 20"""
import argparse
import math
import os
import random
import time

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer

import cache
import network
import phrases
import truth
import windows
from train_tower import Heads, jitter, labels

HERE = os.path.dirname(os.path.abspath(__file__))


def ids_of(tok):
    return {t: tok.token_to_id(t) for t in ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<image>", "<video>")}


def picture_map(features, tiles, height, width, newline):
    """The single-picture layout's tokens (see transformers' pack_image_features)."""
    from transformers.models.llava_onevision.modeling_llava_onevision import get_anyres_image_grid_shape, unpad_image
    base, rest = features[0], features[1:]
    gh, gw = get_anyres_image_grid_shape((height, width), network.PINPOINTS, network.TILE)
    g = network.GRID
    m = rest.view(gh, gw, g, g, -1).permute(4, 0, 2, 1, 3).reshape(rest.shape[-1], gh * g, gw * g)
    m = unpad_image(m, (height, width))
    c, h, w = m.shape
    m = torch.cat([m, newline[:, None, None].expand(c, h, 1).to(m.dtype)], -1)
    return torch.cat([base, m.flatten(1, 2).T])


class Motion(torch.nn.Module):
    """Helper heads for motion, dropped afterwards: at the ball's token how it
    moved since the frame before, at the last token how it moves in the window."""

    WHOLE = ["one", "still"] + list(truth.DIRECTIONS)

    def __init__(self, d):
        super().__init__()
        self.step, self.whole = torch.nn.Linear(d, 6), torch.nn.Linear(d, len(self.WHOLE))
        self.shift = torch.nn.Linear(d, 2)

    def forward(self, taps, batch, head):
        at, steps, shifts, rows, whole = [], [], [], [], []
        cells = network.POOLED ** 2
        for b, w in enumerate(batch):
            s = w["clip"]["scene"]
            if s["pattern"] != "ball" or w["layout"] != "video":
                continue
            pts = [truth.ball_position(s, n) for n in w["clip"]["numbers"][w["frames"]]]
            cell = w["clip"]["labels"][w["frames"], 4].long().tolist()
            for i in range(1, len(pts)):
                at.append((b, head + i * cells + cell[i]))
                shifts.append([network.POOLED * (u - v) for u, v in zip(pts[i], pts[i - 1])])
                steps.append([0 if abs(u - v) < 0.004 else 1 if u > v else 2 for u, v in zip(pts[i], pts[i - 1])])
            m = truth.directions(pts)
            if m:
                rows.append(b)
                whole.append(self.WHOLE.index(m[0]))
        loss = 0.0
        if at:
            b, k = torch.tensor(at).T
            y, want = self.step(taps[1][b, k]).float(), torch.tensor(steps)
            loss = loss + F.cross_entropy(y[:, :3], want[:, 0]) + F.cross_entropy(y[:, 3:], want[:, 1])
            want_shift = torch.tensor(shifts)
            off = self.shift(taps[1][b, k]).float() - want_shift
            loss = loss + 4 * F.smooth_l1_loss(off, torch.zeros_like(off), beta=0.1)
            self.hits = {"step": (y[:, :3].argmax(-1) == want[:, 0]).float().mean().item(),
                         "shift": off.detach().abs().mean().item(), "of": want_shift.abs().mean().item()}
        if rows:
            y, want = self.whole(taps[2][rows, -1]).float(), torch.tensor(whole)
            loss = loss + F.cross_entropy(y, want)
            self.hits["whole"] = (y.argmax(-1) == want).float().mean().item()
        return loss

    hits = {}


class Features:
    """Features of a window's frames: stored ones, or fresh with gradient."""

    def __init__(self, model, clips, joint, g, variants=2):
        self.model, self.joint, self.g, self.variants = model, joint, g, variants
        if joint:
            for c in clips:
                c["labels"] = torch.tensor(labels(c))
            return
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            t = time.time()
            for c in clips:
                x = torch.from_numpy(np.concatenate([c["tiles"]] * variants + [c["picture"]]))
                px = network.normalise(x)
                n = len(c["tiles"])
                if variants > 1:
                    px[n:] = jitter(px[n:], g)
                f = network.token_features(model, px)
                c["f"] = network.pool(f[:n * variants]).half().view(variants, n, -1, network.HIDDEN)
                c["pf"] = f[n * variants:].half()
                c["tiles"], c["picture"] = range(n), range(len(c["picture"]))
            print("stored features in %.0f s" % (time.time() - t), flush=True)

    def __call__(self, batch):
        """[P, H] of every window, without the last newline of a video."""
        nl = self.model.model.image_newline
        if not self.joint:
            out = []
            for w in batch:
                c = w["clip"]
                if w["layout"] == "image":
                    f = picture_map(c["pf"].float(), None, c["scene"]["height"], c["scene"]["width"], nl)
                    out.append(f[:-1])                      # its last token is a newline too
                else:
                    v = torch.randint(self.variants, (1,), generator=self.g).item()
                    out.append(c["f"][v, w["frames"]].flatten(0, 1).float())
            return out
        px, spans = [], []
        for w in batch:
            c = w["clip"]
            x = c["picture"] if w["layout"] == "image" else c["tiles"][w["frames"]]
            if "channels" in c:
                x = x[..., c["channels"]]
            spans.append(len(x))
            x = network.normalise(torch.from_numpy(np.ascontiguousarray(x)))
            px.append(x)
        gain = [1 + 0.12 * (torch.rand(1, generator=self.g) - 0.5) for _ in batch]
        lift = [0.1 * (torch.rand(1, generator=self.g) - 0.5) for _ in batch]
        tone = [0.06 * (torch.rand(1, 3, 1, 1, generator=self.g) - 0.5) for _ in batch]
        px = torch.cat([(x * (a + 0 * t) + b + t).clamp_(-1, 1) for x, a, b, t in zip(px, gain, lift, tone)])
        f = network.token_features(self.model, px)
        out, at, known = [], 0, []
        self.known = None
        for w, n in zip(batch, spans):
            s = w["clip"]["scene"]
            if w["layout"] == "image":
                out.append(picture_map(f[at:at + n], None, s["height"], s["width"], nl)[:-1])
            else:
                known.append((network.pool(f[at:at + n]), w["clip"]["labels"][w["frames"]]))
                out.append(known[-1][0].flatten(0, 1))
            at += n
        if known:                                           # for the helper heads
            self.known = [torch.cat(k) for k in zip(*known)]
        return out


# Faults and pictures that are easily taken for another: drawn more often.
HARD = {"black": 2.0, "foreign": 1.5, "blurred": 1.2, "zone-plate": 1.5, "blink": 2.2, "plain": 1.8, "snow": 1.5, "pinwheel": 1.0}


def recoloured(scene, channels):
    """Names of the colours after a change of channels; None where one has no name."""
    names = {v[:3]: k for k, v in truth.COLOURS.items()}
    out = dict(scene)
    for k in ("fg", "bg"):
        if scene[k]:
            rgb = truth.COLOURS[scene[k]][:3]
            out[k] = names.get(tuple(rgb[i] for i in channels))
            if not out[k]:
                return None
    return out


def turned(clips, rng):
    """More clips from those without a clock: mirrored, transposed, channels exchanged; views, not copies."""
    out = []
    for c in clips:
        p = c["scene"]["pattern"]
        turns = {"ball": ("h", "v", "hv", "t", "th", "tv", "thv", ""), "plain": ("", ""), "blink": ("", ""),
                 "foreign": ("h", "v", "", ""), "zone-plate": ("h", "v", ""), "snow": ("h", "v"),
                 "pinwheel": ("h", "v"), "spokes": ("h", "v")}.get(p, ())
        if c["scene"]["overlay"]:
            turns = ("",) * (p in ("ball", "plain", "blink", "foreign", "zone-plate"))
        for turn in turns:
            x, channels = c["tiles"], rng.sample(range(3), 3)
            s = c["scene"] if p == "foreign" else recoloured(c["scene"], channels)
            if not s:
                s, channels = c["scene"], [0, 1, 2]
            if not turn and channels == [0, 1, 2]:
                continue
            for k in turn:
                x = x[:, :, ::-1] if k == "h" else x[:, ::-1] if k == "v" else x.swapaxes(1, 2)
            out.append(dict(c, tiles=x, channels=channels, scene=dict(s, turned=turn)))
    return out


def batches(clips, phr, rng, size, questions, progress, balls=0.42, motion=False):
    """Endless batches of windows of one length; short ones first."""
    plain = [c for c in clips if "turned" not in c["scene"]]
    groups = {}
    for c in clips:
        s = c["scene"]
        name = "blurred" if s["blur"] else "black" if s["pattern"] == "plain" and s["fg"] == "black" else s["pattern"]
        groups.setdefault(name, ([], []))["turned" in s].append(c)
    names = [k for k in groups if k != "ball"]
    weights = [HARD.get(k, 0.5) for k in names]

    def draw():
        given, made = groups["ball" if rng.random() < balls else rng.choices(names, weights)[0]]
        return rng.choice(made if made and rng.random() < 0.55 else given)

    while True:
        picture = not motion and rng.random() < 0.1
        n = rng.choices(windows.LENGTHS, windows.SHARES)[0]
        if rng.random() < 0.7 - 1.4 * progress():
            n = rng.choice((1, 2, 3, 4, 4))
        count = max(2, min(4 * size, size * 9 // (n + 1))) if not picture else size
        ws = [windows.draw_window(rng.choice(plain) if picture else draw(), rng, n, picture)
              for _ in range(count)]
        asked = [[(q, a) for _, _, q, a in windows.draw_questions(w, phr, questions, rng)] for w in ws]
        keep = [i for i, a in enumerate(asked) if a]
        yield [ws[i] for i in keep], [asked[i] for i in keep]


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--cache", required=True)
    a.add_argument("--tower")
    a.add_argument("--init")
    a.add_argument("--out", required=True)
    a.add_argument("--joint", action="store_true")
    a.add_argument("--minutes", type=float, default=30)
    a.add_argument("--steps", type=int, default=6000)
    a.add_argument("--size", type=int, default=3)
    a.add_argument("--parts", type=int, default=2, help="parts of a step, per process")
    a.add_argument("--rank", type=int, default=0, help="of --world processes that train together")
    a.add_argument("--world", type=int, default=1)
    a.add_argument("--questions", type=int, default=10)
    a.add_argument("--lr", type=float, default=2e-3)
    a.add_argument("--dropped", type=float, default=0.07, help="share of a question's words that are blanked")
    a.add_argument("--balls", type=float, default=0.42, help="share of the windows that show a ball")
    a.add_argument("--motion", action="store_true", help="windows of moving balls only")
    a.add_argument("--helper", type=float, default=0.15, help="weight of the helper heads' loss")
    a.add_argument("--scenes", type=int)
    a.add_argument("--variants", type=int, default=2)
    a.add_argument("--tower-lr", type=float, default=0.3, help="factor")
    a.add_argument("--seed", type=int, default=1)
    a = a.parse_args()
    torch.set_num_threads(1)                   # two processes of one thread beat one of two
    torch.set_flush_denormal(True)
    if a.world > 1:
        torch.distributed.init_process_group("gloo", init_method="file://" + os.path.abspath(a.out) + ".meet",
                                             rank=a.rank, world_size=a.world)
    tok = Tokenizer.from_file(os.path.join(HERE, "camera-check", "tokenizer.json"))
    model = network.build(tok.get_vocab_size(), ids_of(tok), a.seed)
    model.model.language_model.config._attn_implementation = "sdpa"
    with torch.no_grad():
        model.model.image_newline.normal_(0, 0.5)
    heads = torch.nn.ModuleDict({"frame": Heads(network.HIDDEN), "motion": Motion(network.HIDDEN)})
    step, spent, opt_state = 0, 0.0, None
    if os.path.exists(a.out):
        d = torch.load(a.out)
        model.load_state_dict(d["model"])
        step, spent, opt_state = d["step"], d["spent"], d["opt"]
    elif a.init and os.path.isdir(a.init):     # a checkpoint folder: the helper heads start anew
        from transformers import LlavaOnevisionForConditionalGeneration
        d = {"heads": {}}
        model.load_state_dict(LlavaOnevisionForConditionalGeneration.from_pretrained(a.init, dtype=torch.float32).state_dict())
    elif a.init:
        d = torch.load(a.init)
        model.load_state_dict(d["model"])
        if a.joint and not a.tower:
            heads.load_state_dict({k if "." in k and k.split(".")[0] in heads else "frame." + k: v
                                   for k, v in d["heads"].items() if "fine" not in k or len(v) == 8 * network.POOLED}, strict=False)
    else:
        t = torch.load(a.tower)["tower"]
        model.model.vision_tower.load_state_dict({k[2:]: v for k, v in t.items() if k.startswith("0.")})
        model.model.multi_modal_projector.load_state_dict({k[2:]: v for k, v in t.items() if k.startswith("1.")})
    if a.joint and os.path.exists(a.out):
        heads.load_state_dict(d["heads"])
    elif a.joint and a.tower:
        old, new = torch.load(a.tower)["tower"], heads["frame"].state_dict()
        heads["frame"].load_state_dict({k[2:]: v for k, v in old.items()
                               if k.startswith("2.") and k[2:] in new and new[k[2:]].shape == v.shape}, strict=False)
    seen = [p for n, p in model.named_parameters() if "vision_tower" in n or "projector" in n]
    rest = [p for n, p in model.named_parameters() if not ("vision_tower" in n or "projector" in n)]
    if not a.joint:
        for p in seen:
            p.requires_grad_(False)
    groups = [{"params": rest, "f": 1.0}] + ([{"params": seen, "f": a.tower_lr},
                                              {"params": list(heads.parameters()), "f": 4.0}] if a.joint else [])
    opt = torch.optim.AdamW(groups, lr=a.lr, weight_decay=0.03, betas=(0.9, 0.98))
    if opt_state:
        opt.load_state_dict(opt_state)
    g = torch.Generator().manual_seed(a.seed + step + 7919 * a.rank)
    rng = random.Random(a.seed * 1000003 + step + 7919 * a.rank)
    clips = cache.load(os.path.join(a.cache, "train"), a.scenes, a.rank, a.world)
    if a.joint:
        clips += turned(clips, rng)
    print("scenes", len(clips), flush=True)
    feats = Features(model, clips, a.joint, g, a.variants)
    texts = windows.Texts(tok)
    stream = batches(clips, phrases.load(), rng, a.size, a.questions,
                     lambda: 1.0 if a.joint else frac, 1.0 if a.motion else a.balls, a.motion)
    start = before = time.time()
    frac = 0.0

    def save():
        torch.save({"model": model.state_dict(), "opt": opt.state_dict(), "heads": heads.state_dict(), "ema": ema, "step": step,
                    "spent": spent}, a.out + ".part")
        os.replace(a.out + ".part", a.out)

    mean, hit, seen_hits = None, None, {}
    ema = d["ema"] if os.path.exists(a.out) else {n: p.detach().clone() for n, p in model.named_parameters()}
    params = [p for group in groups for p in group["params"]]
    while frac < 1:
        lr = a.lr * min(1, (step + 1) / 60) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * frac)))
        for p in opt.param_groups:
            p["lr"] = lr * p["f"]
        opt.zero_grad()
        for _ in range(a.parts):               # parts of different window lengths make a step
            ws, asked = next(stream)
            with torch.autocast("cpu", torch.bfloat16):
                shown = feats(ws)
                fast = len({len(f) for f in shown}) == 1
                taps = []
                if fast:
                    logits, target, win, own = windows.pack_equal(model, texts, shown, asked, taps, a.dropped if a.joint else 0.0)
                else:
                    logits, target, win, own = windows.pack(model, texts, shown, asked)
                loss = F.cross_entropy(logits.float(), target)
                whole = loss
                if a.joint and feats.known:
                    helper, hits = heads["frame"](*feats.known)
                    whole = loss + a.helper * (helper + heads["motion"](taps, ws, len(texts.head)))
                    for k, v in dict(hits, **heads["motion"].hits).items():
                        seen_hits[k] = 0.95 * seen_hits.get(k, v) + 0.05 * v
            (whole / (a.parts * a.world)).backward()
            with torch.no_grad():
                wrong = (logits.argmax(-1) != target).float()
                key = win * 1000 + own
                bad = torch.zeros(int(key.max()) + 1).index_add_(0, key, wrong)
                used = torch.zeros(int(key.max()) + 1).index_add_(0, key, torch.ones_like(wrong))
                right = (bad[used > 0] == 0).float().mean().item()
            mean = loss.item() if mean is None else 0.99 * mean + 0.01 * loss.item()
            hit = right if hit is None else 0.99 * hit + 0.01 * right
        now = time.time()
        spent, before = spent + min(now - before, 6.0), now     # a stopped process does not count
        frac = max((step + 1) / a.steps, spent / (a.minutes * 60))
        if a.world > 1:                        # sum of the gradients; process 0 keeps the time
            flat = torch.cat([torch.zeros(p.numel()) if p.grad is None else p.grad.flatten() for p in params]
                             + [torch.tensor([frac if a.rank == 0 else 0.0])])
            torch.distributed.all_reduce(flat)
            at = 0
            for p in params:
                p.grad = flat[at:at + p.numel()].view_as(p).clone()
                at += p.numel()
            frac = flat[-1].item()
        torch.nn.utils.clip_grad_norm_(rest + seen if a.joint else rest, 1.0)
        opt.step()
        step += 1
        with torch.no_grad():                  # the checkpoint is the running mean of the weights
            keep = min(0.99, step / (step + 10))
            for n, p in model.named_parameters():
                ema[n].lerp_(p, 1 - keep)
        if step % 50 == 0 and a.rank == 0:
            print(step, "%.0fs" % (time.time() - start), "lr %.1e loss %.4f answers right %.3f" % (lr, mean, hit),
                  " ".join("%s %.2f" % kv for kv in seen_hits.items()), flush=True)
        if step % 100 == 0 and a.rank == 0:
            save()
    if a.rank == 0:
        save()
    print("done", step, "steps, %.0f s" % spent, flush=True)


if __name__ == "__main__":
    main()

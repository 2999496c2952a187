# SPDX-License-Identifier: Apache-2.0
"""Writes the place of every patch into a trained tower's features.

The tower learns what is in a patch long before it learns to say where; motion
needs where. This adds the coordinates of the patch to the position embedding
along the two directions that the tower uses least, and hands them through two
little-used units of the projector to two little-used directions of its output.

    python models/add_places.py IN.pt OUT.pt --cache DIR"""
import argparse
import os

import numpy as np
import torch
from tokenizers import Tokenizer

import cache
import network
from train import HERE, ids_of


def hidden(model, px):
    with torch.no_grad():
        return model.model.vision_tower(px, output_hidden_states=True).hidden_states


def least(x, n):
    """The n directions in which the rows of x vary least, and the spread there."""
    values, vectors = torch.linalg.eigh(torch.cov(x.T))
    return vectors[:, :n].T, values[:n].clamp_min(0).sqrt()


def main():
    a = argparse.ArgumentParser()
    a.add_argument("state")
    a.add_argument("out")
    a.add_argument("--cache", required=True)
    a.add_argument("--strength", type=float, default=1.5)
    a = a.parse_args()
    torch.set_num_threads(1)
    tok = Tokenizer.from_file(os.path.join(HERE, "camera-check", "tokenizer.json"))
    model = network.build(tok.get_vocab_size(), ids_of(tok))
    d = torch.load(a.state)
    parts = torch.nn.ModuleList([model.model.vision_tower, model.model.multi_modal_projector])
    parts.load_state_dict({k: v for k, v in d["tower"].items() if not k.startswith("2.")})
    clips = cache.load(os.path.join(a.cache, "train"), 400)
    px = network.normalise(torch.from_numpy(np.concatenate([c["tiles"][:2] for c in clips])))
    g = network.GRID
    y, x = torch.meshgrid(torch.arange(g), torch.arange(g), indexing="ij")
    place = (torch.stack([x.flatten(), y.flatten()], 1) + 0.5) / g * 2 - 1          # [-1, 1]
    with torch.no_grad():
        layers = [h.reshape(-1, h.shape[-1]) for h in hidden(model, px)]
        u, _ = least(torch.cat([(h - h.mean(0)) / h.std() for h in layers]), 2)
        spread = torch.stack([(h @ u.T).std(0) for h in layers]).max(0).values
        amplitude = (6 * spread).clamp(min=0.25 * layers[0].std())
        model.model.vision_tower.embeddings.position_embedding.weight += (place * amplitude) @ u
        h = hidden(model, px)[-1]
        rows, want = h.reshape(-1, h.shape[-1]), place.repeat(len(h), 1)
        rows1 = torch.cat([rows, torch.ones(len(rows), 1)], 1)
        w = torch.linalg.solve(rows1.T @ rows1 + 1e-2 * torch.eye(rows1.shape[1]), rows1.T @ want)
        got = rows1 @ w
        print("read back from the tower: R2", (1 - (got - want).var(0) / want.var(0)).tolist())
        p = model.model.multi_modal_projector
        act = p.act(p.linear_1(rows))
        units = (act.var(0) * p.linear_2.weight.square().sum(0)).argsort()[:2]
        e, _ = least(p.linear_2(act), 2)
        for k, j in enumerate(units.tolist()):
            p.linear_2.bias += p.linear_2.weight[:, j] * act[:, j].mean()
            p.linear_1.weight[j] = 0.8 * w[:-1, k]
            p.linear_1.bias[j] = 0.8 * w[-1, k] + 3                                  # GELU is nearly straight there
            p.linear_2.weight[:, j] = a.strength / 0.8 * e[k]
            p.linear_2.bias -= 3 * a.strength / 0.8 * e[k]
        got = p.linear_2(p.act(p.linear_1(rows))) @ e.T
        print("in the features: correlation",
              [torch.corrcoef(torch.stack([got[:, k], want[:, k]]))[0, 1].item() for k in (0, 1)])
    torch.save({"tower": dict(d["tower"], **parts.state_dict())}, a.out)


if __name__ == "__main__":
    main()

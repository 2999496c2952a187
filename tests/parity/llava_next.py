#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Settings that only LLaVA-NeXT's own code knows, in the flat lmms-lab layout, on a random checkpoint.

    python tests/parity/llava_next.py BUILD_DIR

transformers knows none of them, and LLaVA-NeXT cannot be installed beside it: tower, projector and pooling are transformers', and
what follows is told again after LLaVA-NeXT's llava/model/llava_arch.py (add_token_per_grid, add_token_per_frame and the branches of
prepare_inputs_labels_for_multimodal). Exit code 0 when the features and the first token agree.
"""
import argparse
import json
import pathlib
import sys
import tempfile

import numpy as np
import torch

import checkpoints
from checkpoints import Shape
from model import Case, hf_features, hf_inputs, picture, relative
from tool import Tool


def per_grid(features, newline):
    """[T, N, H]: a newline after every row of every frame."""
    frames, tokens, width = features.shape
    edge = int(tokens**0.5)
    rows = features.view(frames, edge, edge, width)
    return torch.cat((rows, newline.expand(frames, edge, 1, width)), dim=2).flatten(0, 2)


def per_frame(features, newline):
    """A newline after every frame."""
    frames, _, width = features.shape
    return torch.cat((features, newline.expand(frames, 1, width)), dim=1).flatten(0, 1)


POSITIONS = {
    "one_token": lambda f, n: torch.cat((f.flatten(0, 1), n[None])),
    "no_token": lambda f, n: f.flatten(0, 1),
    "frame": per_frame,
    "grid": per_grid,
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    arguments = parser.parse_args()
    failed = total = 0
    with tempfile.TemporaryDirectory(prefix="llavaov-parity-") as name:
        folder = pathlib.Path(name)
        tool = Tool(arguments.build)
        model, processor = checkpoints.write(Shape("next", layout="c"), folder)
        config = json.loads((folder / "config.json").read_text())
        newline = model.model.image_newline.detach()
        rng = np.random.default_rng(3)
        for frames in (1, 3):
            case = Case("video", "video", [picture(rng, 80, 60) for _ in range(frames)])
            _, extra = hf_inputs(processor, case)
            whole = hf_features(model, extra)
            pooled = whole[:-1].view(frames, -1, whole.shape[-1])
            files = [tool.save(f"p{i}.npy", p) for i, p in enumerate(case.pictures)]
            for position, assemble in POSITIONS.items():
                (folder / "config.json").write_text(json.dumps({**config, "mm_newline_position": position}))
                want = assemble(pooled, newline)
                mine = tool.array("features", "-m", folder, *files)
                error = relative(mine, want) if mine.shape == tuple(want.shape) else float("inf")
                # The first token: the prompt's embeddings with these features in the placeholder's place.
                ids = tool.json("tokenize", "-m", folder, "--chat", "-n", frames, "--", "What?")["ids"]
                embeddings = model.get_input_embeddings()(torch.tensor(ids)).detach().clone()
                places = torch.tensor(ids) == model.config.video_token_id
                counted = int(places.sum()) == len(want)
                token = None
                if counted:
                    embeddings[places] = want
                    with torch.inference_mode():
                        token = int(model(inputs_embeds=embeddings[None]).logits[0, -1].argmax())
                answer = tool.json("generate", "-m", folder, "-j", "-N", 1, "-p", "What?", *files)
                good = error <= 1e-5 and counted and answer["tokens"][:1] == [token] and answer["prompt-tokens"] == len(ids)
                total += 1
                failed += not good
                print(f"{position:10} {frames} frames: {len(want)} features, {error:.1e} off, {'same' if good else 'FAIL'}")
        (folder / "config.json").write_text(json.dumps({**config, "image_aspect_ratio": "anyres"}))
        case = Case("image", "image", [picture(rng, 300, 330)])
        model.config.vision_aspect_ratio = model.model.config.vision_aspect_ratio = processor.vision_aspect_ratio = "anyres_max_999999"
        _, extra = hf_inputs(processor, case)
        want = hf_features(model, extra)
        mine = tool.array("features", "-m", folder, "-l", "image", tool.save("p.npy", case.pictures[0]))
        good = mine.shape == tuple(want.shape) and relative(mine, want) <= 1e-5
        total += 1
        failed += not good
        print(f"anyres without a bound: {len(want)} features, {'same' if good else 'FAIL'}")
    print(f"LLaVA-NeXT: {total - failed} of {total} cases agree")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

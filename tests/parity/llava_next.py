#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Settings that only LLaVA-NeXT's own code knows, in the flat lmms-lab layout, on random checkpoints.

    python tests/parity/llava_next.py BUILD_DIR [--llava-next CHECKOUT] [--only TEXT] [--sizes N]

Every configuration is asked with an image (of several shapes), two images and videos. The reference is next_reference.py; with a
checkout of LLaVA-NeXT its own functions run, too, and must give the same tiles and vectors. Where the reference runs, the
tiles are equal byte for byte, the features within 1e-5, the greedy tokens the same; where it fails, ours refuses. Pictures of
many sizes are then prepared by both. Exit code 0 when all of that holds.
"""
import argparse
import json
import pathlib
import sys
import tempfile

import numpy as np
import torch
from safetensors.torch import load_file, save_file

import checkpoints
import next_reference
from checkpoints import Shape
from model import Case, check, picture, relative
from tally import Tally
from tool import Tool

NEW_TOKENS = 16
ABSENT = object()
UNPAD = "spatial_unpad"
MERGES = ("flat", "spatial", "spatial_nobase", UNPAD, "spatial_unpad_nobase", "spatial_maxpool2x2",
          "spatial_maxpool2x2_nobase", "spatial_unpad_maxpool2x2")  # fmt: skip
ASPECTS = ("anyres", "anyres_max_1", "anyres_max_9", "anyres_max", "anyres_max_2z", "pad", "square", "any")
PROJECTORS = ("linear", "mlp0x_gelu", "mlp1x_gelu", "mlp3x_gelu", "mlp4x_gelu", "mlp2x_res1x_gelu", "mlp1x_res3x_gelu")


def configurations():
    """(what is written to config.json, shape)."""
    odd = dict(image=70)
    for merge in MERGES:
        for aspect in ASPECTS if merge in ("flat", UNPAD) else ("anyres_max_2", "anyres", "square"):
            yield dict(mm_patch_merge_type=merge, image_aspect_ratio=aspect), odd if len(aspect) % 2 else {}
    for mode in ("bilinear", "average", "max"):
        for position in ("one_token", "no_token", "frame", "grid"):
            yield dict(mm_spatial_pool_mode=mode, mm_newline_position=position), {}
            yield dict(mm_spatial_pool_mode=mode, mm_newline_position=position, mm_patch_merge_type="spatial"), odd
        yield dict(mm_spatial_pool_mode=mode, mm_newline_position="grid", mm_patch_merge_type="flat"), odd
        yield dict(mm_spatial_pool_mode=mode), odd
        yield dict(mm_spatial_pool_mode=mode), dict(image=14)
    for kind in PROJECTORS:
        for mode in ("bilinear", "average", "max"):
            yield dict(mm_projector_type=kind, mm_spatial_pool_mode=mode), odd
    for pinpoints in ([[56, 168], [112, 56]], [[168, 56]], "[(56, 112), (112, 168)]", [[56, 56], [100, 60], [150, 120]]):
        yield dict(image_grid_pinpoints=pinpoints), {}
        yield dict(image_grid_pinpoints=pinpoints, mm_patch_merge_type="flat"), {}
        yield dict(image_grid_pinpoints=pinpoints, mm_patch_merge_type="spatial"), {}
    for pinpoints in ("(1x1),...,(2x3)", "(1x2),...,(3x2)", "(1x1)"):
        yield dict(image_grid_pinpoints=pinpoints), dict(image=224, patch=56)
    # What is absent or null, and what does not run.
    for name in ("mm_patch_merge_type", "mm_spatial_pool_mode", "mm_newline_position", "mm_projector_type",
                 "image_aspect_ratio", "image_grid_pinpoints"):  # fmt: skip
        yield {name: ABSENT}, {}
        yield {name: None}, {}
    yield dict(mm_spatial_pool_mode="nearest"), {}
    yield dict(mm_newline_position="two_tokens"), {}
    yield dict(mm_newline_position="two_tokens", mm_patch_merge_type="flat"), {}
    yield dict(mm_patch_merge_type="unpad"), {}
    yield dict(mm_newline_position="grid", add_faster_video=True), {}
    yield dict(mm_newline_position="frame", add_faster_video=True), {}
    for aspect in ("anyres_max_0", "highres", "crop_split"):
        yield dict(image_aspect_ratio=aspect), {}
        yield dict(image_aspect_ratio=aspect, mm_patch_merge_type="spatial"), {}


def cases_of(e, rng):
    yield Case("image", "image", [picture(rng, e + 17, 2 * e + 5)])
    yield Case("image tall", "image", [picture(rng, 3 * e, e - 3)])
    yield Case("image large", "image", [picture(rng, 4 * e + 1, 5 * e)])
    yield Case("image small", "image", [picture(rng, e, e)])
    yield Case("images", "images", [picture(rng, e, 2 * e), picture(rng, 2 * e + 1, e)])
    yield Case("video 1", "video", [picture(rng, e, e + 30)])
    yield Case("video 3", "video", [picture(rng, e + 9, e) for _ in range(3)])


def write(config_changes, shape, folder):
    """The folder, its configuration, the model whose language half and tower are transformers', projector, newline."""
    model, _ = checkpoints.write(shape, folder)
    path = folder / "config.json"
    config = {**json.loads(path.read_text()), "mm_spatial_pool_mode": "bilinear", **config_changes}
    config = {k: v for k, v in config.items() if v is not ABSENT}
    path.write_text(json.dumps(config))
    torch.manual_seed(shape.seed)
    tensors = load_file(folder / "model.safetensors")
    newline = model.model.image_newline.detach()
    try:
        projector = next_reference.build_projector(config, shape.v_hidden, shape.hidden)
        tensors = {n: t for n, t in tensors.items() if "mm_projector" not in n}
        for name, value in projector.state_dict().items():
            rounded = (value + 0.1 * torch.randn_like(value)).half() if value.dim() == 1 else value.half()
            tensors[f"model.mm_projector.{name}"] = rounded
            value.copy_(rounded.float())
    except (ValueError, TypeError):
        projector = None
    if "unpad" not in (config.get("mm_patch_merge_type", "flat") or ""):
        newline = None
        del tensors["model.image_newline"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return config, model, projector, newline


def collapse(ids, places):
    """Runs of placeholders become one."""
    result = []
    for i, id in enumerate(ids):
        if id not in places:
            result.append(id)
        elif i == 0 or ids[i - 1] not in places:
            result.append(next_reference.IMAGE)
    return result


def expected(references, ids, case):
    """What each reference gives, or why it fails."""
    answers = []
    for reference in references:
        try:
            with torch.inference_mode():
                answers.append(reference.embeddings(ids, case.layout, case.pictures))
        except Exception as error:  # whatever it is: the case does not run
            answers.append(f"{type(error).__name__}: {str(error).splitlines()[0][:80] if str(error) else ''}")
    return answers


def greedy(model, vectors):
    decoder, tokens, cache = model.model.language_model, [], None
    gaps, rows = [], vectors[None]
    with torch.inference_mode():
        for _ in range(NEW_TOKENS):
            out = decoder(inputs_embeds=rows, past_key_values=cache, use_cache=True)
            cache = out.past_key_values
            logits = model.lm_head(out.last_hidden_state[0, -1])
            best = logits.topk(2)
            gaps.append(float((best.values[0] - best.values[1]) / logits.std()))
            tokens.append(int(best.indices[0]))
            rows = model.get_input_embeddings()(torch.tensor([[tokens[-1]]]))
    return tokens, gaps


def to_bytes(values):
    return np.round((values.numpy() * 0.5 + 0.5) * 255).astype(np.uint8).transpose(0, 2, 3, 1)


def run_case(tool, folder, references, model, case):
    failures = []
    options = ["-m", folder, "-l", case.layout]
    files = [tool.save(f"p{i}.npy", p) for i, p in enumerate(case.pictures)]
    places = (model.config.image_token_id, model.config.video_token_id)
    size = ["-s", f"{case.pictures[0].shape[1]}x{case.pictures[0].shape[0]}"] if case.layout == "image" else []
    asked = ["tokenize", *options, *size, "--chat", "-n", len(files), "--", case.prompt]
    refusal = tool.refusal(*asked)
    ids = tool.json(*asked)["ids"] if refusal is None else [1, next_reference.IMAGE, 2, next_reference.IMAGE]
    # A checkpoint whose projector cannot be built has no reference at all.
    answers = expected(references, collapse(ids, places), case) if references else ["ValueError: no projector"]
    if any(isinstance(a, str) for a in answers):
        check(failures, all(isinstance(a, str) for a in answers), f"the references disagree: {[a if isinstance(a, str) else 'runs' for a in answers]}")
        refusal = tool.refusal("generate", *options, "-N", 1, "-p", case.prompt, *files)
        check(failures, refusal is not None, f"LLaVA-NeXT fails ({answers[0]}), ours answers")
        return failures, f"neither: {answers[0]} | {refusal}"
    if refusal is not None:
        return [f"LLaVA-NeXT runs, ours says: {refusal}"], ""
    for other in answers[1:]:
        same = torch.equal(other[0], answers[0][0]) and other[1].shape == answers[0][1].shape
        same = same and relative(other[1], answers[0][1]) <= 1e-6  # it encodes several pictures at once
        check(failures, same, "the code itself gives other vectors than what is told again here")
    values, vectors, visuals = answers[0]
    check(failures, len(vectors) == len(ids), f"{len(ids)} rows, not {len(vectors)}")
    tiles = tool.array("layout", *options, *files)
    check(failures, np.array_equal(tiles, to_bytes(values)), "other tiles")
    for pool in ("early", "literal") if case.layout == "video" else ("early",):
        mine = tool.array("features", *options, "--pool", pool, *files)
        error = relative(mine, visuals) if mine.shape == tuple(visuals.shape) else float("inf")
        check(failures, error <= 1e-5, f"features ({pool}): {error:.2e} off, {mine.shape} for {tuple(visuals.shape)}")
    tokens, gaps = greedy(model, vectors)
    answer = tool.json("generate", *options, "--greedy", "-j", "-N", NEW_TOKENS, "-p", case.prompt, *files)
    check(failures, answer["prompt-tokens"] == len(vectors), f"{answer['prompt-tokens']} prompt tokens")
    stops = (model.config.text_config.eos_token_id,)
    for i, (a, b) in enumerate(zip(answer["tokens"], tokens)):
        if a != b:
            check(failures, gaps[i] < 1e-4, f"token {i} is {a}, not {b} (gap {gaps[i]:.1e} sigma)")
        if a != b or b in stops:
            break
    return failures, "both"


def compare_sizes(tool, folder, config, model, rng, n):
    """Tiles of pictures of many sizes: (equal, compared)."""
    equal = 0
    for i in range(n):
        edges = (1, 40), (30, 400), (200, 1500)
        low, high = edges[i % 3]
        kind = ("image", "images", "video")[int(rng.integers(3))]
        shown = [picture(rng, int(rng.integers(low, high)), int(rng.integers(low, high)))]
        shown *= 2 if kind == "images" else 1  # one of several is layout=image
        values = next_reference.prepared(config, model.config.vision_config.image_size, kind, shown)
        want = to_bytes(torch.cat([v if v.ndim == 4 else v[None] for v in values]))
        mine = tool.array("layout", "-m", folder, "-l", kind, *[tool.save("p.npy", p) for p in shown])
        if np.array_equal(mine, want):
            equal += 1
        else:
            apart = np.abs(mine.astype(int) - want).max() if mine.shape == want.shape else mine.shape
            print(f"FAIL {kind} of {shown[0].shape[1]}x{shown[0].shape[0]}: tiles differ ({apart})", flush=True)
    return equal


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--llava-next", help="a checkout of github.com/LLaVA-VL/LLaVA-NeXT whose functions run, too")
    parser.add_argument("--only", help="configurations that hold this text")
    parser.add_argument("--quick", action="store_true", help="every fourth configuration")
    parser.add_argument("--sizes", type=int, default=60, help="pictures whose tiles are compared (60)")
    parser.add_argument("-v", "--verbose", action="store_true", help="what became of every case")
    arguments = parser.parse_args()
    modules = next_reference.load(arguments.llava_next) if arguments.llava_next else None
    tally = Tally(arguments.verbose)
    for number, (changes, fields) in enumerate(configurations()):
        title = " ".join(f"{k}={'absent' if v is ABSENT else json.dumps(v)}" for k, v in changes.items())
        if (arguments.only and arguments.only not in title) or (arguments.quick and number % 4):
            continue
        with tempfile.TemporaryDirectory(prefix="llavaov-parity-") as name:
            folder = pathlib.Path(name)
            tool = Tool(arguments.build)
            shape = Shape("next", layout="c", template="conversion", seed=number, **fields)
            config, model, projector, newline = write(changes, shape, folder)
            tower = lambda t, m=model: m.model.vision_tower(t, output_hidden_states=True).hidden_states[-1]  # noqa: E731
            references = []
            if projector is not None:
                grid = shape.image // shape.patch
                references.append(next_reference.Model(
                    config, tower, projector, newline, model.get_input_embeddings(), grid, shape.image))  # fmt: skip
                if modules:
                    references.append(next_reference.Original(modules, references[0]))
            outcomes = []
            rng = np.random.default_rng(number)
            for case in cases_of(shape.image, rng):
                failures, fact = run_case(tool, folder, references, model, case)
                outcomes.append(tally.add(title, case, failures, fact))
            print(f"{title}: {' '.join(outcomes)}", flush=True)
    with tempfile.TemporaryDirectory(prefix="llavaov-parity-") as name:
        folder, rng = pathlib.Path(name), np.random.default_rng(5)
        config, model, _, _ = write(dict(image_aspect_ratio="anyres"), Shape("sizes", layout="c"), folder)
        equal = compare_sizes(Tool(arguments.build), folder, config, model, rng, arguments.sizes)
    print(f"LLaVA-NeXT: {tally}; tiles of {equal} of {arguments.sizes} pictures are equal")
    return 0 if tally.good and equal == arguments.sizes else 1


if __name__ == "__main__":
    sys.exit(main())

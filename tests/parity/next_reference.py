# SPDX-License-Identifier: Apache-2.0
"""What LLaVA-NeXT's own code makes of pictures, told again in plain torch and Pillow after reading llava/mm_utils.py,
llava/model/llava_arch.py, llava/model/multimodal_projector/builder.py and SigLipImageProcessor; and that code itself, where a
checkout of it is given (it cannot be installed beside the transformers of this comparison, but these parts run)."""
import ast
import contextlib
import importlib.util
import io
import math
import pathlib
import re
import sys
import types

import numpy as np
import torch
from PIL import Image
from torch import nn

IMAGE = -200  # the place of a picture among ids


def get(config, name, *absent):
    """getattr() of a configuration that holds what the file says."""
    return config.get(name, *absent) if absent else config[name]


# ---- pictures ----


def values_of(images, size):
    """SigLipImageProcessor.preprocess: [n, 3, size, size]."""
    rows = []
    for image in images:
        image = image if isinstance(image, Image.Image) else Image.fromarray(image)
        pixels = np.array(image.resize((size, size), Image.BICUBIC)).transpose(2, 0, 1)
        scaled = (pixels.astype(np.float64) * (1 / 255)).astype(np.float32)
        rows.append((scaled - np.float32(0.5)) / np.float32(0.5))
    return torch.from_numpy(np.stack(rows))


def resolutions(pinpoints, size):
    if isinstance(pinpoints, str) and "x" in pinpoints:
        assert size in (224, 336, 384, 448, 512)
        pairs = re.findall(r"\((\d+)x(\d+)\)", pinpoints)
        first, last = [tuple(map(int, pairs[i])) for i in (0, -1)]
        return [
            (i * size, j * size) for i in range(first[0], last[0] + 1) for j in range(first[1], last[1] + 1)
        ]
    return pinpoints if isinstance(pinpoints, list) else ast.literal_eval(pinpoints)


def best_resolution(image_size, possible):
    width, height = image_size
    best, most, least = None, 0, float("inf")
    for w, h in possible:
        scale = min(w / width, h / height)
        effective = min(int(width * scale) * int(height * scale), width * height)
        wasted = w * h - effective
        if effective > most or (effective == most and wasted < least):
            best, most, least = (w, h), effective, wasted
    return best


def tiles_of(image, pinpoints, size):
    """process_anyres_image: the whole picture and then the grid's tiles."""
    target = best_resolution(image.size, resolutions(pinpoints, size))
    scales = target[0] / image.size[0], target[1] / image.size[1]
    if scales[0] < scales[1]:
        inner = target[0], min(math.ceil(image.size[1] * scales[0]), target[1])
    else:
        inner = min(math.ceil(image.size[0] * scales[1]), target[0]), target[1]
    canvas = Image.new("RGB", target, (0, 0, 0))
    canvas.paste(image.resize(inner), ((target[0] - inner[0]) // 2, (target[1] - inner[1]) // 2))
    boxes = [(x, y, x + size, y + size) for y in range(0, target[1], size) for x in range(0, target[0], size)]
    return values_of([image.resize((size, size)), *map(canvas.crop, boxes)], size)


def square(image):
    side = max(image.size)
    result = Image.new("RGB", (side, side), (127, 127, 127))
    result.paste(image, ((side - image.size[0]) // 2, (side - image.size[1]) // 2))
    return result


def prepared(config, size, kind, pictures):
    """A list of what the model takes for each visual, as its inference code passes it."""
    images = [Image.fromarray(p) for p in pictures]
    if kind == "video":
        return [values_of(pictures, size)]
    aspect = "pad" if kind == "images" else get(config, "image_aspect_ratio", None)
    if aspect == "pad":
        return list(values_of([square(i) for i in images], size))
    if aspect == "anyres" or "anyres_max" in aspect:
        return [tiles_of(i, get(config, "image_grid_pinpoints"), size) for i in images]
    if aspect in ("highres", "crop_split"):
        raise ValueError(f"{aspect} does not run with this image processor")
    return list(values_of(images, size))


# ---- features ----


class ResidualBlock(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.pre_norm = nn.LayerNorm(width)
        self.proj = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))

    def forward(self, x):
        x = self.pre_norm(x)
        return x + self.proj(x)


def build_projector(config, inner, outer):
    kind = get(config, "mm_projector_type", "linear")
    if kind == "linear":
        return nn.Linear(inner, outer)
    match = re.match(r"^mlp(\d+)x(?:_res(\d+)x)?_gelu$", kind)
    if not match:
        raise ValueError(f"projector {kind}")
    modules = [nn.Linear(inner, outer)]
    for _ in range(1, int(match[1])):
        modules += [nn.GELU(), nn.Linear(outer, outer)]
    return nn.Sequential(*modules, *(ResidualBlock(outer) for _ in range(int(match[2] or 0))))


def pooled(config, features, grid):
    maps = features.view(len(features), grid, grid, -1).permute(0, 3, 1, 2)
    mode = get(config, "mm_spatial_pool_mode")
    if mode == "bilinear":
        half = math.ceil(grid / 2)
        maps = nn.functional.interpolate(maps, size=[half, half], mode="bilinear")
    else:
        maps = {"average": nn.functional.avg_pool2d, "max": nn.functional.max_pool2d}[mode](maps, 2)
    return maps.permute(0, 2, 3, 1).flatten(1, 2)


def unpadded(maps, image_size):
    """maps [D, H, W]."""
    width, height = image_size
    rows, cols = maps.shape[1:]
    if width / height > cols / rows:
        edge = (rows - int(height * (cols / width))) // 2
        return maps[:, edge : rows - edge]
    edge = (cols - int(width * (rows / height))) // 2
    return maps[:, :, edge : cols - edge]


def with_newlines(maps, newline):
    """[D, H, W] to [H * (W + 1), D]."""
    maps = torch.cat((maps, newline[:, None, None].expand(*maps.shape[:-1], 1)), dim=-1)
    return maps.flatten(1, 2).T


def of_video(config, merge, features, newline):
    position = get(config, "mm_newline_position", "one_token")
    frames, tokens, width = features.shape
    edge = int(math.sqrt(tokens))
    if position == "grid":
        if get(config, "add_faster_video", False):
            raise NameError("all_faster_video_features")
        rows = features.view(frames * edge, edge, width)
        return torch.cat((rows, newline.expand(frames * edge, 1, width)), dim=1).flatten(0, 1)
    if position == "frame":
        return torch.cat((features, newline.expand(frames, 1, width)), dim=1).flatten(0, 1)
    if position not in ("one_token", "no_token"):
        raise ValueError(f"newline position {position}")
    features = features.flatten(0, 1)
    return torch.cat((features, newline[None])) if position == "one_token" and "unpad" in merge else features


def of_tiles(config, merge, features, newline, image_size, grid, size):
    aspect = get(config, "image_aspect_ratio", "square")
    base, features = features[0], features[1:]
    match = re.match(r"anyres_max_(\d+)", aspect)
    width, height = best_resolution(image_size, resolutions(get(config, "image_grid_pinpoints"), size))
    features = features.view(height // size, width // size, grid, grid, -1)
    maps = features.permute(4, 0, 2, 1, 3).flatten(1, 2).flatten(2, 3)
    if "maxpool2x2" in merge:
        maps = nn.functional.max_pool2d(maps, 2).flatten(1, 2).T
    elif "unpad" in merge:
        maps = unpadded(maps, image_size)
        if match:
            h, w = maps.shape[1:]
            times = math.sqrt(h * w / (int(match[1]) * grid**2))
            if times > 1.1:
                maps = nn.functional.interpolate(maps[None], [int(h // times), int(w // times)], mode="bilinear")[0]
        maps = with_newlines(maps, newline)
    else:
        maps = maps.flatten(1, 2).T
    return maps if "nobase" in merge else torch.cat((base, maps))


def merged(config, kind, features, newline, image_sizes, grid, size):
    """Features [n, grid^2, D] of each visual to its sequence [tokens, D]; newline None: the model has none."""
    merge = get(config, "mm_patch_merge_type", "flat")
    if kind == "video":
        features = [pooled(config, f, grid) for f in features]
    if merge == "flat":
        return [f.flatten(0, 1) for f in features]
    if not merge.startswith("spatial"):
        raise ValueError(f"merge type {merge}")
    if kind == "video":
        return [of_video(config, merge, f, newline) for f in features]
    result = []
    for f, image_size in zip(features, image_sizes):
        if len(f) > 1:
            result.append(of_tiles(config, merge, f, newline, image_size, grid, size))
        else:
            result.append(torch.cat((f[0], newline[None])) if "unpad" in merge else f[0])
    return result


class Model:
    """tower: tiles to features; projector; newline or None; embed: ids to vectors."""

    def __init__(self, config, tower, projector, newline, embed, grid, size):
        self.config, self.tower, self.projector, self.newline, self.embed = config, tower, projector, newline, embed
        self.grid, self.size = grid, size

    def embeddings(self, ids, kind, pictures):
        """ids hold IMAGE where a visual stands. (the tiles' values, the whole prompt's vectors, each visual's)"""
        images = prepared(self.config, self.size, kind, pictures)
        features = [self.projector(self.tower(i if i.ndim == 4 else i[None])) for i in images]
        sizes = [(p.shape[1], p.shape[0]) for p in pictures]
        visuals = merged(self.config, kind, features, self.newline, sizes, self.grid, self.size)
        pieces, todo = [], list(visuals)
        for id in ids:
            pieces.append(todo.pop(0) if id == IMAGE else self.embed(torch.tensor([id])))
        return torch.cat([i if i.ndim == 4 else i[None] for i in images]), torch.cat(pieces), torch.cat(visuals)


# ---- the code itself ----


def load(checkout):
    """(mm_utils, llava_arch, builder, siglip_encoder) of a checkout, without its packages' own imports."""
    root = pathlib.Path(checkout) / "llava"

    def stub(name, **contents):
        module = types.ModuleType(name)
        module.__path__ = []
        module.__dict__.update(contents)
        sys.modules[name] = module

    def module(name, path):
        spec = importlib.util.spec_from_file_location(name, root / path)
        result = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(result)
        return result

    def quiet(*_):
        pass

    for name in ("llava", "llava.model", "llava.model.multimodal_encoder", "llava.model.multimodal_resampler"):
        stub(name)
    stub("llava.model.multimodal_projector")
    stub("llava.utils", rank0_print=quiet, rank_print=quiet)
    stub("llava.model.multimodal_encoder.builder", build_vision_tower=None)
    stub("llava.model.multimodal_resampler.builder", build_vision_resampler=None)
    module("llava.constants", "constants.py")
    utils = module("llava.mm_utils", "mm_utils.py")
    module("llava.model.multimodal_projector.pooler_projector", "model/multimodal_projector/pooler_projector.py")
    builder = module("llava.model.multimodal_projector.builder", "model/multimodal_projector/builder.py")
    with contextlib.redirect_stderr(io.StringIO()):
        arch = module("llava.model.llava_arch", "model/llava_arch.py")
        siglip = module("llava.model.multimodal_encoder.siglip_encoder", "model/multimodal_encoder/siglip_encoder.py")
    return utils, arch, builder, siglip


class Original:
    """The same as Model by the code itself."""

    def __init__(self, modules, model):
        self.utils, arch, _, siglip = modules
        self.config = types.SimpleNamespace(**model.config)
        self.processor = siglip.SigLipImageProcessor(
            size=(model.size, model.size), crop_size={"height": model.size, "width": model.size}
        )

        class Inner:
            embed_tokens = staticmethod(model.embed)
            mm_projector = staticmethod(model.projector)

        tower = lambda images: model.tower(images)  # noqa: E731: attributes are put on it
        tower.num_patches_per_side, tower.image_size = model.grid, model.size
        Inner.get_vision_tower = staticmethod(lambda: tower)
        if model.newline is not None:
            Inner.image_newline = model.newline

        class Whole(arch.LlavaMetaForCausalLM):
            config, device = self.config, torch.device("cpu")
            model = Inner()

            def get_model(self):
                return self.model

        self.whole = Whole()

    def embeddings(self, ids, kind, pictures):
        images = [Image.fromarray(p) for p in pictures]
        if kind == "video":
            values = [self.processor.preprocess(np.stack(pictures), return_tensors="pt")["pixel_values"]]
        else:
            config = types.SimpleNamespace(**vars(self.config))
            if kind == "images":  # as its training and the evaluation harness set it for several
                config.image_aspect_ratio = "pad"
            values = list(self.utils.process_images(images, self.processor, config))
        vectors = self.whole.prepare_inputs_labels_for_multimodal(
            torch.tensor([ids]), None, None, None, None, values,
            modalities=["video"] if kind == "video" else ["image"] * len(images), image_sizes=[i.size for i in images],
        )[4][0]  # fmt: skip
        return torch.cat([v if v.ndim == 4 else v[None] for v in values]), vectors, None

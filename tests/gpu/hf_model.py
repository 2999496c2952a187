# SPDX-License-Identifier: Apache-2.0
"""HF transformers' side of gpu-check: the model in float32, float64 or bf16, and the ways to run it that are timed.

Tried with torch 2.11 and transformers 5.17. Where a variant cannot run (no compiler, no kernel for this GPU) it raises, and
the caller reports that.
"""
import contextlib
import copy
import itertools
import math
import time

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import DynamicCache, LlavaOnevisionForConditionalGeneration, StaticCache


def no_reduced_precision():
    """float32 products in float32. What bf16 does is left as torch has it."""
    torch.set_float32_matmul_precision("highest")
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False


def float32_error(device):
    """The largest relative error of a product, a convolution and an attention in float32: 1e-4 and more would be TF32."""
    no_reduced_precision()
    random = torch.Generator(device=device).manual_seed(1)
    a, b = (torch.randn(512, 512, device=device, generator=random) for _ in range(2))
    image, kernel = (torch.randn(4, 3, s, s, device=device, generator=random) for s in (56, 14))
    qkv = [torch.randn(1, 2, 128, 64, device=device, generator=random) for _ in range(3)]
    conv = torch.nn.functional.conv2d
    pairs = [(a @ b, a.double() @ b.double()), (conv(image, kernel, stride=14), conv(image.double(), kernel.double(), stride=14))]
    with sdpa_kernel(SDPBackend.MATH):
        attend = torch.nn.functional.scaled_dot_product_attention
        pairs.append((attend(*qkv), attend(*(x.double() for x in qkv))))
    return max(float((x.double() - y).norm() / y.norm()) for x, y in pairs)


def load(folder, dtype, device):
    no_reduced_precision()
    model = LlavaOnevisionForConditionalGeneration.from_pretrained(
        folder, dtype=dtype, attn_implementation="sdpa", local_files_only=True
    )
    return model.eval().to(device)


def exactly(model):
    """float32 and float64 attend in plain steps; bf16 as HF does by itself."""
    return contextlib.nullcontext() if model.dtype == torch.bfloat16 else sdpa_kernel(SDPBackend.MATH)


def to_pixels(tiles, model):
    """[1, frames, 3, S, S] of bytes [frames, S, S, 3], normalised in float32 as the processor does."""
    pixels = (torch.from_numpy(tiles).to(model.device).float().permute(0, 3, 1, 2) - 127.5) / 127.5
    return pixels[None].to(model.dtype)


@torch.inference_mode()
def features(model, tiles):
    """Pooled features of the frames, [frames * pooled^2, H]. Some versions of HF put the newline behind them, others later."""
    with exactly(model):
        out = model.model.get_video_features(to_pixels(tiles, model)).pooler_output
    vision = model.config.vision_config
    pooled = math.ceil(vision.image_size // vision.patch_size / 2)
    return out.reshape(-1, out.shape[-1])[: len(tiles) * pooled**2].cpu().double().numpy()


@torch.inference_mode()
def greedy(model, tiles, ids, n):
    """The new tokens, up to the first that would be taken for a picture."""
    start = torch.tensor([ids], device=model.device)
    with exactly(model):
        out = model.generate(
            input_ids=start, attention_mask=torch.ones_like(start), pixel_values_videos=to_pixels(tiles, model),
            do_sample=False, max_new_tokens=n, eos_token_id=model.config.text_config.eos_token_id, pad_token_id=0,
        )[0, len(ids) :].tolist()  # fmt: skip
    visual = (model.config.image_token_id, model.config.video_token_id)
    return list(itertools.takewhile(lambda token: token not in visual, out))


@torch.inference_mode()
def logits(model, tiles, ids, n):
    """Of the last n positions, [n, vocabulary]."""
    with exactly(model):
        out = model(
            input_ids=torch.tensor([ids], device=model.device), pixel_values_videos=to_pixels(tiles, model), logits_to_keep=n
        ).logits
    return out[0].float().cpu().numpy()


# ---- timing ----


def without_inference_mode(run):
    """generate() computes without gradients, but not in inference mode: what is compiled or captured is run as there."""

    def inner():
        with torch.inference_mode(False), torch.no_grad():
            return run()

    return inner


class Timed:
    """HF in bf16 on one device. A variant is (name, run); timed(run) gives milliseconds."""

    def __init__(self, folder, device, dtype=torch.bfloat16):
        self.device, self.cuda = device, device.startswith("cuda")
        self.model = load(folder, dtype, device)
        self.size = self.model.config.vision_config.image_size
        # Below every special token.
        self.vocabulary = min(self.model.config.image_token_id, self.model.config.text_config.vocab_size // 2)

    @torch.inference_mode()
    def timed(self, run):
        self.synchronize()
        start = time.perf_counter()
        run()
        self.synchronize()
        return 1e3 * (time.perf_counter() - start)

    def synchronize(self):
        if self.cuda:
            torch.cuda.synchronize()

    def ids(self, n):
        return (torch.arange(n, device=self.device)[None] * 37) % self.vocabulary

    @contextlib.contextmanager
    def compiled(self, *modules, **options):
        """Their forward() through torch.compile, until the end."""
        torch.compiler.reset()
        for module in modules:
            module.forward = torch.compile(module.forward, dynamic=False, **options)
        try:
            yield
        finally:
            for module in modules:
                del module.forward
            torch.compiler.reset()

    def encode_variants(self, batch):
        """Tower, projector and pooling of `batch` random frames that lie on the device, normalised, in bf16."""
        inputs = itertools.cycle(
            [torch.rand(1, batch, 3, self.size, self.size, device=self.device).to(self.model.dtype) * 2 - 1 for _ in range(3)]
        )

        def run(*backends):
            with sdpa_kernel(list(backends)) if backends else contextlib.nullcontext():
                self.model.model.get_video_features(next(inputs))

        yield "eager sdpa", run
        for backend in (SDPBackend.CUDNN_ATTENTION, SDPBackend.FLASH_ATTENTION):
            yield f"eager {backend.name}", lambda backend=backend: run(backend)
        parts = (self.model.model.vision_tower, self.model.model.multi_modal_projector)
        for name, options in (("compile", {}), ("compile max-autotune", {"mode": "max-autotune-no-cudagraphs"})):
            with self.compiled(*parts, **options):
                yield name, without_inference_mode(run)
                if not options:
                    yield f"{name} CUDNN_ATTENTION", without_inference_mode(lambda: run(SDPBackend.CUDNN_ATTENTION))

    def prefill_variants(self, n):
        """A prompt of n tokens into a cache, logits of the last row."""
        ids = self.ids(n)

        def run(*backends):
            with sdpa_kernel(list(backends)) if backends else contextlib.nullcontext():
                self.model(input_ids=ids, use_cache=True, logits_to_keep=1)

        yield "eager sdpa", run
        for backend in (SDPBackend.CUDNN_ATTENTION, SDPBackend.FLASH_ATTENTION):
            yield f"eager {backend.name}", lambda backend=backend: run(backend)
        with self.compiled(self.model.model.language_model):
            yield "compile", without_inference_mode(run)

    def decode_variants(self, context, tokens):
        """`tokens` greedy tokens after a context that is prefilled once, and not timed."""
        model, ids = self.model, self.ids(context)

        def prefilled(cache, mode):
            with mode():
                model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
            return cache

        def loop(forward, cache):
            token = ids[:, :1]
            for _ in range(tokens):
                if self.cuda:
                    torch.compiler.cudagraph_mark_step_begin()
                out = forward(input_ids=token, past_key_values=cache, use_cache=True, logits_to_keep=1)
                token = out.logits[:, -1].argmax(-1, keepdim=True)
            return token

        cache = prefilled(DynamicCache(config=model.config.text_config), torch.inference_mode)

        def eager():
            cache.crop(-(cache.get_seq_length() - context) or 0)
            return loop(model, cache)

        yield "eager", eager

        static = prefilled(StaticCache(config=model.config.text_config, max_cache_len=context + tokens), torch.no_grad)

        def rewind():
            for layer in static.layers:
                layer.cumulative_length.fill_(context)

        def static_run(forward):
            rewind()
            return loop(forward, static)

        torch.compiler.reset()
        # As generate() compiles it.
        compiled = torch.compile(model.__call__, mode="reduce-overhead")
        yield "static cache, compile", without_inference_mode(lambda: static_run(compiled))
        torch.compiler.reset()
        if self.cuda:
            yield "static cache, CUDA graph of the eager step", without_inference_mode(self.graphed(static, rewind, ids[:, :1], tokens))

    def graphed(self, cache, rewind, first, tokens):
        """A run that replays one captured step; captured at its first call."""
        model, kept = self.model, {}

        def step():
            out = model(input_ids=kept["token"], past_key_values=cache, use_cache=True, logits_to_keep=1)
            kept["token"].copy_(out.logits[:, -1].argmax(-1, keepdim=True))

        def capture():
            kept["token"] = first.clone()
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                for _ in range(3):
                    rewind()
                    step()
            torch.cuda.current_stream().wait_stream(side)
            rewind()
            kept["graph"] = torch.cuda.CUDAGraph()
            with torch.cuda.graph(kept["graph"]):
                step()

        def run():
            if "graph" not in kept:
                capture()
            rewind()
            kept["token"].copy_(first)
            for _ in range(tokens):
                kept["graph"].replay()
            return kept["token"].clone()

        return run


# ---- fp8 ----


def to_e4m3(x):
    """(codes as float32, scales of the rows): torch's own cast of x / scale, held to its greatest number."""
    scale = x.float().abs().amax(-1, keepdim=True).clamp(min=2.0**-90) / 448
    return (x.float() / scale).clamp(-448, 448).to(torch.float8_e4m3fn).float(), scale


class InE4m3(torch.nn.Module):
    """A linear layer whose weights and inputs are rounded to e4m3, each row with a scale; sums in float32."""

    def __init__(self, linear):
        super().__init__()
        self.weight, self.bias = linear.weight, linear.bias
        self.codes, self.scale = to_e4m3(linear.weight)

    def forward(self, x):
        codes, scale = to_e4m3(x)
        out = codes @ self.codes.T * scale * self.scale.T
        return (out if self.bias is None else out + self.bias.float()).to(x.dtype)


def in_fp8(model):
    """The model itself, with the products of the tower's and the decoder's layers in fp8 as torch would round them."""
    parents = dict(model.named_modules())
    for name, module in list(parents.items()):
        sizes = isinstance(module, torch.nn.Linear) and module.in_features % 16 == 0 and module.out_features % 16 == 0
        if sizes and ".layers." in name and ("vision_tower" in name or "language_model" in name):
            parent, _, own = name.rpartition(".")
            setattr(parents[parent], own, InE4m3(module))
    return model


def copied(model, dtype):
    return copy.deepcopy(model).to(dtype)

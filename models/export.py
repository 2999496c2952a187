# SPDX-License-Identifier: Apache-2.0
"""Writes a training state as a checkpoint folder (F16, the Hub's tensor names).

    python models/export.py DIR/joint.pt models/camera-check"""
import argparse
import json
import os

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer

import network
from render import PINPOINTS, TILE
from train import ids_of

TEMPLATE = ("{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n'}}"
            "{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\n' }}{% endfor %}"
            "{% for content in message['content'] | selectattr('type', 'equalto', 'video') %}{{ '<video>\n' }}{% endfor %}"
            "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{{ content['text'] }}{% endfor %}"
            "{{'<|im_end|>\n'}}{% endfor %}"
            "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}")


def hub_name(name):
    """In-memory name -> name in the llava-hf files."""
    name = name.removeprefix("model.")
    if name.startswith("vision_tower."):
        return "vision_tower.vision_model." + name.removeprefix("vision_tower.").removeprefix("vision_model.")
    if name.startswith("language_model."):
        return "language_model.model." + name.removeprefix("language_model.")
    return name


def main():
    a = argparse.ArgumentParser()
    a.add_argument("state")
    a.add_argument("folder")
    a = a.parse_args()
    tok = Tokenizer.from_file(os.path.join(a.folder, "tokenizer.json"))
    ids = ids_of(tok)
    model = network.build(tok.get_vocab_size(), ids)
    d = torch.load(a.state)
    model.load_state_dict(d["model"])
    model.load_state_dict(d.get("ema", {}), strict=False)
    model.tie_weights()
    tensors = {hub_name(k): v.half().contiguous().clone() for k, v in model.state_dict().items()
               if k != "lm_head.weight" and "head." not in k}
    assert all(torch.isfinite(v).all() for v in tensors.values())
    save_file(tensors, os.path.join(a.folder, "model.safetensors"), metadata={"format": "pt"})
    os.chmod(os.path.join(a.folder, "model.safetensors"), 0o644)
    t, v = model.config.text_config, model.config.vision_config
    text = {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_act": "silu",
            "bos_token_id": ids["<|endoftext|>"], "eos_token_id": ids["<|im_end|>"], "pad_token_id": ids["<|endoftext|>"],
            "hidden_size": t.hidden_size, "intermediate_size": t.intermediate_size,
            "max_position_embeddings": t.max_position_embeddings, "num_attention_heads": t.num_attention_heads,
            "num_hidden_layers": t.num_hidden_layers, "num_key_value_heads": t.num_key_value_heads,
            "rms_norm_eps": t.rms_norm_eps, "rope_theta": 10000.0,
            "rope_parameters": {"rope_theta": 10000.0, "rope_type": "default"},
            "tie_word_embeddings": True, "use_sliding_window": False, "vocab_size": t.vocab_size}
    vision = {"model_type": "siglip_vision_model", "hidden_act": "gelu_pytorch_tanh", "hidden_size": v.hidden_size,
              "image_size": v.image_size, "intermediate_size": v.intermediate_size, "layer_norm_eps": 1e-6,
              "num_attention_heads": v.num_attention_heads, "num_channels": 3,
              "num_hidden_layers": v.num_hidden_layers, "patch_size": v.patch_size, "vision_use_head": False}
    config = {"architectures": ["LlavaOnevisionForConditionalGeneration"], "model_type": "llava_onevision",
              "image_token_index": ids["<image>"], "video_token_index": ids["<video>"],
              "image_token_id": ids["<image>"], "video_token_id": ids["<video>"], "ignore_index": -100,
              "image_grid_pinpoints": PINPOINTS, "projector_hidden_act": "gelu", "multimodal_projector_bias": True,
              "vision_feature_layer": -1, "vision_feature_select_strategy": "full",
              "vision_aspect_ratio": "anyres_max_9", "use_image_newline_parameter": True,
              "tie_word_embeddings": True, "torch_dtype": "float16", "dtype": "float16",
              "text_config": text, "vision_config": vision}
    common = {"do_convert_rgb": True, "do_normalize": True, "do_rescale": True, "do_resize": True,
              "image_mean": [0.5] * 3, "image_std": [0.5] * 3, "resample": 3,
              "rescale_factor": 1 / 255, "size": {"height": TILE, "width": TILE}}
    picture = dict(common, do_pad=True, image_grid_pinpoints=PINPOINTS, image_processor_type="LlavaOnevisionImageProcessor")
    files = {
        "config.json": config,
        "generation_config.json": {"bos_token_id": ids["<|endoftext|>"], "eos_token_id": ids["<|im_end|>"],
                                   "pad_token_id": ids["<|endoftext|>"]},
        "preprocessor_config.json": dict(picture, processor_class="LlavaOnevisionProcessor"),
        "video_preprocessor_config.json": dict(common, video_processor_type="LlavaOnevisionVideoProcessor",
                                               processor_class="LlavaOnevisionProcessor"),
        "processor_config.json": {"processor_class": "LlavaOnevisionProcessor", "image_token": "<image>",
                                  "video_token": "<video>", "num_image_tokens": network.GRID ** 2,
                                  "vision_feature_select_strategy": "full", "vision_aspect_ratio": "anyres_max_9"},
        "tokenizer_config.json": {"tokenizer_class": "Qwen2Tokenizer", "add_bos_token": False,
                                  "add_prefix_space": False, "bos_token": None, "eos_token": "<|im_end|>",
                                  "pad_token": "<|endoftext|>", "unk_token": None, "model_max_length": 4096,
                                  "clean_up_tokenization_spaces": False, "errors": "replace",
                                  "processor_class": "LlavaOnevisionProcessor",
                                  "added_tokens_decoder": {str(i): {"content": c, "lstrip": False, "normalized": False,
                                                                    "rstrip": False, "single_word": False, "special": True}
                                                           for c, i in ids.items()}},
    }
    for name, d in files.items():
        with open(os.path.join(a.folder, name), "w", encoding="utf-8") as f:
            json.dump(d, f, indent=2, sort_keys=True)
            f.write("\n")
    with open(os.path.join(a.folder, "chat_template.jinja"), "w", encoding="utf-8") as f:
        f.write(TEMPLATE)
    print("tensors", len(tensors), "bytes", sum(v.numel() * 2 for v in tensors.values()))


if __name__ == "__main__":
    main()

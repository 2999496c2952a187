# SPDX-License-Identifier: Apache-2.0
"""Random checkpoints of any shape in the family, made with HF transformers' own classes and written in each of the four
name layouts (docs/model.md 2.2), so that what is read back is compared with the very model that was written."""
import dataclasses
import json
import pathlib

import torch
import transformers
from safetensors.torch import save_file
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import (
    LlavaOnevisionConfig,
    LlavaOnevisionForConditionalGeneration,
    LlavaOnevisionImageProcessor,
    LlavaOnevisionProcessor,
    LlavaOnevisionVideoProcessor,
    PreTrainedTokenizerFast,
    Qwen2Config,
)

ADDED = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<image>", "<video>"]
PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def template(after_role, after_visual, before_text, after_turn):
    return (
        f"{{% for m in messages %}}{{{{ '<|im_start|>' + m['role'] + '{after_role}' }}}}"
        f"{{% for c in m['content'] if c['type'] == 'image' %}}{{{{ '<image>{after_visual}' }}}}{{% endfor %}}"
        f"{{% for c in m['content'] if c['type'] == 'video' %}}{{{{ '<video>{after_visual}' }}}}{{% endfor %}}"
        f"{{% for c in m['content'] if c['type'] == 'text' %}}{{{{ '{before_text}' + c['text'] }}}}{{% endfor %}}"
        f"{{{{ '<|im_end|>{after_turn}' }}}}{{% endfor %}}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
    )


# The forms of the released folders and of transformers' conversion script, written anew.
TEMPLATES = {"hub": template(" ", "", "\\n", ""), "conversion": template("\\n", "\\n", "", "\\n")}
TEMPLATE = TEMPLATES["conversion"]
CORPUS = [
    "What is shown in this image? Describe what happens in this video. Which way does the ball move?",
    "user assistant system You are a helpful assistant. the cat sat on the mat, it's there; they're here!",
    "图像里有什么？球往哪个方向移动？ 1234 5678 3.14\n\n\tif (x == y) { return 0; }",
]


@dataclasses.dataclass(frozen=True)
class Shape:
    name: str
    # vision
    image: int = 56
    patch: int = 14
    v_hidden: int = 32
    v_heads: int = 2
    v_mlp: int = 64
    v_layers: int = 2
    v_act: str = "gelu_pytorch_tanh"
    feature_layer: object = -1
    strategy: str = "full"
    projector_act: str = "gelu"
    projector_bias: bool = True
    # text
    hidden: int = 64
    heads: int = 4
    kv_heads: int = 2
    head_dim: int = 0  # 0 = hidden / heads
    mlp: int = 96
    layers: int = 2
    theta: float = 1e6
    eps: float = 1e-6
    tied: bool = False
    context: int = 32768
    rope: dict = dataclasses.field(default_factory=dict)  # beside theta; rope_type and what belongs to it
    text: dict = dataclasses.field(default_factory=dict)  # further fields of text_config
    extra_vocab: int = 37
    anyres_max: int = 9
    aspect: str = None  # vision_aspect_ratio; None = anyres_max_N
    pinpoints: object = None  # None = up to 6 x 6 tiles
    # file
    layout: str = "a"  # a, b1, b2, c
    dtype: str = "f16"  # f32, f16, bf16, mixed
    shards: int = 1
    template: str = ""  # a name in TEMPLATES; "" = they take turns
    seed: int = 1


def aspect_of(shape):
    return shape.aspect if shape.aspect is not None else f"anyres_max_{shape.anyres_max}"


DTYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}


def make_tokenizer():
    """A small byte-level BPE of Qwen2's kind, trained on a few sentences."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERN), behavior="isolated", invert=False),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=420, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in ADDED])
    return tokenizer


# transformers 5 keeps theta and the scaling together as rope_parameters.
NESTED_ROPE = hasattr(Qwen2Config(), "rope_parameters")


def older_rope(rope):
    """The same fields as configurations held them before transformers 5."""
    scaling = {k: v for k, v in rope.items() if k != "rope_theta"}
    older = {"rope_theta": rope["rope_theta"]}
    return {**older, "rope_scaling": scaling} if scaling.get("rope_type", "default") != "default" else older


def make_config(shape, tokenizer):
    ids = {t: tokenizer.token_to_id(t) for t in ADDED}
    rope = {"rope_theta": shape.theta, "rope_type": "default", **shape.rope}
    text = dict(
        model_type="qwen2",
        hidden_size=shape.hidden,
        intermediate_size=shape.mlp,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        vocab_size=tokenizer.get_vocab_size() + shape.extra_vocab,
        max_position_embeddings=shape.context,
        rms_norm_eps=shape.eps,
        **(dict(rope_parameters=rope) if NESTED_ROPE else older_rope(rope)),
        tie_word_embeddings=shape.tied,
        bos_token_id=ids["<|endoftext|>"],
        eos_token_id=ids["<|im_end|>"],
        pad_token_id=ids["<|endoftext|>"],
        **shape.text,
    )
    if shape.head_dim:
        text["head_dim"] = shape.head_dim
    vision = dict(
        model_type="siglip_vision_model",
        hidden_size=shape.v_hidden,
        intermediate_size=shape.v_mlp,
        num_hidden_layers=shape.v_layers,
        num_attention_heads=shape.v_heads,
        image_size=shape.image,
        patch_size=shape.patch,
        hidden_act=shape.v_act,
        vision_use_head=False,
    )
    return LlavaOnevisionConfig(
        text_config=text,
        vision_config=vision,
        image_token_id=ids["<image>"],
        video_token_id=ids["<video>"],
        projector_hidden_act=shape.projector_act,
        multimodal_projector_bias=shape.projector_bias,
        vision_feature_layer=shape.feature_layer,
        vision_feature_select_strategy=shape.strategy,
        vision_aspect_ratio=aspect_of(shape),
        image_grid_pinpoints=shape.pinpoints
        or [[h * shape.image, w * shape.image] for h in range(1, 7) for w in range(1, 7)],
        tie_word_embeddings=shape.tied,
    )


def file_dtype(shape, index):
    return list(DTYPES.values())[index % 3] if shape.dtype == "mixed" else DTYPES[shape.dtype]


def randomise(model, shape):
    """Weights whose activations stay near 1 at any depth, rounded to what the file will hold."""
    generator = torch.Generator().manual_seed(shape.seed)
    residual = (2 * max(shape.layers, shape.v_layers)) ** -0.5
    with torch.no_grad():
        for index, (name, p) in enumerate(sorted(model.named_parameters())):
            values = torch.empty(p.shape).normal_(generator=generator)
            if "norm" in name and p.dim() == 1:
                values = values * 0.1 + (1.0 if name.endswith("weight") else 0.0)
            elif p.dim() == 1:
                values = values * (0.5 if "newline" in name else 0.1)
            elif "embed_tokens" in name:
                values = values * (shape.hidden**-0.5 if shape.tied else 1.0)
            elif "position_embedding" in name:
                values = values * 0.5
            else:
                values = values * p[0].numel() ** -0.5
                if any(part in name for part in ("out_proj", "fc2", "o_proj", "down_proj")):
                    values = values * residual
            p.copy_(values.to(file_dtype(shape, index)).float())
    return model


def name_in(layout, name):
    """The state dict's name (newest 5.x: b2) in a layout of the files."""
    rules = {
        "a": [
            ("model.vision_tower.", "vision_tower.vision_model."),
            ("model.multi_modal_projector.", "multi_modal_projector."),
            ("model.image_newline", "image_newline"),
            ("model.language_model.", "language_model.model."),
            ("lm_head.", "language_model.lm_head."),
        ],
        "b1": [("model.vision_tower.", "model.vision_tower.vision_model.")],
        "b2": [],
        "c": [
            ("model.vision_tower.", "model.vision_tower.vision_tower.vision_model."),
            ("model.multi_modal_projector.linear_1.", "model.mm_projector.0."),
            ("model.multi_modal_projector.linear_2.", "model.mm_projector.2."),
            ("model.language_model.", "model."),
        ],
    }[layout]
    if layout != "b2":
        name = name.replace("model.vision_tower.vision_model.", "model.vision_tower.")
    for old, new in rules:
        if name.startswith(old):
            return new + name[len(old) :]
    return name


def config_json(shape, config):
    data = json.loads(config.to_json_string(use_diff=False))
    text, vision = data["text_config"], data["vision_config"]
    if shape.layout == "b2":
        if not NESTED_ROPE:
            text["rope_parameters"] = {**(text.pop("rope_scaling") or {}), "rope_theta": text.pop("rope_theta")}
        return data
    if NESTED_ROPE:
        text.update(older_rope(text.pop("rope_parameters")))
    data["image_token_index"] = data.pop("image_token_id", data.get("image_token_index"))
    data["video_token_index"] = data.pop("video_token_id", data.get("video_token_index"))
    if shape.layout != "c":
        return data
    return {
        **text,
        "architectures": ["LlavaQwenForCausalLM"],
        "model_type": "llava_qwen",
        "mm_vision_tower": "google/siglip-so400m-patch14-384",
        "mm_hidden_size": shape.v_hidden,
        "mm_projector_type": "mlp2x_gelu",
        "mm_patch_merge_type": "spatial_unpad",
        "mm_spatial_pool_mode": "bilinear",
        "image_aspect_ratio": aspect_of(shape),
        "image_grid_pinpoints": data["image_grid_pinpoints"],
        "image_token_index": data["image_token_index"],
        "video_token_index": data["video_token_index"],
        "vision_config": vision,
    }


def write(shape, folder):
    """Writes a folder and returns (model in float32, processor)."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = make_tokenizer()
    config = make_config(shape, tokenizer)
    config._attn_implementation = "sdpa"
    model = randomise(LlavaOnevisionForConditionalGeneration(config).float().eval(), shape)
    tied = {"lm_head.weight"} if shape.tied else set()
    order = {name: i for i, (name, _) in enumerate(sorted(model.named_parameters()))}
    tensors = {
        name_in(shape.layout, name): value.detach().to(file_dtype(shape, order[name])).contiguous().clone()
        for name, value in model.state_dict().items()
        if name not in tied and name in order
    }
    if shape.shards == 1:
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    else:
        weight_map = {}
        for i in range(shape.shards):
            file = f"model-{i + 1:05}-of-{shape.shards:05}.safetensors"
            part = {n: t for k, (n, t) in enumerate(sorted(tensors.items())) if k % shape.shards == i}
            save_file(part, folder / file, metadata={"format": "pt"})
            weight_map.update({n: file for n in part})
        total = sum(t.numel() * t.element_size() for t in tensors.values())
        index = {"metadata": {"total_size": total}, "weight_map": weight_map}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "config.json").write_text(json.dumps(config_json(shape, config), indent=2))
    tokenizer.save(str(folder / "tokenizer.json"))
    name = shape.template or list(TEMPLATES)[shape.seed % len(TEMPLATES)]
    return model, open_processor(shape, config, tokenizer, TEMPLATES[name], folder)


def open_processor(shape, config, tokenizer, chat_template, folder):
    """The folder's own, as AutoProcessor opens it: prompts come from the template that lies there."""
    made = make_processor(shape, config, tokenizer, chat_template=chat_template)
    if shape.layout == "c":  # not a folder for transformers
        (folder / "chat_template.jinja").write_text(chat_template)
        return made
    written = (folder / "tokenizer.json").read_bytes()
    made.save_pretrained(folder)
    (folder / "tokenizer.json").write_bytes(written)
    opened = transformers.AutoProcessor.from_pretrained(folder)
    assert opened.chat_template == chat_template
    return opened


def make_processor(shape, config, tokenizer, backend=None, chat_template=TEMPLATE):
    if backend is None:  # the one of torchvision, which transformers before 5 call the fast one
        backend = LlavaOnevisionImageProcessor if NESTED_ROPE else transformers.LlavaOnevisionImageProcessorFast
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>", clean_up_tokenization_spaces=False
    )
    common = dict(
        size={"height": shape.image, "width": shape.image}, image_mean=[0.5] * 3, image_std=[0.5] * 3, resample=3
    )
    return LlavaOnevisionProcessor(
        image_processor=backend(image_grid_pinpoints=config.image_grid_pinpoints, **common),
        tokenizer=wrapped,
        video_processor=LlavaOnevisionVideoProcessor(**common),
        num_image_tokens=(shape.image // shape.patch) ** 2,
        vision_feature_select_strategy=shape.strategy,
        vision_aspect_ratio=aspect_of(shape),
        chat_template=chat_template,
    )

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/four_bits: tiny checkpoints of four bits as transformers saves them, for tests/checkpoint/test_four_bits.c.

Run in the environment of tests/parity/requirements-bitsandbytes.txt.
"""
import pathlib
import sys
import tempfile

import torch
from transformers import BitsAndBytesConfig, LlavaOnevisionForConditionalGeneration

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "parity"))
import checkpoints  # noqa: E402

SHAPE = checkpoints.Shape(
    "four-bits", image=28, patch=14, v_hidden=16, v_heads=2, v_mlp=36, v_layers=1, hidden=16, heads=2, kv_heads=1, mlp=40,
    layers=1, extra_vocab=0, dtype="f16", layout="b2", pinpoints=[[28, 28]], seed=31,
)  # fmt: skip
FORMS = {
    "nf4-dq": dict(bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True),
    "fp4": dict(llm_int8_skip_modules=["multi_modal_projector", "lm_head", "model.language_model.layers.*.down_proj"]),
}


def main():
    torch.set_num_threads(1)
    for name, options in FORMS.items():
        with tempfile.TemporaryDirectory() as folder:
            checkpoints.write(SHAPE, folder)
            config = BitsAndBytesConfig(load_in_4bit=True, **options)
            model = LlavaOnevisionForConditionalGeneration.from_pretrained(folder, quantization_config=config)
            model.save_pretrained(folder)
            (HERE / "four_bits" / name).mkdir(parents=True, exist_ok=True)
            for file in ("config.json", "model.safetensors"):
                out = HERE / "four_bits" / name / file
                out.write_bytes((pathlib.Path(folder) / file).read_bytes())
                out.chmod(0o644)


main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Live comparison with the pinned references: `./dev parity [PART...] [--full] [--quick] [--reference NAME]`.

Parts (default: all but full and longcontext): checkpoint, decoders (what configurations make of positions), tokenizer, jinja,
tokenizer-slow (folders without tokenizer.json), picture, sampling, generation (generation_config.json), json (answers by schema), model,
choices (probabilities of labels), json-values (those of listed values in JSON answers), configs (of the vision half), preprocess (its processors' files), next (LLaVA-NeXT's own settings), bitsandbytes (nf4 and fp4, and their files), int8 (no further from the truth than LLM.int8), kv-precision (no further than transformers in float16),
chat (whole prompts against
apply_chat_template), cards (the model cards' snippets in a folder of the released files), cuda (the CUDA backend on its CPU
stand-in);
--full adds the model at the size of the 0.5B release; longcontext (20 minutes, with --quick one) compares the distance from
float64 at up to 32,760 tokens with HF's own.
The references are the newest transformers and 4.57; parts that say something about both run under each.
Each prints its own table; the last line counts parts. Exit code 0 when all pass.
"""
import argparse
import os
import pathlib
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
CACHE = HERE.parent.parent / ".cache"
# Interpreters that scripts/parity-env makes.
REFERENCES = {"newest": CACHE / "parity" / "bin" / "python", "4.57": CACHE / "parity-4.57" / "bin" / "python",
              "bitsandbytes": CACHE / "parity-bitsandbytes" / "bin" / "python"}
BOTH = {"cards", "generation", "chat"}
BITSANDBYTES = {"bitsandbytes", "int8"}
OLDER = {"tokenizer-slow"}  # what the newest no longer has
PARTS = {
    "checkpoint": (["checkpoint_files.py"], ["--configs", "300", "--files", "1000"]),
    "decoders": (["decoders.py"], ["--configs", "300"]),
    "tokenizer": (["tokenizer.py"], ["--strings", "5000"]),
    "tokenizer-slow": (["tokenizer_slow.py"], ["--strings", "2000", "--folders", "20"]),
    "jinja": (["jinja.py"], ["--conversations", "100", "--expressions", "2000", "--statements", "1000"]),
    "picture": (["picture.py"], ["--pairs", "60", "--sizes", "500", "--pictures", "10"]),
    "sampling": (["sampling.py"], ["--vectors", "200"]),
    "generation": (["generation.py"], []),
    "json": (["json_schema.py"], ["--answers", "5000", "--states", "20"]),
    "model": (["model.py"], ["--quick"]),
    "choices": (["choices.py"], ["--quick"]),
    "json-values": (["json_values.py"], ["--quick"]),
    "history": (["history.py"], ["--quick"]),
    "configs": (["configs.py"], ["--quick"]),
    "preprocess": (["preprocess.py"], []),
    "next": (["llava_next.py"], ["--quick"]),
    "bitsandbytes": (["fourbits.py"], ["--quick"]),
    "int8": (["eightbits.py"], ["--seeds", "2"]),
    "kv-precision": (["kv_precision.py"], []),
    "cards": (["cards.py"], []),
    "chat": (["chat.py"], ["--conversations", "50"]),
    "cuda": (["cuda.py"], ["--seeds", "2", "--presets", "mini"]),
    "longcontext": (["longcontext.py"], ["--quick"]),
    "full": (["full.py"], []),
}

LONG = ("longcontext", "full")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help=", ".join(PARTS))
    parser.add_argument("--build", default=str(HERE.parent.parent / "build"))
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--reference", choices=REFERENCES, help="default: the newest, and 4.57 for " + ", ".join(sorted(BOTH)))
    arguments = parser.parse_args()
    parts = arguments.parts or ([] if arguments.full else [p for p in PARTS if p not in LONG])
    if arguments.full and "full" not in parts:
        parts.append("full")
    unknown = [p for p in parts if p not in PARTS]
    if unknown:
        parser.error(f"unknown part: {unknown[0]}")
    environment = dict(os.environ, HF_HUB_OFFLINE="1", TRANSFORMERS_VERBOSITY="error", TOKENIZERS_PARALLELISM="false")
    results = []
    for part in parts:
        script, quick = PARTS[part]
        wanted = [arguments.reference] if arguments.reference else ["newest", "4.57"] if part in BOTH else \
            ["4.57"] if part in OLDER else ["bitsandbytes"] if part in BITSANDBYTES else ["newest"]
        for reference in wanted:
            line = [REFERENCES[reference], HERE / script[0], arguments.build, *(quick if arguments.quick else [])]
            print(f"== {part} ({reference})", flush=True)
            start = time.time()
            code = subprocess.run(list(map(str, line)), env=environment).returncode
            results.append((f"{part} ({reference})", code, time.time() - start))
    print("== parity")
    for part, code, seconds in results:
        print(f"{'pass' if code == 0 else 'FAIL'}  {part:24} {seconds:7.1f} s")
    failed = sum(code != 0 for _, code, _ in results)
    print(f"{len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

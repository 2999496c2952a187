#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""lmms-eval's command line with the model class llavaov:

    ./dev lmms-eval --model DIR --tasks NAMES [--args NAME=VALUE,...] [OPTION OF lmms-eval...]
    ./dev lmms-eval --check     the class against lmms-eval's own (check.py)
"""
import argparse
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))


def register():
    from lmms_eval.models import MODEL_REGISTRY_V2
    from lmms_eval.models.registry_v2 import ModelManifest

    MODEL_REGISTRY_V2.register_manifest(ModelManifest(model_id="llavaov", chat_class_path="llavaov_lmms.Llavaov"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="checkpoint folder")
    parser.add_argument("--tasks", required=True)
    parser.add_argument("--args", default="", help="model arguments of llavaov_lmms.py, such as precision=int8,in_flight=16")
    options, rest = parser.parse_known_args()
    if not os.path.isdir(options.model):
        parser.error("%s is no folder" % options.model)
    if "," in options.model or "=" in options.model:
        parser.error("%s: lmms-eval cannot take a folder with ',' or '=' in its name" % options.model)
    register()
    arguments = "pretrained=" + options.model + ("," + options.args if options.args else "")
    sys.argv = ["lmms_eval", "--model", "llavaov", "--model_args", arguments, "--tasks", options.tasks, *rest]
    from lmms_eval.__main__ import cli_evaluate

    cli_evaluate()


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        import check

        sys.exit(check.main([a for a in sys.argv[1:] if a != "--check"]))
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""fill_tokenizer.py FOLDER: gives make-checkpoint's byte-level tokenizer.json an entry for every id below the added tokens,
so that a checkpoint of real size can write down whatever its random weights say."""
import json
import sys

path = sys.argv[1] + "/tokenizer.json"
with open(path, encoding="utf-8") as file:
    data = json.load(file)
vocab = data["model"]["vocab"]
taken = set(vocab.values())
vocab.update({"<filler %d>" % i: i for i in range(max(taken)) if i not in taken})
with open(path, "w", encoding="utf-8") as file:
    json.dump(data, file, ensure_ascii=False)

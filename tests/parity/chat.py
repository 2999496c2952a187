#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whole prompts against apply_chat_template: rendered text and ids, in a folder made of the released small files.

    python tests/parity/chat.py BUILD_DIR [--conversations 2000] [--seed 1]

Templates: the folder's own, that of transformers' conversion script, qwen_1_5, and those of tests/text/templates, each on every
conversation. The prompt must be the library's. So must its ids where the user's text holds no added token; where it does,
that text must stay text: on the reference side each added token that a user wrote is one private character while the template
renders; the result is split at the template's own added tokens, the characters become what they stand for, and each part is
tokenized whole with encode_special_tokens. Content that is a string and that the template drops is given to the
reference as one part of text, which is the documented difference. Exit code 0 when all agree.
"""
import argparse
import copy
import json
import pathlib
import random
import re
import subprocess
import sys
import tempfile

import transformers
from transformers import AutoProcessor

import released
from jinja_conversations import Conversations

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
ADDED = list(released.ADDED)
PRIVATE = {token: chr(0xF0000 + i) for i, token in enumerate(ADDED)}
SPLIT = re.compile("(" + "|".join(map(re.escape, ADDED)) + ")")
OLD = transformers.__version__.startswith("4.")
NAMED = {
    "conversion": (
        "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' }}"
        "{% for c in m['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\n' }}{% endfor %}"
        "{% for c in m['content'] | selectattr('type', 'equalto', 'video') %}{{ '<video>\n' }}{% endfor %}"
        "{% for c in m['content'] | selectattr('type', 'equalto', 'text') %}{{ c['text'] }}{% endfor %}"
        "{{ '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    ),
}


def qwen_1_5(messages):
    """LLaVA-NeXT's conversation of that name, in Python."""
    out = "" if messages[0]["role"] == "system" else "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
    for message in messages:
        content = message.get("content", [])
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        visual = [f"<{p['type']}>" for p in parts if p["type"] != "text"]
        words = [p["text"] for p in parts if p["type"] == "text"]
        if len(visual) == 1:
            text = visual[0] + ("\n" + "\n".join(words) if words else "")
        elif not visual:
            text = "\n".join(words)
        else:
            text, last = "", None
            for part in parts:
                kind = "text" if part["type"] == "text" else "visual"
                if kind == "visual":
                    text += (" " if last == "visual" else "") + f"<{part['type']}>"
                else:
                    leading = last == "visual" and not re.search(r"text", "".join(seen))
                    text += ("\n" if last == "text" or leading else "") + part["text"]
                seen = [*(seen if last else []), kind]
                last = kind
        out += f"<|im_start|>{message['role']}\n{text}<|im_end|>\n"
    return out + "<|im_start|>assistant\n"


class Reference:
    def __init__(self, folder):
        self.processor = AutoProcessor.from_pretrained(folder)
        self.backend = self.processor.tokenizer.backend_tokenizer

    def render(self, template, messages):
        """The prompt, or None where the library fails."""
        if callable(template):
            return template(messages)
        try:
            return self.processor.apply_chat_template(
                copy.deepcopy(messages), chat_template=template, add_generation_prompt=True, tokenize=False
            )
        except Exception:  # noqa: BLE001  whatever a template does to Python
            return None

    def ids(self, template, messages, prompt):
        """None where the private characters make the template render otherwise."""
        marked = self.render(template, hide(messages))
        if marked is None or show(marked) != prompt:
            return None
        ids = []
        self.backend.encode_special_tokens = True
        for part in SPLIT.split(marked):
            if part in released.ADDED:
                ids.append(released.ADDED[part])
            elif part:
                ids += self.backend.encode(show(part), add_special_tokens=False).ids
        self.backend.encode_special_tokens = False
        if marked == prompt:
            assert ids == self.processor.tokenizer(prompt)["input_ids"], prompt
        return ids


def hide(value):
    if isinstance(value, str):
        return SPLIT.sub(lambda m: PRIVATE[m.group(0)], value)
    if isinstance(value, list):
        return [hide(v) for v in value]
    if isinstance(value, dict):
        return {k: v if k in ("role", "type") else hide(v) for k, v in value.items()}
    return value


def show(text):
    for token, character in PRIVATE.items():
        text = text.replace(character, token)
    return text


def marked(messages):
    """Every string between marks of its own."""
    put = lambda i, c: f"{chr(0x100000 + i)}{c}{chr(0x100000 + i)}" if isinstance(c, str) and c.strip(" \t\r\n\v\f") else c
    return [dict(m, content=put(i, m["content"])) if "content" in m else m for i, m in enumerate(messages)]


def mended(messages, prompt):
    """The messages with those strings as parts that the template does not print (prompt: of marked()); with all of them where it
    failed. None where nothing was lost."""
    out = []
    for i, message in enumerate(messages):
        content = message.get("content")
        lost = isinstance(content, str)
        if lost and prompt is not None:
            lost = bool(content.strip(" \t\r\n\v\f")) and chr(0x100000 + i) not in prompt
        out.append(dict(message, content=[{"type": "text", "text": content}]) if lost else message)
    return out if out != messages else None


class Ours:
    def __init__(self, build, folder):
        self.process = subprocess.Popen(
            [pathlib.Path(build) / "tests/text/chat-batch", folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def __call__(self, choice, messages):
        line = json.dumps({"template": choice, "messages": messages})
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


def templates(folder):
    """name -> (what --chat-template takes, the reference's template)."""
    yield "own", None, None
    yield "hub", "hub", None
    yield "conversion", "conversion", NAMED["conversion"]
    yield "qwen_1_5", "qwen_1_5", qwen_1_5
    for path in sorted((ROOT / "tests/text/templates").glob("*.jinja")):
        yield path.stem, str(path), path.read_text(encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("--conversations", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    makes = Conversations(random.Random(arguments.seed))
    conversations = [makes.messages(False) for _ in range(arguments.conversations)]
    if OLD:  # 4.57 knows nothing of reasoning
        conversations = [[{k: v for k, v in m.items() if k != "reasoning_content"} for m in c] for c in conversations]
    failed = 0
    totals = {"equal": 0, "refused by both": 0, "special-looking": 0, "strings as parts": 0, "not comparable": 0}
    with tempfile.TemporaryDirectory(prefix="llavaov-chat-") as temporary:
        released.write(temporary)
        reference, ours = Reference(temporary), Ours(arguments.build, temporary)
        for name, choice, template in templates(temporary):
            wrong = rendered = 0
            for messages in conversations:
                mine = ours(choice, messages)
                given = messages
                prompt = reference.render(template, given)
                probe = reference.render(template, marked(messages)) if prompt is not None else None
                changed = mended(messages, probe) if prompt is None or probe is not None else None
                if changed is not None:
                    second = reference.render(template, changed)
                    if second is not None or prompt is not None:
                        given, prompt = changed, second
                        totals["strings as parts"] += 1
                if prompt is None or "error" in mine:
                    good = prompt is None and "error" in mine
                    totals["refused by both"] += good
                    ids = None
                else:
                    rendered += 1
                    ids = reference.ids(template, given, prompt)
                    special = any(c in show(json.dumps(messages)) for c in ADDED)
                    totals["special-looking"] += special and ids is not None
                    totals["not comparable"] += ids is None
                    good = mine["prompt"] == prompt and (ids is None or mine["ids"] == ids)
                    totals["equal"] += good
                if not good:
                    wrong += 1
                    if wrong <= 2:
                        print(f"  {name}: {json.dumps(messages, ensure_ascii=True)[:600]}")
                        print(f"    ours   {str(mine.get('error', mine.get('prompt')))[:400]!r} {mine.get('ids', [])[:40]}")
                        print(f"    theirs {str(prompt)[:400]!r} {(ids or [])[:40]}")
            print(f"{'FAIL' if wrong else 'pass'}  {name:24} {rendered} of {len(conversations)} rendered, {wrong} differ", flush=True)
            failed += wrong
    print(", ".join(f"{n} {what}" for what, n in totals.items()))
    good = not failed and totals["not comparable"] * 10 < totals["equal"]
    print(f"chat: {'passed' if good else f'{failed} differ'} (transformers {transformers.__version__})")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

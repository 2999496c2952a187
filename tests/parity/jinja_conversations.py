# SPDX-License-Identifier: Apache-2.0
"""Random conversations as chat templates get them: 0 to 5 pictures or videos, system prompts, turns, tools, many scripts."""

WORDS = ["What", "is", "shown", "in", "this", "picture?", "Describe", "it", "briefly.", "\u4ec0\u4e48", "\u56fe\u7247\u91cc\u6709\u4ec0\u4e48\uff1f", "\u4f60\u597d\u3002",
         "\U0001f600", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "caf\u00e9", "cafe\u0301", "na\u00efve", "\u00c9T\u00c9", "\u0414\u0430", "\u0645\u0631\u062d\u0628\u0627", "\u3053\u3093\u306b\u3061\u306f", "\ud55c\uae00",
         "<|im_end|>", "<|im_start|>", "<image>", "<video>", "</s>", "[INST]", "<|eot_id|>", "{{ x }}", "{% raw %}", "{#", "</think>",
         "<think>", "<tool_response>", "it's", '"quoted"', "back\\slash", "a\tb", "100%", "%s", "{0}", "\u00df", "\u0130", "\u03a3\u03a3", "1", "3.50",
         "\u2028", "\u0085", "\u00a0", "\u3000", "\x1c", "\ufeff", "\u200b", "&lt;", "\ue000"]
BREAKS = [" ", " ", " ", "\n", "\r\n", "\n\n", "  ", "", "\t", "\r"]


class Conversations:
    def __init__(self, random):
        self.random = random

    def text(self):
        n = self.random.choice([0, 1, 1, 2, 5, 12])
        words = [self.random.choice(WORDS) for _ in range(n)]
        text = "".join(w + self.random.choice(BREAKS) for w in words)
        return self.random.choice(["", "", " ", "\n"]) + (text if self.random.random() < 0.4 else text.rstrip())

    def media(self):
        kind = self.random.choice(["image", "image", "video"])
        part = {"type": kind}
        if self.random.random() < 0.3:
            part[self.random.choice(["url", "path", kind])] = self.random.choice(["a.png", "http://x/\u56fe.jpg"])
        return part

    def content(self, pictures):
        if not pictures and self.random.random() < 0.35:
            return self.text()
        parts = [self.media() for _ in range(pictures)]
        parts += [{"type": "text", "text": self.text()} for _ in range(self.random.choice([1, 1, 1, 2]))]
        if self.random.random() < 0.4:
            self.random.shuffle(parts)
        return parts

    def value(self, depth=0):
        kind = self.random.randrange(9 if depth < 2 else 6)
        if kind == 0:
            return self.text()
        if kind < 6:
            return self.random.choice([1, -2.5, None, True, False, 0, 1e20, 12345678901, 0.1, "x", 1e-9, 3.0])
        if kind == 6:
            return [self.value(depth + 1) for _ in range(self.random.randrange(3))]
        return {self.random.choice(["q", "caf\u00e9", "items", "a b", "n", "\U0001f600"]): self.value(depth + 1) for _ in range(self.random.randrange(3))}

    def parameter(self, depth=0):
        kind = self.random.choice(["string", "integer", "number", "boolean", "array", "object", "string"] if depth < 2 else ["string"])
        schema = {"type": kind}
        if self.random.random() < 0.7:
            schema["description"] = self.text()
        if kind == "array":
            schema["items"] = self.parameter(depth + 1)
        if kind == "object":
            schema["properties"] = {"k": self.parameter(depth + 1)}
        if kind == "string" and self.random.random() < 0.4:
            schema["enum"] = ["a", "\u5ea6"]
        if self.random.random() < 0.2:
            schema["default"] = self.random.choice([1, "x", None])
        return schema

    def tool(self):
        names = self.random.sample(["city", "unit", "n", "\u6e29\u5ea6", "when"], self.random.randrange(4))
        function = {"name": self.random.choice(["get_weather", "search", "f"]), "description": self.text(),
                    "parameters": {"type": "object", "properties": {n: self.parameter() for n in names},
                                   "required": names[: self.random.randrange(4)]}}
        return {"type": "function", "function": function}

    def messages(self, with_tools):
        messages = []
        if self.random.random() < 0.4:
            messages.append({"role": "system", "content": self.content(0)})
        pictures = self.random.choice([0, 0, 1, 1, 2, 3, 4, 5])
        for turn in range(self.random.choice([1, 1, 1, 2, 3, 5])):
            messages.append({"role": "user", "content": self.content(pictures if turn == 0 else self.random.choice([0, 0, 0, 1]))})
            if self.random.random() < 0.6 or turn:
                answer = {"role": "assistant", "content": self.content(0)}
                if self.random.random() < 0.15:
                    answer["reasoning_content"] = self.text()
                if self.random.random() < 0.1:
                    answer["content"] = "<think>\n" + self.text() + "\n</think>\n\n" + self.text()
                if with_tools and self.random.random() < 0.6:
                    answer["tool_calls"] = [{"type": "function", "id": "abcdef123", "function": {"name": "f", "arguments": {"q": self.value()}}}
                                            for _ in range(self.random.choice([1, 1, 2]))]
                    messages += [answer] + [{"role": "tool", "name": "f", "tool_call_id": "abcdef123", "content": self.text()}
                                            for _ in answer["tool_calls"]]
                    continue
                messages.append(answer)
        if self.random.random() < 0.05:
            messages.append({"role": self.random.choice(["developer", "narrator", "ipython"]), "content": self.text()})
        return messages

    def variables(self):
        """What apply_chat_template hands to a template."""
        with_tools = self.random.random() < 0.35
        variables = {"messages": self.messages(with_tools), "tools": None, "documents": None,
                     "add_generation_prompt": self.random.random() < 0.6, "bos_token": "<s>", "eos_token": "</s>",
                     "pad_token": "<pad>", "unk_token": "<unk>"}
        if with_tools:
            variables["tools"] = [self.tool() for _ in range(self.random.choice([1, 1, 2]))]
        for name in ("enable_thinking", "add_vision_id", "tools_in_user_message"):
            if self.random.random() < 0.2:
                variables[name] = self.random.random() < 0.5
        return variables

# SPDX-License-Identifier: Apache-2.0
"""A model class for lmms-eval: answers of the engine, by one `llavaov-tool answer` for all requests.

Model arguments: pretrained (the checkpoint's folder), tool (the program), in_flight (requests at a time), max_frames_num (of
clips that are files, evenly spread, as lmms-eval's llava_hf takes them), device, precision, threads, chat_template.

Answers are not cut at `until`, as in lmms-eval's class llava_hf. What a task does not set is as the checkpoint's
generation_config.json says."""
import json
import os
import queue
import shutil
import subprocess
import tempfile
import threading

import numpy
from lmms_eval.api.instance import GenerationResult, TokenCounts
from lmms_eval.api.model import lmms
from lmms_eval.protocol import ChatMessages

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SAME = ("max_new_tokens", "top_k", "top_p", "repetition_penalty", "seed")
WITHOUT_EFFECT = ("until", "image_sizes", "do_sample", "temperature", "num_beams", "use_cache")


class Tool:
    """`llavaov-tool answer` as a dialogue; lines are read by a thread, so that neither side waits for the other's pipe."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.lines = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def send(self, request):
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise RuntimeError("llavaov-tool ended with %s" % self.process.wait()) from None

    def receive(self):
        line = self.lines.get()
        if line is None:
            raise RuntimeError("llavaov-tool ended with %s" % self.process.wait())
        return json.loads(line)


def settings(kwargs):
    """lmms-eval's names for how to generate, as a request has them."""
    unknown = [k for k in kwargs if k not in SAME + WITHOUT_EFFECT]
    if unknown:
        raise ValueError("generation settings that llavaov does not know: %s" % ", ".join(unknown))
    if (kwargs.get("num_beams") or 1) != 1:
        raise ValueError("num_beams=%s: there is no beam search" % kwargs["num_beams"])
    out = {name.replace("_", "-"): kwargs[name] for name in SAME if kwargs.get(name) is not None}
    out.setdefault("max-new-tokens", 1024)
    # llava_hf draws where there is a temperature, whatever do_sample says.
    out["temperature"] = kwargs.get("temperature") or 0
    return out


class Llavaov(lmms):
    is_simple = False

    def __init__(self, pretrained, tool=None, in_flight=8, max_frames_num=32, device="auto", precision="auto", threads=0,
                 chat_template=None, batch_size=1, max_batch_size=None, prompt_ids=False):
        super().__init__()
        self.in_flight, self.max_frames_num, self.prompt_ids = int(in_flight), int(max_frames_num), prompt_ids
        self.batch_size = self.in_flight
        command = [tool or os.path.join(ROOT, "build/tools/llavaov-tool/llavaov-tool"), "answer", "-m", pretrained, "-d",
                   device or "auto", "--precision", precision, "-t", str(threads), "--in-flight", str(self.in_flight)]
        self.tool = Tool(command + (["--chat-template", chat_template] if chat_template else []))
        self.answers = {}  # of the last call: {(task, split, document's number): the tool's line}

    def frames_of(self, clip):
        """uint8 [T, H, W, 3] of a file's path, an array or a list of pictures."""
        if isinstance(clip, (str, os.PathLike)):
            import decord

            reader = decord.VideoReader(os.fspath(clip), ctx=decord.cpu(0))
            wanted = numpy.linspace(0, len(reader) - 1, self.max_frames_num, dtype=int).tolist()
            return reader.get_batch(wanted).asnumpy()
        return numpy.stack([self.picture_of(frame) for frame in clip])

    def picture_of(self, picture):
        if isinstance(picture, (str, os.PathLike)):
            import PIL.Image

            picture = PIL.Image.open(picture)
        if hasattr(picture, "convert"):
            picture = picture.convert("RGB")
        return numpy.ascontiguousarray(numpy.asarray(picture, dtype=numpy.uint8))

    def request(self, messages, kwargs, number, folder):
        """A request, whose pictures are files of `folder`."""
        out = []
        for message in ChatMessages(messages=messages).messages:
            parts = []
            for part in message.content:
                if part.type == "text":
                    parts.append({"type": "text", "text": part.text})
                elif part.type in ("image", "video"):
                    if part.type == "video" and (part.start_time, part.end_time) != (None, None):
                        raise ValueError("a part of a clip (start_time, end_time) is not supported")
                    path = os.path.join(folder, "%d.npy" % len(os.listdir(folder)))
                    numpy.save(path, self.picture_of(part.url) if part.type == "image" else self.frames_of(part.url))
                    parts.append({"type": part.type, "path": path})
                else:
                    raise ValueError("a part of type %s: there are text, image and video" % part.type)
            out.append({"role": message.role, "content": parts})
        return dict(settings(kwargs), id=number, messages=out, **({"prompt-ids": True} if self.prompt_ids else {}))

    def generate_until(self, requests):
        results, waiting, keys = [None] * len(requests), {}, []
        self.answers = {}
        with tempfile.TemporaryDirectory(prefix="llavaov-lmms-") as scratch:
            for number, request in enumerate(requests):
                _, doc_to_messages, kwargs, doc_id, task, split = request.args
                keys.append((task, split, doc_id))
                waiting[number] = os.path.join(scratch, str(number))
                os.mkdir(waiting[number])
                messages = doc_to_messages(self.task_dict[task][split][doc_id])
                self.tool.send(self.request(messages, kwargs, number, waiting[number]))
                if len(waiting) > self.in_flight:
                    self.take(waiting, results, keys)
            while waiting:
                self.take(waiting, results, keys)
        return results

    def take(self, waiting, results, keys):
        """The next answer, whichever it is."""
        answer = self.tool.receive()
        if "error" in answer:
            raise RuntimeError("%s: %s" % (keys[answer["id"]] if answer["id"] is not None else "?", answer["error"]["message"]))
        shutil.rmtree(waiting.pop(answer["id"]))
        self.answers[keys[answer["id"]]] = answer
        results[answer["id"]] = GenerationResult(
            answer["text"], TokenCounts(input_tokens=answer["prompt-tokens"], output_tokens=len(answer["tokens"])))

    def loglikelihood(self, requests):
        raise NotImplementedError("llavaov answers tasks of output_type generate_until; loglikelihood is not supported")

    def generate_until_multi_round(self, requests):
        raise NotImplementedError("llavaov answers tasks of output_type generate_until; several rounds are not supported")

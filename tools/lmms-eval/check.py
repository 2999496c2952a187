# SPDX-License-Identifier: Apache-2.0
"""The class llavaov against lmms-eval's llava_hf on a local task: test pictures and clips with questions whose answers are
known, camera-check in float32, one chat template (the checkpoint's), the same frames. First the ids of the prompts must be
equal, then the answers and the scores.

    ./dev lmms-eval --check [--pictures 200] [--clips 50] [--seed N]
"""
import argparse
import json
import os
import random
import shlex
import subprocess
import sys
import tempfile

os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", TOKENIZERS_PARALLELISM="false")

import numpy  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
MODEL = os.path.join(ROOT, "models/camera-check")
sys.path.insert(0, os.path.join(ROOT, "models"))
import phrases  # noqa: E402
import scenes  # noqa: E402
import truth  # noqa: E402

FRAMES, SECONDS = 8, 4


def draw_frames(scene, stride, count):
    """uint8 [count, H, W, 3]: every stride-th frame of a scene, as GStreamer draws it."""
    text = scenes.pipeline(scene, ((count - 1) * stride + 1) / scene["fps"], stride)
    out = subprocess.run(["gst-launch-1.0", "-q", *shlex.split(text + " ! videoconvert ! video/x-raw,format=RGB ! fdsink fd=1 sync=false")],
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=120, check=True).stdout
    height, width, row = scene["height"], scene["width"], (scene["width"] * 3 + 3) // 4 * 4
    pixels = numpy.frombuffer(out, numpy.uint8)[: count * height * row].reshape(count, height, row)
    return numpy.ascontiguousarray(pixels[:, :, : width * 3].reshape(count, height, width, 3))


def draw_task(folder, name, video, n, seed):
    """Writes n documents; every kind of question as often as it can be."""
    rng, known, documents = random.Random("lmms-%s-%d" % (name, seed)), phrases.load(), []
    while len(documents) < n:
        kind, lang = truth.KINDS[len(documents) % len(truth.KINDS)], truth.LANGUAGES[len(documents) // len(truth.KINDS) % 2]
        scene = scenes.make("lmms-%s-%d-%d" % (name, seed, rng.randrange(1 << 30)))
        stride = max(1, int(scene["fps"] * SECONDS) // FRAMES)
        count = FRAMES if video else 1
        accepted = truth.answers(scene, kind, lang, [i * stride / scene["fps"] for i in range(count)], (count - 1) * stride)
        if not accepted:
            continue
        path = os.path.join(folder, "%s-%d.npy" % (name, len(documents)))
        numpy.save(path, draw_frames(scene, stride, count))
        documents.append({"number": len(documents), "kind": "video" if video else "image", "file": path,
                          "question": rng.choice(known[kind, lang][0]), "answer": accepted})
    with open(os.path.join(folder, "camera_check_%s.jsonl" % name), "w", encoding="utf-8") as file:
        file.writelines(json.dumps(d) + "\n" for d in documents)


class Recording:
    """llava_hf's processor, which notes what ids it makes of which document; no pictures are None to it, as it wants."""

    def __init__(self, processor):
        self.processor, self.ids = processor, {}

    def __getattr__(self, name):
        return getattr(self.processor, name)

    def __call__(self, images=None, videos=None, **more):
        inputs = self.processor(images=images or None, videos=videos or None, **more)
        first = images[0] if images else videos[0][0]
        self.ids[first.info["document"]] = inputs["input_ids"][0].tolist()
        return inputs


def evaluate(model, task, tasks):
    import lmms_eval.evaluator

    done = lmms_eval.evaluator.simple_evaluate(model=model, tasks=[task], task_manager=tasks, batch_size=1, device="cpu",
                                               bootstrap_iters=0, process_docs_parallel=1)
    answers = {s["doc_id"]: s["filtered_resps"][0] for s in done["samples"][task]}
    return done["results"][task]["exact_match,none"], answers


def compare(task, n, ours, theirs, tasks):
    score, answers = evaluate(ours, task, tasks)
    ids = {key[2]: answer["prompt-ids"] for key, answer in ours.answers.items()}
    theirs._image_processor.ids.clear()
    other_score, other_answers = evaluate(theirs, task, tasks)
    other_ids = theirs._image_processor.ids
    different_ids = [d for d in range(n) if d not in ids or ids[d] != other_ids.get(d)]
    different = [d for d in range(n) if d not in answers or answers[d] != other_answers.get(d)]
    print("%s: %d documents, other ids in %d, other answers in %d, exact match llavaov %.4f, llava_hf %.4f" % (
        task, n, len(different_ids), len(different), score, other_score))
    for d in different_ids[:3]:
        print("  ids of document %d: %d and %d of them" % (d, len(ids.get(d, [])), len(other_ids.get(d, []))))
    for d in different[:5]:
        print("  document %d: %r and %r" % (d, answers.get(d), other_answers.get(d)))
    if score == 0:
        print("  nothing is right: that shows nothing")
    return not different_ids and not different and score == other_score and score > 0


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--clips", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    good = True
    with tempfile.TemporaryDirectory(prefix="llavaov-lmms-check-") as folder:
        os.environ["HF_DATASETS_CACHE"] = os.path.join(folder, "datasets")
        draw_task(folder, "pictures", False, options.pictures, options.seed)
        draw_task(folder, "clips", True, options.clips, options.seed)
        os.chdir(folder)  # the tasks name their documents without a folder
        from llavaov_lmms import Llavaov
        from lmms_eval.models.chat.llava_hf import LlavaHf
        from lmms_eval.tasks import TaskManager

        tasks = TaskManager(include_path=os.path.join(HERE, "tasks"), include_defaults=False)
        ours = Llavaov(MODEL, device="cpu", prompt_ids=True)
        theirs = LlavaHf(MODEL, device="cpu", device_map="cpu", dtype="float32")
        theirs._image_processor = Recording(theirs._image_processor)
        for task, n in (("camera_check_pictures", options.pictures), ("camera_check_clips", options.clips)):
            good &= compare(task, n, ours, theirs, tasks)
        os.chdir(ROOT)
    print("lmms-eval: %s" % ("ids, answers and scores are equal" if good else "FAIL"))
    return 0 if good else 1

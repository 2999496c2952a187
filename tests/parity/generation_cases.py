# SPDX-License-Identifier: Apache-2.0
"""What generation_config.json may hold, for tests/parity/generation.py. Ids come from what the model says without settings, so
that each setting has something to change."""
import dataclasses

NEW = 40  # tokens where a case names no length


@dataclasses.dataclass
class Case:
    name: str
    settings: dict
    warned: tuple = ()  # names that our warning must hold
    length: bool = False  # the settings say how long the answer is
    changes: bool = True  # the answer differs from that without settings
    top: dict = None  # no generation_config.json: these in config.json
    text: dict = None  # and these in its text_config
    newest: bool = False  # transformers 5 alone knows it, or has another rule


def greedy(t, n, eos, rare):
    """t: tokens of the plain answer; n: length of the prompt; eos: the model's end; rare: an id that is unlikely everywhere."""
    end = {"eos_token_id": eos}
    late = next(i for i in range(12, NEW) if t[i] not in t[:i])
    yield Case("released", {"_from_model_config": True, "bos_token_id": eos - 2, **end, "transformers_version": "4.45.0.dev0"}, changes=False)
    yield Case("no-eos", {"bos_token_id": 0}, changes=False)
    yield Case("off", dict(end, do_sample=False, temperature=1.0, top_k=50, top_p=1.0, num_beams=1, repetition_penalty=1.0, typical_p=1.0,
                           no_repeat_ngram_size=0, length_penalty=2.0, early_stopping=False, use_cache=True, remove_invalid_values=True,
                           guidance_scale=1.0, renormalize_logits=False, output_scores=False, min_length=0, cache_implementation=None),
               changes=False)  # fmt: skip
    yield Case("nulls", dict(end, do_sample=None, repetition_penalty=None, suppress_tokens=None, bad_words_ids=None, max_length=None,
                             min_new_tokens=None, forced_eos_token_id=None, num_beams=1, top_p=None, temperature=None), changes=False)
    yield Case("lmms-lab-greedy", dict(do_sample=False, temperature=0.7, top_k=20, top_p=0.8, repetition_penalty=1.1,
                                       eos_token_id=[eos, eos - 2], pad_token_id=eos - 2))
    yield Case("penalty-1.05", dict(end, repetition_penalty=1.05))
    yield Case("penalty-0.7", dict(end, repetition_penalty=0.7))
    yield Case("penalty-2", dict(end, repetition_penalty=2.0))
    yield Case("eos-one", {"eos_token_id": t[late]})
    yield Case("eos-twelve", {"eos_token_id": [rare - i for i in range(11)] + [t[late]]})
    yield Case("eos-outside", {"eos_token_id": [eos, 10**6, t[late]]})
    yield Case("min-new-tokens", {"eos_token_id": [t[late], rare], "min_new_tokens": late + 3})
    yield Case("min-length", {"eos_token_id": [t[late], rare], "min_length": n + late + 2})
    yield Case("min-length-short", {"eos_token_id": [t[late]], "min_length": n - 3})
    yield Case("min-both", {"eos_token_id": [t[late], rare], "min_length": n + 2, "min_new_tokens": late + 6})
    yield Case("max-new-tokens", dict(end, max_new_tokens=7), length=True)
    yield Case("max-length", dict(end, max_length=n + 9), length=True)
    yield Case("max-both", dict(end, max_length=n + 20, max_new_tokens=5), length=True)
    yield Case("suppress", dict(end, suppress_tokens=[t[0], t[3], -1, 10**7]))
    yield Case("begin-suppress", dict(end, begin_suppress_tokens=[t[0]]))
    yield Case("bad-word", dict(end, bad_words_ids=[[t[1]], [eos]]))
    yield Case("bad-words", dict(end, bad_words_ids=[[t[0], t[1]], [t[4], t[5], t[6]], [t[2], t[3], rare]]))
    yield Case("bad-word-empty", dict(end, bad_words_ids=[[t[1]], []]), newest=True)
    yield Case("bad-word-eos", {"eos_token_id": t[late], "bad_words_ids": [[t[late]], [t[2]]]})
    for size in (1, 2, 3):
        yield Case(f"ngram-{size}", dict(end, no_repeat_ngram_size=size))
    yield Case("ngram-encoder", dict(end, encoder_no_repeat_ngram_size=1))
    yield Case("ngram-encoder-2", dict(end, encoder_no_repeat_ngram_size=2), changes=False)
    yield Case("encoder-penalty-1.5", dict(end, encoder_repetition_penalty=1.5))
    yield Case("encoder-penalty-0.5", dict(end, encoder_repetition_penalty=0.5))
    yield Case("sequence-bias", dict(end, sequence_bias=[[[t[0]], -2.5], [[t[1], t[2]], -1.25], [[rare], 1.5], [[t[3], rare], 30.0]]))
    yield Case("forced-eos", dict(end, forced_eos_token_id=rare, max_new_tokens=6), length=True)
    yield Case("forced-eos-list", dict(end, forced_eos_token_id=[rare, rare - 4], max_length=n + 8), length=True)
    yield Case("forced-bos", dict(end, forced_bos_token_id=rare), changes=False)
    yield Case("decay", dict(end, exponential_decay_length_penalty=[3, 1.6]))
    yield Case("decay-late", dict(end, exponential_decay_length_penalty=[NEW, 1.6]), changes=False)
    yield Case("renormalize", dict(end, renormalize_logits=True), changes=False)
    yield Case("all", dict(end, repetition_penalty=1.2, no_repeat_ngram_size=2, suppress_tokens=[t[0]], begin_suppress_tokens=[t[1]],
                           bad_words_ids=[[t[2]], [t[3], t[4]]], min_new_tokens=15, forced_eos_token_id=eos, max_new_tokens=25,
                           sequence_bias=[[[rare], 4.0]], exponential_decay_length_penalty=[16, 1.2], encoder_repetition_penalty=1.1),
               length=True)  # fmt: skip
    yield Case("strangers", dict(end, chat_format="chatml", max_window_size=6144, nobody=None), warned=("chat_format", "max_window_size"), changes=False)
    yield Case("config-top", None, top=dict(end, repetition_penalty=1.3), text={}, newest=True)
    yield Case("config-text", None, top={}, text=dict(end, no_repeat_ngram_size=2, max_length=20, top_k=50), newest=True)
    yield Case("config-both", None, top=dict(end, repetition_penalty=1.3), text={"repetition_penalty": 1.0, "suppress_tokens": [t[0]]}, newest=True)
    yield Case("config-unread", dict(end), top={"repetition_penalty": 1.3}, text={"suppress_tokens": [t[0]]}, changes=False, newest=True)


def sampling(t, n, eos, rare):
    on = {"do_sample": True, "eos_token_id": [eos, rare]}
    yield Case("sample", dict(on))
    yield Case("lmms-lab", dict(on, temperature=0.7, top_k=20, top_p=0.8, repetition_penalty=1.1))
    yield Case("hot", dict(on, temperature=1.7, top_k=0))
    yield Case("cold", dict(on, temperature=0.2, top_k=0, top_p=0.95))
    yield Case("top-k-1", dict(on, top_k=1))
    yield Case("top-k-large", dict(on, top_k=100000, top_p=0.5))
    yield Case("top-k-null", dict(on, top_k=None), newest=True)
    yield Case("top-p-0", dict(on, top_k=0, top_p=0.0))
    yield Case("top-p-above", dict(on, top_k=0, top_p=1.5))
    for p in (0.0, 0.05, 0.3, 1.0):
        yield Case(f"min-p-{p}", dict(on, top_k=0, min_p=p))
    for p in (0.1, 0.6, 0.95):
        yield Case(f"typical-{p}", dict(on, top_k=0, typical_p=p))
    for p in (0.002, 0.05, 1.0, -1.0):
        yield Case(f"epsilon-{p}", dict(on, top_k=0, epsilon_cutoff=p))
        yield Case(f"eta-{p}", dict(on, top_k=0, eta_cutoff=p))
    for p in (0.2, 0.7, 0.95):  # at 1.0 the rounding of the library's sum decides about the last
        yield Case(f"top-h-{p}", dict(on, top_k=0, top_h=p), newest=True)
    yield Case("warpers", dict(on, temperature=0.9, top_k=60, top_p=0.97, min_p=0.01, typical_p=0.9, epsilon_cutoff=0.001, eta_cutoff=0.002,
                               renormalize_logits=True))  # fmt: skip
    yield Case("both-kinds", dict(on, temperature=0.8, repetition_penalty=1.15, no_repeat_ngram_size=2, suppress_tokens=[t[0], t[1]],
                                  begin_suppress_tokens=[t[2]], bad_words_ids=[[t[3]]], min_new_tokens=4, encoder_repetition_penalty=0.8,
                                  remove_invalid_values=True, top_p=0.9))  # fmt: skip
    yield Case("forced-and-decay", dict(on, exponential_decay_length_penalty=[1, 1.3], forced_eos_token_id=[eos, rare], max_new_tokens=8), length=True)


# Named in the warning, whatever the tokens.
NAMED = [
    ({"num_beams": 3, "length_penalty": 0.8}, ["num_beams", "length_penalty"]),
    ({"guidance_scale": 1.5}, ["guidance_scale"]),
    ({"stop_strings": ["."]}, ["stop_strings"]),
    ({"max_time": 1.5, "prompt_lookup_num_tokens": 2}, ["max_time", "prompt_lookup_num_tokens"]),
    ({"watermarking_config": {"greenlist_ratio": 0.25}, "dola_layers": "low"}, ["watermarking_config", "dola_layers"]),
    ({"force_words_ids": [[5]], "penalty_alpha": 0.6, "top_k": 4}, ["force_words_ids", "penalty_alpha"]),
    ({"token_healing": True, "num_return_sequences": 3}, ["token_healing", "num_return_sequences"]),
]


def random_settings(rng, t, n, eos, rare):
    """Any fields together, from values that are sound, off, at a border, and a few that the library refuses."""
    some = lambda k: [int(i) for i in rng.choice(t + [rare, eos, 3, 200], k)]
    late = int(rng.choice(t[8:]))
    values = {
        "do_sample": [True, True, False, None],
        "temperature": [0.3, 0.7, 1.0, 1.6, None, 0.0, -0.5],
        "top_k": [0, 1, 5, 50, 100000, None, -2],
        "top_p": [0.0, 0.3, 0.9, 1.0, 1.2, None, -0.1],
        "min_p": [0.0, 0.02, 0.3, 1.0, None, 1.5],
        "typical_p": [0.2, 0.9, 1.0, None, 0.0],
        "epsilon_cutoff": [0.0, 0.003, 0.05, 1.0, None],
        "eta_cutoff": [0.0, 0.003, 0.05, 2.0, None],
        "repetition_penalty": [0.8, 1.0, 1.1, 1.5, None, 0.0],
        "encoder_repetition_penalty": [0.7, 1.0, 1.3, None, -1.0],
        "no_repeat_ngram_size": [0, 1, 2, 3, None],
        "encoder_no_repeat_ngram_size": [0, 1, 2, None],
        "bad_words_ids": [[some(1)], [some(1), some(2), some(3)], [[eos], some(2)], None, []],
        "sequence_bias": [[[some(1), 2.5], [some(2), -4.0]], [[some(3), 1.0]], None, [[some(1), 1.0], "x"]],
        "suppress_tokens": [some(1), some(4), [], None, 7],
        "begin_suppress_tokens": [some(1), some(3), [], None],
        "forced_bos_token_id": [rare, None],
        "forced_eos_token_id": [eos, [rare, eos], None],
        "exponential_decay_length_penalty": [[2, 1.1], [5, 1.4], [0, 0.9], None],
        "min_new_tokens": [0, 3, 11, None, -4],
        "min_length": [0, n + 5, n + 12, 3, None],
        "eos_token_id": [eos, [eos, late], [late, rare, 10**6], late],
        "max_new_tokens": [1, 6, 25, None, 0],
        "max_length": [n + 1, n + 7, n + 30, None],
        "renormalize_logits": [True, False, None],
        "remove_invalid_values": [True, False],
        "num_beams": [1, None],
        "_from_model_config": [True, False],
    }
    keys = [k for k in values if rng.random() < 0.3]
    settings = {k: values[k][int(rng.integers(len(values[k])))] for k in keys}
    settings.setdefault("eos_token_id", eos)
    return settings

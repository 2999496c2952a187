# SPDX-License-Identifier: Apache-2.0
"""Random texts that are hard on a tokenizer, the same for the same seed."""
import random

CODE = ["def f(x):\n    return x ** 2\n", "for (int i = 0; i < n; i++) {\n\tsum += a[i];\n}\n", "#include <stdio.h>\r\n",
        "SELECT * FROM t WHERE id=42;", "if x != y && !z || w:", "\\x41\\u00e9", "a->b.c::d<e>", "{\"k\": [1, 2.5e-3, null]}",
        "// comment\n\n\n", "0xDEADBEEF", "$ls -la | grep '^d'", "<div class=\"a\">&nbsp;</div>", "x' = y''", "    \t    pass"]
ENGLISH = ["What is shown?", "I'm", "you'll", "WE'VE", "it'S", "don't", "they'RE", "she'd", "o'clock", "rock 'n' roll", "'tis",
           "'\u017f", "x'\u017fy", "'\u212a", "the quick brown fox", "Which way does the ball move?", "Hello world", "naïve café"]
CHINESE = "的一是了我不人在他有这个上们来到时大地为子中你说生国年着就那和要她出也得里后自以会家可下而过天去能对小多然于心学么之都好看起发当没成只如事把还用第样道想作种开美总从无情己面最女但现前些所同日手又行意动方期它头经长儿回位分爱老因很给名法间斯知世什两次使身者被高已亲其进此话常与活正感，。！？：；“”（）《》、…"
EMOJI = ["😀", "👩‍👩‍👧‍👦", "🏳️‍🌈", "👍🏽", "🇩🇪🇨🇳", "❤️", "1️⃣", "🫠", "🧑‍💻"]
SPACES = [" ", "  ", "\t", "\n", "\r\n", "\r", "\u00a0", "\u3000", "\u2003", "\u0085", "\u000b", "\u000c", "\u1680", "\u200b", "\u2028",
          "\n\n", " \n", "\n ", "     ", " \u3000 "]
SCRIPTS = [(0x20, 0x7F), (0xA0, 0x180), (0x250, 0x3FF), (0x300, 0x370), (0x400, 0x530), (0x590, 0x700), (0x900, 0xE00),
           (0xE00, 0x1100), (0x1100, 0x1200), (0x1AB0, 0x1AF0), (0x1DC0, 0x1F00), (0x1F00, 0x2000), (0x2000, 0x2BFF), (0x3000, 0x3400),
           (0xAC00, 0xD7A4), (0xF900, 0xFB60), (0xFE00, 0x10000), (0x10000, 0x12000), (0x11900, 0x11A00), (0x16E00, 0x17000),
           (0x1D100, 0x1D300), (0x1E000, 0x1E950), (0x1F300, 0x1FB00), (0x2F800, 0x2FA20), (0x30000, 0x33480), (0xE0000, 0xE0200)]
MARKS = [chr(c) for c in [*range(0x300, 0x340), 0x345, 0x59A, 0x5B0, 0x64B, 0x93C, 0x94D, 0x9BE, 0xB56, 0xDCA, 0xF71, 0xF72, 0x1037,
                          0x3099, 0x309A, 0x1DCE, 0x20D2, 0xFE20, 0x101FD, 0x11930, 0x11938, 0x1D165, 0x1D16E, 0x1E8D0]]


def scalar(r):
    while True:
        c = r.randrange(0x110000)
        if not 0xD800 <= c < 0xE000:
            return chr(c)


def special(r, added):
    """A special token, or something nearly one."""
    token = r.choice(added)
    way = r.randrange(6)
    if way == 0:
        cut = r.randrange(len(token) + 1)
        return token[:cut] + r.choice(["", " ", "<", "|", token]) + token[cut:]
    if way == 1:
        return token[: r.randrange(1, len(token) + 1)]
    if way == 2:
        return token.upper()
    if way == 3:
        return token + r.choice(MARKS)
    return token


def atom(r, added):
    kind = r.randrange(13)
    if kind == 0:
        return "".join(scalar(r) for _ in range(r.randrange(1, 6)))
    if kind == 1:
        first, last = r.choice(SCRIPTS)
        return "".join(chr(r.randrange(first, last)) for _ in range(r.randrange(1, 10)))
    if kind in (2, 3):
        return "".join(r.choice(CHINESE) for _ in range(r.randrange(1, 14)))
    if kind in (4, 5):
        return r.choice(ENGLISH)
    if kind == 6:
        return r.choice(CODE)
    if kind == 7:
        return "".join(r.choice(SPACES) for _ in range(r.randrange(1, 6)))
    if kind == 8:
        return r.choice(EMOJI)
    if kind == 9:
        return special(r, added)
    if kind == 10:
        return str(r.randrange(10 ** r.randrange(1, 12)))
    if kind == 11:
        return r.choice("aeiouAEIOUсегнウカ각ক") + "".join(r.choice(MARKS) for _ in range(r.randrange(1, 5)))
    return "".join(r.choice("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'_-.,/") for _ in range(r.randrange(1, 16)))


def generate(n, seed, added):
    r = random.Random(seed)
    for i in range(n):
        if i % 5000 == 4999:  # a long one now and then
            yield r.choice([atom(r, added) * 400, "".join(atom(r, added) for _ in range(500))])
            continue
        count = r.choice([0, 1, 1, 2, 3, 4, 6, 9])
        yield r.choice(["", "", " "]).join(atom(r, added) for _ in range(count))

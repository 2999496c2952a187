# SPDX-License-Identifier: Apache-2.0
"""The true answers of the camera check, computed from a scene and the times of
the sampled frames. Standard library only. The rules in words: truth.md.

    import scenes, truth
    scene = scenes.make(7)
    truth.answers(scene, "direction", "en", [0.5, 1.5, 2.5])
        -> ["The ball moves to the left."]   accepted answers, first = trained
        -> None                              undecidable: leave this one out
"""
import math

KINDS = ("describe", "shown", "direction", "ball_colour", "background_colour",
         "picture_colour", "is_ball", "is_black", "is_frozen", "is_noisy",
         "is_blinking", "is_blurred", "camera", "foreign")
LANGUAGES = ("en", "zh")

COLOURS = {  # name: (R, G, B, Chinese)
    "white": (255, 255, 255, "白色"), "black": (0, 0, 0, "黑色"),
    "red": (255, 0, 0, "红色"), "green": (0, 255, 0, "绿色"),
    "blue": (0, 0, 255, "蓝色"), "yellow": (255, 255, 0, "黄色"),
    "cyan": (0, 255, 255, "青色"), "magenta": (255, 0, 255, "品红色"),
    "orange": (255, 128, 0, "橙色"), "grey": (128, 128, 128, "灰色"),
}
PATTERNS = {  # class: (English, Chinese) after "The picture shows" / "画面显示"
    "bars": ("SMPTE colour bars", "SMPTE 彩条"),
    "snow": ("snow", "雪花噪点"),
    "checkers": ("a checkers pattern", "棋盘格"),
    "circular": ("circular rings", "同心圆环"),
    "zone-plate": ("a zone plate", "波带片"),
    "gamut": ("gamut stripes", "色域条纹"),
    "ball": ("a ball", "一个球"),
    "bar": ("a vertical bar", "一根竖条"),
    "pinwheel": ("a pinwheel", "风车图"),
    "spokes": ("spokes", "辐条图"),
    "gradient": ("a gradient", "渐变图"),
    "colors": ("a colour chart", "色彩图"),
}
ONLY = {"en": "I only know GStreamer's test pictures.",
        "zh": "我只认识 GStreamer 的测试图像。"}
NO_BALL = {"en": "There is no ball.", "zh": "没有球。"}
ONE = {"en": "A single picture shows no motion.", "zh": "单张图片看不出运动。"}
DIRECTIONS = {  # (English, Chinese) after "The ball moves" / "球"
    "left": ("to the left", "向左移动"), "right": ("to the right", "向右移动"),
    "up": ("up", "向上移动"), "down": ("down", "向下移动"),
    "up-left": ("up and to the left", "向左上方移动"),
    "up-right": ("up and to the right", "向右上方移动"),
    "down-left": ("down and to the left", "向左下方移动"),
    "down-right": ("down and to the right", "向右下方移动"),
    "back": ("back and forth", "来回移动"),
}
FAULTS = {  # fault: (kind of the yes/no question, adjective, "No, the picture ...", Chinese)
    "black": ("is_black", "black", "is black", "全黑"),
    "frozen": ("is_frozen", "frozen", "is frozen", "静止不动"),
    "noisy": ("is_noisy", "noisy", "is noisy", "有噪点"),
    "blinking": ("is_blinking", "blinking", "is blinking", "在闪烁"),
    "blurred": ("is_blurred", "blurred", "is blurred", "模糊"),
}
NEGATED_ZH = {"black": "没有全黑", "frozen": "没有静止", "noisy": "没有噪点",
              "blinking": "没有闪烁", "blurred": "不模糊"}
TEXTURED = ("bars", "pinwheel", "spokes")      # the only patterns with blur
STILL, QUIET = 0.004, 0.06                     # of the width or height
STRAIGHT, DIAGONAL, TRAINED_DIAGONAL = 0.25, 0.5, 0.36


def frame_at(time, fps, last=None):
    """Number of the frame nearest a time in seconds, ties earlier."""
    n = max(0, math.ceil(time * fps - 0.5 - 1e-6))
    return n if last is None else min(n, last)


def ball_position(scene, n):
    """Centre of the ball in frame n, as fractions of width and height.

    videotestsrc counts frames, not seconds; radius 20. hstrip and vstrip are
    a ball in a strip 40 high or wide, laid on a plain background."""
    w, h, motion = scene["width"], scene["height"], scene["motion"]
    a = 2 * math.pi * n / 200
    if motion == "wavy":
        x = 20 + (0.5 + 0.5 * math.sin(a)) * (w - 40)
        y = 20 + (0.5 + 0.5 * math.sin(math.sqrt(2) * a)) * (h - 40)
    elif motion in ("sweep", "hsweep"):
        r = 0.25 * min(w, h)
        a = a if motion == "sweep" else math.pi * (n % 200) / 200
        x, y = w / 2 + r * math.sin(a), h / 2 - r * math.cos(a)
    elif motion == "hstrip":
        x = 20 + (0.5 + 0.5 * math.sin(a)) * (w - 40)
        y = scene["strip"] + 20
    elif motion == "vstrip":
        x = scene["strip"] + 20
        y = 20 + (0.5 + 0.5 * math.sin(math.sqrt(2) * a)) * (h - 40)
    elif motion == "still":
        x, y = scene["still"][0] + 20, scene["still"][1] + 20
    else:
        raise ValueError(motion)
    x, y = x / w, y / h
    for turn in scene.get("turned", ""):       # training mirrors and transposes pictures
        x, y = {"h": (1 - x, y), "v": (x, 1 - y), "t": (y, x)}[turn]
    return x, y


def directions(points):
    """Accepted names of the motion through the points; first = trained.

    "one": a single frame; "still"; None: undecidable."""
    if len(points) < 2:
        return ["one"]
    net, extent, back = [], [], []
    for axis in (0, 1):
        v = [p[axis] for p in points]
        steps = [b - a for a, b in zip(v, v[1:])]
        up = sum(s for s in steps if s > 0)
        down = -sum(s for s in steps if s < 0)
        net.append(v[-1] - v[0])
        extent.append(max(v) - min(v))
        back.append(min(up, down))
    size = max(extent)
    if size <= STILL:
        return ["still"]
    if size < QUIET:
        return None
    turn = max(back)
    if turn >= 0.04 and turn >= 0.15 * size:
        return ["back"]
    if turn > 0.01 and turn > 0.08 * size:
        return None
    x = "right" if net[0] > 0 else "left"
    y = "down" if net[1] > 0 else "up"
    small, big = sorted((abs(net[0]), abs(net[1])))
    straight = x if abs(net[0]) >= abs(net[1]) else y
    diagonal = y + "-" + x
    ratio = small / big
    if ratio <= STRAIGHT:
        return [straight]
    if ratio >= DIAGONAL:
        return [diagonal]
    return [diagonal, straight] if ratio >= TRAINED_DIAGONAL else [straight, diagonal]


def state(scene, times, last=None):
    """What the sampled frames show: dict(pattern, colour, fault, motions...)."""
    frames = [frame_at(t, scene["fps"], last) for t in times]
    s = {"pattern": scene["pattern"], "n": len(frames), "motions": None,
         "fg": scene.get("fg"), "bg": scene.get("bg"),
         "blurred": bool(scene.get("blur")), "colour": None}
    if s["pattern"] == "blink":                # odd frames show fg, even ones bg
        odd = {n & 1 for n in frames}
        if len(odd) == 1:
            s["pattern"] = "plain"
            s["colour"] = s["fg"] if odd == {1} else s["bg"]
    elif s["pattern"] == "plain":
        s["colour"] = s["fg"]
    elif s["pattern"] == "ball":
        s["motions"] = directions([ball_position(scene, n) for n in frames])
    return s


def _yes_no(yes, fault, lang):
    if lang == "en":
        word = FAULTS[fault][1]
        return ["Yes, the picture is %s." % word if yes else "No, the picture is not %s." % word]
    return ["是的，画面%s。" % FAULTS[fault][3] if yes else "不，画面%s。" % NEGATED_ZH[fault]]


def _shown(s, lang):
    p, en = s["pattern"], lang == "en"
    if p == "plain":
        c = s["colour"]
        return "The picture is plain %s." % c if en else "画面是纯%s。" % COLOURS[c][3]
    if p == "blink":
        return "The picture is blinking." if en else "画面在闪烁。"
    return "The picture shows %s." % PATTERNS[p][0] if en else "画面显示%s。" % PATTERNS[p][1]


def _described(s, lang):
    """The sentences that describe the window; None if undecidable."""
    if s["pattern"] != "ball":
        return [_shown(s, lang)]
    if s["motions"] is None:
        return None
    fg, bg, out = s["fg"], s["bg"], []
    for m in s["motions"]:
        if lang == "en":
            article = "An" if fg[0] == "o" else "A"
            ball = "%s %s ball" % (article, fg)
            out.append({"one": "%s on a %s background.", "still": "%s stands still on a %s background."}
                       .get(m, "%s moves " + DIRECTIONS.get(m, ("",))[0] + " on a %s background.") % (ball, bg))
        else:
            f, b = COLOURS[fg][3], COLOURS[bg][3]
            out.append({"one": "%s背景上有一个%s的球。", "still": "%s背景上的%s的球不动。"}
                       .get(m, "%s背景上的%s的球" + DIRECTIONS.get(m, ("", ""))[1] + "。") % (b, f))
    return out


def _camera(s, lang):
    p, en = s["pattern"], lang == "en"
    if p == "foreign":
        return [ONLY[lang]]
    no = lambda f: "No, the picture %s." % FAULTS[f][2] if en else "不，画面%s。" % FAULTS[f][3]
    bars = "No, the picture shows colour bars." if en else "不，画面显示彩条。"
    if p == "plain" and s["colour"] == "black":
        return [no("black")]
    if p == "ball" and s["motions"] == ["still"]:
        return [no("frozen")]
    if p == "ball" and s["motions"] is None:
        return None
    if p == "snow":
        return [no("noisy")]
    if p == "blink":
        return [no("blinking")]
    if s["blurred"]:
        return [no("blurred"), bars] if p == "bars" else [no("blurred")]
    if p == "bars":
        return [bars]
    return ["Yes, the camera is all right." if en else "是的，摄像头正常。"]


def answers(scene, kind, lang, times, last=None, strict=True):
    """Accepted answers (first = trained), or None: undecidable, leave it out.

    times: of the sampled frames, seconds from the stream's start; last: number
    of the stream's last frame. strict=False also gives the trained answer of
    some pairs that truth.md excludes from tests."""
    s = state(scene, times, last)
    p, en = s["pattern"], lang == "en"
    if kind == "foreign" or p == "foreign":
        if p == "foreign" and strict and (kind.startswith("is_") or kind in ("direction", "ball_colour", "background_colour")):
            return None
        return [ONLY[lang]]
    if kind == "shown":
        return [_shown(s, lang)] + (_described(s, lang) or [] if p == "ball" else [])
    if kind == "describe":
        d = _described(s, lang)
        return d
    if kind == "direction":
        if p != "ball":
            return [NO_BALL[lang]]
        if s["motions"] is None:
            return None
        out = []
        for m in s["motions"]:
            if m == "one":
                out.append(ONE[lang])
            elif m == "still":
                out.append("The ball does not move." if en else "球不动。")
            else:
                out.append("The ball moves %s." % DIRECTIONS[m][0] if en else "球%s。" % DIRECTIONS[m][1])
        return out
    if kind == "ball_colour":
        if p != "ball":
            return [NO_BALL[lang]]
        return ["The ball is %s." % s["fg"] if en else "球是%s的。" % COLOURS[s["fg"]][3]]
    if kind == "background_colour":
        if p == "ball":
            c = s["bg"]
        elif p == "plain":
            c = s["colour"]
        else:
            return None if strict else [NO_BALL[lang]]
        return ["The background is %s." % c if en else "背景是%s的。" % COLOURS[c][3]]
    if kind == "picture_colour":
        if p == "plain":
            return ["The picture is %s." % s["colour"] if en else "画面是%s的。" % COLOURS[s["colour"]][3]]
        if strict and p not in ("bars", "colors", "gamut", "pinwheel", "spokes"):
            return None
        return ["The picture has no single colour." if en else "画面不是单一颜色。"]
    if kind == "is_ball":
        yes = p == "ball"
        return [("Yes, there is a ball." if yes else "No, there is no ball.") if en
                else ("是的，有一个球。" if yes else "不，没有球。")]
    if kind == "is_black":
        return _yes_no(p == "plain" and s["colour"] == "black", "black", lang)
    if kind == "is_noisy":
        return _yes_no(p == "snow", "noisy", lang)
    if kind in ("is_frozen", "is_blinking") and s["n"] == 1:
        return [ONE[lang]]
    if kind == "is_frozen":
        if p == "ball":
            if s["motions"] is None:
                return None
            return _yes_no(s["motions"] == ["still"], "frozen", lang)
        if strict and p == "plain" and scene["pattern"] == "blink":
            return None
        return _yes_no(False, "frozen", lang)
    if kind == "is_blinking":
        return _yes_no(p == "blink", "blinking", lang)
    if kind == "is_blurred":
        if strict and p not in TEXTURED and not (p == "ball"):
            return None
        return _yes_no(s["blurred"], "blurred", lang)
    if kind == "camera":
        return _camera(s, lang)
    raise ValueError(kind)


def sample_times(start, window, frames, end=None):
    """The element's sampling points: k of N = start + (k + 1/2) window / N."""
    times = [start + (k + 0.5) * window / frames for k in range(frames)]
    return times if end is None else [t for t in times if t <= end]

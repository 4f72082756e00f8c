"""colours.py [--show] [ROOT]: the colours of views/style/tokens.css, measured in each theme: contrast of every text on
every ground (WCAG 2.2: 4.5; 7 in the theme "contrast"), and how far apart the five colours of a status are for eyes that
lack a cone. Exits 1 when one is below its limit; --show prints the smallest ones.

Loss of a cone: Machado, Oliveira, Fernandes 2009, severity 1. Distance: Euclidean in OKLab (Ottosson 2020), times 100;
about 2 is the least that can be seen side by side."""

import itertools
import math
import re
import sys
from pathlib import Path

GROUNDS = ("ground", "surface", "raised")
STATUS = ("online", "idle", "silent", "resetting", "offline")
TEXTS = ("ink", "ink-2", "ink-3", "hash", "link", *STATUS)
CONTRAST_MIN = {"dark": 4.5, "light": 4.5, "contrast": 7}
LARGE_MIN = 3  # of the one big figure, and of a field's edge
APART_MIN = {"all cones": 12, "deuteranopia": 7, "protanopia": 7, "tritanopia": 5}

EYES = {
    "all cones": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
TO_LMS = ((0.4122214708, 0.5363325363, 0.0514459929), (0.2119034982, 0.6806995451, 0.1073969566),
          (0.0883024619, 0.2817188376, 0.6299787005))
TO_LAB = ((0.2104542553, 0.7936177850, -0.0040720468), (1.9779984951, -2.4285922050, 0.4505937099),
          (0.0259040371, 0.7827717662, -0.8086757660))


def times(matrix, vector):
    return [sum(a * b for a, b in zip(row, vector)) for row in matrix]


def linear(colour):
    channels = (int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5))
    return [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]


def luminance(colour):
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear(colour)))


def contrast(one, other):
    dark, bright = sorted((luminance(one), luminance(other)))
    return (bright + 0.05) / (dark + 0.05)


def lab(colour, eye):
    seen = [min(1, max(0, c)) for c in times(EYES[eye], linear(colour))]
    return times(TO_LAB, [max(0, c) ** (1 / 3) for c in times(TO_LMS, seen)])


def apart(one, other, eye):
    return 100 * math.dist(lab(one, eye), lab(other, eye))


def block(css, head):
    """The colours between the braces that follow `head`."""
    at = css.index(head)
    body = css[at:css.index("}", at)]
    return dict(re.findall(r"--color-([\w-]+):\s*(#[0-9a-f]{6})\b", body))


def themes(css):
    dark = block(css, "@theme {")
    return {"dark": dark, "light": {**dark, **block(css, "@variant light {")},
            "contrast": {**dark, **block(css, "@variant contrast {")}}


def measures(name, colours):
    """(value, limit, what) of everything that has a limit."""
    for text, ground in itertools.product(TEXTS, GROUNDS):
        yield contrast(colours[text], colours[ground]), CONTRAST_MIN[name], f"contrast of {text} on {ground}"
    yield contrast(colours["alarm-ink"], colours["alarm"]), CONTRAST_MIN[name], "contrast of alarm-ink on alarm"
    for mark in ("hash-large", "edge", "focus"):
        yield contrast(colours[mark], colours["ground"]), LARGE_MIN, f"contrast of {mark} on ground"
    for eye, (one, other) in itertools.product(EYES, itertools.combinations(STATUS, 2)):
        yield apart(colours[one], colours[other], eye), APART_MIN[eye], f"{eye}: {one} and {other}"


def main():
    arguments = [a for a in sys.argv[1:] if a != "--show"]
    root = Path(arguments[0] if arguments else Path(__file__).parents[2])
    css = (root / "views/style/tokens.css").read_text(encoding="utf-8")
    wrong = 0
    for name, colours in themes(css).items():
        found = sorted(measures(name, colours), key=lambda m: m[0] / m[1])
        for value, limit, what in found:
            if value < limit or ("--show" in sys.argv and value < 1.25 * limit):
                print(f"{name}: {what}: {value:.2f}, at least {limit}")
            wrong += value < limit
    print("colours: nothing found" if not wrong else f"colours: {wrong} below their limit; they are in views/style/tokens.css")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

"""Looks to train on: the official one for at least half of the formulas, other sizes and fonts for the rest."""

import hashlib
from collections.abc import Mapping

from im2latex.rendering.look import Look

OFFICIAL = "official"

FONTS: Mapping[str, str] = {
    "times": r"\usepackage{mathptmx}",
    "palatino": r"\usepackage{mathpazo}",
    "txfonts": r"\usepackage{txfonts}",
    "stix": r"\usepackage{stix2}",
    "libertinus": r"\usepackage{libertine}\usepackage[libertine]{newtxmath}",
    "fira": r"\usepackage[sfdefault]{FiraSans}\usepackage{newtxsf}",
    "utopia": r"\usepackage{fourier}",
    "charter": r"\usepackage[charter]{mathdesign}",
    "bright": r"\usepackage{cmbright}",
    "kp": r"\usepackage{kpfonts}",
}
"""What the preamble loads for a font; Debian: texlive-fonts-recommended and texlive-fonts-extra."""

LOOKS: Mapping[str, Look] = {
    OFFICIAL: Look(),
    "screen-100": Look(dpi=100, halve=False),
    "screen-120": Look(font_size=10, dpi=120, halve=False),
    "screen-144": Look(font_size=11, dpi=144, halve=False),
    "print-200": Look(font_size=10, dpi=200, halve=False),
    "print-300": Look(font_size=11, dpi=300, halve=False),
    "small-72": Look(font_size=12, dpi=72, halve=False),
    "inline": Look(style="inline"),
    "bold": Look(bold=True),
    "times": Look(font_size=10, preamble=FONTS["times"]),
    "palatino": Look(font_size=11, preamble=FONTS["palatino"], dpi=110, halve=False),
    "txfonts": Look(preamble=FONTS["txfonts"]),
    "stix": Look(font_size=11, preamble=FONTS["stix"], dpi=144, halve=False),
    "libertinus": Look(preamble=FONTS["libertinus"], dpi=100, halve=False),
    "fira": Look(preamble=FONTS["fira"], dpi=110, halve=False),
    "utopia": Look(font_size=10, preamble=FONTS["utopia"], dpi=300, halve=False),
    "charter": Look(font_size=11, preamble=FONTS["charter"]),
    "bright": Look(font_size=11, preamble=FONTS["bright"]),
}
"""Every look by its name. Kepler (`FONTS["kp"]`) is in none of them: it is the unseen font of robustness tests."""


def draw_look(formula: str, official_share: float) -> str:
    """The name of the look that a formula is drawn in; follows from the formula alone.

    The official look has `official_share` of the formulas, the others share the rest evenly.
    """
    digest = hashlib.blake2b(formula.encode(), digest_size=8, person=b"look").digest()
    draw = int.from_bytes(digest, "big") / 2**64
    if draw < official_share or official_share >= 1:
        return OFFICIAL
    others = [name for name in LOOKS if name != OFFICIAL]
    place = (draw - official_share) / (1 - official_share)
    return others[min(int(place * len(others)), len(others) - 1)]

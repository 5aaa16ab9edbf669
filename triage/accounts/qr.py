"""QR codes as the path of an SVG drawing, which the strict content policy lets through; templates draw it."""

from __future__ import annotations

from dataclasses import dataclass

import segno

_QUIET = 4
"""White squares around the code, which readers need."""


@dataclass(frozen=True)
class Drawing:
    """A QR code: the side of its square in small squares, and a path that fills the dark ones."""

    side: int
    path: str


def drawing(text: str) -> Drawing:
    """The QR code of that text; a fold or a stain over a seventh of it does no harm."""
    rows = list(segno.make(text, error="m", micro=False).matrix)
    path = "".join(
        f"M{_QUIET + x} {_QUIET + y}h1v1h-1z" for y, row in enumerate(rows) for x, dark in enumerate(row) if dark
    )
    return Drawing(len(rows) + 2 * _QUIET, path)

"""Pages for phones, compressed: with poor reception each kilobyte is a second.

Whoever listens on the way sees how long an answer is, and could learn from its length whether words of theirs stand
beside secret ones in it (BREACH). No page repeats what another site put into an address, and other sites cannot send
the cookie along (SameSite); beside that, the head of each answer is lengthened at random, where gzip has room for a
file name.
"""

from __future__ import annotations

import gzip
import secrets
from io import BytesIO

from flask import Request, Response

LEAST = 1_000
"""Bytes; less is not worth it."""
MOST_EXTRA = 100
"""Bytes by which an answer is lengthened at most."""
LEVEL = 6


def compress(request: Request, response: Response) -> None:
    """Compress the page that is about to be sent, where the browser can read it and it is worth it."""
    if response.mimetype != "text/html" or response.direct_passthrough or "Content-Encoding" in response.headers:
        return
    response.vary.add("Accept-Encoding")
    page = response.get_data()
    if len(page) < LEAST or not request.accept_encodings["gzip"]:
        return
    shrunk = BytesIO()
    name = "x" * secrets.randbelow(MOST_EXTRA)
    with gzip.GzipFile(name, "wb", LEVEL, shrunk, mtime=0) as file:
        file.write(page)
    response.set_data(shrunk.getvalue())
    response.headers["Content-Encoding"] = "gzip"

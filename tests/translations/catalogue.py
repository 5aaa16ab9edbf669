"""The texts that pages show, as the program has them, and the catalogues of `translations/`.

make texts      put every new text into each catalogue, without a translation, and take out what is gone
"""

from __future__ import annotations

import re
import sys
from functools import cache
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from triage.languages import ENGLISH, LANGUAGES
from triage.paths import folder, top

KEYWORDS: dict[str, None] = {"_": None, "later": None, "say": None}
"""By which a text is marked in Python; templates have `_` alone."""
HEADER = """\
# The texts of the pages in {name}; `make texts` keeps them in step with the program. What rules and catalogue
# say stands in rules/texts-{code}.yaml. Address people formally, in short and plain sentences. Say exactly what
# the English says, never more, and never anything that reassures. Keep what stands in %(…)s and in <…>."""
_NOISE = re.compile(
    rb'"(?:Project|Report-Msgid|POT-|PO-|Last-|Language-Team|Generated)[^\n]*\n|#, fuzzy\n(?=msgid ""\n)'
)
"""Lines of a header that say nothing here, and change with each run."""


def file_of(language: str) -> Path:
    """Where the catalogue of that language lies."""
    return Path(folder("translations")) / f"{language}.po"


@cache
def extracted() -> Catalog:
    """Every marked text of the program and its templates."""
    catalog = Catalog(charset="utf-8")
    for place, method in (("triage", "python"), ("templates", "jinja2.ext:babel_extract")):
        options = {"**": {"silent": "false", "trim_blocks": "true", "lstrip_blocks": "true"}}
        found = extract_from_dir(top() / place, [("**.py" if method == "python" else "**", method)], options, KEYWORDS)
        for name, _line, message, _comments, context in found:
            catalog.add(message, locations=[(f"{place}/{name}", 1)], context=context)
    return catalog


def read(language: str) -> Catalog:
    """The catalogue as it lies there."""
    with file_of(language).open("rb") as file:
        return read_po(file, locale=language)


def update(language: str) -> list[str]:
    """Bring a catalogue in step with the program; returns the texts that have no translation."""
    catalog = read(language) if file_of(language).exists() else Catalog(locale=language, charset="utf-8")
    catalog.header_comment = HEADER.format(name=catalog.locale.english_name, code=language)
    catalog.update(extracted(), no_fuzzy_matching=True, update_header_comment=False)
    catalog.obsolete.clear()
    text = BytesIO()
    write_po(text, catalog, width=120, sort_by_file=True, include_lineno=False)
    file_of(language).write_bytes(_NOISE.sub(b"", text.getvalue()))
    return [str(message.id) for message in catalog if message.id and not message.string]


if __name__ == "__main__":
    missing = {language: update(language) for language in LANGUAGES if language != ENGLISH}
    for language, texts in missing.items():
        for text in texts:
            print(f"{file_of(language)}: no translation: {text}")
    sys.exit(any(missing.values()))

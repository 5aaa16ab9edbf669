"""A site whose clinician has approved Spanish, and a visitor whose every page is held against the English one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest

from tests.pages import Page, Visitor

SPANISH, ENGLISH = "es-ES,es;q=0.9", "en-GB"
SAME = re.compile(
    r"Anna|(?:anna|cora)[-@\w.]*|Cora|xyzzy|Ward A|A test|Leeds|English|Error:|No|no|Un día.*|CAR-T|"
    r"°C \(Celsius\)|°F \(Fahrenheit\)|"
    r"[\d.,]+ (mmHg|%)|\W*\w\W*"
)
"""What stands there alike in both languages: names, notes, units, single letters, and words that are the same."""
WORDS = re.compile(
    r"\b(the|and|your|you|is|are|was|were|not|of|to|with|for|from|this|that|have|has|been|call|now|when|what|who|"
    r"report|reports|day|days|care|team|nobody|somebody|which|they|their|it|at|be|sent|saved|sign|page|today)\b"
)
"""English words that no Spanish text holds."""


class Reader(Visitor):
    """Somebody whose browser asks for Spanish. Each page has to be Spanish all through; the same address is then asked
    for in English, and whatever text is the same is a text that nobody translated."""

    def in_language(self, wanted: str) -> None:
        self.client.environ_base["HTTP_ACCEPT_LANGUAGE"] = wanted

    def get(self, where: str, **values: object) -> Page:  # type: ignore[override]
        self.in_language(SPANISH)
        page = super().get(where, **values)  # type: ignore[arg-type]
        if page.status == 200 and page.response.location is None:
            self.in_language(ENGLISH)
            english = set(texts(super().get(where, **values)))  # type: ignore[arg-type]
            self.in_language(SPANISH)
            alike = [text for text in texts(page) if text in english and not SAME.fullmatch(text)]
            assert not alike, f"{page.path} says in both languages: {alike}"
        return page

    def _checked(self, path: str, response: object) -> Page:
        page = super()._checked(path, response)  # type: ignore[arg-type]
        asked_in_spanish = self.client.environ_base.get("HTTP_ACCEPT_LANGUAGE") == SPANISH
        if asked_in_spanish and page.response.mimetype == "text/html" and page.response.location is None:
            assert page.soup.html["lang"] == "es", f"{path} is not Spanish"  # type: ignore[index]
            left = [text for text in texts(page) if WORDS.search(text.lower()) and not SAME.fullmatch(text)]
            assert not left, f"{path} says in English: {left}"
        return page


def texts(page: Page) -> Iterator[str]:
    """Every text that a page shows or that a screen reader says, without those that hold no letter."""
    for node in page.soup.find_all(string=True):
        if node.parent and node.parent.name in ("script", "style"):
            continue
        yield from _lettered(str(node))
    for tag in page.soup.find_all(True):
        for name in ("aria-label", "alt", "title", "placeholder"):
            yield from _lettered(str(tag.get(name, "")))


def _lettered(text: str) -> Iterator[str]:
    plain = " ".join(text.split())
    if re.search(r"[^\W\d_]", plain) and plain not in ("html",):
        yield plain


@pytest.fixture
def approved(make) -> None:
    """The site's clinician has approved Spanish."""
    from triage.ruleset_editor import spoken

    doctor = make.clinician("Dora")
    with make.app.app_context():
        state = spoken.state(make.session, "es")
        assert state is not None
        spoken.approve(make.session, "es", state.seal, doctor, make.now())


@pytest.fixture
def reading(app, approved) -> Callable[[object], Reader]:
    """`reading(person)`: somebody who reads Spanish."""

    def of(person: object) -> Reader:
        reader = Reader(app, person)  # type: ignore[arg-type]
        reader.in_language(SPANISH)
        return reader

    return of

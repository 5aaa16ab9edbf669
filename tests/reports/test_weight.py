"""How much goes over the wire until a patient can report, as our own server sends it: measured, so that it stays light.

Headers count, what a proxy adds does not. Limits: the first page of a report with everything it needs, and what the
phone stores for when it has no connection, 60 KB; each later page 15 KB.
"""

from __future__ import annotations

import gzip

import pytest

pytestmark = pytest.mark.database("sqlite")

FIRST_PAGE, LATER_PAGE = 60_000, 15_000
GZIP = {"Accept-Encoding": "gzip, deflate, br"}
BY_THE_WORKER = ("/static/worker.js", "/no-connection", "/static/icon.svg")
BY_INSTALLING = ("manifest", "apple-touch-icon")
"""Fetched when the pages are put on the home screen, not to read them."""


class Wire:
    """A phone's browser with an empty cache: what it fetches, weighed."""

    def __init__(self, visitor):
        self.visitor = visitor
        self.has = set()

    def fetch(self, path):
        """The bytes of that answer; none for what is in the cache."""
        if path in self.has:
            return 0
        if path.startswith("/static/"):
            self.has.add(path)
        with self.visitor.client.get(path, headers=GZIP) as answer:
            assert answer.status_code == 200, path
            return len(answer.data) + len(str(answer.headers))

    def page(self, page):
        """The bytes of a page and all that it needs."""
        needed = [
            tag.get("src") or tag["href"]
            for tag in page.soup.select("script[src], img[src], link[href]")
            if tag.get("rel", [""])[0] not in BY_INSTALLING
        ]
        return self.fetch(page.path) + sum(map(self.fetch, needed))


@pytest.fixture
def otto(make):
    """On a day that asks for the thinking check, after three weeks of reports."""
    from datetime import timedelta

    otto = make.patient("Otto", day=6, town="Leeds", hospital="Jimmy’s")
    for day in range(1, 6):
        make.report(otto, ago=timedelta(days=day), temperature_c=36.6, tiredness="mild")
    return otto


def test_every_page_of_a_report_is_light(make, otto, pages):
    visitor = pages(make.account(otto))
    wire = Wire(visitor)
    first = wire.page(visitor.get("reports.home")) + sum(map(wire.fetch, BY_THE_WORKER))
    assert first <= FIRST_PAGE, f"the first page of a report weighs {first} bytes"
    page = visitor.get("reports.danger").press("None of these")
    weights = {"/report/danger": wire.page(visitor.get("reports.danger"))}
    for button, answers in (
        (None, {}),
        ("Continue", {"temperature": "36.8", "unit": "c"}),
        ("None of these", {}),
        ("Continue", {"group_else": ["other"]}),
        ("None of these", {}),
        ("Start the thinking check", {}),
        ("Continue", {"year": "2026", "month": "May", "town": "Leeds", "hospital": "Jimmys"}),
        ("Continue", {"picture_1": "a", "picture_2": "b", "picture_3": "c"}),
    ):
        page = page.press(button, **answers) if button else page
        weights[page.path] = wire.page(page)
    page = page.press("Stop the thinking check")
    for button in (None, "Send"):
        page = page.press(button) if button else page
        weights[page.path] = wire.page(page)
    for other in ("own_record.page", "reports.earlier", "emergency.page", "offline.page", "offline.kept"):
        weights[other] = wire.page(visitor.get(other))
    assert len(weights) > 12
    heavy = {path: weight for path, weight in weights.items() if weight > LATER_PAGE}
    assert not heavy, f"heavier than {LATER_PAGE} bytes: {heavy}"


def test_pages_are_compressed_for_phones_and_never_of_the_same_length(alice, pages):
    visitor = pages(None)  # without a token on the page, which is another each second
    answers = [visitor.client.get("/emergency", headers=GZIP) for _ in range(20)]
    assert {answer.headers["Content-Encoding"] for answer in answers} == {"gzip"}
    assert {gzip.decompress(answer.data) for answer in answers} == {visitor.client.get("/emergency").data}
    assert len({len(answer.data) for answer in answers}) > 5, "the length tells a listener nothing exact"
    assert "Content-Encoding" not in pages(alice).client.get("/queue", headers=GZIP).headers

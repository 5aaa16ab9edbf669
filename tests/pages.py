"""Fetches a page as somebody, without scripts, and checks every page every time.

    page = pages(alice).get("care_team.queue")      # an endpoint or a path; `pages(None)` is nobody
    assert page.row("Anna").shows("Urgent")
    page = page.press("Acknowledge")                # sends that button's form as a browser would, hidden fields too
    page = pages(patient).get("reports.temperature").press("Continue", temperature="38.4")

A page that is not valid HTML, has no title or two, no level-one heading or two, an id twice, an unlabelled field, an
inline script or style, a header missing, or no number to call, fails the test that fetched it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag
    from flask import Flask
    from werkzeug.test import TestResponse

    from triage.models import Person

FieldValue = str | Sequence[str] | None


class Part:
    """A piece of a page, asked for its text as a person reads it."""

    def __init__(self, tag: Tag) -> None:
        self.tag = tag

    @property
    def text(self) -> str:
        """All text, with single spaces."""
        return " ".join(self.tag.get_text(" ", strip=True).split())

    def shows(self, words: str) -> bool:
        """Whether these words stand there, whatever the spaces and line breaks."""
        return (
            " ".join(words.split()) in re.sub(r" (?=[.,;:!?)])", "", self.text) or " ".join(words.split()) in self.text
        )

    def row(self, words: str) -> Part:
        """The table row, list item, card or article that shows these words: the innermost one."""
        for kind in ("tr", "li", "article", "section", ".nhsuk-card", ".nhsuk-summary-list__row"):
            found = [tag for tag in self.tag.select(kind) if Part(tag).shows(words)]
            if found:
                return Part(found[-1])
        raise AssertionError(f"no row shows {words!r} in: {self.text}")

    def links(self) -> dict[str, str]:
        """Text → address of every link."""
        return {Part(link).text: str(link["href"]) for link in self.tag.select("a[href]")}

    def __repr__(self) -> str:
        return f"<{self.tag.name}: {self.text}>"


class Page(Part):
    """An answer of the application, and the person it was given to."""

    def __init__(self, visitor: Visitor, path: str, response: TestResponse) -> None:
        self.visitor = visitor
        self.path = path
        self.response = response
        self.status = response.status_code
        self.html = response.get_data(as_text=True)
        self.soup, self.html_errors = _parsed(self.html)
        super().__init__(self.soup.body)  # type: ignore[arg-type]  # html5lib always makes a body

    @property
    def title(self) -> str:
        return Part(self.soup.title).text if self.soup.title else ""

    @property
    def heading(self) -> str:
        """The text of the one level-one heading."""
        (heading,) = self.soup.select("h1")
        return Part(heading).text

    @property
    def errors(self) -> list[str]:
        """The messages of the error summary."""
        return [Part(item).text for item in self.soup.select(".nhsuk-error-summary li")]

    @property
    def location(self) -> str:
        """Where a redirect leads, as a path of this site."""
        assert self.response.location is not None, f"{self.path} answers {self.status} and redirects nowhere"
        parts = urlsplit(self.response.location)
        return parts.path + (f"?{parts.query}" if parts.query else "")

    def follow(self) -> Page:
        """The page a redirect leads to, through further redirects."""
        page = self
        for _ in range(10):
            if page.response.location is None:
                return page
            page = self.visitor.get(page.location)
        raise AssertionError(f"{self.path} redirects for ever")

    def click(self, text: str) -> Page:
        """Follow the link with that text."""
        assert text in self.links(), f"no link {text!r}, only {sorted(self.links())}"
        return self.visitor.get(self.links()[text]).follow()

    def field(self, name: str) -> FieldValue:
        """What a field of the page holds at first."""
        values = [value for form in self.soup.select("form") for key, value in _fields(form) if key == name]
        return values[0] if len(values) == 1 else values or None

    def press(self, button: str, /, **values: FieldValue) -> Page:
        """Fill in fields and press a button, as a browser does: hidden fields and earlier answers are sent along.

        A list ticks several boxes, None leaves a field out. Redirects are followed.
        """
        return self.press_only(button, **values).follow()

    def press_only(self, button: str, /, **values: FieldValue) -> Page:
        """The same, without following redirects."""
        form, pressed = self._form_of(button)
        data = [(name, value) for name, value in _fields(form) if name not in values]
        for name, value in values.items():
            if value is not None:
                data.extend((name, each) for each in ([value] if isinstance(value, str) else value))
        if pressed.get("name"):
            data.append((str(pressed["name"]), str(pressed.get("value", ""))))
        address = str(pressed.get("formaction") or form.get("action") or self.path)
        sent: dict[str, list[str]] = {}
        for name, value in data:
            sent.setdefault(name, []).append(value)
        if str(form.get("method", "get")).lower() == "get":
            return self.visitor.get(address, query=sent)
        return self.visitor.post(address, sent)

    def _form_of(self, button: str) -> tuple[Tag, Tag]:
        found: list[tuple[Tag, Tag]] = []
        for pressed in self.soup.select("form button, form input[type=submit]"):
            form = pressed.find_parent("form")
            if form is not None and button in (Part(pressed).text, pressed.get("value"), pressed.get("name")):
                found.append((form, pressed))
        assert found, f"no button {button!r} on {self.path}: {self.text}"
        return found[0]


def _parsed(html: str) -> tuple[BeautifulSoup, list[Any]]:
    """The page, and what html5lib finds invalid in it: position, code and details of each mistake. Beautiful Soup
    throws these away, and parsing each page once more for them would take as long as making it."""
    import html5lib
    from bs4 import BeautifulSoup
    from bs4.builder import HTML5TreeBuilder

    class Builder(HTML5TreeBuilder):
        errors: list[Any]

        def feed(self, markup: Any) -> None:
            parser = html5lib.HTMLParser(tree=self.create_treebuilder)
            self.underlying_builder.parser = parser
            parser.parse(markup)
            self.underlying_builder.parser = None
            self.errors = parser.errors

    builder = Builder()
    return BeautifulSoup(html, builder=builder), builder.errors


class Visitor:
    """Somebody with a browser that runs no scripts."""

    def __init__(self, app: Flask, person: Person | None) -> None:
        self.app = app
        self.person = person
        self.client = app.test_client()
        self._phone: str | None = None
        if person is not None:
            self.sign_in(person)

    def sign_in(self, person: Person) -> None:
        """Sign in without the form: the tests of the form are in tests/accounts."""
        from datetime import timedelta

        from sqlalchemy.orm import object_session

        from triage import clock
        from triage.accounts import sessions
        from triage.database import db

        self.person = person
        team = person.care_team or (person.patient.care_team if person.patient else None)
        self._phone = team.phone if team else None
        tomorrow = clock.now() + timedelta(days=1)  # used then, too: how devices lock is tested in tests/accounts
        with self.app.app_context():
            fields = sessions.opened(db.session, person, tomorrow, tomorrow, "A test")
        with self.client.session_transaction() as session:
            session.permanent = True
            session.update(fields)
        reading = object_session(person)
        if reading is not None and not reading.dirty and not reading.new:
            reading.rollback()  # what the test has read is old now, and SQLite refuses to write upon old rows

    def time_out(self) -> None:
        """The sign-in is over, as after a long time: the cookie is gone."""
        for cookie in list(self.client._cookies or {}):
            del self.client._cookies[cookie]  # type: ignore[index]
        self._phone = None

    def get(self, where: str, *, query: Mapping[str, Any] | None = None, **values: Any) -> Page:
        """The page at an endpoint ("care_team.queue") or path ("/queue")."""
        path = self.path(where, **values)
        return self._checked(path, self.client.get(path, query_string=query))

    def post(self, where: str, data: Mapping[str, Any] | None = None, **values: Any) -> Page:
        """Send fields to an endpoint or path, with a valid CSRF token unless one is among the fields."""
        path = self.path(where, **values)
        sent = {"csrf_token": self.csrf_token()} | dict(data or {})
        return self._checked(path, self.client.post(path, data=sent))

    def path(self, where: str, **values: Any) -> str:
        if where.startswith(("/", "http")):
            return where
        return self.app.url_map.bind("localhost").build(where, values)

    def csrf_token(self) -> str:
        """A token of this person's session."""
        import flask
        from flask_wtf.csrf import generate_csrf

        with self.client.session_transaction() as session, self.app.test_request_context():
            flask.session.update(session)
            token = generate_csrf()
            session["csrf_token"] = flask.session["csrf_token"]
        return token

    def _checked(self, path: str, response: TestResponse) -> Page:
        page = Page(self, path, response)
        problems = list(page_problems(page, self._phones()))
        assert not problems, f"{path} answers {response.status_code}:\n- " + "\n- ".join(problems)
        return page

    def _phones(self) -> tuple[str, ...]:
        """Any of these numbers must be there: the person's team's; before sign-in and at its end the settings'."""
        from sqlalchemy import select

        from triage.database import db
        from triage.models import CareTeam

        own: tuple[str, ...] = (self._phone or "",)
        if not self._phone:
            with self.app.app_context():
                own = tuple(db.session.scalars(select(CareTeam.phone)))
        return (*own, str(self.app.config["CARE_TEAM_PHONE"]))


def page_problems(page: Page, phones: Sequence[str]) -> Iterator[str]:
    """What is wrong with a page, whatever it is about."""
    yield from _header_problems(page)
    if page.response.mimetype != "text/html" or page.response.location is not None:
        return
    yield from _html_problems(page)
    soup, tags = page.soup, page.soup.find_all(True)
    if not soup.html or not soup.html.get("lang"):
        yield "the page names no language: <html lang=…>"
    if len(soup.select("head > title")) != 1 or not page.title:
        yield "a page needs exactly one title"
    if (headings := sum(tag.name == "h1" for tag in tags)) != 1:
        yield f"a page needs exactly one level-one heading, not {headings}"
    yield from _reference_problems(tags)
    for tag in tags:
        if tag.name == "style" or tag.get("style") is not None:
            yield f"inline style, which the content security policy drops: {_opening(tag)}"
        if tag.name == "script" and not tag.get("src"):
            yield "inline script, which the content security policy drops"
        if handlers := [name for name in tag.attrs if name.startswith("on")]:
            yield f"inline script {handlers} at {_opening(tag)}"
        posts = tag.name == "form" and str(tag.get("method")).lower() == "post"
        if posts and not tag.select("input[name=csrf_token]"):
            yield f"a form that is sent by POST needs a csrf_token: {_opening(tag)}"
    called = {href for tag in tags if tag.name == "a" and (href := str(tag.get("href"))).startswith("tel:")}
    if not called & {"tel:" + re.sub(r"[^+\d]", "", phone) for phone in phones}:
        yield f"no link that calls the care team, only {sorted(called)}"


def _header_problems(page: Page) -> Iterator[str]:
    headers = page.response.headers
    if "default-src 'none'" not in headers.get("Content-Security-Policy", ""):
        yield "no strict Content-Security-Policy"
    if "unsafe" in headers.get("Content-Security-Policy", ""):
        yield "the Content-Security-Policy allows something unsafe"
    if headers.get("Cache-Control") != "no-store":
        yield "a page that may be kept by the browser: Cache-Control must be no-store"
    if headers.get("X-Content-Type-Options") != "nosniff":
        yield "no X-Content-Type-Options: nosniff"


def _html_problems(page: Page) -> Iterator[str]:
    lines = page.html.splitlines()
    for (line, _column), code, details in page.html_errors:
        yield f"invalid HTML, {code} {details or ''} in: {lines[min(line, len(lines)) - 1].strip()[:160]}"


def _reference_problems(tags: Sequence[Tag]) -> Iterator[str]:
    ids = Counter(str(tag["id"]) for tag in tags if tag.has_attr("id"))
    for name, count in sorted(ids.items()):
        if count > 1:
            yield f"the id {name!r} stands twice"
    for tag in tags:
        for attribute in ("for", "aria-describedby", "aria-labelledby", "aria-controls"):
            for name in str(tag.get(attribute, "")).split():
                if name not in ids:
                    yield f"{attribute}={name!r} points to nothing, at {_opening(tag)}"
        href = str(tag.get("href", "")) if tag.name == "a" else ""
        if href.startswith("#") and href != "#" and href[1:] not in ids:
            yield f"a link to {href}, which is not on the page"
    labelled = {str(tag["for"]) for tag in tags if tag.name == "label" and tag.has_attr("for")}
    for field in tags:
        if field.name not in ("input", "select", "textarea") or field.get("type") in ("hidden", "submit", "button"):
            continue
        named = field.get("aria-label") or field.get("aria-labelledby") or field.find_parent("label")
        if not named and field.get("id") not in labelled:
            yield f"a field without a label: {_opening(field)}"


def _fields(form: Tag) -> Iterator[tuple[str, str]]:
    """What a browser sends of a form when nothing is changed, without buttons."""
    for tag in form.select("input[name], select[name], textarea[name]"):
        name = str(tag["name"])
        if tag.has_attr("disabled"):
            continue
        if tag.name == "textarea":
            yield name, tag.get_text().removeprefix("\n")
        elif tag.name == "select":
            options = tag.select("option")
            chosen = [option for option in options if option.has_attr("selected")] or options[:1]
            yield from ((name, str(option.get("value", option.get_text()))) for option in chosen)
        elif tag.get("type") in ("radio", "checkbox"):
            if tag.has_attr("checked"):
                yield name, str(tag.get("value", "on"))
        elif tag.get("type") not in ("submit", "button", "image", "reset"):
            yield name, str(tag.get("value", ""))


def _opening(tag: Tag) -> str:
    return str(tag).split(">", 1)[0] + ">"


@pytest.fixture
def pages(app: Flask) -> Callable[[Person | None], Visitor]:
    """`pages(alice).get("care_team.queue")`; each call is a new browser."""
    return lambda person: Visitor(app, person)

"""The layout and the error pages: what stands on every page, and what people are told when something fails."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask import Flask, flash, g, render_template, render_template_string

from triage.fields import Text
from triage.web import Phone

pytestmark = pytest.mark.database("sqlite")
PAGE = """{% extends "page.html" %}
{% block title %}Temperature{% endblock %}
{% block content %}<h1>Temperature</h1>{% endblock %}"""


@pytest.fixture
def printed(app: Flask) -> Callable[..., BeautifulSoup]:
    """Prints a template as for a request that nobody has signed in for."""

    def of(template: str, path: str = "/sign-in", method: str = "GET", **values: Any) -> BeautifulSoup:
        with app.test_request_context(path, method=method):
            g.phone = Phone("112", "+44 1632 960 123", "Ward A")
            for message in values.pop("messages", ()):
                flash(message)
            render = render_template if template.endswith(".html") else render_template_string
            return BeautifulSoup(render(template, **values), "html5lib")

    return of


def text(soup: Any) -> str:
    return " ".join(soup.get_text(" ").split()).replace(" .", ".")


def test_the_title_says_when_something_has_to_be_corrected(printed):
    from wtforms import Form

    class Daily(Form):
        temperature = Text("Temperature")

    form = Daily()
    assert printed(PAGE, form=form).title.text == "Temperature – Triage helper"
    form.temperature.errors = ("Enter the temperature",)
    assert printed(PAGE, form=form).title.text == "Error: Temperature – Triage helper"


def test_a_page_without_a_title_is_not_printed(printed):
    with pytest.raises(Exception, match="title"):
        printed('{% extends "page.html" %}{% block content %}{% endblock %}')


def test_both_numbers_can_be_tapped_before_anybody_signs_in(printed):
    soup = printed(PAGE)
    assert [link["href"] for link in soup.select("aside a")] == ["tel:+441632960123", "tel:112"]
    assert "Ward A" in text(soup.aside)
    assert not soup.select("header form")


def test_every_page_says_what_this_is_not(printed):
    assert "never replaces calling your care team" in text(printed(PAGE).footer)


def test_each_message_is_a_banner_of_its_own(printed):
    soup = printed(PAGE, messages=["Nothing was sent.", "<b>Begin anew</b>"])
    assert [text(one) for one in soup.select(".nhsuk-notification-banner__content")] == [
        "Nothing was sent.",
        "<b>Begin anew</b>",
    ]
    assert len({one["id"] for one in soup.select(".nhsuk-notification-banner__title")}) == 2


def error(printed, code, saved, path="/sign-in", method="GET"):
    return printed("errors/error.html", path, method, code=code, saved=saved, incident="4711abcd")


def test_a_report_that_was_not_saved_says_so_and_to_call_now(printed):
    page = error(printed, 503, False, "/report/too-unwell", "POST")
    assert "Your report was not saved. Call your care team now." in text(page.main)
    assert [link["href"] for link in page.select("main a[href^=tel]")] == ["tel:+441632960123", "tel:112"]
    assert "4711abcd" in text(page.main)


def test_what_else_was_not_saved_is_not_called_a_report(printed):
    said = text(error(printed, 500, False, "/people/enrol", "POST").main)
    assert "What you just sent was not saved." in said
    assert "Your report" not in said


def test_what_was_saved_is_never_called_lost(printed):
    said = text(error(printed, 500, True, "/report/too-unwell", "POST").main)
    assert "was saved" in said
    assert "not saved" not in said
    assert "send it again" not in said


def test_every_error_page_has_one_heading_and_whom_to_call(printed):
    for code, saved in product([400, 403, 404, 405, 413, 418, 500, 502, 503], [None, False, True]):
        page = error(printed, code, saved)
        assert len(page.select("h1")) == 1, (code, saved)
        assert "call" in text(page.main), (code, saved)
        assert page.title.text.endswith("– Triage helper"), (code, saved)

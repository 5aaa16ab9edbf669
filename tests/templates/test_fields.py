"""What fields make of what was typed, and what a form sends along."""

from __future__ import annotations

from datetime import date

import pytest
from bs4 import BeautifulSoup
from flask import render_template_string
from flask_wtf import FlaskForm
from werkzeug.datastructures import MultiDict
from wtforms import Form
from wtforms.validators import Optional

from triage.fields import Checkboxes, DateParts, Hidden, Password, Radios, Text, TextArea


class Dose(Form):
    given_on = DateParts("Day of the dose")
    ended_on = DateParts("Last day", required=False)


def dose(day: str, month: str, year: str) -> Dose:
    return Dose(MultiDict({"given_on-day": day, "given_on-month": month, "given_on-year": year}))


@pytest.mark.parametrize("typed", [("17", "11", "2026"), (" 17 ", "11", "2026 "), ("07", "1", "2026")])
def test_three_numbers_are_a_day(typed):
    form = dose(*typed)
    assert form.validate()
    assert form.given_on.data == date(*(int(part) for part in reversed(typed)))


@pytest.mark.parametrize(
    "typed",
    [
        ("30", "2", "2026"),
        ("0", "1", "2026"),
        ("17", "11", "26"),  # a slip: in the year 26, day 0 would lie two thousand years back
        ("17", "11", ""),
        ("", "", ""),
        ("17", "Nov", "2026"),
        ("+1", "1", "2026"),
        ("1_0", "1", "2026"),
        ("१७", "11", "2026"),
        ("17", "11", "99999999999999999999"),
    ],
)
def test_what_is_no_day_is_an_error_and_what_was_typed_stays(context, typed):
    form = dose(*typed)
    assert not form.validate()
    assert form.given_on.data is None
    assert form.given_on.errors == [form.given_on.message]
    boxes = BeautifulSoup(form.given_on(), "html5lib").select("input")
    assert [box.get("value", "") for box in boxes] == list(typed)


def test_a_day_that_may_be_left_out_may_not_be_half_there():
    assert dose("1", "1", "2026").validate()
    form = Dose(MultiDict({"given_on-day": "1", "given_on-month": "1", "given_on-year": "2026", "ended_on-day": "3"}))
    assert not form.validate()
    assert form.ended_on.errors


def test_a_known_day_is_filled_in(context):
    boxes = BeautifulSoup(Dose(data={"given_on": date(2026, 11, 7)}).given_on(), "html5lib").select("input")
    assert [box["value"] for box in boxes] == ["7", "11", "2026"]


class Daily(Form):
    unit = Radios("Unit", choices=[("c", "°C"), ("f", "°F")], message="Choose the unit")
    maybe = Radios("Maybe", [Optional()], choices=[("yes", "Yes")])
    signs = Checkboxes("Signs", choices=[("pain", "Pain"), ("none", "None of these")], exclusive=["none"])


def test_nothing_is_chosen_at_first(context):
    form = Daily()
    for field in form:
        assert not BeautifulSoup(field(), "html5lib").select("[checked]")


@pytest.mark.parametrize("sent", [{}, {"unit": "k"}, {"unit": ""}])
def test_an_answer_that_is_no_choice_is_no_answer(sent):
    form = Daily(MultiDict({**sent, "maybe": "perhaps", "signs": ["pain", "invented"]}))
    assert not form.validate()
    assert form.unit.data is None
    assert form.errors == {"unit": ["Choose the unit"]}
    assert form.maybe.data is None
    assert form.signs.data == ["pain"]


def test_two_choices_may_not_share_a_value():
    """One of the two could never be answered."""
    with pytest.raises(ValueError, match="share a value"):
        type("Twice", (Form,), {"unit": Radios("Unit", choices=[("c", "°C"), ("c", "Celsius")])})().unit  # noqa: B018


def test_what_was_typed_is_never_markup(context):
    class Anything(Form):
        text = Text("<i>Label</i>", description="<i>Hint</i>")
        note = TextArea("Note")

    nasty = '"><script>alert(1)</script>'
    form = Anything(MultiDict({"text": nasty, "note": "</textarea>" + nasty}))
    form.text.errors = [f"Not {nasty}"]
    for field in form:
        soup = BeautifulSoup(field(), "html5lib")
        assert not soup.select("script, i")
    assert BeautifulSoup(form.text(), "html5lib").input["value"] == nasty
    assert BeautifulSoup(form.note(), "html5lib").textarea.get_text() == "</textarea>" + nasty


def test_a_passphrase_is_never_printed_again(context):
    class SignIn(Form):
        passphrase = Password("Passphrase")

    form = SignIn(MultiDict({"passphrase": "correct horse"}))
    assert "horse" not in form.passphrase()


def test_lines_at_the_start_of_a_note_are_kept(context):
    """A browser drops the first line break of a text area."""

    class Note(Form):
        note = TextArea("Note")

    html = Note(data={"note": "\nsecond line"}).note()
    assert "\n\nsecond line</textarea>" in html


def test_a_form_sends_its_token_and_every_hidden_field_along(context):
    class Step(FlaskForm):
        temperature = Text("Temperature")
        for_person = Hidden()

    form = Step(data={"for_person": "anna"})
    page = """{% from "components/forms.html" import form_page %}
        {% call form_page(form, "Go on") %}{{ form.temperature }}{% endcall %}"""
    soup = BeautifulSoup(render_template_string(page, form=form), "html5lib")
    sent = {one["name"]: one.get("value") for one in soup.select("form input")}
    assert sent.keys() == {"csrf_token", "temperature", "for_person"}
    assert sent["csrf_token"]
    assert sent["for_person"] == "anna"
    assert [one.get_text(strip=True) for one in soup.select("button")] == ["Go on"]
    assert soup.form["method"] == "post"

"""How the components look and behave in a real browser: every one of them, on a phone and on a desktop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask import Blueprint, Flask, render_template
from flask_wtf import FlaskForm
from jinja2 import ChoiceLoader, FileSystemLoader

from tests.browsing import accessibility_problems
from triage.accounts.access import public
from triage.fields import Checkboxes, DateParts, Hidden, Password, Radios, Select, Text, TextArea

pytestmark = pytest.mark.database("sqlite")


class Sample(FlaskForm):
    """One field of each kind."""

    temperature = Text(
        "Your temperature now", description="For example 36.8", suffix="°C", inputmode="decimal", width=5
    )
    passphrase = Password("Your passphrase", autocomplete="current-password")
    unit = Radios("What does the thermometer show?", choices=[("c", "°C (Celsius)"), ("f", "°F (Fahrenheit)")])
    other = Radios("Anything else?", choices=[("yes", "Yes"), ("no", "No")], inline=True, size="s")
    signs = Checkboxes(
        "Breathing and heart",
        choices=[("breath", "Short of breath at rest"), ("pain", "Chest pain"), ("none", "None of these")],
        exclusive=["none"],
        hints={"breath": "When you sit still"},
        description="In the last 24 hours",
    )
    dose = DateParts("Day of the first dose", description="For example 17 11 2026")
    kind = Select("Kind of dose", choices=[("", "Choose one"), ("step", "Dose step")])
    note = TextArea("Anything else your care team should know?", description="You can leave this empty.")
    token = Hidden()


def sample_app_for(app: Flask) -> None:
    """Gives the application a page with every component, and the same with an error at every field."""
    bp = Blueprint("sample", __name__)
    loader: Any = app.jinja_env.loader
    app.jinja_env.loader = ChoiceLoader([loader, FileSystemLoader(Path(__file__).parent)])

    @bp.get("/sample")
    @public
    def sample() -> str:
        return render_template("sample.html", form=Sample())

    @bp.get("/sample/errors")
    @public
    def errors() -> str:
        form = Sample(formdata=None)
        for field in form:
            field.errors = [f"Something is wrong with {field.label.text}"]
        return render_template("sample.html", form=form)

    app.register_blueprint(bp)


@pytest.fixture
def app(app: Flask) -> Flask:
    """The application with the sample pages."""
    sample_app_for(app)
    return app


@pytest.fixture(params=["phone", "desktop"])
def page(request: pytest.FixtureRequest, browse: Any) -> Any:
    """The page with every component, as in a hand or on a desk."""
    page = browse(request.param)
    page.goto("/sample")
    return page


def test_nothing_is_inaccessible_or_wider_than_the_screen(page):
    for address in ("/sample", "/sample/errors"):
        page.goto(address)
        assert accessibility_problems(page) == []
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0


# The ground under a text is that of the nearest element around it that has one.
CONTRASTS = """selector => {
  const light = c => [0, 1, 2].map(i => c[i] / 255).map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0)
  const numbers = colour => colour.match(/[\\d.]+/g).map(Number)
  const ground = e => {
    for (; e; e = e.parentElement) {
      const colour = numbers(getComputedStyle(e).backgroundColor)
      if (colour.length < 4 || colour[3] > 0) return colour
    }
    return [255, 255, 255] }
  return [...document.querySelectorAll(selector)]
    .filter(e => [...e.childNodes].some(n => n.nodeType == 3 && n.data.trim()))
    .filter(e => !e.closest('.nhsuk-u-visually-hidden')).map(e => {
      const [a, b] = [light(numbers(getComputedStyle(e).color)), light(ground(e))].sort((x, y) => y - x)
      return [e.textContent.trim(), (a + .05) / (b + .05)] }) }"""


def test_what_matters_most_can_be_read_in_the_sun(page):
    """7:1 and more. axe asks for 4.5:1, and says nothing at all of text in the very colour of its ground."""
    page.goto("/sample/errors")
    for selector in (".nhsuk-card *", ".app-phone *", ".app-urgency", ".app-queue__wait", ".nhsuk-error-summary *"):
        found = page.evaluate(CONTRASTS, selector)
        assert found, selector
        assert not [(words, round(ratio, 1)) for words, ratio in found if ratio < 7]


SIZES = """() => [...document.querySelectorAll('a, button, summary, input:not([type=hidden]), select, textarea')]
  .filter(e => e.offsetParent && !e.matches('.nhsuk-skip-link, .in-a-sentence')).map(e => {
    const boxes = [e, ...(['radio', 'checkbox'].includes(e.type) ? e.labels : [])]
      .map(one => one.getBoundingClientRect())
    return [e.innerText || e.id, Math.max(...boxes.map(b => b.width)), Math.max(...boxes.map(b => b.height))] })
  .filter(([, width, height]) => width < 44 || height < 44)"""


def test_shaking_fingers_hit_what_they_aim_at(page):
    """44 pixels each way, but for links inside a sentence; a choice is hit on its words too."""
    assert page.evaluate(SIZES) == []


def test_the_care_cards_differ_in_grey(page):
    """Sign, frame and body, without any colour."""
    cards = [page.locator(f".nhsuk-card--care--{kind}") for kind in ("emergency", "urgent", "non-urgent")]
    signs = {card.locator(".app-sign path").get_attribute("d") for card in cards}
    frames = {card.evaluate("e => getComputedStyle(e).borderTopWidth") for card in cards}
    bodies = [
        card.locator(".nhsuk-card__content").evaluate("e => getComputedStyle(e).backgroundColor") for card in cards
    ]
    assert len(signs) == len(frames) == 3
    assert bodies[0] not in bodies[1:]


def test_after_an_error_the_summary_has_the_focus_and_leads_to_the_field(page):
    page.goto("/sample/errors")
    assert page.evaluate("document.activeElement.className") == "nhsuk-error-summary"
    for link in page.locator(".nhsuk-error-summary a").all():
        link.click()
        target = str(link.get_attribute("href")).removeprefix("#")
        assert page.evaluate("document.activeElement.id") == target
        bar = page.locator(".app-phone").bounding_box()
        top = page.locator(f"#{target}").bounding_box()["y"]
        assert top >= bar["y"] + bar["height"], f"{target} is hidden behind the numbers to call"
        page.evaluate("scrollTo(0, 0)")


def test_the_numbers_to_call_stay_in_sight(page):
    page.locator(".nhsuk-form-group").last.scroll_into_view_if_needed()
    assert page.locator(".app-phone__link--emergency").bounding_box()["y"] >= 0
    page.set_viewport_size({"width": 640, "height": 320})  # lying down, or enlarged: the page needs the room
    page.locator(".nhsuk-form-group").last.scroll_into_view_if_needed()
    assert page.locator(".app-phone__link--emergency").bounding_box()["y"] < 0


def test_none_of_these_unticks_the_others(page):
    page.get_by_label("Chest pain").check()
    page.get_by_label("None of these").check()
    assert not page.get_by_label("Chest pain").is_checked()
    page.get_by_label("Chest pain").check()
    assert not page.get_by_label("None of these").is_checked()


def test_a_passphrase_can_be_seen_while_it_is_typed(page):
    field = page.locator("#passphrase")
    assert field.get_attribute("type") == "password"
    page.get_by_role("button", name="Show password").click()
    assert field.get_attribute("type") == "text"


def test_without_scripts_everything_is_there_but_the_button_that_shows_the_passphrase(browse):
    page = browse("phone", java_script_enabled=False)
    page.goto("/sample/errors")
    assert page.locator(".nhsuk-error-summary a").count() == 8
    assert not page.get_by_role("button", name="Show password").is_visible()
    page.get_by_text("Show the answers").click()
    assert page.get_by_text("Hidden at first.").is_visible()


def test_with_forced_colours_the_cards_still_have_frames(browse):
    page = browse("desktop", forced_colors="active")
    page.goto("/sample")
    for selector in (".nhsuk-card--care", ".app-call__link", ".app-urgency", ".app-queue__row"):
        for one in page.locator(selector).all():
            assert one.evaluate("e => parseFloat(getComputedStyle(e).borderTopWidth)") >= 1, selector


def test_nothing_moves_for_those_who_asked_for_that(browse):
    page = browse("desktop", reduced_motion="reduce")
    page.goto("/sample")
    assert page.evaluate(
        "[...document.querySelectorAll('*')].every(e => parseFloat(getComputedStyle(e).transitionDuration) == 0)"
    )


def test_printed_pages_are_black_on_white_with_the_numbers_and_no_buttons(page):
    """Printers leave grounds out: white words would be lost."""
    page.goto("/sample/errors")
    page.emulate_media(media="print")
    assert page.locator(".app-phone__link--emergency").is_visible()
    assert not page.locator(".nhsuk-button").first.is_visible()
    assert not [words for words, ratio in page.evaluate(CONTRASTS, "header *, aside *, main *") if ratio < 4.5]
    white = "selector => [...document.querySelectorAll(selector)].filter(e => e.offsetParent && "
    white += "getComputedStyle(e).color == 'rgb(255, 255, 255)').map(e => e.outerHTML.slice(0, 80))"
    assert page.evaluate(white, "header *, aside *, main *") == []

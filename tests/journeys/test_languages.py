"""A report in Spanish on a phone, and pages that are read from right to left."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browsing import follow
from tests.journeys.test_road import checked
from tests.make import PASSWORD
from triage import languages
from triage.ruleset_editor import spoken

pytestmark = pytest.mark.database("sqlite")

SIGN_IN, NEXT, NONE = "Iniciar sesión", "Continuar", "Nada de esto"


@pytest.fixture
def otto(make, app):
    """On a day that asks for no thinking check, on a site that has approved Spanish."""
    otto = make.patient("Otto", day=40)
    make.report(otto, temperature_c=38.4, chills="moderate")
    account = make.account(otto)
    with app.app_context():
        state = spoken.state(make.session, "es")
        spoken.approve(make.session, "es", state.seal, make.clinician("Dora"), make.now())
    return account


def press(page, button):
    return follow(page.get_by_role("button", name=button, exact=True))


def sign_in(page, account):
    page.goto("/sign-in")
    page.get_by_label("Su nombre de usuario").fill(account.sign_in_name)
    page.get_by_label("Su contraseña", exact=True).fill(PASSWORD)
    return press(page, SIGN_IN)


def fits(page):
    """Nothing is wider than the screen."""
    inside, screen = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert inside <= screen, f"{page.url} is {inside} px wide on {screen} px"


def test_a_report_in_spanish_on_a_phone(browse, otto):
    page = browse("phone", locale="es-ES")
    page.goto("/sign-in")
    show = page.get_by_role("button", name="Mostrar la contraseña")
    show.click()
    expect(page.get_by_role("button", name="Ocultar la contraseña")).to_be_visible()
    sign_in(page, otto)
    checked(page)
    press(page, NONE)
    page.get_by_label("Su temperatura ahora").fill("38,4")
    page.get_by_label("°C (Celsius)").check()
    press(page, NEXT)
    press(page, NONE)
    page.get_by_label("Tengo escalofríos o tiemblo de frío").check()
    press(page, NEXT)
    page.get_by_label("Moderado").check()
    press(page, NEXT)
    expect(page.get_by_text("38,4 °C (101,1 °F)").first).to_be_visible()
    checked(page)
    press(page, "Enviar")
    expect(page.get_by_role("heading", name="Llame ahora a su equipo médico")).to_be_visible()
    checked(page)
    fits(page)


def test_right_to_left_fits_a_phone(browse, otto, monkeypatch):
    """No such language is offered yet; the pages are ready for it."""
    monkeypatch.setattr(languages, "direction", lambda: "rtl")
    page = sign_in(browse("phone", locale="es-ES"), otto)
    expect(page.locator("html")).to_have_attribute("dir", "rtl")
    box = page.locator(".nhsuk-checkboxes__item").first
    edges = box.evaluate(
        """item => { const label = item.querySelector('label').getBoundingClientRect(),
             input = item.querySelector('input').getBoundingClientRect(); return [label.right, input.left] }"""
    )
    assert edges[0] <= edges[1] + 1, "the box stands right of its text"
    fits(page)
    for path in (
        "/report/danger",
        "/my-record",
        "/my-record/sheet",
        "/reports",
        "/reminders",
        "/account",
        "/emergency",
    ):
        page.goto(path)
        fits(page)
    follow(page.locator("a[href='/report']").first)
    press(page, NONE)
    fits(page)
    press(page, NEXT)
    fits(page)

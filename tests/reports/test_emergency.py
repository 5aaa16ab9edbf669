"""The page for an emergency: one tap from everywhere, for everybody, whatever else fails."""

from __future__ import annotations

from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session


def test_the_emergency_page_is_there_for_everybody(make, anna, alice, pages):
    for somebody in (None, make.account(anna), make.caregiver(anna), alice):
        page = pages(somebody).get("accounts.home").follow().click("Emergency signs")
        assert page.status == 200
        assert page.shows("I can hardly stay awake")
        assert page.shows("They cannot be woken")
        assert page.shows("Fever with fainting")
        assert not page.shows("thinking check")
        if somebody is not None:
            assert "tel:+441632960300" in page.html  # of the own team


def test_the_emergency_page_needs_no_database(make, anna, app, pages, monkeypatch):
    """With a sign-in or without: the numbers are then those of the settings."""
    visitors = [pages(make.account(anna)), pages(None)]

    def down(*args, **kwargs):
        raise OperationalError("SELECT", {}, Exception("down"))

    for name in ("execute", "scalar", "scalars"):
        monkeypatch.setattr(Session, name, down)
    for visitor in visitors:
        answer = visitor.client.get("/emergency")
        assert answer.status_code == 200
        assert "I can hardly stay awake" in answer.text
        assert app.config["CARE_TEAM_PHONE"] in answer.text
    broken = visitors[0].client.get("/report")
    assert broken.status_code == 503
    assert 'href="/emergency"' in broken.text

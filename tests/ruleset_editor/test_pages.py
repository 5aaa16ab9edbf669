"""The rules as clinicians and nurses read them."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.database("sqlite")


def test_every_active_rule_is_listed_and_can_be_read(make, pages):
    clinician = pages(make.clinician())
    page = clinician.get("ruleset_editor.rules")
    assert page.shows(make.ruleset.hash)
    assert {rule.title for rule in make.ruleset.rules} <= set(page.links())

    page = page.click("Fever")
    for words in (
        "the temperature is at least 38.0 °C (100.4 °F)",
        "call the care team's 24-hour line now",
        "TECARTUS: managing side effects",
        "read on 2026-11-01",
        "UK hospitals ask for a call at 37.5 °C",
    ):
        assert page.shows(words), words


def test_a_rule_that_is_not_there_is_not_found(make, pages):
    assert pages(make.clinician()).get("ruleset_editor.rule", rule_id="no-such-rule").status == 404

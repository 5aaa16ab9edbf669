"""What patients and caregivers read: never a comfort, never a promise without cover, never another's questionnaire."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from triage.paths import folder
from triage.rules.loading import load

COMFORT = (
    r"don.?t worry|no need to|nothing to worry|you (are|re) (fine|well|safe|okay|ok)\b|\b(is|are) (normal|harmless)"
    r"|all clear|no danger|not serious|not dangerous|good news|can wait"
)
PROMISE = (
    r"(has|have) been (told|informed|notified|alerted)|(is|are) (informed|notified)|"
    r"\b(we|nurse|doctor|team|somebody|someone) will (call|contact|ring|phone|look|see|answer|be in touch)"
)
QUESTIONNAIRE = r"ctcae"


def shown_to_patients() -> Iterator[tuple[str, str]]:
    """(where it stands, text) of everything that patients and caregivers may be shown."""
    ruleset = load(folder("rules"))
    for rule in ruleset.rules:
        for part in ("title", "why", "advice"):
            yield f"{rule.id}: {part}", getattr(rule, part)
    for urgency, text in ruleset.response.next_report.items():
        yield f"response.yaml: {urgency.code}", text
    for symptom in ruleset.catalogue.symptoms.values():
        danger = symptom.danger_question
        for text in (
            symptom.question,
            symptom.about,
            symptom.hint,
            *((danger.question, danger.about) if danger else ()),
        ):
            yield f"catalogue.yaml: {symptom.code}", text
    for text in (*ruleset.catalogue.severities.values(), *ruleset.catalogue.groups.values()):
        yield "catalogue.yaml", text
    templates = folder("templates")
    for file in [
        templates / "page.html",
        *(templates / "reports").glob("*.html"),
        *(templates / "errors").glob("*.html"),
        *(templates / "accounts").glob("s*.html"),
    ]:
        yield file.name, file.read_text(encoding="utf-8")
    for module in ("forms.py", "views.py", "results.py", "first_check.py", "changes.py", "telling.py"):
        yield module, (folder("triage") / "reports" / module).read_text(encoding="utf-8")


@pytest.mark.parametrize("pattern", [COMFORT, PROMISE, QUESTIONNAIRE], ids=["comfort", "promise", "questionnaire"])
def test_patients_read_no(pattern: str) -> None:
    found = [f"{where}: {text[:200]}" for where, text in shown_to_patients() if re.search(pattern, text, re.IGNORECASE)]
    assert not found, "write what to do instead; DESIGN: it never reassures, and promises only what stands behind it"


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (COMFORT, "A mild rash is normal. Don’t worry."),
        (COMFORT, "You are fine."),
        (PROMISE, "Your care team has been notified."),
        (PROMISE, "A nurse will call you within the hour."),
        (QUESTIONNAIRE, "PRO-CTCAE™ item 9"),
    ],
)
def test_such_words_would_be_found(pattern: str, text: str) -> None:
    assert re.search(pattern, text, re.IGNORECASE)


def test_everything_is_looked_at() -> None:
    found = dict(shown_to_patients())
    assert {"step.html", "result.html", "home.html", "sign_in.html", "send_again.html", "error.html"} <= set(found)
    assert "crs-fever: advice" in found

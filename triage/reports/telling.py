"""What to say on the telephone: the report as its reporter would say it, the most telling first, without a judgment."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

from triage import languages
from triage.languages import _
from triage.rules.catalogue import Catalogue, Presence, Severity, Symptom
from triage.rules.report import Answer, Report, Unknown


def to_say(
    report: Report, catalogue: Catalogue, on: date, first: Iterable[str] = (), *, about: str = ""
) -> tuple[str, ...]:
    """Sentences to read out: the treatment and its day, the temperature, what was felt.

    `on` is the day of the report in the care team's time zone; `first` are the codes of what decided the urgency;
    `about` is the patient's name where a caregiver calls. The thinking check is left out: its points are never shown.
    """
    onlooker = bool(about)
    said = [_("I am calling about %(name)s.", name=about)] if about else []
    said.append(_treatment(report, catalogue, on, onlooker=onlooker))
    said += _temperature(report, onlooker=onlooker)
    if report.on_steroids is Presence.YES:
        said.append(_("They take steroids.") if onlooker else _("I take steroids."))
    order = [*dict.fromkeys(first), *catalogue.symptoms]
    there = {code: answer for code, answer in report.complaints().items() if code in catalogue.symptoms}
    for code in sorted(there, key=order.index):
        said.append(_sign(catalogue.symptoms[code], there[code], onlooker=onlooker))
    return tuple(said)


def _treatment(report: Report, catalogue: Catalogue, on: date, *, onlooker: bool) -> str:
    therapy = catalogue.therapies.get(report.therapy or "")
    what = therapy.label if therapy else _("an immune treatment for leukemia")
    if report.days_since_therapy is None:
        if onlooker:
            return _("They had %(treatment)s. I do not know the day of the last dose.", treatment=what)
        return _("I had %(treatment)s. I do not know the day of the last dose.", treatment=what)
    day = languages.month_day(on - timedelta(days=report.days_since_therapy))
    if onlooker:
        return _("They had %(treatment)s, the last dose on %(day)s.", treatment=what, day=day)
    return _("I had %(treatment)s, the last dose on %(day)s.", treatment=what, day=day)


def _temperature(report: Report, *, onlooker: bool) -> list[str]:
    reading = report.temperature_c
    if reading is None:
        return []
    if isinstance(reading, Unknown):
        if onlooker:
            return [_("We could not measure the temperature.")]
        return [_("I could not measure the temperature.")]
    degrees = languages.degrees(reading)
    said = [
        _("Their temperature is %(degrees)s.", degrees=degrees)
        if onlooker
        else _("My temperature is %(degrees)s.", degrees=degrees)
    ]
    if report.fever_reducer_taken is Presence.YES:
        said.append(
            _("They took a fever reducer in the 6 hours before.")
            if onlooker
            else _("I took a fever reducer in the 6 hours before.")
        )
    return said


def _sign(symptom: Symptom, answer: Answer, *, onlooker: bool) -> str:
    danger = symptom.danger_question
    asked = danger if danger is not None and answer is danger.means else symptom
    text = asked.about if onlooker else asked.question
    if isinstance(answer, Severity) and asked is symptom:
        text += f" ({languages.code_words(answer.code)})"
    elif isinstance(answer, Unknown):
        text = _("Not sure: %(what)s", what=text)
    return f"{text.rstrip('.')}."

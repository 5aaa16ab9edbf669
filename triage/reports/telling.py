"""What to say on the telephone: the report as its reporter would say it, the most telling first, without a judgment."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

from triage.rules.catalogue import Catalogue, Presence, Severity, Symptom
from triage.rules.report import Answer, Report, Unknown, celsius_to_fahrenheit
from triage.rules.wording import number


def to_say(
    report: Report, catalogue: Catalogue, on: date, first: Iterable[str] = (), *, about: str = ""
) -> tuple[str, ...]:
    """Sentences to read out: the treatment and its day, the temperature, what was felt.

    `on` is the day of the report in the care team's time zone; `first` are the codes of what decided the urgency;
    `about` is the patient's name where a caregiver calls. The thinking check is left out: its points are never shown.
    """
    who, whose = ("They", "Their") if about else ("I", "My")
    said = [f"I am calling about {about}."] if about else []
    said.append(_treatment(report, catalogue, on, who))
    said += _temperature(report, who, whose)
    if report.on_steroids is Presence.YES:
        said.append(f"{who} take steroids.")
    order = [*dict.fromkeys(first), *catalogue.symptoms]
    there = {code: answer for code, answer in report.complaints().items() if code in catalogue.symptoms}
    for code in sorted(there, key=order.index):
        said.append(_sign(catalogue.symptoms[code], there[code], onlooker=bool(about)))
    return tuple(said)


def _treatment(report: Report, catalogue: Catalogue, on: date, who: str) -> str:
    therapy = catalogue.therapies.get(report.therapy or "")
    what = therapy.label if therapy else "an immune treatment for leukemia"
    if report.days_since_therapy is None:
        return f"{who} had {what}. I do not know the day of the last dose."
    day = on - timedelta(days=report.days_since_therapy)
    return f"{who} had {what}, the last dose on {day.day} {day:%B}."


def _temperature(report: Report, who: str, whose: str) -> list[str]:
    reading = report.temperature_c
    if reading is None:
        return []
    if isinstance(reading, Unknown):
        return [f"{who} could not measure the temperature." if who == "I" else "We could not measure the temperature."]
    said = [f"{whose} temperature is {number('temperature', reading)} °C ({celsius_to_fahrenheit(reading)} °F)."]
    if report.fever_reducer_taken is Presence.YES:
        said.append(f"{who} took a fever reducer in the 6 hours before.")
    return said


def _sign(symptom: Symptom, answer: Answer, *, onlooker: bool) -> str:
    danger = symptom.danger_question
    asked = danger if danger is not None and answer is danger.means else symptom
    text = asked.about if onlooker else asked.question
    if isinstance(answer, Severity) and asked is symptom:
        text += f" ({answer.code.replace('_', ' ')})"
    elif isinstance(answer, Unknown):
        text = f"Not sure: {text}"
    return f"{text.rstrip('.')}."

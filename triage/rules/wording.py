"""Conditions and facts in plain sentences, made from the same values that the engine reads: never typed twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any as Anything

from triage.rules.assessment import Fact
from triage.rules.catalogue import MEASURED, THINKING_CHECK_FULL, Catalogue, Scale, Window
from triage.rules.conditions import (
    ANY_SYMPTOM,
    All,
    Any,
    AtLeast,
    Condition,
    FeverReducerTaken,
    MeasuredAtLeast,
    MeasuredAtMost,
    New,
    OnSteroids,
    Persists,
    SilentFor,
    SymptomAtLeast,
    SymptomPresent,
    TemperatureAtLeast,
    TemperatureAtMost,
    TemperatureNotMeasured,
    ThinkingCheckAbandoned,
    ThinkingCheckAtMost,
    ThinkingCheckBelowBaseline,
    Together,
    Worse,
)
from triage.rules.report import celsius_to_fahrenheit
from triage.rules.ruleset import JUDGMENT, AppliesTo, Citation, Reminder, Response, Rule, Ruleset, Step
from triage.rules.urgency import Urgency

PLACEHOLDERS = ("emergency_number", "care_team_phone")

URGENCY_MEANS: dict[Urgency, str] = {
    Urgency.EMERGENCY: "emergency: the patient is told to call the emergency number now; the care team is alerted",
    Urgency.URGENT: "urgent: the patient is told to call the care team's 24-hour line now; the care team is alerted",
    Urgency.SOON: "soon: the care team is asked to contact the patient within the day",
    Urgency.ROUTINE: "routine: kept in the record, with advice on when to call; no alert",
}

_NAMES = {
    "temperature": "temperature",
    "thinking_check": "thinking check",
    "fever_reducer_taken": "fever reducer in the last 6 hours",
    "on_steroids": "on steroids or after tocilizumab",
    "silence": "time since the last report",
}


def _as_it_is(text: str, **values: object) -> str:
    return text % values if values else text


@dataclass(frozen=True)
class Speech:
    """In which language sentences are made: what to say for an English text with its values, and how decimals are
    written. Whoever shows pages brings it along; by itself this module speaks English."""

    say: Callable[..., str] = _as_it_is
    decimals: Callable[[str], str] = str


ENGLISH = Speech()


def fill(
    text: str,
    emergency_number: str = "the emergency number",
    care_team_phone: str = "the 24-hour line",
) -> str:
    """An advice with its numbers put in; generic words where none are given."""
    return text.replace("{emergency_number}", emergency_number).replace("{care_team_phone}", care_team_phone)


def number(subject: str, value: Decimal) -> str:
    """A reading as written in facts: temperatures with at least one decimal, others without needless zeros."""
    text = f"{value:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text + ".0" if subject == "temperature" and "." not in text else text


def hours(span: timedelta) -> str:
    """A span in hours, to one decimal at most: "24", "36.5"."""
    return number("", Decimal(int(span.total_seconds()) // 360) / 10)


def span_words(span: timedelta) -> str:
    """A span for people: "45 minutes", "24 hours"."""
    minutes = int(span.total_seconds()) // 60
    if minutes % 60:
        return f"{minutes} minutes"
    return "1 hour" if minutes == 60 else f"{minutes // 60} hours"


def utc_text(moment: datetime) -> str:
    """A moment in UTC, to the minute."""
    return moment.astimezone(UTC).isoformat(" ")[:16] + " UTC"


def subject_name(subject: str, catalogue: Catalogue, speech: Speech = ENGLISH) -> str:
    """The plain name of what a fact is about."""
    if subject in catalogue.symptoms:
        return catalogue.symptoms[subject].label
    return speech.say(MEASURED[subject][0] if subject in MEASURED else _NAMES.get(subject, subject))


def fact_sentence(
    fact: Fact, catalogue: Catalogue, when: Callable[[datetime], str] = utc_text, speech: Speech = ENGLISH
) -> str:
    """The fact beside its threshold, for example "temperature 38.4 °C is at least 38.0 °C"."""
    say = speech.say
    name = subject_name(fact.subject, catalogue, speech)
    value, limit, earlier = (_spoken(fact.subject, text, speech) for text in (fact.value, fact.threshold, fact.earlier))
    at = say(" (report of %(when)s)", when=when(fact.at)) if fact.at else ""
    if fact.earlier_at:
        before = say(" in the report of %(when)s", when=when(fact.earlier_at))
    else:
        before = say(" in an earlier report") if fact.earlier else ""
    known = {"name": name, "value": value, "limit": limit, "at": at, "earlier": earlier, "before": before}
    match fact.test:
        case "at_least" | "at_most" if fact.subject in catalogue.symptoms:
            if value == limit:
                return f"{name}: {value}{at}"
            return say("%(name)s: %(value)s, at least %(limit)s%(at)s", **known)
        case "at_least":
            return say("%(name)s %(value)s is at least %(limit)s%(at)s", **known)
        case "at_most":
            return say("%(name)s %(value)s is at most %(limit)s%(at)s", **known)
        case "is":
            return f"{name}: {value}{at}"
        case "risen_by":
            return say("%(name)s %(value)s is at least %(limit)s above %(earlier)s%(before)s", **known)
        case "worse_by" if fact.threshold == "1":
            return say("%(name)s rose from %(earlier)s%(before)s to %(value)s, at least 1 level", **known)
        case "worse_by":
            return say("%(name)s rose from %(earlier)s%(before)s to %(value)s, at least %(limit)s levels", **known)
        case "new" if fact.earlier:
            return say("%(name)s %(value)s is new (it was %(earlier)s%(before)s)", **known)
        case "new":
            return say("%(name)s %(value)s is new", **known)
        case "below_baseline":
            return say("%(name)s %(value)s points is at least %(limit)s below the person's own %(earlier)s", **known)
        case "abandoned":
            return say("%(name)s was begun and not finished", **known)
        case "not_measured":
            return say("%(name)s was not measured", **known)
        case "silent_for":
            return say("no report for %(value)s, at least %(limit)s", **known)
    return f"{name} {value}"


def unknown_sentence(subject: str, catalogue: Catalogue, speech: Speech = ENGLISH) -> str:
    """What nobody could say."""
    if subject == "temperature":
        return speech.say(
            "could not say whether there is a fever: the temperature was not measured or could not be read"
        )
    return speech.say("could not say whether “%(name)s” applies", name=subject_name(subject, catalogue, speech))


def _spoken(subject: str, text: str, speech: Speech) -> str:
    """A value of a fact: a number with its unit, or a word."""
    if not text or not text[0].isdigit():
        return speech.say(_words(text)) if text else ""
    if subject in MEASURED:
        return f"{speech.decimals(text)} {speech.say(MEASURED[subject][1])}"
    if subject == "silence":
        return speech.say("%(number)s hours", number=speech.decimals(text))
    return f"{speech.decimals(text)} °C" if subject == "temperature" else text


def sentence(condition: Condition, catalogue: Catalogue) -> str:
    """The condition as one phrase; parts of a part stand in brackets."""
    match condition:
        case All(of=parts):
            return _joined(" and ", parts, catalogue)
        case Any(of=parts):
            return _joined(" or ", parts, catalogue)
        case AtLeast(count=count, of=parts):
            return f"at least {count} of these: " + _joined("; ", parts, catalogue)
        case _:
            return _leaf(condition, catalogue)


def rule_sentences(rule: Rule, ruleset: Ruleset) -> list[str]:
    """The whole rule in plain lines: whom it concerns, when it fires, what follows, why and on what it stands."""
    lines = [
        f"{rule.title} ({rule.id})",
        *judging_lines(rule, ruleset.catalogue),
        f"Why: {rule.why}",
        f"The patient is told: {fill(rule.advice)}",
    ]
    lines.extend(citation_sentence(citation, ruleset) for citation in rule.citations)
    if rule.source == JUDGMENT:
        lines.append("Source: a judgment, to be approved by the site's clinicians.")
    if rule.reasoning:
        lines.append(f"Reasoning: {rule.reasoning}")
    return lines


def judging_lines(rule: Rule, catalogue: Catalogue) -> list[str]:
    """Whom the rule concerns, when it fires and what follows; parts of its condition begin with "  - "."""
    return [
        f"Concerns {applies_sentence(rule.applies_to, catalogue)}.",
        *fires_lines(rule.when, catalogue),
        f"Then the report is {URGENCY_MEANS[rule.urgency]}.",
    ]


_TOLD = {
    "on_call": "whoever is on call (everybody of the team while the rota is empty)",
    "nurses": "the nurses of the team",
    "administrators": "the administrators of the team",
    "everybody": "all staff of the team",
    "patient": "the patient",
    "caregivers": "the caregivers",
}
_CHANNEL = {"sms": "SMS", "mail": "mail", "teams": "Teams", "slack": "Slack", "pagerduty": "PagerDuty"}


def escalation_sentences(response: Response) -> dict[Urgency, list[str]]:
    """Who is told while nobody acknowledges an alert, step by step, the most urgent first."""
    return {
        urgency: [step_sentence(step) for step in response.escalation[urgency]]
        for urgency in sorted(response.escalation, reverse=True)
    }


def step_sentence(step: Step) -> str:
    """One step in plain words: "After 5 minutes: the nurses of the team, by SMS, else by mail"."""
    when = f"After {span_words(step.after)}" if step.after else "At once"
    text = f"{when}: {_TOLD[step.tell]}, by " + ", else by ".join(_CHANNEL.get(name, name) for name in step.by)
    if step.quiet_hours:
        text += f"; from {step.quiet_hours.begins:%H:%M} to {step.quiet_hours.ends:%H:%M} it waits"
    if step.repeat_every:
        text += f"; again every {span_words(step.repeat_every)} until somebody acknowledges"
    return text


def reminder_sentences(response: Response) -> list[str]:
    """Who is asked for a missing report before it becomes an alert, one after the other."""
    return [_reminder_sentence(reminder) for reminder in response.reminders]


def _reminder_sentence(reminder: Reminder) -> str:
    text = f"{span_words(reminder.before)} before a missed report becomes an alert: {_TOLD[reminder.tell]}, by "
    text += ", else by ".join(_CHANNEL.get(name, name) for name in reminder.by)
    if quiet := reminder.quiet_hours:
        text += f"; from {quiet.begins:%H:%M} to {quiet.ends:%H:%M} it waits where that alert would be soon"
    return text


def example_sentence(data: Mapping[str, Anything], catalogue: Catalogue) -> str:
    """An example report of a rule file in plain words: "day 5, 37.9 °C; chills: mild"."""
    told, signs = [], []
    for key, value in data.items():
        if key == "days_since_therapy":
            told.append(f"day {value}")
        elif key == "therapy":
            told += [f"after {_therapy(str(value), catalogue)}"] if value else []
        elif key == "temperature_c" and isinstance(value, int | float):
            told.append(f"{number('temperature', Decimal(str(value)))} °C")
        elif key == "symptoms" and isinstance(value, Mapping):
            signs += [f"{subject_name(name, catalogue)}: {_words(str(answer))}" for name, answer in value.items()]
        elif key == "measured" and isinstance(value, Mapping):
            signs += [
                f"{subject_name(name, catalogue)}: {_with_unit(name, str(answer))}" for name, answer in value.items()
            ]
        elif key == "silent_for":
            signs.append(f"no report for {value}")
        elif key == "history" and isinstance(value, list):
            for earlier in value:
                rest = {name: answer for name, answer in earlier.items() if name != "hours_before"}
                before = example_sentence(rest, catalogue) or "a report"
                signs.append(f"{earlier.get('hours_before')} hours before: {before}")
        elif key == "thinking_check" and isinstance(value, Mapping):
            signs.append(f"thinking check: {_points(value)}")
        elif key == "thinking_check" and value == "abandoned":
            signs.append("thinking check: begun and not finished")
        elif key != "name":
            signs.append(f"{_NAMES.get(key, _words(key))}: {_answer(value)}")
    return "; ".join(filter(None, [", ".join(told), *signs])) or "nothing answered"


def _points(items: Mapping[str, Anything]) -> str:
    """A thinking check as its sum, as the rules ask for it, and item by item."""
    told = ", ".join(f"{item} {'not done' if points is None else points}" for item, points in items.items())
    given = sum(points for points in items.values() if isinstance(points, int))
    return f"{given} of {THINKING_CHECK_FULL} points ({told})"


def _therapy(code: str, catalogue: Catalogue) -> str:
    return catalogue.therapies[code].label if code in catalogue.therapies else code


def _answer(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return _words(str(value))


def citation_sentence(citation: Citation, ruleset: Ruleset) -> str:
    """A cited passage with its document and the date it was read."""
    source = ruleset.sources[citation.source]
    passage = source.passages[citation.passage]
    text = f"“{passage.text}”" if passage.form == "quote" else f"{passage.text} (our summary)"
    return f"Source: {source.title}, read on {source.read_on.isoformat()}: {text}"


def applies_sentence(applies_to: AppliesTo, catalogue: Catalogue) -> str:
    """Whom and which days a rule concerns."""
    if applies_to.therapies is None:
        who = "everybody"
    else:
        labels = [therapy.label for code, therapy in catalogue.therapies.items() if code in applies_to.therapies]
        who = "people after " + _list(labels)
    if applies_to.early:
        spans = [
            f"{_days(therapy.early)} after {therapy.label}"
            for code, therapy in catalogue.therapies.items()
            if therapy.early and (applies_to.therapies is None or code in applies_to.therapies)
        ]
        return f"{who}, in the early window ({'; '.join(spans)})"
    return f"{who}, {_days(applies_to.days)}" if applies_to.days else f"{who}, on any day"


def _days(window: Window) -> str:
    if window.last is None:
        return f"from day {window.first}"
    return f"days {window.first} to {window.last}"


def fires_lines(condition: Condition, catalogue: Catalogue) -> list[str]:
    """When a rule fires, its parts on lines of their own."""
    heads = {All: "Fires when all of these hold:", Any: "Fires when any of these holds:"}
    if isinstance(condition, AtLeast):
        head = f"Fires when at least {condition.count} of these hold:"
    elif isinstance(condition, All | Any):
        head = heads[type(condition)]
    else:
        return [f"Fires when {sentence(condition, catalogue)}."]
    return [head, *(f"  - {sentence(part, catalogue)}" for part in condition.of)]


def _joined(word: str, parts: tuple[Condition, ...], catalogue: Catalogue) -> str:
    texts = [
        f"({sentence(part, catalogue)})" if isinstance(part, All | Any | AtLeast) else sentence(part, catalogue)
        for part in parts
    ]
    return word.join(texts)


def _leaf(condition: Condition, catalogue: Catalogue) -> str:
    def name(code: str) -> str:
        return "any symptom" if code == ANY_SYMPTOM else subject_name(code, catalogue)

    match condition:
        case SymptomAtLeast(symptom=code, level=level):
            return f"{name(code)} is at least {_words(level.code)}"
        case SymptomPresent(symptom=code):
            if code in catalogue.symptoms and catalogue.symptoms[code].scale is Scale.PRESENCE:
                return f"{name(code)}: yes"
            return f"{name(code)} is reported"
        case TemperatureAtLeast(celsius=limit, within=within, risen_by=risen_by):
            text = f"the temperature is at least {_degrees(limit)}"
            if within:
                text += f", now or in a report of the last {span_words(within)}"
            if risen_by:
                text += f", and at least {number('temperature', risen_by)} °C above the previous reading"
            return text
        case TemperatureAtMost(celsius=limit):
            return f"the temperature is at most {_degrees(limit)}"
        case ThinkingCheckAtMost(points=points):
            return f"the thinking check gives at most {points} of 10 points"
        case ThinkingCheckBelowBaseline(points=points):
            return f"the thinking check is at least {points} below the person's own baseline (10 where none is on file)"
        case ThinkingCheckAbandoned():
            return "the thinking check was begun and not finished"
        case MeasuredAtLeast(quantity=quantity, value=value):
            return f"{MEASURED[quantity][0]} is at least {number('', value)} {MEASURED[quantity][1]}"
        case MeasuredAtMost(quantity=quantity, value=value):
            return f"{MEASURED[quantity][0]} is at most {number('', value)} {MEASURED[quantity][1]}"
        case OnSteroids():
            return "the person takes steroids or was given tocilizumab"
        case FeverReducerTaken():
            return "a fever reducer was taken in the last 6 hours"
        case Worse(symptom=code, by=by, lowest_in=lowest_in):
            than = f"the lowest answer of the last {span_words(lowest_in)}" if lowest_in else "the previous report"
            return f"{name(code)} is at least {by} level{'s' * (by != 1)} above {than}"
        case Persists(symptom=code, level=level, reports=reports, span=span):
            how_long = f"in {reports} reports running" if reports else f"for at least {span_words(span or timedelta())}"
            return f"{name(code)} is at least {_words(level.code)} {how_long}"
        case New(symptom=code):
            return f"{name(code)} is new since the previous report"
        case TemperatureNotMeasured():
            return "the temperature was not measured"
        case SilentFor(span=span):
            return f"no report came for {span_words(span)}"
        case Together(of=of, count=count):
            return f"rules of urgency “{of.code}” fire on at least {count} different signs"
        case _:
            return sentence(condition, catalogue)


def _with_unit(subject: str, text: str) -> str:
    if not text:
        return text
    if not text[0].isdigit():
        return _words(text)
    if subject == "temperature":
        return f"{text} °C"
    if subject in MEASURED:
        return f"{text} {MEASURED[subject][1]}"
    if subject == "silence":
        return f"{text} hours"
    return text


def _degrees(celsius: Decimal) -> str:
    return f"{number('temperature', celsius)} °C ({celsius_to_fahrenheit(celsius)} °F)"


def _words(code: str) -> str:
    return code.replace("_", " ")


def _list(items: list[str]) -> str:
    return " or ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items)

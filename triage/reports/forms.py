"""The steps of the daily report, built from the catalogue, and the way from what was typed to a report.

"None of these", "I am not sure" and a question that was not asked stay three different things all the way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from flask import current_app
from flask_wtf import FlaskForm
from itsdangerous import BadData, URLSafeSerializer
from wtforms import Field, Form, ValidationError

from triage.fields import Checkboxes, Hidden, Radios, Text, TextArea
from triage.models import Patient
from triage.reports import history
from triage.rules.catalogue import Asked, Catalogue, Presence, Scale, Severity, Symptom
from triage.rules.report import (
    MOST_DAYS,
    NOTE_LENGTH,
    TEMPERATURE_RANGE_C,
    UNKNOWN,
    Answer,
    Report,
    Unknown,
    fahrenheit_to_celsius,
    plain,
    read_number,
)

NONE, UNSURE, OTHER = "none", "unsure", "other"
FEVERISH = "feverish"
"""Asked beside the temperature, not among the other signs."""
STEPS = ("danger", "temperature", "symptoms", "more", "severity", "about")
HEADINGS = {
    "danger": "Danger signs",
    "temperature": "Temperature",
    "symptoms": "The last 24 hours",
    "more": "Anything else",
    "severity": "How bad was it?",
    "about": "A few more things",
}
YES_NO_UNSURE = (("yes", "Yes"), ("no", "No"), ("unknown", "I am not sure"))

Typed = Mapping[str, Any]
"""The fields of one step as typed."""
Answers = Mapping[str, Typed]
"""What was typed, by step."""


@dataclass(frozen=True)
class Questions:
    """Whom the form asks about what. `therapy`, `day` and `on_steroids` are what is on file; None is "not known"."""

    catalogue: Catalogue
    caregiver_for: str = ""
    """The patient's name when a caregiver answers."""
    therapy: str | None = None
    day: int | None = None
    on_steroids: bool = False

    def text(self, symptom: Symptom) -> str:
        return symptom.about if self.caregiver_for else symptom.question

    def words(self, patient: str, caregiver: str) -> str:
        """A text for the patient, or for somebody who answers for them."""
        return caregiver.replace("{name}", self.caregiver_for) if self.caregiver_for else patient

    def danger(self) -> list[tuple[str, str, Symptom, Severity | Presence]]:
        """The first screen: (value of the box, text, symptom, what a tick means)."""
        found: list[tuple[str, str, Symptom, Severity | Presence]] = []
        for symptom in self.catalogue.symptoms.values():
            if symptom.asked is Asked.DANGER:
                found.append((symptom.code, self.text(symptom), symptom, symptom.worst))
            elif symptom.danger_question:
                question = symptom.danger_question
                text = question.about if self.caregiver_for else question.question
                found.append((symptom.code, text, symptom, question.means))
        return found

    def daily(self) -> dict[str, list[Symptom]]:
        """The daily signs of the therapy by group; a caregiver is asked first what only an onlooker sees."""
        seen = self.catalogue.asked_when(Asked.CAREGIVER) if self.caregiver_for else []
        groups: dict[str, list[Symptom]] = {"onlooker": seen} if seen else {}
        for code in self.catalogue.groups:
            asked = self.catalogue.asked_when(Asked.DAILY, therapy=self.therapy)
            if members := [symptom for symptom in asked if symptom.group == code and symptom.code != FEVERISH]:
                groups[code] = members
        return groups

    def more(self) -> list[Symptom]:
        """What is asked only after "something else"."""
        daily = {symptom.code for members in self.daily().values() for symptom in members}
        rest = self.catalogue.asked_when(Asked.MORE, Asked.DAILY)
        return [symptom for symptom in rest if symptom.code not in daily and symptom.code != FEVERISH]

    def group_label(self, code: str) -> str:
        return f"What you see in {self.caregiver_for}" if code == "onlooker" else self.catalogue.groups[code]


def questions_for(patient: Patient, catalogue: Catalogue, at: datetime, *, caregiver_for: str) -> Questions:
    """What to ask about the patient at that moment: what is on file is not asked again."""
    today = history.local_date(patient.care_team, at)
    course = history.current_course(patient, today)
    return Questions(
        catalogue=catalogue,
        caregiver_for=caregiver_for,
        therapy=course.therapy if course and course.therapy in catalogue.therapies else None,
        day=history.days_since_therapy(course, today),
        on_steroids=history.on_steroids(course, today),
    )


class StepForm(FlaskForm):
    """One page of the report. The stamp says for whom it was printed: another person's fields are not taken."""

    for_person = Hidden()

    def stamp(self, person_id: str) -> None:
        """Mark the form as this person's."""
        self.for_person.data = _stamps().dumps(person_id)

    def belongs_to(self, person_id: str) -> bool:
        """Whether the fields that came were typed by this person."""
        try:
            return bool(_stamps().loads(self.for_person.data or "") == person_id)
        except BadData:
            return False

    def questions(self) -> Iterator[Field]:
        """The fields that are answers."""
        return (field for field in self if field.name not in ("csrf_token", "for_person", "token"))

    def typed(self) -> dict[str, Any]:
        """The answers as typed, to be kept in a draft."""
        return {field.name: field.data for field in self.questions()}


def _stamps() -> URLSafeSerializer:
    return URLSafeSerializer(current_app.secret_key or "", salt="report-form")


def step_form(step: str, questions: Questions, answers: Answers) -> StepForm:
    """The form of that step, filled in with what was typed before. A POST fills it with what came."""
    builders = {
        "danger": _danger_fields,
        "temperature": _temperature_fields,
        "symptoms": _symptom_fields,
        "more": _more_fields,
        "severity": _severity_fields,
        "about": _about_fields,
    }
    fields = builders[step](questions, answers)
    kind = type(f"{step.title()}Form", (StepForm,), fields)
    form: StepForm = kind(data=dict(answers.get(step, {})))
    return form


def needed(step: str, questions: Questions, answers: Answers) -> bool:
    """Whether the step has anything to ask after those answers."""
    if step == "more":
        return answers.get("symptoms", {}).get(OTHER) == "yes"
    if step == "severity":
        return bool(_to_grade(questions, answers))
    return True


def next_step(step: str, questions: Questions, answers: Answers) -> str | None:
    """The step after that one; None when the answers can be checked."""
    rest = STEPS[STEPS.index(step) + 1 :]
    return next((later for later in rest if needed(later, questions, answers)), None)


def first_open(questions: Questions, answers: Answers) -> str | None:
    """The first step without an answer; None when the report is complete."""
    for step in STEPS:
        if needed(step, questions, answers):
            if step not in answers:
                return step
            if step == "severity" and set(_to_grade(questions, answers)) - set(answers[step]):
                return step
    return None


# --- the fields of each step


class _TickOrNone:
    """A group of boxes needs an answer, and "none of these" stands alone."""

    def __init__(self, about: str) -> None:
        self.about = about

    def __call__(self, form: Form, field: Field) -> None:
        ticked = field.data or []
        question = self.about.endswith("?")
        if not ticked:
            tick = f"{self.about} Tick" if question else f"{self.about}: tick"
            raise ValidationError(f"{tick} what is true, or “None of these”")
        if NONE in ticked and len(ticked) > 1:
            about = self.about if question else f"{self.about}:"
            raise ValidationError(f"{about} “None of these” and another box are ticked. Untick one of them")


def _group(label: str, choices: list[tuple[str, str]], hints: Mapping[str, str], **options: Any) -> Checkboxes:
    apart = [(NONE, "None of these"), (UNSURE, "I am not sure about the others")]
    return Checkboxes(
        label,
        [_TickOrNone(label)],
        choices=choices + apart,
        exclusive=[NONE],
        apart=[NONE, UNSURE],
        hints=hints,
        **options,
    )


def _danger_fields(questions: Questions, answers: Answers) -> dict[str, Any]:
    choices = [(value, text) for value, text, _, _ in questions.danger()]
    label = questions.words("Do you have any of these now?", "Does {name} have any of these now?")
    hint = "Now, or in the last 24 hours. Boxes left empty count as “no”."
    return {"signs": _group(label, choices, {}, heading=True, description=hint), "token": Hidden()}


def _temperature_fields(questions: Questions, answers: Answers) -> dict[str, Any]:
    you = questions.words("you", "they")
    fields: dict[str, Any] = {
        "temperature": Text(
            questions.words("Your temperature now", "{name}’s temperature now"),
            [_temperature],
            description="For example 36.8 or 98.2. Leave it empty if you choose “I could not measure it”.",
            inputmode="decimal",
            width=5,
        ),
        "unit": Radios(
            "What does the thermometer show?",
            choices=[("c", "°C (Celsius)"), ("f", "°F (Fahrenheit)"), (NONE, "I could not measure it")],
            message="Choose °C, °F or “I could not measure it”",
        ),
        "feverish": Radios(
            questions.words("Do you feel feverish: hot or shivery?", "Do they seem feverish: hot or shivery?"),
            choices=YES_NO_UNSURE,
            message="Answer whether it feels like a fever",
        ),
        "fever_reducer": Radios(
            f"Did {you} take a medicine that lowers fever in the last 6 hours?",
            choices=YES_NO_UNSURE,
            description="For example paracetamol (acetaminophen), ibuprofen or aspirin",
            message="Answer whether a medicine that lowers fever was taken",
        ),
    }
    if not questions.on_steroids:
        fields["on_steroids"] = Radios(
            questions.words(
                "Do you take steroids now, or have you had tocilizumab since your treatment?",
                "Do they take steroids now, or have they had tocilizumab since the treatment?",
            ),
            choices=YES_NO_UNSURE,
            description="Steroids are for example dexamethasone or prednisolone. Tocilizumab is given in hospital.",
            message="Answer whether steroids are taken or tocilizumab was given",
        )
    return fields


def _temperature(form: Any, field: Field) -> None:
    """A plausible reading in the chosen unit, or nothing beside "I could not measure it"."""
    text, unit = (field.data or "").strip(), form.unit.data
    if unit == NONE:
        if text:
            raise ValidationError("You typed a temperature and chose “I could not measure it”. Change one of them")
        return
    if not text:
        raise ValidationError("Enter the temperature, or choose “I could not measure it”")
    number = read_number(text)
    if number is None:
        raise ValidationError("Enter the temperature as a number, for example 38.4")
    if unit not in ("c", "f"):
        return  # the unit has its own error
    if ("f" in text.lower() and unit == "c") or ("c" in text.lower() and unit == "f"):
        raise ValidationError("The unit you typed and the unit you chose differ. Which one does the thermometer show?")
    celsius = in_celsius(number, unit)
    least, most = TEMPERATURE_RANGE_C
    if least <= celsius <= most:
        return
    other = fahrenheit_to_celsius(number) if unit == "c" else number
    if least <= other <= most:
        shown = "°F (Fahrenheit)" if unit == "c" else "°C (Celsius)"
        raise ValidationError(f"Is {plain(number)} a reading in {shown}? Then choose {shown[:2]}")
    raise ValidationError("A temperature is between 30 and 45 °C (86 and 113 °F). Please measure or type it again")


def in_celsius(number: Decimal, unit: str) -> Decimal:
    return fahrenheit_to_celsius(number) if unit == "f" else number


def _symptom_fields(questions: Questions, answers: Answers) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for code, members in questions.daily().items():
        choices = [(symptom.code, questions.text(symptom)) for symptom in members]
        hints = {symptom.code: symptom.hint for symptom in members if symptom.hint and symptom.scale is Scale.PRESENCE}
        fields[f"group_{code}"] = _group(questions.group_label(code), choices, hints)
    fields[OTHER] = Radios(
        questions.words("Have you had anything else?", "Has there been anything else?"),
        choices=[("yes", "Yes"), ("no", "No")],
        message="Answer whether there was anything else",
        inline=True,
    )
    return fields


def _more_fields(questions: Questions, answers: Answers) -> dict[str, Any]:
    label = questions.words("Have you had any of these?", "Has {name} had any of these?")
    choices = [(symptom.code, questions.text(symptom)) for symptom in questions.more()]
    return {"signs": _group(label, choices, {}, heading=True, description="In the last 24 hours")}


def _severity_fields(questions: Questions, answers: Answers) -> dict[str, Any]:
    levels = [(code, text) for code, text in questions.catalogue.severities.items()]
    fields: dict[str, Any] = {}
    for code in _to_grade(questions, answers):
        symptom = questions.catalogue.symptoms[code]
        fields[code] = Radios(
            questions.text(symptom),
            choices=[*levels, (UNKNOWN.code, "I don’t know how bad")],
            description=symptom.hint,
            message=f"Choose how bad: {questions.text(symptom)}",
        )
    return fields


def _about_fields(questions: Questions, answers: Answers) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if questions.therapy is None:
        fields["therapy"] = Radios(
            questions.words("Which treatment did you have?", "Which treatment did {name} have?"),
            choices=[
                *((code, therapy.label) for code, therapy in questions.catalogue.therapies.items()),
                (UNKNOWN.code, "I don’t know"),
            ],
            message="Choose the treatment, or “I don’t know”",
        )
    if questions.day is None:
        fields["days"] = Text(
            "How many days ago was the last dose or infusion?",
            [_whole_days],
            description="0 if it was today. Leave it empty if you don’t know.",
            inputmode="numeric",
            width=3,
        )
    fields["note"] = TextArea(
        "Anything else your care team should know?",
        [_note],
        description="You can leave this empty. Nobody reads it at once: call if something is urgent.",
    )
    return fields


def _whole_days(form: Form, field: Field) -> None:
    text = (field.data or "").strip()
    if text and not (text.isascii() and text.isdigit() and len(text) < 7 and int(text) <= MOST_DAYS):
        raise ValidationError("Enter the number of days as a whole number, 0 or more, for example 5")


def _note(form: Form, field: Field) -> None:
    if len(field.data or "") > NOTE_LENGTH:
        raise ValidationError(f"Shorten the note to {NOTE_LENGTH} characters; it has {len(field.data)}")


# --- from what was typed to a report


def danger_ticked(answers: Answers) -> bool:
    """Whether a danger sign is among the answers."""
    return bool(set(answers.get("danger", {}).get("signs") or ()) - {NONE, UNSURE})


def to_report(questions: Questions, answers: Answers) -> Report:
    """The report that the answers make. What cannot be read is unknown; what was not asked is left out."""
    symptoms: dict[str, Answer] = {}
    danger = ((symptom, means) for _, _, symptom, means in questions.danger())
    _read_group(answers.get("danger"), "signs", danger, symptoms, danger=True)
    grades = answers.get("severity", {})
    for code, members in questions.daily().items():
        _read_group(answers.get("symptoms"), f"group_{code}", ((s, _grade(s, grades)) for s in members), symptoms)
    if needed("more", questions, answers):
        _read_group(answers.get("more"), "signs", ((s, _grade(s, grades)) for s in questions.more()), symptoms)
    measured = answers.get("temperature")
    if measured is not None and FEVERISH in questions.catalogue.symptoms:
        symptoms[FEVERISH] = _yes_no(measured.get("feverish"))
    about = answers.get("about", {})
    return Report(
        therapy=questions.therapy or _known(about.get("therapy")),
        days_since_therapy=questions.day if questions.day is not None else _days(about.get("days")),
        temperature_c=_celsius(measured) if measured is not None else None,
        fever_reducer_taken=_yes_no(measured.get("fever_reducer")) if measured is not None else None,
        on_steroids=Presence.YES if questions.on_steroids else _steroids(measured),
        symptoms=symptoms,
        note=(about.get("note") or "").strip(),
    )


def too_unwell(questions: Questions, answers: Answers) -> Report:
    """The report of one tap, with all that was answered before it."""
    report = to_report(questions, answers)
    return replace(report, symptoms={**report.symptoms, "too_unwell_to_answer": Presence.YES})


def _read_group(
    typed: Typed | None,
    name: str,
    members: Iterable[tuple[Symptom, Severity | Presence | Unknown]],
    symptoms: dict[str, Answer],
    *,
    danger: bool = False,
) -> None:
    """A group that was answered: ticked ones with what a tick means; the others no, or unknown beside "not sure"."""
    ticked = set((typed or {}).get(name) or ())
    if not ticked:
        return
    for symptom, means in members:
        if symptom.code in ticked:
            answer: Answer = means
        elif UNSURE in ticked:
            answer = UNKNOWN
        elif danger and symptom.danger_question:
            continue  # "not so bad" is no answer to how bad: the daily question asks
        else:
            answer = Presence.NO if symptom.scale is Scale.PRESENCE else Severity.NONE
        symptoms[symptom.code] = _worse(symptoms.get(symptom.code), answer)


def _worse(before: Answer | None, answer: Answer) -> Answer:
    """The more worrying of two answers to the same question. A complaint beats "unknown", "unknown" beats "no"."""

    def rank(one: Answer) -> float:
        return 0.5 if isinstance(one, Unknown) else float(one)

    return answer if before is None or rank(answer) > rank(before) else before


def _grade(symptom: Symptom, grades: Typed) -> Severity | Presence | Unknown:
    if symptom.scale is Scale.PRESENCE:
        return Presence.YES
    word = grades.get(symptom.code)
    return Severity[word.upper()] if word in {level.code for level in Severity} else UNKNOWN


def _to_grade(questions: Questions, answers: Answers) -> list[str]:
    """The ticked symptoms that are answered by severity, in the order of the pages."""
    ticked: list[str] = []
    for code in questions.daily():
        ticked += answers.get("symptoms", {}).get(f"group_{code}") or []
    if needed("more", questions, answers):
        ticked += answers.get("more", {}).get("signs") or []
    symptoms = questions.catalogue.symptoms
    return [code for code in dict.fromkeys(ticked) if code in symptoms and symptoms[code].scale is Scale.SEVERITY]


def _celsius(typed: Typed) -> Decimal | Unknown:
    number = read_number(typed.get("temperature") or "")
    unit = typed.get("unit")
    if number is None or unit not in ("c", "f"):
        return UNKNOWN
    celsius = in_celsius(number, unit)
    least, most = TEMPERATURE_RANGE_C
    return celsius if least <= celsius <= most else UNKNOWN


def _yes_no(word: object) -> Presence | Unknown:
    return {"yes": Presence.YES, "no": Presence.NO}.get(str(word), UNKNOWN)


def _steroids(typed: Typed | None) -> Presence | Unknown | None:
    return _yes_no(typed["on_steroids"]) if typed is not None and "on_steroids" in typed else None


def _known(code: object) -> str | None:
    return str(code) if code and code != UNKNOWN.code else None


def _days(text: object) -> int | None:
    typed = str(text or "").strip()
    return int(typed) if typed.isascii() and typed.isdigit() and int(typed) <= MOST_DAYS else None

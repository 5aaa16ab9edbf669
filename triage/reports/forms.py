"""The steps of the daily report, built from the catalogue, and the way from what was typed to a report.

"None of these", "I am not sure" and a question that was not asked stay three different things all the way. On a page of
check boxes a button says "None of these"; it is an answer to each box of the page, and stands beside no tick.
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

from triage import languages
from triage.fields import Checkboxes, Hidden, Pressed, Radios, Text, TextArea
from triage.languages import _, later
from triage.models import Patient
from triage.reports import history, thinking
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
REDUCER, STEROIDS = "fever_reducer", "steroids"
STEPS = (
    "danger",
    "temperature",
    "medicines",
    "symptoms",
    "more",
    "severity",
    thinking.INTRO,
    *thinking.ITEMS,
    "about",
    "note",
)
HEADINGS = {
    "danger": later("Danger signs"),
    "temperature": later("Temperature"),
    "medicines": later("Medicines"),
    "symptoms": later("The last 24 hours"),
    "more": later("Anything else"),
    "severity": later("How bad was it?"),
    thinking.INTRO: later("Thinking check"),
    "orientation": later("Thinking check: where and when"),
    "naming": later("Thinking check: three pictures"),
    "command": later("Thinking check: one thing to do"),
    "writing": later("Thinking check: one sentence"),
    "attention": later("Thinking check: counting back"),
    "about": later("Your treatment"),
    "note": later("A note for your care team"),
}
TASKS = {
    "orientation": later("where and when"),
    "naming": later("three pictures"),
    "command": later("one thing to do"),
    "writing": later("one sentence"),
    "attention": later("counting back"),
}
"""Headings of the tasks of the first thinking check."""
TICKED = ("danger", "medicines", "symptoms", "more")
"""Steps of check boxes, with a button that says "none"."""

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
    unit: str = ""
    """"c" or "f": what the reporter's thermometer showed last time."""
    thinking: thinking.Asked | None = None
    """None: nobody is asked the thinking check here."""

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
            if members := [symptom for symptom in asked if symptom.group == code]:
                groups[code] = members
        return groups

    def more(self) -> list[Symptom]:
        """What is asked only after "something else"."""
        daily = {symptom.code for members in self.daily().values() for symptom in members}
        rest = self.catalogue.asked_when(Asked.MORE, Asked.DAILY)
        return [symptom for symptom in rest if symptom.code not in daily]

    def group_label(self, code: str) -> str:
        return (
            _("What you see in %(name)s", name=self.caregiver_for)
            if code == "onlooker"
            else self.catalogue.groups[code]
        )


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
    press = Pressed()

    step = ""
    language = thinking.LANGUAGE

    def stamp(self, person_id: str) -> None:
        """Mark the form as this person's."""
        self.for_person.data = stamp_of(person_id)

    def belongs_to(self, person_id: str) -> bool:
        """Whether the fields that came were typed by this person."""
        return is_stamp_of(person_id, self.for_person.data or "")

    def questions(self) -> Iterator[Field]:
        """The fields that are answers."""
        return (field for field in self if field.name not in ("csrf_token", "for_person", "token", "press"))

    def typed(self) -> dict[str, Any]:
        """The answers as typed, to be kept in a draft."""
        typed = {field.name: field.data for field in self.questions()}
        if self.step in CHECK and self.language != thinking.LANGUAGE:
            typed[thinking.SPOKEN] = self.language
        return typed | {thinking.PRESSED: self.press.data} if self.step in CHECK and self.press.data else typed

    def validate(self, extra_validators: Any = None) -> bool:
        """Whether every question of the page is answered; boxes and buttons are looked at together."""
        if self.step in thinking.ITEMS and self.press.data in (thinking.STOP, thinking.SKIP):
            return True
        good = bool(super().validate(extra_validators))
        if self.step in TICKED:
            return _ticked_or_none(self) and good
        if self.step in thinking.ITEMS and not any(self.data.get(mark) for mark in thinking.MARKS[self.step]):
            first = self[thinking.MARKS[self.step][0]]
            first.errors = [_("Write an answer, or press “I cannot do this one”")]
            return False
        if self.step == thinking.INTRO and self.press.data not in (thinking.START, thinking.DECLINE, thinking.AWAY):
            self.form_errors.append(_("Press one of the buttons"))
            return False
        return good


def stamp_of(person_id: str) -> str:
    """What a page printed for this person carries: always the same, so that a phone knows whose it keeps."""
    return str(_stamps().dumps(person_id))


def is_stamp_of(person_id: str, text: str) -> bool:
    """Whether `stamp_of` made that text for this person."""
    try:
        return bool(_stamps().loads(text) == person_id)
    except BadData:
        return False


def _stamps() -> URLSafeSerializer:
    return URLSafeSerializer(current_app.secret_key or "", salt="report-form")


def step_form(step: str, questions: Questions, answers: Answers) -> StepForm:
    """The form of that step, filled in with what was typed before. A POST fills it with what came."""
    builders = {
        "danger": _danger_fields,
        "temperature": _temperature_fields,
        "medicines": _medicine_fields,
        "symptoms": _symptom_fields,
        "more": _more_fields,
        "severity": _severity_fields,
        "about": _about_fields,
        "note": _note_fields,
    }
    fields = builders[step](questions, answers) if step in builders else check_fields(step)
    language = questions.thinking.language if questions.thinking else thinking.LANGUAGE
    kind = type(f"{step.title()}Form", (StepForm,), {**fields, "step": step, "language": language})
    known = dict(answers.get(step, {}))
    if step == "temperature" and questions.unit:
        known.setdefault("unit", questions.unit)
    if step == "naming" and questions.thinking:
        known.setdefault("set", str(thinking.set_of(questions.thinking.at, questions.thinking.place.zone)))
    if step == "command":
        known.setdefault("set", answers.get("naming", {}).get("set"))
    form: StepForm = kind(data=known)
    return form


def needed(step: str, questions: Questions, answers: Answers) -> bool:
    """Whether the step has anything to ask after those answers."""
    if step == "more":
        return any(OTHER in ticked for ticked in answers.get("symptoms", {}).values() if isinstance(ticked, list))
    if step == "severity":
        return bool(_to_grade(questions, answers))
    if step == thinking.INTRO:
        return questions.thinking is not None and (step in answers or _asks_thinking(questions, answers))
    if step in thinking.ITEMS:
        return thinking.is_ahead(step, answers) and needed(thinking.INTRO, questions, answers)
    if step == "about":
        return questions.therapy is None or questions.day is None
    return step != "note"  # asked only of whoever wants to write one


def _asks_thinking(questions: Questions, answers: Answers) -> bool:
    """Whether the check is due, or a neurological sign is reported, or somebody is not sure about one."""
    if questions.thinking is None:
        return False
    if questions.thinking.due:
        return True
    told = _symptoms(questions, answers)
    return any(told.get(code) for code in questions.catalogue.thinking_check.signs)


def steps(questions: Questions, answers: Answers) -> list[str]:
    """The steps that are asked after those answers, in order."""
    check = needed(thinking.INTRO, questions, answers)  # the same for each of its items, and what costs most

    def asked(step: str) -> bool:
        if step in thinking.ITEMS:
            return check and thinking.is_ahead(step, answers)
        return check if step == thinking.INTRO else needed(step, questions, answers)

    return list(filter(asked, STEPS))


def next_step(step: str, questions: Questions, answers: Answers) -> str | None:
    """The step after that one; None when the answers can be checked."""
    rest = STEPS[STEPS.index(step) + 1 :]
    return next((later for later in steps(questions, answers) if later in rest), None)


def first_open(questions: Questions, answers: Answers) -> str | None:
    """The first step without an answer; None when the report is complete."""
    for step in steps(questions, answers):
        if step not in answers:
            return step
        if step == "severity" and set(_to_grade(questions, answers)) - set(answers[step]):
            return step
    return None


# --- the fields of each step

CHECK = (thinking.INTRO, *thinking.ITEMS)


def none_text(step: str) -> str:
    """What the button says that answers every box of the page with no; nothing on pages without boxes."""
    return "" if step not in TICKED else _("None of all these") if step == "symptoms" else _("None of these")


def _ticked_or_none(form: StepForm) -> bool:
    """A page of boxes is answered by ticks or by the button that says "none", never by both or neither. Beside ticks,
    groups without one are a "no", as the page says above its buttons."""
    groups = [field for field in form if isinstance(field, Checkboxes)]
    ticked = [field for field in groups if field.data]
    none = none_text(form.step)
    if form.press.data == NONE and ticked:
        ticked[0].errors = [_("A box is ticked, and you pressed “%(none)s”. Untick it, or press “Continue”", none=none)]
        return False
    if form.press.data != NONE and not ticked:
        groups[0].errors = [_("Tick what is true, or press “%(none)s”", none=none)]
        return False
    for field in groups:
        field.data = field.data or [NONE]
    return True


def _group(label: str, choices: list[tuple[str, str]], hints: Mapping[str, str], **options: Any) -> Checkboxes:
    unsure = _("I am not sure about the others") if len(choices) > 1 else _("I am not sure")
    return Checkboxes(label, choices=[*choices, (UNSURE, unsure)], apart=[UNSURE], hints=hints, **options)


def _danger_fields(questions: Questions, answers: Answers) -> dict[str, Any]:
    choices = [(value, text) for value, text, _, _ in questions.danger()]
    label = questions.words(_("Do you have any of these now?"), _("Does {name} have any of these now?"))
    hint = _("Now, or in the last 24 hours.")
    return {"signs": _group(label, choices, {}, heading=True, description=hint), "token": Hidden()}


def _temperature_fields(questions: Questions, answers: Answers) -> dict[str, Any]:
    fahrenheit = languages.fahrenheit_first()
    units = [("c", _("°C (Celsius)")), ("f", _("°F (Fahrenheit)"))]
    return {
        "temperature": Text(
            questions.words(_("Your temperature now"), _("{name}’s temperature now")),
            [_temperature],
            description=_(
                "For example %(one)s or %(other)s. Leave it empty if you choose “I could not measure it”.",
                one=languages.decimals("98.2" if fahrenheit else "36.8"),
                other=languages.decimals("36.8" if fahrenheit else "98.2"),
            ),
            inputmode="decimal",
            width=5,
        ),
        "unit": Radios(
            _("What does the thermometer show?"),
            choices=[*(reversed(units) if fahrenheit else units), (NONE, _("I could not measure it"))],
            message=_("Choose °C, °F or “I could not measure it”"),
        ),
    }


def _medicine_fields(questions: Questions, answers: Answers) -> dict[str, Any]:
    """Two questions in one group: each can hide a fever. What is on file is not asked."""
    choices = [
        (
            REDUCER,
            questions.words(
                _("I took a medicine that lowers fever in the last 6 hours"),
                _("They took a medicine that lowers fever in the last 6 hours"),
            ),
        )
    ]
    hints = {REDUCER: _("For example paracetamol (acetaminophen), ibuprofen or aspirin")}
    if not questions.on_steroids:
        text = questions.words(
            _("I take steroids now, or I have had tocilizumab since my treatment"),
            _("They take steroids now, or have had tocilizumab since the treatment"),
        )
        choices.append((STEROIDS, text))
        hints[STEROIDS] = _("Steroids are for example dexamethasone or prednisolone. Tocilizumab is given in hospital.")
    return {"taken": _group(_("Which of these are true?"), choices, hints, heading=True)}


def _temperature(form: Any, field: Field) -> None:
    """A plausible reading in the chosen unit, or nothing beside "I could not measure it"."""
    text, unit = (field.data or "").strip(), form.unit.data
    if unit == NONE:
        if text:
            raise ValidationError(_("You typed a temperature and chose “I could not measure it”. Change one of them"))
        return
    if not text:
        raise ValidationError(_("Enter the temperature, or choose “I could not measure it”"))
    number = read_number(text)
    if number is None:
        raise ValidationError(
            _("Enter the temperature as a number, for example %(one)s", one=languages.decimals("38.4"))
        )
    if unit not in ("c", "f"):
        return  # the unit has its own error
    if ("f" in text.lower() and unit == "c") or ("c" in text.lower() and unit == "f"):
        raise ValidationError(
            _("The unit you typed and the unit you chose differ. Which one does the thermometer show?")
        )
    celsius = in_celsius(number, unit)
    least, most = TEMPERATURE_RANGE_C
    if least <= celsius <= most:
        return
    other = fahrenheit_to_celsius(number) if unit == "c" else number
    if least <= other <= most:
        reading = languages.decimals(plain(number))
        if unit == "c":
            raise ValidationError(_("Is %(reading)s a reading in °F (Fahrenheit)? Then choose °F", reading=reading))
        raise ValidationError(_("Is %(reading)s a reading in °C (Celsius)? Then choose °C", reading=reading))
    raise ValidationError(_("A temperature is between 30 and 45 °C (86 and 113 °F). Please measure or type it again"))


def in_celsius(number: Decimal, unit: str) -> Decimal:
    return fahrenheit_to_celsius(number) if unit == "f" else number


def _symptom_fields(questions: Questions, answers: Answers) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for code, members in questions.daily().items():
        choices = [(symptom.code, questions.text(symptom)) for symptom in members]
        hints = {symptom.code: symptom.hint for symptom in members if symptom.hint and symptom.scale is Scale.PRESENCE}
        fields[f"group_{code}"] = _group(questions.group_label(code), choices, hints)
    fields["group_else"] = Checkboxes(
        _("Anything else"),
        choices=[(OTHER, _("Something that is not on this list"))],
        description=_("More signs are asked then"),
    )
    return fields


def _more_fields(questions: Questions, answers: Answers) -> dict[str, Any]:
    label = questions.words(_("Have you had any of these?"), _("Has {name} had any of these?"))
    choices = [(symptom.code, questions.text(symptom)) for symptom in questions.more()]
    return {"signs": _group(label, choices, {}, heading=True, description=_("In the last 24 hours"))}


def _severity_fields(questions: Questions, answers: Answers) -> dict[str, Any]:
    levels = [(code, text) for code, text in questions.catalogue.severities.items()]
    fields: dict[str, Any] = {}
    for code in _to_grade(questions, answers):
        symptom = questions.catalogue.symptoms[code]
        fields[code] = Radios(
            questions.text(symptom),
            choices=[*levels, (UNKNOWN.code, _("I don’t know how bad"))],
            description=symptom.hint,
            message=_("Choose how bad: %(sign)s", sign=questions.text(symptom)),
        )
    return fields


def _about_fields(questions: Questions, answers: Answers) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if questions.therapy is None:
        fields["therapy"] = Radios(
            questions.words(_("Which treatment did you have?"), _("Which treatment did {name} have?")),
            choices=[
                *((code, therapy.label) for code, therapy in questions.catalogue.therapies.items()),
                (UNKNOWN.code, _("I don’t know")),
            ],
            message=_("Choose the treatment, or “I don’t know”"),
        )
    if questions.day is None:
        fields["days"] = Text(
            _("How many days ago was the last dose or infusion?"),
            [_whole_days],
            description=_("0 if it was today. Leave it empty if you don’t know."),
            inputmode="numeric",
            width=3,
        )
    return fields


def _note_fields(questions: Questions, answers: Answers) -> dict[str, Any]:
    return {
        "note": TextArea(
            _("Anything else your care team should know?"),
            [_note],
            description=_("Nobody reads it at once: call if something is urgent."),
            heading=True,
        )
    }


def check_fields(step: str) -> dict[str, Any]:
    """One task of the thinking check; for its first page none, since buttons answer it."""
    plain: dict[str, Any] = {"plain": True, "autocomplete": "off"}
    most = [_answer]
    if step == "orientation":
        return {
            "year": Text(_("What year is it?"), most, inputmode="numeric", width=4, **plain),
            "month": Text(_("What month is it?"), most, width=10, **plain),
            "town": Text(_("Which town are you in?"), most, width=20, **plain),
            "hospital": Text(_("Which hospital looks after you?"), most, width=20, **plain),
        }
    if step == "naming":
        names = {
            mark: Text(_("What is in picture %(number)s?", number=mark[-1]), most, width=20, **plain)
            for mark in thinking.MARKS[step]
        }
        return {**names, "set": Hidden()}
    if step == "command":
        return {"shape": Pressed(), "set": Hidden()}
    if step == "writing":
        return {"sentence": TextArea(_("Write this sentence:"), most, rows=2, plain=True)}
    if step == "attention":
        hint = _("Begin with 100. Write the numbers with a space between them.")
        return {"counting": Text(_("Count back from 100 by ten, down to 10"), most, description=hint, **plain)}
    return {}


def _answer(form: Form, field: Field) -> None:
    if len(field.data or "") > thinking.ANSWER_LENGTH:
        raise ValidationError(_("Shorten it to %(most)s characters", most=thinking.ANSWER_LENGTH))


def _whole_days(form: Form, field: Field) -> None:
    text = (field.data or "").strip()
    if text and not (text.isascii() and text.isdigit() and len(text) < 7 and int(text) <= MOST_DAYS):
        raise ValidationError(_("Enter the number of days as a whole number, 0 or more, for example 5"))


def _note(form: Form, field: Field) -> None:
    if len(field.data or "") > NOTE_LENGTH:
        raise ValidationError(
            _("Shorten the note to %(most)s characters; it has %(count)s", most=NOTE_LENGTH, count=len(field.data))
        )


def beside(form: StepForm, questions: Questions) -> dict[str, Any]:
    """What the page of a task shows beside its fields: the pictures, the shape, the sentence."""
    words = thinking.words(form.language)
    asked = words.sets[thinking.read_set(form["set"].data if "set" in form else None)]
    return {
        "name": questions.caregiver_for,
        "pictures": [picture.number for picture in asked.pictures],
        "shape": asked.shape,
        "shapes": thinking.SHAPES,
        "sentence": words.sentence,
    }


# --- from what was typed to a report


def danger_ticked(answers: Answers) -> bool:
    """Whether a danger sign is among the answers."""
    return bool(set(answers.get("danger", {}).get("signs") or ()) - {NONE, UNSURE})


def to_report(questions: Questions, answers: Answers) -> Report:
    """The report that the answers make. What cannot be read is unknown; what was not asked is left out."""
    measured, taken = answers.get("temperature"), answers.get("medicines")
    about = answers.get("about", {})
    check = check_of(questions, answers)
    able = questions.thinking.able if questions.thinking else None
    own = None if check is None or check.check.without_points or able is None else thinking.reference(able, check.right)
    return Report(
        therapy=questions.therapy or _known(about.get("therapy")),
        days_since_therapy=questions.day if questions.day is not None else _days(about.get("days")),
        temperature_c=_celsius(measured) if measured is not None else None,
        fever_reducer_taken=_taken(taken, REDUCER),
        on_steroids=Presence.YES if questions.on_steroids else _taken(taken, STEROIDS),
        symptoms=_symptoms(questions, answers),
        thinking_check=check.check if check else None,
        thinking_check_baseline=own,
        thinking_check_answers=check.answers if check else {},
        note=(answers.get("note", {}).get("note") or "").strip(),
    )


def check_of(questions: Questions, answers: Answers) -> thinking.Scored | None:
    """The thinking check among the answers; None where nobody was asked. What was begun counts, whatever follows."""
    if questions.thinking is None:
        return None
    return thinking.scored(answers, questions.thinking.place, questions.thinking.at)


def _symptoms(questions: Questions, answers: Answers) -> dict[str, Answer]:
    symptoms: dict[str, Answer] = {}
    danger = ((symptom, means) for _, _, symptom, means in questions.danger())
    _read_group(answers.get("danger"), "signs", danger, symptoms, danger=True)
    grades = answers.get("severity", {})
    for code, members in questions.daily().items():
        _read_group(answers.get("symptoms"), f"group_{code}", ((s, _grade(s, grades)) for s in members), symptoms)
    if needed("more", questions, answers):
        _read_group(answers.get("more"), "signs", ((s, _grade(s, grades)) for s in questions.more()), symptoms)
    return symptoms


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


def _taken(typed: Typed | None, what: str) -> Presence | Unknown | None:
    """Whether that medicine was taken; unknown beside "not sure", None where the page was not answered."""
    ticked = (typed or {}).get("taken") or ()
    if what in ticked:
        return Presence.YES
    return UNKNOWN if UNSURE in ticked else Presence.NO if ticked else None


def _known(code: object) -> str | None:
    return str(code) if code and code != UNKNOWN.code else None


def _days(text: object) -> int | None:
    typed = str(text or "").strip()
    return int(typed) if typed.isascii() and typed.isdigit() and int(typed) <= MOST_DAYS else None

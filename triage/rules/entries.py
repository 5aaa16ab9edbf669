"""The written form of each entry of a rule file: its keys and what kind of value each holds. No meaning yet."""

from __future__ import annotations

from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict


class Form(BaseModel):
    """The written form of something: unknown keys and wrong kinds of values are mistakes."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class SnomedForm(Form):
    code: str
    display: str


class DangerForm(Form):
    question: str
    about: str
    means: Literal["mild", "moderate", "severe", "very_severe"]


class SymptomForm(Form):
    code: str
    scale: Literal["severity", "presence"]
    label: str
    question: str
    about: str
    group: str
    asked: Literal["start", "danger", "daily", "more", "caregiver"]
    hint: str = ""
    daily_for: list[str] = []
    danger_question: DangerForm | None = None
    snomed: SnomedForm | None = None


class TherapyForm(Form):
    code: str
    label: str
    about: str = ""
    products: list[str] = []
    early: str | None = None
    daily_report: str | None = None


class GroupForm(Form):
    code: str
    label: str


class SeveritiesForm(Form):
    mild: str
    moderate: str
    severe: str
    very_severe: str


class CheckWindowForm(Form):
    therapies: list[str]
    days: str
    again_after: str


class CheckAskedForm(Form):
    windows: list[CheckWindowForm] = []
    signs: list[str] = []


class CatalogueForm(Form):
    groups: list[Any]
    severities: SeveritiesForm
    symptoms: list[Any]
    therapies: list[Any]
    thinking_check: CheckAskedForm | None = None


class PassageForm(Form):
    id: str
    text: str
    form: Literal["quote", "summary"]
    signs: list[str] = []


class SourceForm(Form):
    key: str
    title: str
    address: str
    read_on: str
    kind: Literal["label", "guideline", "paper", "leaflet", "page", "tool"]
    passages: list[PassageForm]
    publisher: str = ""


class ByUrgencyForm(Form):
    emergency: str
    urgent: str
    soon: str


class NextReportForm(ByUrgencyForm):
    routine: str


class SilenceForm(Form):
    grace: str


class OutcomeForm(Form):
    emergency: str
    urgent: str


class StepForm(Form):
    after: str
    tell: Literal["on_call", "nurses", "administrators", "everybody", "patient", "caregivers"]
    by: list[Literal["sms", "mail", "teams", "slack", "pagerduty", "webhook"]]
    quiet_hours: str | None = None
    repeat_every: str | None = None


class ReminderForm(Form):
    before: str
    tell: Literal["patient", "caregivers"]
    by: list[Literal["sms", "mail"]]
    quiet_hours: str | None = None


class EscalationForm(Form):
    emergency: list[StepForm]
    urgent: list[StepForm]
    soon: list[StepForm] = []


class ResponseForm(Form):
    acknowledge_within: ByUrgencyForm
    outcome_within: OutcomeForm | None = None
    next_report: NextReportForm
    silence: SilenceForm
    reminders: list[ReminderForm] | None = None
    escalation: EscalationForm | None = None


class AppliesForm(Form):
    therapies: list[str] | None = None
    window: str | None = None
    days: str | None = None


class TranslationForm(Form):
    """What patients read in another language."""

    review: str
    texts: list[dict[str, str]]


class CasesForm(Form):
    fires: list[dict[str, Any]]
    stays_quiet: list[dict[str, Any]]


class RuleForm(Form):
    id: str
    title: str
    urgency: str
    when: Any
    why: str
    advice: str
    source: str
    applies_to: AppliesForm = AppliesForm()
    passage: str | None = None
    more_sources: list[str] = []
    reasoning: str = ""
    cases: CasesForm


FormT = TypeVar("FormT", bound=Form)


def words_at(kind: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    """The words that a form knows at that depth."""
    for step in loc:
        if isinstance(step, int):
            continue
        found = _forms_in(kind.model_fields[step].annotation) if step in kind.model_fields else []
        if not found:
            return []
        kind = found[0]
    return list(kind.model_fields)


def _forms_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [form for part in getattr(annotation, "__args__", ()) for form in _forms_in(part)]

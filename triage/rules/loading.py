"""Rule files → a ruleset, or every mistake in them at once, each with file, line and column.

pydantic says whether an entry has the right keys and kinds of values, `written` reads the conditions, and this module
looks up what names something elsewhere: sources, passages, groups, therapies.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.tokens import AliasToken, AnchorToken

from triage.rules.catalogue import (
    SEVERITY_CODES,
    Asked,
    Catalogue,
    Code,
    DangerQuestion,
    Scale,
    Severity,
    Symptom,
    Therapy,
    Window,
)
from triage.rules.conditions import Together
from triage.rules.report import BadReport, from_data, nearest
from triage.rules.ruleset import (
    JUDGMENT,
    AppliesTo,
    Case,
    Citation,
    Passage,
    Place,
    Response,
    Rule,
    Ruleset,
    Source,
)
from triage.rules.urgency import URGENCY_CODES, Urgency
from triage.rules.wording import PLACEHOLDERS
from triage.rules.written import ConditionReader, Loc, read_span, read_window

CATALOGUE, SOURCES, RESPONSE = "catalogue.yaml", "sources.yaml", "response.yaml"
MOST_CHARACTERS = 262_144


@dataclass(frozen=True)
class RuleError:
    """One mistake in a rule file."""

    place: Place
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


class RuleFileErrors(ValueError):
    """The files make no ruleset; carries every mistake, in the order of the files."""

    def __init__(self, errors: Iterable[RuleError]) -> None:
        self.errors = sorted(set(errors), key=lambda e: (e.place.file, e.place.line, e.place.column, e.message))
        super().__init__("\n".join(str(error) for error in self.errors))


def load(folder: Path) -> Ruleset:
    """The ruleset of a folder of .yaml files. Raises RuleFileErrors."""
    files = sorted(path for path in folder.glob("*.yaml") if path.is_file()) if folder.is_dir() else []
    shown = os.path.relpath(folder) if folder.is_absolute() else str(folder)
    if shown.startswith(".."):
        shown = str(folder)
    if not files:
        raise RuleFileErrors([RuleError(Place(shown, 1, 1), "no rule files here: a folder with .yaml files is needed")])
    texts: dict[str, str] = {}
    errors: list[RuleError] = []
    for path in files:
        try:
            texts[f"{shown}/{path.name}"] = path.read_bytes().decode("utf-8-sig")
        except UnicodeDecodeError:
            errors.append(RuleError(Place(f"{shown}/{path.name}", 1, 1), "is not written in UTF-8"))
        except OSError as error:
            errors.append(RuleError(Place(f"{shown}/{path.name}", 1, 1), f"cannot be read: {error.strerror}"))
    if errors:
        raise RuleFileErrors(errors)
    return load_texts(texts)


def load_texts(files: Mapping[str, str]) -> Ruleset:
    """The ruleset of those texts, by file name. Raises RuleFileErrors."""
    loader = _Loader()
    trees = {name: loader.parse(name, text) for name, text in files.items()}
    return loader.ruleset(trees)


def from_document(document: str) -> Ruleset:
    """The ruleset again from its canonical JSON document: same hash, same judgments. Raises RuleFileErrors."""
    data = json.loads(document)
    trees = {name: _File(name, data[key]) for name, key in ((CATALOGUE, "catalogue"), (SOURCES, "sources"))}
    trees[RESPONSE] = _File(RESPONSE, data["response"])
    trees["rules.yaml"] = _File("rules.yaml", data["rules"])
    return _Loader().ruleset(trees)


# --- what an entry looks like -----------------------------------------------------------------------------------------


class _Form(BaseModel):
    """The written form of something: unknown keys and wrong kinds of values are mistakes."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


_FormT = TypeVar("_FormT", bound=_Form)


class _SnomedForm(_Form):
    code: str
    display: str


class _DangerForm(_Form):
    question: str
    about: str
    means: Literal["mild", "moderate", "severe", "very_severe"]


class _SymptomForm(_Form):
    code: str
    scale: Literal["severity", "presence"]
    label: str
    question: str
    about: str
    group: str
    asked: Literal["start", "danger", "daily", "more", "caregiver"]
    hint: str = ""
    daily_for: list[str] = []
    danger_question: _DangerForm | None = None
    snomed: _SnomedForm | None = None


class _TherapyForm(_Form):
    code: str
    label: str
    about: str = ""
    products: list[str] = []
    early: str | None = None
    daily_report: str | None = None


class _GroupForm(_Form):
    code: str
    label: str


class _SeveritiesForm(_Form):
    mild: str
    moderate: str
    severe: str
    very_severe: str


class _CatalogueForm(_Form):
    groups: list[_GroupForm]
    severities: _SeveritiesForm
    symptoms: list[_SymptomForm]
    therapies: list[_TherapyForm]


class _PassageForm(_Form):
    id: str
    text: str
    form: Literal["quote", "summary"]
    signs: list[str] = []


class _SourceForm(_Form):
    key: str
    title: str
    address: str
    read_on: date | str
    kind: Literal["label", "guideline", "paper", "leaflet", "page", "tool"]
    passages: list[_PassageForm]
    publisher: str = ""


class _ByUrgencyForm(_Form):
    emergency: str
    urgent: str
    soon: str


class _NextReportForm(_ByUrgencyForm):
    routine: str


class _SilenceForm(_Form):
    grace: str


class _ResponseForm(_Form):
    acknowledge_within: _ByUrgencyForm
    next_report: _NextReportForm
    silence: _SilenceForm


class _AppliesForm(_Form):
    therapies: list[str] | None = None
    window: str | None = None
    days: str | None = None


class _CasesForm(_Form):
    fires: list[dict[str, Any]]
    stays_quiet: list[dict[str, Any]]


class _RuleForm(_Form):
    id: str
    title: str
    urgency: str
    when: Any
    why: str
    advice: str
    source: str
    applies_to: _AppliesForm = _AppliesForm()
    passage: str | None = None
    more_sources: list[str] = []
    reasoning: str = ""
    cases: _CasesForm


# --- places -----------------------------------------------------------------------------------------------------------


class _File:
    """A parsed file: its tree as plain data, and where each part of it stands."""

    def __init__(self, name: str, tree: Any, marked: Any = None) -> None:
        self.name = name
        self.tree = tree
        self.marked = marked

    def place(self, loc: Loc, *, key: bool = False) -> Place:
        """Where `loc` stands: its value, or its key with `key`; the nearest part there is when it is missing."""
        node, line, column = self.marked, 1, 1
        for number, step in enumerate(loc):
            last = number == len(loc) - 1
            if isinstance(node, CommentedMap):
                if step not in node:
                    return Place(self.name, node.lc.line + 1, node.lc.col + 1)
                mark = node.lc.data[step]
                inside = isinstance(node[step], CommentedMap | CommentedSeq)
                at_key = (last and key) or inside
                line, column = (mark[0], mark[1]) if at_key else (mark[2], mark[3])
                line, column = line + 1, column + 1
                node = node[step]
            elif isinstance(node, CommentedSeq) and isinstance(step, int) and step < len(node):
                line, column = node.lc.data[step][0] + 1, node.lc.data[step][1] + 1
                node = node[step]
            else:
                break
        return Place(self.name, line, column)


def _plain(node: Any) -> Any:
    """The tree without ruamel's own types. Keys become text: only text keys are known anywhere."""
    if isinstance(node, Mapping):
        return {key if isinstance(key, str) else str(key): _plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(value) for value in node]
    if isinstance(node, bool) or node is None or isinstance(node, date):
        return node
    if isinstance(node, int):
        return int(node)
    if isinstance(node, float):
        return float(node)
    return str(node)


# --- loading ----------------------------------------------------------------------------------------------------------

_UNDERSTOOD = {
    "missing": "“{field}” is missing",
    "string_type": "must be text; put it in quotes if it looks like a number or a date",
    "int_type": "must be a whole number",
    "list_type": "must be a list, each entry on a line of its own with a dash before it",
    "dict_type": "must be keys with values, for example {days_since_therapy: 5}",
    "model_type": "must be keys with values",
    "model_attributes_type": "must be keys with values",
    "bool_type": "must be true or false",
}


class _Loader:
    def __init__(self) -> None:
        self.errors: list[RuleError] = []

    def note(self, file: _File, loc: Loc, message: str, *, key: bool = False) -> None:
        self.errors.append(RuleError(file.place(loc, key=key), message))

    # --- YAML

    def parse(self, name: str, text: str) -> _File:
        """The tree of a YAML text; an empty one, with the mistake noted, when it cannot be read."""
        if len(text) > MOST_CHARACTERS:
            self.errors.append(RuleError(Place(name, 1, 1), f"is larger than {MOST_CHARACTERS // 1024} KB"))
            return _File(name, None)
        yaml = YAML(typ="rt")
        try:
            for token in yaml.scan(text):
                if isinstance(token, AnchorToken | AliasToken):
                    mark = token.start_mark
                    message = (
                        "anchors (&) and aliases (*) are not allowed: write it out, so that each rule can be read alone"
                    )
                    self.errors.append(RuleError(Place(name, mark.line + 1, mark.column + 1), message))
                    return _File(name, None)
            marked = YAML(typ="rt").load(text)
        except MarkedYAMLError as error:
            at = error.problem_mark or error.context_mark
            place = Place(name, at.line + 1, at.column + 1) if at else Place(name, 1, 1)
            problem = " ".join(str(part) for part in (error.context, error.problem) if part)
            self.errors.append(RuleError(place, f"this is no YAML: {problem}"))
            return _File(name, None)
        except (YAMLError, ValueError, RecursionError, AttributeError, TypeError, KeyError, IndexError) as error:
            self.errors.append(RuleError(Place(name, 1, 1), f"this is no YAML: {type(error).__name__}"))
            return _File(name, None)
        return _File(name, _plain(marked), marked)

    # --- forms

    def form(self, kind: type[_FormT], file: _File, loc: Loc, data: Any) -> _FormT | None:
        """The entry in that form, or None with every mistake noted."""
        try:
            return kind.model_validate(data)
        except ValidationError as error:
            for found in error.errors(include_url=False):
                self._note_form(kind, file, loc, found)
            return None

    def _note_form(self, kind: type[_Form], file: _File, loc: Loc, found: Mapping[str, Any]) -> None:
        inner = tuple(found["loc"])
        field = str(inner[-1]) if inner else ""
        if found["type"] == "extra_forbidden":
            message = f"unknown word “{field}”{nearest(field, _words_at(kind, inner[:-1]))}"
            self.note(file, (*loc, *inner), message, key=True)
        elif found["type"] == "literal_error":
            words = [word.strip("' ") for word in found["ctx"]["expected"].replace(" or ", ",").split(",")]
            message = f'unknown word "{found["input"]}"{nearest(str(found["input"]), words)}; one of {", ".join(words)}'
            self.note(file, (*loc, *inner), message)
        else:
            message = _UNDERSTOOD.get(found["type"], found["msg"])
            self.note(file, (*loc, *inner), message.replace("{field}", field))

    def entries(self, file: _File, loc: Loc, data: Any, what: str) -> list[Any]:
        """The list there; a mistake and nothing when it is none."""
        if isinstance(data, list):
            return data
        if data is not None or not self.errors:
            self.note(file, loc, f"must be a list of {what}, each beginning with a dash")
        return []

    def text(self, file: _File, loc: Loc, value: str) -> str:
        """The text, which must say something."""
        if not value.strip():
            self.note(file, loc, f"“{loc[-1]}” is empty")
        return value.strip()

    def known(self, file: _File, loc: Loc, word: str, words: Iterable[str], what: str) -> bool:
        """Whether `word` is one of `words`; a mistake with the nearest one when not."""
        words = list(words)
        if word in words:
            return True
        self.note(file, loc, f'unknown {what} "{word}"{nearest(word, words)}')
        return False

    # --- the whole

    def ruleset(self, trees: Mapping[str, _File]) -> Ruleset:
        by_base = {Path(name).name: file for name, file in trees.items()}
        folder = os.path.dirname(next(iter(trees), ""))
        for base in (CATALOGUE, SOURCES, RESPONSE):
            if base not in by_base:
                name = f"{folder}/{base}" if folder else base
                self.errors.append(RuleError(Place(name, 1, 1), "this file is missing"))
                by_base[base] = _File(name, None)
        rule_files = [file for base, file in by_base.items() if base not in (CATALOGUE, SOURCES, RESPONSE)]
        catalogue = self.catalogue(by_base[CATALOGUE])
        sources = self.sources(by_base[SOURCES], catalogue)
        response = self.response(by_base[RESPONSE])
        rules: list[Rule] = []
        written: list[Any] = []
        for file in rule_files:
            for number, entry in enumerate(self.entries(file, (), file.tree, "rules")):
                rule = self.rule(file, (number,), entry, catalogue, sources)
                if rule is not None:
                    rules.append(rule)
                    written.append(entry)
        self._no_doubles(rules)
        if not rules and not self.errors:
            self.errors.append(RuleError(Place(folder or CATALOGUE, 1, 1), "there is no rule in these files"))
        if self.errors or response is None:
            raise RuleFileErrors(self.errors)
        document = {
            "catalogue": by_base[CATALOGUE].tree,
            "sources": by_base[SOURCES].tree,
            "response": by_base[RESPONSE].tree,
            "rules": sorted(written, key=lambda entry: str(entry["id"])),
        }
        return Ruleset(
            catalogue=catalogue,
            rules=tuple(sorted(rules, key=lambda rule: rule.id)),
            sources=MappingProxyType(sources),
            response=response,
            document=json.dumps(
                document, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=_date_text
            ),
        )

    def _no_doubles(self, rules: list[Rule]) -> None:
        first: dict[str, Rule] = {}
        for rule in rules:
            if rule.id in first:
                message = f'the id "{rule.id}" is taken by the rule at {first[rule.id].place}'
                self.errors.append(RuleError(rule.place, message))
            first.setdefault(rule.id, rule)

    # --- catalogue

    def catalogue(self, file: _File) -> Catalogue:
        form = self.form(_CatalogueForm, file, (), file.tree) if file.tree is not None else None
        if form is None:
            if not self.errors:
                self.note(file, (), "is empty")
            return Catalogue({}, {})
        groups = {group.code: group.label for group in form.groups}
        therapies: dict[str, Therapy] = {}
        for number, written in enumerate(form.therapies):
            loc: Loc = ("therapies", number)
            self._unique(file, (*loc, "code"), written.code, therapies)
            early = self._window(file, (*loc, "early"), written.early)
            daily = self._window(file, (*loc, "daily_report"), written.daily_report)
            therapies[written.code] = Therapy(
                written.code, written.label, written.about, tuple(written.products), early, daily
            )
        symptoms: dict[str, Symptom] = {}
        for number, entry in enumerate(form.symptoms):
            loc = ("symptoms", number)
            self._unique(file, (*loc, "code"), entry.code, symptoms)
            self.known(file, (*loc, "group"), entry.group, groups, "group")
            for place, code in enumerate(entry.daily_for):
                self.known(file, (*loc, "daily_for", place), code, therapies, "therapy")
            if entry.danger_question and entry.scale == "presence":
                self.note(
                    file, (*loc, "danger_question"), "only a symptom answered by severity needs a danger question"
                )
            symptoms[entry.code] = _symptom(entry)
        return Catalogue(
            symptoms=MappingProxyType(symptoms),
            therapies=MappingProxyType(therapies),
            groups=MappingProxyType(groups),
            severities=MappingProxyType({code: getattr(form.severities, code) for code in SEVERITY_CODES[1:]}),
        )

    def _unique(self, file: _File, loc: Loc, code: str, seen: Mapping[str, Any]) -> None:
        if code in seen:
            self.note(file, loc, f'the code "{code}" stands twice')
        if not code.replace("_", "").isalnum() or code != code.lower() or code == "any":
            self.note(file, loc, f'"{code}" is no code: lower-case letters, digits and _ only, and not “any”')

    def _window(self, file: _File, loc: Loc, text: str | None) -> Window | None:
        if text is None:
            return None
        window = read_window(text)
        if window is None:
            self.note(file, loc, f"“{text}” is no window of days; write for example “0-28” or “30-”")
        return window

    # --- sources

    def sources(self, file: _File, catalogue: Catalogue) -> dict[str, Source]:
        sources: dict[str, Source] = {}
        signs = (*catalogue.symptoms, *_OTHER_SIGNS)
        for number, entry in enumerate(self.entries(file, (), file.tree, "sources")):
            form = self.form(_SourceForm, file, (number,), entry)
            if form is None:
                continue
            if form.key in sources or form.key == JUDGMENT:
                self.note(file, (number, "key"), f'the key "{form.key}" is taken')
            passages: dict[str, Passage] = {}
            for place, passage in enumerate(form.passages):
                loc: Loc = (number, "passages", place)
                if passage.id in passages:
                    self.note(file, (*loc, "id"), f'the passage "{passage.id}" stands twice')
                for sign, code in enumerate(passage.signs):
                    if catalogue.symptoms:
                        self.known(file, (*loc, "signs", sign), code, signs, "sign")
                text = self.text(file, (*loc, "text"), passage.text)
                passages[passage.id] = Passage(passage.id, text, passage.form, tuple(passage.signs))
            if not passages:
                self.note(file, (number, "passages"), "a source needs the passage that was read")
            read_on = self._date(file, (number, "read_on"), form.read_on)
            sources[form.key] = Source(
                form.key, form.title, form.address, read_on, form.kind, MappingProxyType(passages), form.publisher
            )
        return sources

    def _date(self, file: _File, loc: Loc, written: date | str) -> date:
        if isinstance(written, date):
            return written
        try:
            return date.fromisoformat(written)
        except ValueError:
            self.note(file, loc, f"“{written}” is no date; write for example 2026-11-01")
            return date.min

    # --- response

    def response(self, file: _File) -> Response | None:
        form = self.form(_ResponseForm, file, (), file.tree) if file.tree is not None else None
        if form is None:
            if not self.errors:
                self.note(file, (), "is empty")
            return None
        spans: dict[Urgency, timedelta] = {}
        for urgency in (Urgency.EMERGENCY, Urgency.URGENT, Urgency.SOON):
            span = self._span(
                file, ("acknowledge_within", urgency.code), getattr(form.acknowledge_within, urgency.code)
            )
            spans[urgency] = span or timedelta(minutes=1)
        if not self.errors and not spans[Urgency.EMERGENCY] <= spans[Urgency.URGENT] <= spans[Urgency.SOON]:
            self.note(file, ("acknowledge_within",), "what is more urgent must not be allowed to wait longer")
        grace = self._span(file, ("silence", "grace"), form.silence.grace)
        return Response(
            acknowledge_within=MappingProxyType(spans),
            next_report=MappingProxyType({urgency: getattr(form.next_report, urgency.code) for urgency in Urgency}),
            silence_grace=grace or timedelta(),
        )

    def _span(self, file: _File, loc: Loc, text: str) -> timedelta | None:
        span = read_span(text)
        if span is None:
            self.note(file, loc, f"“{text}” is no span of time; write for example “5 min”, “24 h” or “2 d”")
        return span

    # --- rules

    def rule(
        self, file: _File, loc: Loc, data: Any, catalogue: Catalogue, sources: Mapping[str, Source]
    ) -> Rule | None:
        before = len(self.errors)
        form = self.form(_RuleForm, file, loc, data)
        reader = ConditionReader(catalogue, lambda at, message: self.note(file, at, message))
        written = data.get("when") if isinstance(data, Mapping) else None
        # Read even when the form is wrong, so that mistakes in both are found at once.
        when = reader.read(written, (*loc, "when"), whole=True) if written is not None else None
        if form is None:
            return None
        if not form.id.replace("-", "").isalnum() or form.id != form.id.lower():
            self.note(file, (*loc, "id"), f'"{form.id}" is no id: lower-case letters, digits and dashes only')
        urgency = Urgency.ROUTINE
        if self.known(file, (*loc, "urgency"), form.urgency, URGENCY_CODES, "urgency"):
            urgency = Urgency.from_code(form.urgency)
        for name in ("title", "why", "advice"):
            self.text(file, (*loc, name), getattr(form, name))
        self._placeholders(file, (*loc, "advice"), form.advice)
        concerns = self._applies_to(file, (*loc, "applies_to"), form.applies_to, catalogue)
        citations = self._citations(file, loc, form, sources)
        if form.source == JUDGMENT and not form.reasoning.strip():
            self.note(
                file, (*loc, "source"), "a judgment needs its “reasoning”, so that clinicians see what they approve"
            )
        if isinstance(when, Together) and when.of >= urgency:
            self.note(file, (*loc, "urgency"), f"must be higher than the “{when.of.code}” it is made of")
        cases = self._cases(file, (*loc, "cases"), form, catalogue)
        if when is None or len(self.errors) > before:
            return None
        return Rule(
            id=form.id,
            title=form.title.strip(),
            urgency=urgency,
            when=when,
            why=form.why.strip(),
            advice=form.advice.strip(),
            source=form.source,
            applies_to=concerns,
            citations=tuple(citations),
            reasoning=form.reasoning.strip(),
            cases=tuple(cases),
            place=file.place((*loc, "id")),
        )

    def _placeholders(self, file: _File, loc: Loc, advice: str) -> None:
        rest = advice
        for name in PLACEHOLDERS:
            rest = rest.replace("{" + name + "}", "")
        if "{" in rest or "}" in rest:
            names = " and ".join("{" + name + "}" for name in PLACEHOLDERS)
            self.note(file, loc, f"only {names} may stand in braces")

    def _applies_to(self, file: _File, loc: Loc, form: _AppliesForm, catalogue: Catalogue) -> AppliesTo:
        if form.therapies is not None and not form.therapies:
            self.note(file, (*loc, "therapies"), "name at least one therapy, or leave “therapies” out for everybody")
        for number, code in enumerate((form.therapies or ()) if catalogue.therapies else ()):
            self.known(file, (*loc, "therapies", number), code, catalogue.therapies, "therapy")
        if form.window is not None:
            self.known(file, (*loc, "window"), form.window, ["early"], "window")
            if form.days is not None:
                self.note(file, (*loc, "days"), "“window” and “days” exclude each other")
            chosen = form.therapies if form.therapies is not None else list(catalogue.therapies)
            if catalogue.therapies and not any(
                catalogue.therapies[code].early for code in chosen if code in catalogue.therapies
            ):
                self.note(file, (*loc, "window"), "none of these therapies has an early window in the catalogue")
        therapies = frozenset(form.therapies) if form.therapies is not None else None
        return AppliesTo(therapies, form.window is not None, self._window(file, (*loc, "days"), form.days))

    def _citations(self, file: _File, loc: Loc, form: _RuleForm, sources: Mapping[str, Source]) -> list[Citation]:
        found: list[Citation] = []
        if form.source != JUDGMENT:
            found += self._citation(file, (*loc, "source"), form.source, form.passage, sources, (*loc, "passage"))
        elif form.passage is not None:
            self.note(file, (*loc, "passage"), "a judgment has no passage")
        for number, text in enumerate(form.more_sources):
            key, _, passage = text.partition("/")
            at = (*loc, "more_sources", number)
            found += self._citation(file, at, key, passage or None, sources, at)
        return found

    def _citation(
        self, file: _File, loc: Loc, key: str, passage: str | None, sources: Mapping[str, Source], at: Loc
    ) -> list[Citation]:
        if not self.known(file, loc, key, [*sources, JUDGMENT], "source") or key == JUDGMENT:
            return []
        passages = sources[key].passages
        if passage is None:
            if len(passages) != 1:
                self.note(file, loc, f"“{key}” has several passages; name one of {', '.join(passages)}")
                return []
            passage = next(iter(passages))
        return [Citation(key, passage)] if self.known(file, at, passage, passages, "passage") else []

    def _cases(self, file: _File, loc: Loc, form: _RuleForm, catalogue: Catalogue) -> list[Case]:
        cases: list[Case] = []
        default = form.applies_to.therapies[0] if form.applies_to.therapies else None
        for side, entries in (("fires", form.cases.fires), ("stays_quiet", form.cases.stays_quiet)):
            for number, entry in enumerate(entries):
                at = (*loc, side, number)
                data = {"therapy": default, "days_since_therapy": None, **entry}
                self._case(file, at, data, catalogue)
                cases.append(Case(data, side == "fires", file.place(at), str(entry.get("name", ""))))
        return cases

    def _case(self, file: _File, loc: Loc, data: Mapping[str, Any], catalogue: Catalogue) -> None:
        report = {key: value for key, value in data.items() if key not in CASE_KEYS}
        self._case_report(file, loc, report, catalogue)
        if "silent_for" in data and read_span(data["silent_for"]) is None:
            self.note(file, (*loc, "silent_for"), f"“{data['silent_for']}” is no span of time; write for example “24h”")
        history = data.get("history", [])
        if not isinstance(history, list):
            self.note(file, (*loc, "history"), "must be a list of earlier reports")
            return
        for number, earlier in enumerate(history):
            at = (*loc, "history", number)
            hours = earlier.get("hours_before") if isinstance(earlier, Mapping) else None
            if isinstance(hours, bool) or not isinstance(hours, int | float) or not 0 < hours < 10_000:
                self.note(file, at, "an earlier report needs “hours_before: 24” (a number above 0)")
                continue
            rest = {key: value for key, value in earlier.items() if key != "hours_before"}
            self._case_report(file, at, rest, catalogue)

    def _case_report(self, file: _File, loc: Loc, data: Mapping[str, Any], catalogue: Catalogue) -> None:
        if not catalogue.symptoms:
            return
        try:
            from_data(data, catalogue)
        except BadReport as bad:
            for problem in bad.problems:
                self.note(file, (*loc, *problem.field.split(".")), problem.message)


CASE_KEYS = ("name", "history", "silent_for")
"""What a case may hold beside the data of a report."""

_OTHER_SIGNS = (
    "temperature",
    "thinking_check",
    "silence",
    "systolic_mmhg",
    "pulse",
    "oxygen_percent",
    "fever_reducer_taken",
    "on_steroids",
)


def _words_at(kind: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
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


def _symptom(form: _SymptomForm) -> Symptom:
    danger = form.danger_question
    return Symptom(
        code=form.code,
        scale=Scale(form.scale),
        label=form.label,
        question=form.question,
        about=form.about,
        group=form.group,
        asked=Asked(form.asked),
        hint=form.hint,
        daily_for=frozenset(form.daily_for),
        danger_question=DangerQuestion(danger.question, danger.about, Severity[danger.means.upper()])
        if danger
        else None,
        snomed=Code(form.snomed.code, form.snomed.display) if form.snomed else None,
    )


def _date_text(value: object) -> str:
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in a rule file")

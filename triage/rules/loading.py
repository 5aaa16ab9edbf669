"""Rule files → a ruleset, or every mistake in them at once, each with file, line and column.

`tree` reads the text, `entries` says which keys an entry has, `written` reads the conditions, and this module looks up
what names something elsewhere: symptoms, therapies, sources, passages, groups.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from triage.rules.catalogue import (
    MEASURED,
    SEVERITY_CODES,
    Asked,
    Catalogue,
    CheckAsked,
    CheckWindow,
    Code,
    DangerQuestion,
    Scale,
    Severity,
    Symptom,
    Therapy,
    Window,
)
from triage.rules.conditions import ANY_SYMPTOM, Together, way_to_leaves
from triage.rules.entries import (
    AppliesForm,
    CatalogueForm,
    CheckAskedForm,
    EscalationForm,
    Form,
    FormT,
    GroupForm,
    ReminderForm,
    ResponseForm,
    RuleForm,
    SourceForm,
    StepForm,
    SymptomForm,
    TherapyForm,
    TranslationForm,
    words_at,
)
from triage.rules.report import BadReport, from_data, nearest
from triage.rules.ruleset import (
    JUDGMENT,
    OUTCOME_WITHIN,
    PERSONAL_CHANNELS,
    STAFF_TOLD,
    AppliesTo,
    Case,
    Citation,
    Passage,
    Place,
    QuietHours,
    Reminder,
    Response,
    Rule,
    Ruleset,
    Source,
    Step,
    Translation,
)
from triage.rules.translation import marks
from triage.rules.tree import MOST_CHARACTERS, Loc, Tree, read_tree
from triage.rules.urgency import URGENCY_CODES, Urgency
from triage.rules.wording import PLACEHOLDERS
from triage.rules.written import AT_ONCE, ConditionReader, read_quiet_hours, read_span, read_window

CATALOGUE, SOURCES, RESPONSE = "catalogue.yaml", "sources.yaml", "response.yaml"
_TRANSLATION = re.compile(r"texts-([a-z]{2,3})\.yaml")

CASE_KEYS = ("name", "history", "silent_for")
"""What a case may hold beside the data of a report."""

OTHER_SIGNS = ("temperature", "thinking_check", "silence", *MEASURED, "fever_reducer_taken", "on_steroids")
"""What a passage may name beside symptoms; no symptom may have one of these codes."""


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
    shown = os.path.relpath(folder) if folder.is_absolute() else str(folder)
    if shown.startswith(".."):
        shown = str(folder)
    loader = _Loader()
    if not folder.is_dir():
        there = "this is a file; name the folder it lies in" if folder.exists() else "there is no such folder"
        loader.errors.append(RuleError(Place(shown, 1, 1), there))
        raise RuleFileErrors(loader.errors)
    trees = {}
    for path in sorted(folder.iterdir()):
        name = path.name if shown == "." else f"{shown}/{path.name}"
        if path.suffix == ".yaml" and not path.name.startswith("."):
            trees[name] = loader.read(name, path)
        elif path.suffix.lower() in (".yml", ".yaml"):
            loader.errors.append(RuleError(Place(name, 1, 1), "would not be read: its name must end in .yaml"))
    return loader.ruleset(trees, shown)


def read_folder(folder: Path) -> dict[str, str]:
    """The texts of a folder that loads, by file name."""
    return {path.name: path.read_text("utf-8-sig") for path in rule_files(folder)}


def read_texts(folder: Path) -> dict[str, str]:
    """The stored texts of sources, by key: `texts/KEY.txt` beside the rule files. One that is no text is left out."""
    found = {}
    for path in sorted((folder / "texts").glob("*.txt")):
        try:
            found[path.stem] = path.read_text("utf-8-sig")
        except (OSError, UnicodeDecodeError):
            continue
    return found


def language_of(name: str) -> str:
    """Of a file that holds what patients read in another language, that language: "texts-es.yaml" is "es"; else
    nothing."""
    found = _TRANSLATION.fullmatch(Path(name).name)
    return found[1] if found else ""


def holds_rules(name: str) -> bool:
    """Whether a file of that name holds rules."""
    return Path(name).name not in (CATALOGUE, SOURCES, RESPONSE) and not language_of(name)


def rule_files(folder: Path) -> list[Path]:
    """The files of a folder that are read, in the order of their names."""
    return sorted(path for path in folder.glob("*.yaml") if not path.name.startswith("."))


def load_texts(files: Mapping[str, str]) -> Ruleset:
    """The ruleset of those texts, by file name. Raises RuleFileErrors."""
    loader = _Loader()
    trees = {}
    for name, text in files.items():
        trees[name], mistakes = tree_of(name, text)
        for place, message in mistakes:
            loader.add(place, message)
    return loader.ruleset(trees, os.path.dirname(next(iter(trees), "")))


@lru_cache(maxsize=32)
def tree_of(name: str, text: str) -> tuple[Tree, tuple[tuple[Place, str], ...]]:
    """The tree and its mistakes. While somebody edits one file of many, the others are read once; nobody changes a
    tree."""
    mistakes: list[tuple[Place, str]] = []
    tree = read_tree(name, text, lambda place, message: mistakes.append((place, message)))
    return tree, tuple(mistakes)


def from_document(document: str) -> Ruleset:
    """The ruleset again from its canonical JSON document: same hash, same judgments. Raises RuleFileErrors."""
    loader = _Loader()
    names = {"catalogue": CATALOGUE, "sources": SOURCES, "response": RESPONSE, "rules": "rules.yaml"}
    try:
        data = json.loads(document)
        trees = {name: Tree(name, data[key]) for key, name in names.items()}
        trees |= {f"texts-{code}.yaml": Tree(code, texts) for code, texts in data.get("translations", {}).items()}
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        loader.add(Place("document", 1, 1), f"is no document of a ruleset ({type(error).__name__})")
        raise RuleFileErrors(loader.errors) from None
    return loader.ruleset(trees, "")


_UNDERSTOOD = {
    "missing": "“{field}” is missing",
    "empty": "“{field}” is empty",
    "string_type": "must be text; put it in quotes if it looks like a number",
    "list_type": "must be a list, each entry on a line of its own with a dash before it",
    "dict_type": "must be keys with values, for example {days_since_therapy: 5}",
    "model_type": "must be keys with values",
    "model_attributes_type": "must be keys with values",
}


class _Loader:
    """Reads the files one after the other; what cannot be read is noted and stood in for, so that the rest is read."""

    def __init__(self) -> None:
        self.errors: list[RuleError] = []
        self.places: dict[Loc, Place] = {}

    def add(self, place: Place, message: str) -> None:
        """Notes a mistake; the middle of a very long message, which quotes a very long word, is left out."""
        self.errors.append(RuleError(place, message if len(message) <= 400 else f"{message[:200]} … {message[-150:]}"))

    def note(self, file: Tree, loc: Loc, message: str, *, key: bool = False) -> None:
        self.add(file.place(loc, key=key), message)

    def read(self, name: str, path: Path) -> Tree:
        """The tree of a file."""
        try:
            if path.stat().st_size <= 4 * MOST_CHARACTERS:
                return read_tree(name, path.read_bytes().decode("utf-8-sig"), self.add)
            self.add(Place(name, 1, 1), f"is larger than {MOST_CHARACTERS // 1024} KB: divide it into several files")
        except UnicodeDecodeError:
            self.add(Place(name, 1, 1), "is not written in UTF-8")
        except OSError as error:
            self.add(Place(name, 1, 1), f"cannot be read: {error.strerror}")
        return Tree(name, readable=False)

    # --- forms

    def form(self, kind: type[FormT], file: Tree, loc: Loc, data: Any) -> FormT | None:
        """The entry in that form, or None with every mistake noted."""
        try:
            return kind.model_validate(data)
        except ValidationError as error:
            for found in error.errors(include_url=False):
                self._note_form(kind, file, loc, found)
            return None

    def _note_form(self, kind: type[Form], file: Tree, loc: Loc, found: Mapping[str, Any]) -> None:
        inner = tuple(found["loc"])
        field = str(inner[-1]) if inner else ""
        if found["type"] == "extra_forbidden":
            message = f"unknown word “{field}”{nearest(field, words_at(kind, inner[:-1]))}"
            self.note(file, (*loc, *inner), message, key=True)
        elif found["type"] == "literal_error":
            words = [word.strip("' ") for word in found["ctx"]["expected"].replace(" or ", ",").split(",")]
            message = f'unknown word "{found["input"]}"{nearest(str(found["input"]), words)}; one of {", ".join(words)}'
            self.note(file, (*loc, *inner), message)
        else:
            kind_of_slip = "empty" if found["input"] is None else found["type"]
            message = _UNDERSTOOD.get(kind_of_slip, found["msg"])
            self.note(file, (*loc, *inner), message.replace("{field}", field))

    def entries(self, file: Tree, loc: Loc, data: Any, what: str) -> list[Any]:
        """The list there, with something in it; a mistake and nothing when it is none."""
        if isinstance(data, list) and data:
            return data
        if file.readable:
            self.note(file, loc, f"must be a list of {what}, each beginning with a dash")
        return []

    def text(self, file: Tree, loc: Loc, value: str) -> str:
        """The text, which must say something."""
        if not value.strip():
            self.note(file, loc, f"“{loc[-1]}” is empty")
        return value.strip()

    def known(self, file: Tree, loc: Loc, word: str, words: Iterable[str], what: str) -> bool:
        """Whether `word` is one of `words`; a mistake with the nearest one when not. Without any words, the file that
        should name them could not be read, which is said there."""
        words = list(words)
        if word not in words and words:
            self.note(file, loc, f'unknown {what} "{word}"{nearest(word, words)}')
        return word in words

    def unique(self, file: Tree, loc: Loc, code: str, what: str) -> None:
        """Notes a second thing of the same name, wherever the first is."""
        here = file.place(loc)
        first = self.places.setdefault((what, code), here)
        if first is not here:
            self.add(here, f'the {what} "{code}" is taken, at {first}')

    # --- the whole

    def ruleset(self, trees: Mapping[str, Tree], folder: str) -> Ruleset:
        """The ruleset of those files. Raises RuleFileErrors."""
        by_base = {Path(name).name: file for name, file in trees.items()}
        for base in (CATALOGUE, SOURCES, RESPONSE):
            if base not in by_base:
                missing = f"{folder}/{base}" if folder not in ("", ".") else base
                self.add(Place(missing, 1, 1), "this file is missing")
                by_base[base] = Tree(missing, readable=False)
        catalogue = self.catalogue(by_base[CATALOGUE])
        sources = self.sources(by_base[SOURCES], catalogue)
        response = self.response(by_base[RESPONSE])
        rules: list[Rule] = []
        written: list[Any] = []
        translations: dict[str, Translation] = {}
        for name, file in trees.items():
            if language := language_of(name):
                translations[language] = self.translation(file, language)
            if not holds_rules(name):
                continue
            for number, entry in enumerate(self.entries(file, (), file.data, "rules")):
                rule = self.rule(file, (number,), entry, catalogue, sources)
                if rule is not None:
                    rules.append(rule)
                    written.append(entry)
        if not rules and not self.errors:
            self.add(Place(folder or ".", 1, 1), "there is no rule in these files")
        if self.errors or response is None:
            raise RuleFileErrors(self.errors)
        document = {
            "catalogue": by_base[CATALOGUE].data,
            "sources": by_base[SOURCES].data,
            "response": by_base[RESPONSE].data,
            "rules": sorted(written, key=lambda entry: str(entry["id"])),
        }
        if translations:
            by_language = {language_of(name): file.data for name, file in trees.items() if language_of(name)}
            document["translations"] = by_language
        return Ruleset(
            catalogue=catalogue,
            rules=tuple(sorted(rules, key=lambda rule: rule.id)),
            sources=MappingProxyType(sources),
            response=response,
            document=json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False),
            places=MappingProxyType(self.places),
            translations=MappingProxyType(translations),
        )

    # --- translations

    def translation(self, file: Tree, language: str) -> Translation:
        """What patients read in that language: a list of English texts, each with its translation."""
        form = self.form(TranslationForm, file, (), file.data) if file.readable else None
        texts: dict[str, str] = {}
        places: dict[str, Place] = {}
        for number, entry in enumerate(form.texts if form else ()):
            loc: Loc = ("texts", number)
            if set(entry) != {"en", language}:
                self.note(file, loc, f"an entry has two lines: “en”, the English text, and “{language}”")
                continue
            english, other = (self.text(file, (*loc, key), entry[key]) for key in ("en", language))
            for kept, put, what in zip(marks(english), marks(other), ("placeholders", "numbers"), strict=True):
                if kept != put:
                    self.note(file, (*loc, language), f"must hold the {what} of the English text: {', '.join(kept)}")
            if english in texts:
                self.note(file, (*loc, "en"), f"is translated already, at {places[english]}")
            texts[english], places[english] = other, file.place(loc)
        return Translation(
            language, form.review.strip() if form else "", MappingProxyType(texts), MappingProxyType(places)
        )

    # --- catalogue

    def catalogue(self, file: Tree) -> Catalogue:
        """The catalogue; empty when there is none to read. An entry with mistakes still lends its code."""
        form = self.form(CatalogueForm, file, (), file.data) if file.readable else None
        data = file.data if isinstance(file.data, dict) else {}
        groups = self.groups(file, data)
        therapies = self.therapies(file, data)
        symptoms: dict[str, Symptom] = {}
        for number, entry in enumerate(self._listed(file, data, "symptoms")):
            loc: Loc = ("symptoms", number)
            one = self.form(SymptomForm, file, loc, entry)
            for code in _code_of(entry, "group"):
                self.known(file, (*loc, "group"), code, groups, "group")
            for place, code in enumerate(entry["daily_for"] if _is_list_at(entry, "daily_for") else ()):
                self.known(file, (*loc, "daily_for", place), str(code), therapies, "therapy")
            if one is None:
                for code in _code_of(entry, "code"):
                    scale = Scale.PRESENCE if entry.get("scale") == "presence" else Scale.SEVERITY
                    symptoms.setdefault(code, Symptom(code, scale, code, "", "", "", Asked.DAILY))
                continue
            self._code(file, (*loc, "code"), one.code, "symptom")
            for key in ("label", "question", "about"):
                self.text(file, (*loc, key), getattr(one, key))
            if one.danger_question and one.scale == "presence":
                self.note(
                    file, (*loc, "danger_question"), "only a symptom answered by severity needs a danger question"
                )
            if one.snomed and not snomed_is_whole(one.snomed.code):
                self.note(file, (*loc, "snomed", "code"), f"“{one.snomed.code}” is no SNOMED code: a digit is wrong")
            symptoms.setdefault(one.code, _symptom(one))
        levels = {code: getattr(form.severities, code) for code in SEVERITY_CODES[1:]} if form else {}
        return Catalogue(
            symptoms=MappingProxyType(symptoms),
            therapies=MappingProxyType(therapies),
            groups=MappingProxyType(groups),
            severities=MappingProxyType(levels),
            thinking_check=self.check_asked(file, form.thinking_check if form else None, symptoms, therapies),
        )

    def check_asked(
        self, file: Tree, form: CheckAskedForm | None, symptoms: Iterable[str], therapies: Iterable[str]
    ) -> CheckAsked:
        """When the thinking check is asked; never where the catalogue does not say."""
        if form is None:
            return CheckAsked()
        for place, code in enumerate(form.signs):
            self.known(file, ("thinking_check", "signs", place), code, symptoms, "symptom")
        windows: list[CheckWindow] = []
        for number, one in enumerate(form.windows):
            loc: Loc = ("thinking_check", "windows", number)
            for place, code in enumerate(one.therapies):
                self.known(file, (*loc, "therapies", place), code, therapies, "therapy")
            days = self._window(file, (*loc, "days"), one.days)
            again_after = read_span(one.again_after)
            if again_after is None:
                self.note(
                    file, (*loc, "again_after"), f"“{one.again_after}” is no span of time; write for example “8 h”"
                )
            if days and again_after:
                windows.append(CheckWindow(frozenset(one.therapies), days, again_after))
        return CheckAsked(tuple(windows), frozenset(form.signs))

    def _listed(self, file: Tree, data: Mapping[str, Any], key: str) -> list[Any]:
        written = data.get(key)
        if written == []:
            self.note(file, (key,), f"“{key}” is empty")
        return written if isinstance(written, list) else []

    def groups(self, file: Tree, data: Mapping[str, Any]) -> dict[str, str]:
        groups: dict[str, str] = {}
        for number, entry in enumerate(self._listed(file, data, "groups")):
            one = self.form(GroupForm, file, ("groups", number), entry)
            if one is not None:
                self._code(file, ("groups", number, "code"), one.code, "group")
            groups.update({code: one.label if one else "" for code in _code_of(entry, "code") if code not in groups})
        return groups

    def therapies(self, file: Tree, data: Mapping[str, Any]) -> dict[str, Therapy]:
        therapies: dict[str, Therapy] = {}
        for number, entry in enumerate(self._listed(file, data, "therapies")):
            loc: Loc = ("therapies", number)
            one = self.form(TherapyForm, file, loc, entry)
            if one is None:
                for code in _code_of(entry, "code"):
                    # As if it had an early window: what could not be read brings no second mistake.
                    therapies.setdefault(code, Therapy(code, code, early=Window(0, None)))
                continue
            self._code(file, (*loc, "code"), one.code, "therapy")
            early = self._window(file, (*loc, "early"), one.early)
            if one.early is not None and early is None:
                early = Window(0, None)
            daily = self._window(file, (*loc, "daily_report"), one.daily_report)
            therapies.setdefault(one.code, Therapy(one.code, one.label, one.about, tuple(one.products), early, daily))
        return therapies

    def _code(self, file: Tree, loc: Loc, code: str, what: str) -> None:
        self.unique(file, loc, code, what)
        if not re.fullmatch(r"[a-z][a-z0-9_]*", code):
            self.note(file, loc, f"“{code}” is no code: lower-case letters, digits and _ only, a letter first")
        elif what == "symptom" and code in (ANY_SYMPTOM, *OTHER_SIGNS):
            self.note(file, loc, f"“{code}” has a meaning of its own in the language: choose another code")

    def _window(self, file: Tree, loc: Loc, text: str | None) -> Window | None:
        if text is None:
            return None
        window = read_window(text)
        if window is None:
            self.note(file, loc, f"“{text}” is no window of days; write for example “0-28” or “30-”")
        return window

    # --- sources

    def sources(self, file: Tree, catalogue: Catalogue) -> dict[str, Source]:
        sources: dict[str, Source] = {}
        signs = (*catalogue.symptoms, *OTHER_SIGNS) if catalogue.symptoms else ()
        for number, entry in enumerate(self.entries(file, (), file.data, "sources")):
            form = self.form(SourceForm, file, (number,), entry)
            if form is None:
                for key in _code_of(entry, "key"):
                    sources.setdefault(key, _stand_in(key, entry.get("passages")))
                continue
            self.unique(file, (number, "key"), form.key, "source")
            if not _is_id(form.key) or form.key == JUDGMENT:
                self.note(file, (number, "key"), _NO_ID.format(form.key))
            passages: dict[str, Passage] = {}
            for place, passage in enumerate(form.passages):
                loc: Loc = (number, "passages", place)
                self.unique(file, (*loc, "id"), f"{form.key}/{passage.id}", "passage")
                if not _is_id(passage.id):
                    self.note(file, (*loc, "id"), _NO_ID.format(passage.id))
                for sign, code in enumerate(passage.signs):
                    self.known(file, (*loc, "signs", sign), code, signs, "sign")
                text = self.text(file, (*loc, "text"), passage.text)
                passages.setdefault(passage.id, Passage(passage.id, text, passage.form, tuple(passage.signs)))
            if not passages:
                self.note(file, (number, "passages"), "a source needs the passage that was read")
            source = Source(
                key=form.key,
                title=self.text(file, (number, "title"), form.title),
                address=self.text(file, (number, "address"), form.address),
                read_on=self._date(file, (number, "read_on"), form.read_on),
                kind=form.kind,
                passages=MappingProxyType(passages),
                publisher=form.publisher,
            )
            sources.setdefault(form.key, source)
        return sources

    def _date(self, file: Tree, loc: Loc, written: str) -> date:
        try:
            if re.fullmatch(r"\d{4}-\d\d-\d\d", written):
                return date.fromisoformat(written)
        except ValueError:
            pass
        self.note(file, loc, f"“{written}” is no date; write for example 2026-11-01")
        return date.min

    # --- response

    def response(self, file: Tree) -> Response | None:
        form = self.form(ResponseForm, file, (), file.data) if file.readable else None
        if form is None:
            return None
        spans = self._spans(file, "acknowledge_within", form.acknowledge_within.model_dump())
        outcomes = self._spans(file, "outcome_within", form.outcome_within.model_dump()) if form.outcome_within else {}
        told = {
            urgency: self.text(file, ("next_report", urgency.code), getattr(form.next_report, urgency.code))
            for urgency in Urgency
        }
        grace = self._span(file, ("silence", "grace"), form.silence.grace)
        escalation = self._escalation(file, form.escalation) if form.escalation else {}
        return Response(
            acknowledge_within=spans,
            next_report=MappingProxyType(told),
            silence_grace=grace or timedelta(),
            outcome_within=outcomes or OUTCOME_WITHIN,
            escalation=MappingProxyType(escalation),
            reminders=self._reminders(file, form.reminders or []),
        )

    def _spans(self, file: Tree, key: str, written: Mapping[str, str]) -> Mapping[Urgency, timedelta]:
        """A span of time for each urgency, none longer than that of what is less urgent."""
        spans: dict[Urgency, timedelta] = {}
        for code, text in written.items():
            span = self._span(file, (key, code), text)
            if span is None:
                continue
            if spans and span < max(spans.values()):
                self.note(file, (key, code), "what is more urgent must not be allowed to wait longer")
            spans[Urgency.from_code(code)] = span
        return MappingProxyType(spans)

    def _escalation(self, file: Tree, form: EscalationForm) -> dict[Urgency, tuple[Step, ...]]:
        """The steps of each urgency. What is more urgent is never told later, nor less often."""
        found: dict[Urgency, tuple[Step, ...]] = {}
        for urgency in (Urgency.EMERGENCY, Urgency.URGENT, Urgency.SOON):
            loc: Loc = ("escalation", urgency.code)
            steps = [
                self._step(file, (*loc, number), step, urgency)
                for number, step in enumerate(getattr(form, urgency.code))
            ]
            if urgency >= Urgency.URGENT:
                self._must_reach_somebody(file, loc, steps)
            for number, (before, step) in enumerate(pairwise(steps)):
                if step.after < before.after:
                    self.note(file, (*loc, number + 1, "after"), "must not be earlier than the step before it")
                if before.repeat_every:
                    at = (*loc, number, "repeat_every")
                    self.note(file, at, "only the last step repeats: those after it would drown", key=True)
            higher = found.get(Urgency.EMERGENCY)
            if urgency is Urgency.URGENT and steps and higher:
                self._not_sooner(file, loc, steps[-1], len(steps) - 1, higher[-1])
            if steps:
                found[urgency] = tuple(steps)
        return found

    def _step(self, file: Tree, loc: Loc, form: StepForm, urgency: Urgency) -> Step:
        after = timedelta()
        if form.after != AT_ONCE:
            span = read_span(form.after)
            if span is None:
                self.note(file, (*loc, "after"), f"“{form.after}” is no span of time; write “{AT_ONCE}” or “5 min”")
            after = span or after
        self._channels(file, loc, form.by)
        for number, channel in enumerate(form.by):
            if form.tell not in STAFF_TOLD and channel not in PERSONAL_CHANNELS:
                self.note(
                    file, (*loc, "by", number), f"“{channel}” does not reach one person: a room of staff reads it"
                )
        quiet = None
        if form.quiet_hours is not None:
            if urgency >= Urgency.URGENT:
                at = (*loc, "quiet_hours")
                self.note(file, at, f"there are no quiet hours for what is {urgency.code}", key=True)
            else:
                quiet = self._quiet_hours(file, loc, form.quiet_hours)
        repeat = None
        if form.repeat_every is not None:
            # In place of what cannot be read stands a day: one slip is told once.
            repeat = self._span(file, (*loc, "repeat_every"), form.repeat_every) or timedelta(days=1)
        return Step(after, form.tell, tuple(form.by), quiet, repeat)

    def _reminders(self, file: Tree, forms: list[ReminderForm]) -> tuple[Reminder, ...]:
        """Who is asked for a missing report, one after the other."""
        found: list[Reminder] = []
        for number, form in enumerate(forms):
            loc: Loc = ("reminders", number)
            # In place of what cannot be read stands the longest span: one slip is told once.
            before = self._span(file, (*loc, "before"), form.before) or timedelta.max
            if found and before > found[-1].before:
                self.note(file, (*loc, "before"), "must not come before the reminder above it")
            self._channels(file, loc, form.by)
            quiet = None
            if form.quiet_hours is not None:
                quiet = self._quiet_hours(file, loc, form.quiet_hours)
            found.append(Reminder(before, form.tell, tuple(form.by), quiet))
        return tuple(found)

    def _channels(self, file: Tree, loc: Loc, by: Sequence[str]) -> None:
        if not by:
            self.note(file, (*loc, "by"), "name at least one channel, for example [sms, mail]")
        for number, channel in enumerate(by):
            if channel in by[:number]:
                self.note(file, (*loc, "by", number), f"“{channel}” stands twice")

    def _quiet_hours(self, file: Tree, loc: Loc, written: str) -> QuietHours | None:
        quiet = read_quiet_hours(written)
        if quiet is None:
            at = (*loc, "quiet_hours")
            self.note(file, at, f"“{written}” is no part of a day; write for example “22:00-07:00”")
        return quiet

    def _must_reach_somebody(self, file: Tree, loc: Loc, steps: list[Step]) -> None:
        """Staff at once, and staff again and again in the end."""
        if not steps:
            self.note(file, loc, "needs at least one step", key=True)
            return
        if steps[0].after:
            self.note(file, (*loc, 0, "after"), f"the first step comes “{AT_ONCE}”")
        for number in {0, len(steps) - 1}:
            if steps[number].tell not in STAFF_TOLD:
                self.note(file, (*loc, number, "tell"), "the first and the last step tell staff")
        if steps[-1].repeat_every is None:
            at = (*loc, len(steps) - 1)
            self.note(file, at, "the last step needs “repeat_every: 10 min”: it goes on until somebody answers")

    def _not_sooner(self, file: Tree, loc: Loc, last: Step, number: int, of_emergency: Step) -> None:
        if last.after < of_emergency.after:
            self.note(file, (*loc, number, "after"), "must not be earlier than the last step of an emergency")
        if last.repeat_every and of_emergency.repeat_every and last.repeat_every < of_emergency.repeat_every:
            self.note(file, (*loc, number, "repeat_every"), "must not repeat more often than an emergency does")

    def _span(self, file: Tree, loc: Loc, text: str) -> timedelta | None:
        span = read_span(text)
        if span is None:
            self.note(file, loc, f"“{text}” is no span of time; write for example “5 min”, “24 h” or “2 d”")
        return span

    # --- rules

    def rule(self, file: Tree, loc: Loc, data: Any, catalogue: Catalogue, sources: Mapping[str, Source]) -> Rule | None:
        """The rule written there, or None with its mistakes noted."""
        before = len(self.errors)
        form = self.form(RuleForm, file, loc, data)
        entry: Mapping[str, Any] = data if isinstance(data, dict) else {}
        applies = entry.get("applies_to")
        for at, inside in (((), entry), (("applies_to",), applies if isinstance(applies, dict) else {})):
            for key in ("when", "passage", "therapies", "window", "days"):
                if key in inside and inside[key] is None:
                    self.note(file, (*loc, *at, key), f"“{key}” is empty: write what it should be, or leave it out")
        # Read even when the form is wrong, so that mistakes in both are found at once.
        reader = ConditionReader(catalogue, lambda at, message, *, key=False: self.note(file, at, message, key=key))
        when = reader.read(entry["when"], (*loc, "when"), whole=True) if entry.get("when") is not None else None
        for name in _code_of(entry, "id"):
            self.unique(file, (*loc, "id"), name, "id")
        if form is None:
            # Read on with what is right in it, so that its other mistakes come at once too.
            form = _repaired(entry)
            if form is None:
                return None
        if not _is_id(form.id):
            self.note(file, (*loc, "id"), _NO_ID.format(form.id))
        urgency = Urgency.ROUTINE
        if self.known(file, (*loc, "urgency"), form.urgency, URGENCY_CODES, "urgency"):
            urgency = Urgency.from_code(form.urgency)
            if isinstance(when, Together) and when.of >= urgency:
                self.note(file, (*loc, "urgency"), f"must be higher than the “{when.of.code}” it is made of")
        for name in ("title", "why", "advice"):
            self.text(file, (*loc, name), getattr(form, name))
        self._placeholders(file, (*loc, "advice"), form.advice)
        concerns = self._applies_to(file, (*loc, "applies_to"), form.applies_to, catalogue)
        citations = self._citations(file, loc, form, sources)
        if form.source == JUDGMENT and not form.reasoning.strip():
            self.note(
                file, (*loc, "source"), "a judgment needs its “reasoning”, so that clinicians see what they approve"
            )
        cases = self._cases(file, (*loc, "cases"), form, catalogue)
        if when is None or len(self.errors) > before:
            return None
        for way in way_to_leaves(when):
            self.places["when", form.id, *way] = file.place((*loc, "when", *way))
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

    def _placeholders(self, file: Tree, loc: Loc, advice: str) -> None:
        rest = advice
        for name in PLACEHOLDERS:
            rest = rest.replace("{" + name + "}", "")
        if "{" in rest or "}" in rest:
            names = " and ".join("{" + name + "}" for name in PLACEHOLDERS)
            found = re.search(r"\{(\w*)\}", rest)
            near = nearest(found[1], PLACEHOLDERS) if found else ""
            self.note(file, loc, f"only {names} may stand in braces{near}")

    def _applies_to(self, file: Tree, loc: Loc, form: AppliesForm, catalogue: Catalogue) -> AppliesTo:
        if form.therapies == []:
            self.note(file, (*loc, "therapies"), "name at least one therapy, or leave “therapies” out for everybody")
        for number, code in enumerate(form.therapies or ()):
            at: Loc = (*loc, "therapies", number)
            known = self.known(file, at, code, catalogue.therapies, "therapy")
            if known and form.window == "early" and catalogue.therapies[code].early is None:
                self.note(file, at, f"“{code}” has no early window in the catalogue: name the “days” instead")
        if form.window is not None:
            self.known(file, (*loc, "window"), form.window, ["early"], "window")
            if form.days is not None:
                self.note(file, (*loc, "days"), "“window” and “days” exclude each other", key=True)
        therapies = frozenset(form.therapies) if form.therapies is not None else None
        return AppliesTo(therapies, form.window is not None, self._window(file, (*loc, "days"), form.days))

    def _citations(self, file: Tree, loc: Loc, form: RuleForm, sources: Mapping[str, Source]) -> list[Citation]:
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
        self, file: Tree, loc: Loc, key: str, passage: str | None, sources: Mapping[str, Source], at: Loc
    ) -> list[Citation]:
        words = [*sources, JUDGMENT] if sources and loc[-1] == "source" else sources
        if not self.known(file, loc, key, words, "source"):
            return []
        passages = sources[key].passages
        if passage is None:
            if len(passages) != 1:
                if passages:
                    self.note(file, loc, f"“{key}” has several passages; name one of {', '.join(passages)}")
                return []
            passage = next(iter(passages))
        return [Citation(key, passage)] if self.known(file, at, passage, passages, "passage") else []

    def _cases(self, file: Tree, loc: Loc, form: RuleForm, catalogue: Catalogue) -> list[Case]:
        cases: list[Case] = []
        default = form.applies_to.therapies[0] if form.applies_to.therapies else None
        for side, entries in (("fires", form.cases.fires), ("stays_quiet", form.cases.stays_quiet)):
            for number, entry in enumerate(entries):
                at = (*loc, side, number)
                data = {"therapy": default, "days_since_therapy": None, **entry}
                self._case(file, at, data, entry, catalogue)
                cases.append(Case(data, side == "fires", file.place(at), str(entry.get("name", ""))))
        return cases

    def _case(
        self, file: Tree, loc: Loc, data: Mapping[str, Any], entry: Mapping[str, Any], catalogue: Catalogue
    ) -> None:
        report = {key: value for key, value in data.items() if key not in CASE_KEYS}
        if "therapy" not in entry and report["therapy"] not in catalogue.therapies:
            report["therapy"] = None  # the mistake is in applies_to, and said there
        self._case_report(file, loc, report, catalogue, entry)
        if not isinstance(entry.get("name", ""), str):
            self.note(file, (*loc, "name"), "must be text")
        if "silent_for" in entry and read_span(entry["silent_for"]) is None:
            self.note(
                file, (*loc, "silent_for"), f"“{entry['silent_for']}” is no span of time; write for example “24h”"
            )
        history = entry.get("history", [])
        if not isinstance(history, list):
            self.note(file, (*loc, "history"), "must be a list of earlier reports")
            return
        for number, earlier in enumerate(history):
            at = (*loc, "history", number)
            hours = earlier.get("hours_before") if isinstance(earlier, dict) else None
            if isinstance(hours, bool) or not isinstance(hours, int | float) or not 0 < hours < 10_000:
                self.note(file, (*at, "hours_before"), "an earlier report needs “hours_before: 24” (a number above 0)")
            if isinstance(earlier, dict):
                rest = {key: value for key, value in earlier.items() if key != "hours_before"}
                self._case_report(file, at, rest, catalogue, ())

    def _case_report(
        self, file: Tree, loc: Loc, data: Mapping[str, Any], catalogue: Catalogue, keys: Collection[str]
    ) -> None:
        """`keys`: those of the case itself, which may be slips for what a case holds beside its report."""
        if not (catalogue.symptoms and catalogue.therapies):
            return  # the catalogue itself could not be read, which is said there
        try:
            from_data(data, catalogue)
        except BadReport as bad:
            for problem in bad.problems:
                message = problem.message
                if problem.field in keys and problem.field not in CASE_KEYS and "did you mean" not in message:
                    message += nearest(problem.field, CASE_KEYS)
                at = (*loc, problem.field) if problem.field in data else (*loc, *problem.field.split(".", 1))
                self.note(file, at, message, key=bool(re.match("unknown (field|symptom|quantity|item)", message)))


_FILLING: Mapping[str, Any] = {
    "id": "x",
    "title": "x",
    "urgency": URGENCY_CODES[0],
    "why": "x",
    "advice": "x",
    "source": JUDGMENT,
    "reasoning": "x",
    "cases": {"fires": [], "stays_quiet": []},
}
"""Stands for what is missing or wrong in a rule that has been refused; nothing in it is another mistake."""


def _repaired(entry: Mapping[str, Any]) -> RuleForm | None:
    """The rule with filling in the place of every key that is wrong or missing."""
    try:
        RuleForm.model_validate(entry)
    except ValidationError as error:
        wrong = {str(found["loc"][0]) for found in error.errors(include_url=False) if found["loc"]}
        if "source" in wrong:
            wrong |= {"passage", "reasoning"}
        right = {key: value for key, value in entry.items() if key not in wrong}
        try:
            return RuleForm.model_validate({key: _FILLING[key] for key in _FILLING if key in wrong} | right)
        except ValidationError:
            pass
    return None


_NO_ID = "“{}” is no id: lower-case letters, digits and single dashes only"


def _is_id(text: str) -> bool:
    return re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", text) is not None


def _code_of(entry: Any, key: str) -> list[str]:
    """The code of an entry, if it can be read."""
    code = entry.get(key) if isinstance(entry, dict) else None
    return [code] if isinstance(code, str) else []


def _is_list_at(entry: Any, key: str) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get(key), list)


def _stand_in(key: str, passages: Any) -> Source:
    """A source in whose place mistakes stand, so that rules which cite it do not look wrong too."""
    ids = [one for passage in (passages if isinstance(passages, list) else []) for one in _code_of(passage, "id")]
    return Source(key, key, "", date.min, "page", {one: Passage(one, "", "quote") for one in ids})


def snomed_is_whole(code: str) -> bool:
    """Whether the check digit of a SNOMED code is right (Verhoeff), so that no digit was lost or swapped in copying."""
    if not re.fullmatch(r"[1-9][0-9]{5,17}", code):
        return False
    check = 0
    for position, digit in enumerate(reversed(code)):
        check = _DIHEDRAL[check][_permuted(int(digit), position)]
    return check == 0


def _permuted(digit: int, times: int) -> int:
    for _ in range(times % 8):
        digit = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)[digit]
    return digit


_DIHEDRAL = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
    (1, 2, 3, 4, 0, 6, 7, 8, 9, 5),
    (2, 3, 4, 0, 1, 7, 8, 9, 5, 6),
    (3, 4, 0, 1, 2, 8, 9, 5, 6, 7),
    (4, 0, 1, 2, 3, 9, 5, 6, 7, 8),
    (5, 9, 8, 7, 6, 0, 4, 3, 2, 1),
    (6, 5, 9, 8, 7, 1, 0, 4, 3, 2),
    (7, 6, 5, 9, 8, 2, 1, 0, 4, 3),
    (8, 7, 6, 5, 9, 3, 2, 1, 0, 4),
    (9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
)
"""The Verhoeff scheme's multiplication table."""


def _symptom(form: SymptomForm) -> Symptom:
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

"""Judges a report by a ruleset: the reference for every other reader of the conditions.

Three verdicts, as in Kleene's logic: a part is quiet, fires, or is undecided because an answer is "unknown". What was
not asked is quiet; an unknown therapy or day counts as inside every window. Pure, and never raises for a valid report.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from enum import IntEnum
from functools import lru_cache
from operator import attrgetter
from typing import NamedTuple

from triage.rules import wording
from triage.rules.assessment import Assessment, Fact, FiredRule, Undecided, highest
from triage.rules.catalogue import Catalogue, Presence, Severity
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
from triage.rules.report import UNKNOWN, Answer, Report, Unknown, to_data
from triage.rules.ruleset import AppliesTo, Rule, Ruleset
from triage.rules.urgency import Urgency

HISTORY_LENGTH = 12
"""Earlier reports a rule may look at, the latest ones: so that a report never costs more as a record grows."""

KEPT_A_RULE = 32
"""Worded outcomes that are kept for the next report, on average over the rules."""


class Verdict(IntEnum):
    """What a condition says of a report."""

    QUIET = 0
    UNDECIDED = 1
    FIRES = 2


class Finding(NamedTuple):
    """A verdict, the facts that are there, and the answers that could bring more: an undecided condition may have facts
    already, and one that fires may have more of them than anybody knows."""

    verdict: Verdict
    facts: tuple[Fact, ...] = ()
    unknown: tuple[str, ...] = ()


QUIET = Finding(Verdict.QUIET)


class _View:
    """What a rule may look at: the judged report, the earlier ones, and how long it has been silent."""

    def __init__(
        self, catalogue: Catalogue, report: Report, history: Sequence[Report], silent: timedelta | None = None
    ) -> None:
        self.catalogue = catalogue
        self.report = report
        self.complaints = report.complaints()
        self.silent = silent
        self._history = history
        self._earlier: tuple[Report, ...] | None = None

    @property
    def earlier(self) -> tuple[Report, ...]:
        """The earlier reports, latest first; put in order only when a rule asks for them."""
        if self._earlier is None:
            self._earlier = _latest_first(self._history)
        return self._earlier


Ask = Callable[[_View], Finding]
"""A condition made ready to be asked."""


class _Prepared(NamedTuple):
    """What is worked out once for a ruleset: its rules by kind, each with the question it asks."""

    single: tuple[tuple[Rule, Ask], ...]
    silence: tuple[tuple[Rule, Ask], ...]
    together: tuple[Rule, ...]
    tell: _Telling


def _prepared(ruleset: Ruleset) -> _Prepared:
    """The rules made ready, at the first report."""
    kept: _Prepared | None = ruleset.kept.get("engine")
    if kept is None:
        kept = ruleset.kept["engine"] = _prepare(ruleset)
    return kept


def _prepare(ruleset: Ruleset) -> _Prepared:
    made: dict[Condition, Ask] = {}
    return _Prepared(
        tuple((rule, _rule(rule, made)) for rule in ruleset.single_rules),
        tuple((rule, _rule(rule, made)) for rule in ruleset.silence_rules),
        ruleset.together_rules,
        _Telling(ruleset),
    )


class _Telling:
    """Fired rules with their facts in words. The same few come again and again, so those that name no moment, and so no
    one person's report, are kept."""

    def __init__(self, ruleset: Ruleset) -> None:
        self._by_id = ruleset.by_id
        self._catalogue = ruleset.catalogue
        most = KEPT_A_RULE * len(ruleset.rules)
        self._kept = lru_cache(maxsize=most)(self._fired)
        self._kept_sentence = lru_cache(maxsize=most)(self._sentence)
        self._kept_unknown = lru_cache(maxsize=most)(self._unknown)

    def undecided(self, rule: Rule, unknown: tuple[str, ...]) -> Undecided:
        """The rule that these answers leave open."""
        return Undecided(
            rule.id, rule.urgency, rule.title, unknown, tuple([self._kept_unknown(one) for one in unknown])
        )

    def fired(self, rule: Rule, facts: tuple[Fact, ...]) -> FiredRule:
        """The rule that these facts made fire."""
        for fact in facts:
            if fact.at is not None or fact.earlier_at is not None:
                return self._fired(rule.id, facts)
        return self._kept(rule.id, facts)

    def _fired(self, rule_id: str, facts: tuple[Fact, ...]) -> FiredRule:
        rule = self._by_id[rule_id]
        return FiredRule(
            rule=rule_id,
            urgency=rule.urgency,
            title=rule.title,
            facts=facts,
            because=tuple([self._because(fact) for fact in facts]),
            source=rule.source,
            advice=rule.advice,
        )

    def _because(self, fact: Fact) -> str:
        return self._kept_sentence(fact) if fact.at is None and fact.earlier_at is None else self._sentence(fact)

    def _sentence(self, fact: Fact) -> str:
        return wording.fact_sentence(fact, self._catalogue)

    def _unknown(self, subject: str) -> str:
        return wording.unknown_sentence(subject, self._catalogue)


def assess(ruleset: Ruleset, report: Report, history: Sequence[Report] = ()) -> Assessment:
    """The judgment of `report`. `history` holds the patient's earlier reports in any order; the 12 latest count."""
    view = _View(ruleset.catalogue, report, history)
    prepared = _prepared(ruleset)
    single = prepared.single
    woken = ruleset.triggers.woken(report, view.complaints)
    return _judge(ruleset, view, prepared.tell, [single[number] for number in woken], prepared.together)


def assess_silence(ruleset: Ruleset, last: Report, silent: timedelta, history: Sequence[Report] = ()) -> Assessment:
    """The judgment of a silence of that length, by the rules that ask for one.

    `last` is the last report (or an empty one) with today's therapy and day.
    """
    view = _View(ruleset.catalogue, last, history, silent)
    prepared = _prepared(ruleset)
    return _judge(ruleset, view, prepared.tell, prepared.silence)


def evaluate(
    rule: Rule, report: Report, history: Sequence[Report], catalogue: Catalogue, silent: timedelta | None = None
) -> Finding:
    """What one rule says, its therapies and days included. A `together` rule is quiet here: it needs the others."""
    return asking(rule, catalogue)(report, history, silent)


def asking(rule: Rule, catalogue: Catalogue) -> Callable[[Report, Sequence[Report], timedelta | None], Finding]:
    """`evaluate` for one report after the other: the rule is made ready once."""
    if isinstance(rule.when, Together):
        return lambda report, history, silent: QUIET
    ask = _rule(rule, {})
    return lambda report, history, silent: ask(_View(catalogue, report, history, silent))


def applies(applies_to: AppliesTo, report: Report, catalogue: Catalogue) -> bool:
    """Whether the rule concerns this therapy and day. What is not known counts as inside."""
    therapy, day = report.therapy, report.days_since_therapy
    if therapy is not None and applies_to.therapies is not None and therapy not in applies_to.therapies:
        return False
    window = applies_to.days
    if applies_to.early:
        if therapy is None:
            return True
        window = catalogue.therapies[therapy].early
        if window is None:
            return False
    return window is None or day is None or window.contains(day)


def _judge(
    ruleset: Ruleset,
    view: _View,
    tell: _Telling,
    rules: Iterable[tuple[Rule, Ask]],
    together: Iterable[Rule] = (),
) -> Assessment:
    fired: list[FiredRule] = []
    undecided: list[Undecided] = []
    findings: list[tuple[Rule, Finding]] = []
    for rule, ask in rules:
        try:
            finding = ask(view)
            if finding is not QUIET:
                _sort_in(rule, finding, tell, fired, undecided)
                findings.append((rule, finding))
        except Exception:  # a rule that fails must not silence the others, nor go unseen
            fired.append(_failed(rule))
    for rule in together:
        try:
            finding = _evaluate_together(rule, view, findings)
            if finding is not QUIET:
                _sort_in(rule, finding, tell, fired, undecided)
        except Exception:
            fired.append(_failed(rule))
    urgency = highest(fired) if fired else Urgency.ROUTINE
    if undecided and any(rule.urgency >= Urgency.URGENT for rule in undecided):
        urgency = max(urgency, Urgency.SOON)
    return Assessment(
        patient=view.report.patient,
        reported_at=view.report.reported_at,
        urgency=urgency,
        ruleset=ruleset.hash,
        fired=tuple(sorted(fired, key=_most_urgent_first)) if fired else (),
        undecided=tuple(sorted(undecided, key=_most_urgent_first)) if undecided else (),
    )


def _most_urgent_first(rule: FiredRule | Undecided) -> tuple[int, str]:
    return -rule.urgency, rule.rule


def _sort_in(rule: Rule, finding: Finding, tell: _Telling, fired: list[FiredRule], undecided: list[Undecided]) -> None:
    if finding.verdict is Verdict.FIRES:
        fired.append(tell.fired(rule, finding.facts))
    elif finding.verdict is Verdict.UNDECIDED:
        undecided.append(tell.undecided(rule, finding.unknown))


def _failed(rule: Rule) -> FiredRule:
    return FiredRule(
        rule=rule.id,
        urgency=Urgency.URGENT,
        title=f"The rule “{rule.title}” could not be evaluated",
        facts=(),
        because=("this rule could not be evaluated, so a person has to look at the report",),
        source=rule.source,
        failed=True,
    )


def _evaluate_together(rule: Rule, view: _View, findings: Sequence[tuple[Rule, Finding]]) -> Finding:
    """Fires when rules of the asked urgency fired on enough different signs.

    Signs are counted, not rules: two rules on the same symptom are one. A rule that needs two signs brings both.
    Undecided when there could be enough: whatever fires or is open in a rule that fires or is undecided may be a sign.
    """
    together = rule.when
    assert isinstance(together, Together)  # noqa: S101 (only called for these)
    if not findings and together.count > 0:
        return QUIET
    if not applies(rule.applies_to, view.report, view.catalogue):
        return QUIET
    asked = [finding for other, finding in findings if other.urgency is together.of]
    fired = [finding for finding in asked if finding.verdict is Verdict.FIRES]
    facts = [fact for finding in fired for fact in finding.facts if is_sign(fact)]
    signs = {fact.subject for fact in facts}
    if len(signs) >= together.count:
        return Finding(Verdict.FIRES, tuple(dict.fromkeys(facts)))
    maybe = {fact.subject for finding in asked for fact in finding.facts if is_sign(fact)}
    unknown = dict.fromkeys(subject for finding in asked for subject in finding.unknown if subject not in signs)
    if len(signs | maybe | {subject for subject in unknown if subject not in _NO_SIGNS}) >= together.count:
        return Finding(Verdict.UNDECIDED, unknown=tuple(unknown))
    return QUIET


_NO_SIGNS = ("fever_reducer_taken", "on_steroids", "silence")


def is_sign(fact: Fact) -> bool:
    """Whether the fact is about how the person is, not about medicines, time or a reading that is missing."""
    return fact.subject not in _NO_SIGNS and fact.test != "not_measured"


def _latest_first(history: Sequence[Report]) -> tuple[Report, ...]:
    """The 12 latest; those without a time keep their place as given, before the dated ones. Equal times are ordered by
    content, so that the order in which they came does not matter."""
    dated = [report for report in history if report.reported_at is not None]
    if len({report.reported_at for report in dated}) < len(dated):
        dated.sort(key=lambda report: repr(to_data(report)), reverse=True)
    dated.sort(key=attrgetter("reported_at"), reverse=True)  # sorting keeps the order of equals
    if len(dated) < len(history):
        dated += [report for report in reversed(history) if report.reported_at is None]
    return tuple(dated[:HISTORY_LENGTH])


# --- conditions ------------------------------------------------------------------------------------------------------


def _rule(rule: Rule, made: dict[Condition, Ask]) -> Ask:
    """What the rule asks, its therapies and days included. `made` holds what other rules ask, and grows."""
    applies_to, ask = rule.applies_to, _ready(rule.when, made)
    if applies_to == AppliesTo():
        return ask
    return lambda view: ask(view) if applies(applies_to, view.report, view.catalogue) else QUIET


def _ready(condition: Condition, made: dict[Condition, Ask]) -> Ask:
    """The condition made ready to be asked of many reports; equal conditions of a ruleset are one."""
    if condition not in made:
        made[condition] = _make(condition, made)
    return made[condition]


def _make(condition: Condition, made: dict[Condition, Ask]) -> Ask:
    match condition:
        case All(of=parts):
            return _at_least(len(parts), [_ready(part, made) for part in parts])
        case Any(of=parts):
            return _at_least(1, [_ready(part, made) for part in parts])
        case AtLeast(count=count, of=parts):
            return _at_least(count, [_ready(part, made) for part in parts])
        case SymptomAtLeast() | SymptomPresent() if condition.symptom != ANY_SYMPTOM:
            return _one_answer(condition)
        case SymptomAtLeast() | SymptomPresent() | Worse() | Persists() | New():
            return lambda view: _symptom(condition, view)
        case TemperatureAtLeast():
            return lambda view: _temperature_at_least(condition, view)
        case TemperatureAtMost(celsius=limit):
            return lambda view: _number("temperature", view.report.temperature_c, "at_most", limit)
        case TemperatureNotMeasured():
            return _temperature_not_measured
        case MeasuredAtLeast(quantity=quantity, value=limit):
            return lambda view: _number(quantity, view.report.measured.get(quantity), "at_least", limit)
        case MeasuredAtMost(quantity=quantity, value=limit):
            return lambda view: _number(quantity, view.report.measured.get(quantity), "at_most", limit)
        case OnSteroids():
            return lambda view: _yes("on_steroids", view.report.on_steroids)
        case FeverReducerTaken():
            return lambda view: _yes("fever_reducer_taken", view.report.fever_reducer_taken)
        case ThinkingCheckAtMost() | ThinkingCheckBelowBaseline() | ThinkingCheckAbandoned():
            return lambda view: _thinking_check(condition, view.report)
        case SilentFor(span=span):
            return lambda view: _silent_for(span, view.silent)
        case Together():
            return _misplaced


def _fires(*facts: Fact) -> Finding:
    return Finding(Verdict.FIRES, facts)


def _misplaced(view: _View) -> Finding:
    raise ValueError("a together condition stands only as the whole condition of a rule")


def _silent_for(span: timedelta, silent: timedelta | None) -> Finding:
    if silent is None or silent < span:
        return QUIET
    return _fires(Fact("silence", wording.hours(silent), "silent_for", wording.hours(span)))


def _temperature_not_measured(view: _View) -> Finding:
    if isinstance(view.report.temperature_c, Decimal):
        return QUIET
    return _fires(Fact("temperature", "not measured", "not_measured"))


def _at_least(count: int, parts: Sequence[Ask]) -> Ask:
    """Fires when `count` parts fire, with the facts of all that do; undecided while the undecided ones could tip it."""

    spare = len(parts) - count

    def ask(view: _View) -> Finding:
        findings: list[Finding] = []
        quiet = 0
        for part in parts:
            finding = part(view)
            if finding is not QUIET:
                findings.append(finding)
            elif quiet == spare:
                return QUIET  # too few are left
            else:
                quiet += 1
        if len(findings) == 1 and len(findings[0].facts) == 1 and findings[0].verdict is Verdict.FIRES:
            return findings[0]
        firing = [finding for finding in findings if finding.verdict is Verdict.FIRES]
        unknown = tuple(dict.fromkeys(subject for finding in findings for subject in finding.unknown))
        if len(firing) >= count:
            return Finding(Verdict.FIRES, tuple(dict.fromkeys(f for finding in firing for f in finding.facts)), unknown)
        facts = tuple(dict.fromkeys(fact for finding in findings for fact in finding.facts))
        return Finding(Verdict.UNDECIDED, facts, unknown)

    return ask


def _one_answer(condition: SymptomAtLeast | SymptomPresent) -> Ask:
    """For a condition that one answer decides: what each answer means is worked out once."""
    code = condition.symptom
    kept: dict[type, dict[Answer, Finding]] = {Severity: {}, Presence: {}, Unknown: {}}

    def ask(view: _View) -> Finding:
        answer = view.complaints.get(code)
        if answer is None:
            return QUIET
        of_its_kind = kept[type(answer)]
        finding = of_its_kind.get(answer)
        if finding is None:
            finding = of_its_kind[answer] = _symptom(condition, view)
        return finding

    return ask


def _symptom(condition: SymptomAtLeast | SymptomPresent | Worse | Persists | New, view: _View) -> Finding:
    """The same question for one symptom, or for each that the report answers. Every question asks for something that is
    there, so "none", "no" and not asked are quiet."""
    complaints = view.complaints
    if condition.symptom == ANY_SYMPTOM:
        places = view.catalogue.places
        codes = sorted(complaints.keys() & places.keys(), key=places.__getitem__)
    else:
        codes = [condition.symptom] if condition.symptom in complaints else []
    question = _QUESTIONS[type(condition)]
    firing: list[Fact] = []
    unknown: list[str] = []
    for code in codes:
        answer = complaints[code]
        if isinstance(answer, Unknown):
            # Undecided only if the worst possible answer would fire.
            if question(condition, code, view.catalogue.symptoms[code].worst, view):
                unknown.append(code)
        else:
            firing.extend(question(condition, code, answer, view))
    if firing:
        return Finding(Verdict.FIRES, tuple(firing), tuple(unknown))
    return Finding(Verdict.UNDECIDED, unknown=tuple(unknown)) if unknown else QUIET


Known = Severity | Presence


def _meets(answer: Known, level: Severity) -> bool:
    return answer is Presence.YES or (isinstance(answer, Severity) and answer >= level)


def _level_fact(code: str, answer: Known, level: Severity, at: datetime | None = None) -> Fact:
    if isinstance(answer, Presence):
        return Fact(code, answer.code, "is", "yes", at)
    return Fact(code, answer.code, "at_least", level.code, at)


def _is_at_least(condition: SymptomAtLeast, code: str, answer: Known, view: _View) -> list[Fact]:
    return [_level_fact(code, answer, condition.level)] if _meets(answer, condition.level) else []


def _is_present(condition: SymptomPresent, code: str, answer: Known, view: _View) -> list[Fact]:
    return [_level_fact(code, answer, Severity.MILD)] if answer > 0 else []


def _is_worse(condition: Worse, code: str, answer: Known, view: _View) -> list[Fact]:
    if answer < condition.by:
        return []  # no earlier answer is below "none"
    earlier = _answered(code, view)
    if condition.lowest_in is not None:
        recent = [pair for pair in earlier if _inside(view.report, pair[0], condition.lowest_in)]
        compared = min(recent, key=lambda pair: pair[1], default=None)
    else:
        compared = next(earlier, None)
    if compared is None or answer - compared[1] < condition.by:
        return []
    report, before = compared
    return [Fact(code, answer.code, "worse_by", str(condition.by), None, before.code, report.reported_at)]


def _persists(condition: Persists, code: str, answer: Known, view: _View) -> list[Fact]:
    run: list[Fact] = []
    for report, level in [(view.report, answer), *_answered(code, view)]:
        if not _meets(level, condition.level):
            return []
        run.append(_level_fact(code, level, condition.level, report.reported_at if run else None))
        if condition.reports is not None and len(run) >= condition.reports:
            return run
        if condition.span is not None and len(run) > 1 and not _inside(view.report, report, condition.span, short=True):
            return run
    return []


def _is_new(condition: New, code: str, answer: Known, view: _View) -> list[Fact]:
    compared = next(_answered(code, view), None)
    if answer == 0 or (compared is not None and compared[1] > 0):
        return []
    if compared is None:
        return [Fact(code, answer.code, "new")]
    return [Fact(code, answer.code, "new", "", None, compared[1].code, compared[0].reported_at)]


_QUESTIONS: dict[type, Callable[..., list[Fact]]] = {
    SymptomAtLeast: _is_at_least,
    SymptomPresent: _is_present,
    Worse: _is_worse,
    Persists: _persists,
    New: _is_new,
}


def _answered(code: str, view: _View) -> Iterator[tuple[Report, Known]]:
    """The earlier reports that answered the symptom, latest first; "unknown" is no answer."""
    for report in view.earlier:
        answer: Answer | None = report.symptoms.get(code)
        if answer is not None and not isinstance(answer, Unknown):
            yield report, answer


def _inside(report: Report, earlier: Report, span: timedelta, *, short: bool = False) -> bool:
    """Whether `earlier` is not older than `span`; with `short`, whether it is younger. Without times: inside for the
    first, old enough for the second, since doubt goes to a person."""
    if report.reported_at is None or earlier.reported_at is None:
        return not short
    age = report.reported_at - earlier.reported_at
    return age < span if short else age <= span


def _number(subject: str, value: Decimal | Unknown | None, test: str, limit: Decimal) -> Finding:
    if value is None:
        return QUIET
    if isinstance(value, Unknown):
        return Finding(Verdict.UNDECIDED, unknown=(subject,))
    met = value >= limit if test == "at_least" else value <= limit
    return _fires(Fact(subject, wording.number(subject, value), test, wording.number(subject, limit))) if met else QUIET


def _yes(subject: str, value: Presence | Unknown | None) -> Finding:
    if value is UNKNOWN:
        return Finding(Verdict.UNDECIDED, unknown=(subject,))
    return _fires(Fact(subject, "yes", "is", "yes")) if value is Presence.YES else QUIET


def _temperature_at_least(condition: TemperatureAtLeast, view: _View) -> Finding:
    limit = wording.number("temperature", condition.celsius)
    now = view.report.temperature_c
    facts: list[Fact] = []
    if isinstance(now, Decimal) and now >= condition.celsius:
        facts.append(Fact("temperature", wording.number("temperature", now), "at_least", limit))
    if condition.within is not None:
        facts.extend(
            Fact("temperature", wording.number("temperature", reading), "at_least", limit, report.reported_at)
            for report, reading in _readings(view)
            if reading >= condition.celsius and _inside(view.report, report, condition.within)
        )
    if condition.risen_by is None:
        if facts:
            return _fires(*facts)
        return Finding(Verdict.UNDECIDED, unknown=("temperature",)) if now is UNKNOWN else QUIET
    previous = next(_readings(view), None)
    if previous is None:
        return QUIET
    report, before = previous
    if now is UNKNOWN:
        return Finding(Verdict.UNDECIDED, unknown=("temperature",))
    if not facts or not isinstance(now, Decimal) or now - before < condition.risen_by:
        return QUIET
    rise = Fact(
        "temperature",
        wording.number("temperature", now),
        "risen_by",
        wording.number("temperature", condition.risen_by),
        None,
        wording.number("temperature", before),
        report.reported_at,
    )
    return _fires(*facts, rise)


def _readings(view: _View) -> Iterator[tuple[Report, Decimal]]:
    for report in view.earlier:
        if isinstance(report.temperature_c, Decimal):
            yield report, report.temperature_c


def _thinking_check(
    condition: ThinkingCheckAtMost | ThinkingCheckBelowBaseline | ThinkingCheckAbandoned, report: Report
) -> Finding:
    """Points of items that were not done count as lost; a check that was only begun, or declined, has no score.
    One that was declined was not begun."""
    check = report.thinking_check
    if check is None:
        return QUIET
    if isinstance(condition, ThinkingCheckAbandoned):
        begun = not (check.finished or check.declined)
        return _fires(Fact("thinking_check", "abandoned", "abandoned")) if begun else QUIET
    if check.without_points:
        return Finding(Verdict.UNDECIDED, unknown=("thinking_check",))
    if isinstance(condition, ThinkingCheckAtMost):
        if check.score > condition.points:
            return QUIET
        return _fires(Fact("thinking_check", str(check.score), "at_most", str(condition.points)))
    baseline = report.baseline
    if baseline - check.score < condition.points:
        return QUIET
    return _fires(
        Fact("thinking_check", str(check.score), "below_baseline", str(condition.points), earlier=str(baseline))
    )

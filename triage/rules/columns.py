"""The conditions as columns: one row a report (`table`), one expression a rule, on Polars here or on a Spark cluster.

The live engine (`engine`) is the reference; the tests hold both to the same verdicts. A condition is told by two
expressions: whether it fires, and whether it could fire if what is unknown were as bad as can be. Rules that ask for
silence are left out: no report tells of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import reduce
from operator import add
from typing import Any, NamedTuple

import narwhals as nw

from triage.rules import conditions as c
from triage.rules.catalogue import THINKING_CHECK_FULL, Catalogue, Scale, Severity, Window
from triage.rules.engine import HISTORY_LENGTH
from triage.rules.ruleset import AppliesTo, Rule, Ruleset
from triage.rules.table import MILLION, NO, UNKNOWN_CODE, YES, micros
from triage.rules.urgency import Urgency

Expr = nw.Expr
Frame = nw.DataFrame[Any] | nw.LazyFrame[Any]
"""An eager frame whose rows stand sorted by patient and position, or a lazy one in any order."""


@dataclass(frozen=True)
class Verdicts:
    """The names of the columns that tell what one ruleset says of each report."""

    urgency: str
    """Of the rank of the urgency."""
    fires: Mapping[str, str]
    """By rule, of whether it fires."""
    undecided: Mapping[str, str]


def judged(frame: Frame, rulesets: Sequence[Ruleset]) -> tuple[Frame, list[Verdicts]]:
    """The frame with the verdicts of each ruleset beside its columns. What several rulesets ask is asked once."""
    names = frame.collect_schema().names()
    rows = _Unsorted() if isinstance(frame, nw.LazyFrame) else _Sorted()
    compilers: list[_Compiler] = []
    verdicts: list[Verdicts] = []
    for number, ruleset in enumerate(rulesets):
        compiler = next((one for one in compilers if one.catalogue == ruleset.catalogue), None)
        if compiler is None:
            compiler = _Compiler(ruleset.catalogue, names, f"c{number}_", rows)
            compilers.append(compiler)
        verdicts.append(compiler.add(ruleset))
    for compiler in compilers:
        for stage in compiler.stages:
            if stage:
                frame = frame.with_columns(**stage)
    told = dict.fromkeys(
        name for one in verdicts for name in (one.urgency, *one.fires.values(), *one.undecided.values())
    )
    return frame.select(*names, *told), verdicts


class _Told(NamedTuple):
    """A condition as two columns: whether it fires, and whether it could."""

    stage: int
    """In which the columns are made."""
    fires: Expr
    possible: Expr


class _Leaf(NamedTuple):
    """What looks at reports: by subject, whether it fires, and whether what is unknown leaves it open."""

    fires: Mapping[str, Expr]
    open: Mapping[str, Expr]


class _Sorted:
    """How to look at earlier reports where rows stand sorted by patient and position: the rows above are they."""

    def earlier(self, expr: Expr, count: int) -> Expr:
        """The value of the report that many before; null where there is none."""
        return nw.when(nw.col("position") >= count).then(expr.shift(count))

    def latest(self, name: str) -> Expr:
        """The latest value that is not null among the earlier reports that count; in two steps."""
        return nw.coalesce(*[self.earlier(nw.col(name), count) for count in _EARLIER])

    def latest_then(self, name: str) -> Expr:
        return nw.col(name)


class _Unsorted(_Sorted):
    """The same for rows in any order, on any number of machines."""

    def earlier(self, expr: Expr, count: int) -> Expr:
        return expr.shift(count).over("patient", order_by="position")

    def latest(self, name: str) -> Expr:
        return self.earlier(nw.col(name), 1)

    def latest_then(self, name: str) -> Expr:
        filled = nw.col(name).fill_null(strategy="forward", limit=HISTORY_LENGTH - 1)
        return filled.over("patient", order_by="position")


class _Compiler:
    """Makes the expressions of rulesets of one catalogue.

    Each part of a condition becomes a column of its own, made once for all rules that ask it: an expression that held
    its parts would repeat them at every level above.
    """

    def __init__(self, catalogue: Catalogue, names: Iterable[str], prefix: str, rows: _Sorted) -> None:
        self.catalogue = catalogue
        self.codes = [code for code in catalogue.symptoms if f"s_{code}" in set(names)]
        self.prefix = prefix
        self.rows = rows
        self.stages: list[dict[str, Expr]] = []
        """Columns by stage: each looks at columns of the stages before it only."""
        self._told_of: dict[c.Condition, _Told] = {}
        self._leaf_of: dict[c.Condition, _Leaf] = {}
        self._inside_of: dict[AppliesTo, Expr] = {}
        self._verdict_of: dict[tuple[c.Condition, AppliesTo], tuple[int, str, str]] = {}
        self._count = 0

    def _put(self, stage: int, name: str, expr: Expr) -> str:
        """A column of that stage; what is there already is not made twice. Returns its whole name."""
        while len(self.stages) <= stage:
            self.stages.append({})
        self.stages[stage].setdefault(f"{self.prefix}{name}", expr)
        return f"{self.prefix}{name}"

    def _name(self, stage: int, expr: Expr) -> str:
        self._count += 1
        return self._put(stage, f"x{self._count}", expr)

    def _new(self, stage: int, expr: Expr) -> Expr:
        return nw.col(self._name(stage, expr))

    # --- rules

    def add(self, ruleset: Ruleset) -> Verdicts:
        """Make the columns of one ruleset."""
        stage = 0
        fires: dict[str, str] = {}
        undecided: dict[str, str] = {}
        for rule in ruleset.single_rules:
            made, fires[rule.id], undecided[rule.id] = self._verdict(rule)
            stage = max(stage, made)
        for rule in ruleset.together_rules:
            fires[rule.id], undecided[rule.id] = self._together(rule, ruleset, stage + 1, fires, undecided)
        return Verdicts(self._name(stage + 3, _urgency(ruleset, fires, undecided)), fires, undecided)

    def _verdict(self, rule: Rule) -> tuple[int, str, str]:
        """The stage and the two columns of a rule; rules that ask the same of the same people share them."""
        key = rule.when, rule.applies_to
        if key not in self._verdict_of:
            told, inside = self._told(rule.when), self._inside(rule.applies_to)
            fires = self._name(told.stage + 1, told.fires & inside)
            undecided = self._name(told.stage + 1, told.possible & ~told.fires & inside)
            self._verdict_of[key] = told.stage + 1, fires, undecided
        return self._verdict_of[key]

    def _inside(self, applies_to: AppliesTo) -> Expr:
        """Whether a rule concerns this therapy and day; what is not known counts as inside."""
        if applies_to not in self._inside_of:
            known = nw.when(nw.col("therapy").is_in(list(self.catalogue.therapies))).then(nw.col("therapy"))
            therapy = nw.col(self._put(_ANSWERS, "therapy", known))
            parts: list[Expr] = []
            if applies_to.therapies is not None:
                parts.append(therapy.is_null() | therapy.is_in(sorted(applies_to.therapies)))
            if applies_to.early:
                spans = [(code, one.early) for code, one in self.catalogue.therapies.items() if one.early is not None]
                parts.append(_any([therapy.is_null(), *((therapy == code) & _on(span) for code, span in spans)]))
            elif applies_to.days is not None:
                parts.append(_on(applies_to.days))
            self._inside_of[applies_to] = self._new(_KNOWN, _all([_sure(part) for part in parts]))
        return self._inside_of[applies_to]

    def _together(
        self, rule: Rule, ruleset: Ruleset, stage: int, fires: Mapping[str, str], undecided: Mapping[str, str]
    ) -> tuple[str, str]:
        """Fires when rules of the asked urgency fired on enough different signs; undecided when there could be enough:
        whatever fires or is open in a rule that fires or is undecided may be a sign."""
        when = rule.when
        assert isinstance(when, c.Together)  # noqa: S101 (only called for these)
        there: dict[str, list[Expr]] = {}
        maybe: dict[str, list[Expr]] = {}
        for other in ruleset.single_rules:
            if other.urgency is when.of:
                fired, open_too = nw.col(fires[other.id]), nw.col(fires[other.id]) | nw.col(undecided[other.id])
                for subject, fact, possible in self._signs(other.when):
                    there.setdefault(subject, []).append(fact & fired)
                    maybe.setdefault(subject, []).append(possible & open_too)
        signs, could_be = (
            _count([self._new(stage, _any(exprs)) for exprs in some.values()]) for some in (there, maybe)
        )
        inside = self._inside(rule.applies_to)
        enough = (signs >= when.count) & inside
        return self._name(stage + 1, enough), self._name(stage + 1, (could_be >= when.count) & inside & ~enough)

    def _signs(self, when: c.Condition) -> Iterator[tuple[str, Expr, Expr]]:
        """The signs that a condition looks at, each with whether it is among the facts where all around it fires, and
        whether it is one or may be where nothing around it is quiet; a sign may come several times."""
        if isinstance(when, c.All | c.Any | c.AtLeast):
            for part in when.of:
                told = self._told(part)
                for subject, fact, possible in self._signs(part):
                    yield subject, fact & told.fires, possible & told.possible
        elif not isinstance(when, c.OnSteroids | c.FeverReducerTaken | c.TemperatureNotMeasured):
            leaf = self._leaf(when)
            for subject, fact in leaf.fires.items():
                yield subject, fact, fact | leaf.open[subject] if subject in leaf.open else fact

    # --- conditions

    def _told(self, when: c.Condition) -> _Told:
        if when not in self._told_of:
            match when:
                case c.All(of=parts):
                    told = self._at_least(len(parts), parts)
                case c.Any(of=parts):
                    told = self._at_least(1, parts)
                case c.AtLeast(count=count, of=parts):
                    told = self._at_least(count, parts)
                case _:
                    leaf = self._leaf(when)
                    fires, left_open = list(leaf.fires.values()), list(leaf.open.values())
                    told = _Told(_LEAVES + 1, self._any_of(fires), self._any_of(fires + left_open))
            self._told_of[when] = told
        return self._told_of[when]

    def _any_of(self, leaves: list[Expr]) -> Expr:
        """Columns of leaves as one; a single one is that already."""
        return leaves[0] if len(leaves) == 1 else self._new(_LEAVES + 1, _any(leaves))

    def _at_least(self, count: int, parts: Sequence[c.Condition]) -> _Told:
        told = [self._told(part) for part in parts]
        stage = 1 + max(one.stage for one in told)
        fires, possible = [one.fires for one in told], [one.possible for one in told]
        if count == len(parts):
            return _Told(stage, self._new(stage, _all(fires)), self._new(stage, _all(possible)))
        if count == 1:
            return _Told(stage, self._new(stage, _any(fires)), self._new(stage, _any(possible)))
        return _Told(stage, self._new(stage, _count(fires) >= count), self._new(stage, _count(possible) >= count))

    def _leaf(self, when: c.Condition) -> _Leaf:
        """A part that looks at reports, as columns."""
        if when not in self._leaf_of:
            match when:
                case c.SymptomAtLeast() | c.SymptomPresent() | c.Worse() | c.Persists() | c.New():
                    leaf = self._symptom(when)
                case _:
                    fires, left_open = self._reading(when)
                    leaf = _Leaf(
                        {subject: self._new(_LEAVES, expr) for subject, expr in fires.items()},
                        {subject: self._new(_LEAVES, expr) for subject, expr in left_open.items()},
                    )
            self._leaf_of[when] = leaf
        return self._leaf_of[when]

    # --- symptoms

    def _symptom(self, when: c.SymptomAtLeast | c.SymptomPresent | c.Worse | c.Persists | c.New) -> _Leaf:
        codes = self.codes if when.symptom == c.ANY_SYMPTOM else [code for code in self.codes if code == when.symptom]
        fires, left_open = {}, {}
        for code in codes:
            answer = nw.col(self._answer(code))
            fires[code] = self._new(_LEAVES, _sure((answer > 0) & self._asks_for(when, code, answer)))
            unknown = nw.col(self._put(_KNOWN, f"o_{code}", _sure(answer == UNKNOWN_CODE)))
            if isinstance(when, c.SymptomAtLeast | c.SymptomPresent):  # the worst answer meets them
                left_open[code] = unknown
            else:
                worst = nw.lit(int(self.catalogue.symptoms[code].worst))
                left_open[code] = self._new(_LEAVES, unknown & _sure(self._asks_for(when, code, worst)))
        return _Leaf(fires, left_open)

    def _answer(self, code: str) -> str:
        """The column of its answers: 0 none or no, then upwards; a yes is 1. What the catalogue's scale does not have
        was not asked."""
        value = nw.col(f"s_{code}")
        if self.catalogue.symptoms[code].scale is Scale.PRESENCE:
            rest = nw.when(value == UNKNOWN_CODE).then(nw.lit(UNKNOWN_CODE))
            no = nw.when(value == NO).then(nw.lit(0)).otherwise(rest)
            found = nw.when(value == YES).then(nw.lit(1)).otherwise(no).cast(nw.Int8)
        else:
            found = nw.when(value <= int(Severity.VERY_SEVERE)).then(value)
        return self._put(_ANSWERS, f"a_{code}", found)

    def _asks_for(self, when: c.Condition, code: str, answer: Expr) -> Expr:
        """Whether that answer, which is a complaint, is one of those that the condition asks for."""
        presence = self.catalogue.symptoms[code].scale is Scale.PRESENCE
        match when:
            case c.SymptomAtLeast(level=level):
                return _meets(answer, level, presence)
            case c.SymptomPresent():
                return answer > 0
            case c.Worse(by=by, lowest_in=None):
                return answer - self._latest(self._answer(code)) >= by
            case c.Worse(by=by, lowest_in=timedelta() as span):
                return _any([_sure(self._was_lower(code, n, answer, by) & self._within(n, span)) for n in _EARLIER])
            case c.Persists():
                return _meets(answer, when.level, presence) & self._run(when, code, presence)
            case c.New():
                before = self._latest(self._answer(code))
                return before.is_null() | (before == 0)
        raise TypeError(when)

    def _was_lower(self, code: str, count: int, answer: Expr, by: int) -> Expr:
        then = self._then(code, count)
        return (then >= 0) & (answer - then >= by)

    def _run(self, when: c.Persists, code: str, presence: bool) -> Expr:
        """Whether enough earlier answers running meet the level: in number, or back to a time long enough ago."""
        known = {n: self._then(code, n) for n in _EARLIER}
        met = {n: _sure(_meets(then, when.level, presence)) for n, then in known.items()}
        broken = [nw.when(_sure(then >= 0) & ~met[n]).then(nw.lit(n)) for n, then in known.items()]
        name = self._put(_ENDS, f"r_{code}_{when.level.code}", nw.coalesce(*broken, nw.lit(HISTORY_LENGTH + 1)))
        running = {n: met[n] & (nw.col(name) > n) for n in _EARLIER}
        if when.span is None:
            return _count(list(running.values())) >= (when.reports or 0) - 1
        long_ago = micros(when.span)
        return _any([running[n] & (self._age(n) >= long_ago).fill_null(True) for n in _EARLIER])

    # --- earlier reports

    def _earlier(self, name: str, count: int) -> Expr:
        """A column of the report that many before this one."""
        return nw.col(self._put(_LAGS, f"l{count}_{name}", self.rows.earlier(nw.col(name), count)))

    def _latest(self, name: str) -> Expr:
        """The latest known value of a column among the earlier reports that count."""
        known = self._put(_KNOWN, f"k_{name}", nw.when(nw.col(name) >= 0).then(nw.col(name)))
        step = self._put(_LAGS, f"p_{name}", self.rows.latest(known))
        return nw.col(self._put(_ENDS, f"q_{name}", self.rows.latest_then(step)))

    def _then(self, code: str, count: int) -> Expr:
        return self._earlier(self._answer(code), count)

    def _within(self, count: int, span: timedelta) -> Expr:
        """Whether that earlier report, if there is one, is not older; without times, doubt goes to a person."""
        return (self._age(count) <= micros(span)).fill_null(True)

    def _age(self, count: int) -> Expr:
        return nw.col("reported_at") - self._earlier("reported_at", count)

    # --- readings

    def _reading(self, when: c.Condition) -> tuple[dict[str, Expr], dict[str, Expr]]:
        """Whether it fires, and whether it is open, each by subject."""
        match when:
            case c.TemperatureAtLeast():
                return self._temperature(when)
            case c.TemperatureAtMost(celsius=limit):
                return _number("temperature", "temperature", lambda value: value <= int(limit * MILLION))
            case c.TemperatureNotMeasured():
                return {"temperature": ~_sure(nw.col("temperature") >= 0)}, {}
            case c.MeasuredAtLeast(quantity=name, value=limit):
                return _number(name, f"m_{name}", lambda value: value >= int(limit * MILLION))
            case c.MeasuredAtMost(quantity=name, value=limit):
                return _number(name, f"m_{name}", lambda value: value <= int(limit * MILLION))
            case c.OnSteroids():
                return _number("on_steroids", "steroids", lambda value: value == 1)
            case c.FeverReducerTaken():
                return _number("fever_reducer_taken", "reducer", lambda value: value == 1)
            case c.ThinkingCheckAbandoned():
                return {"thinking_check": _sure(nw.col("finished") == 0)}, {}
            case c.ThinkingCheckAtMost(points=points):
                return _score(nw.col("score") <= points)
            case c.ThinkingCheckBelowBaseline(points=points):
                baseline = nw.coalesce(nw.col("baseline"), nw.lit(THINKING_CHECK_FULL))
                return _score(baseline - nw.col("score") >= points)
        raise TypeError(when)

    def _temperature(self, when: c.TemperatureAtLeast) -> tuple[dict[str, Expr], dict[str, Expr]]:
        now, limit = nw.col("temperature"), int(when.celsius * MILLION)
        unknown = _sure(now == UNKNOWN_CODE)
        fires = _sure(now >= limit)
        if when.risen_by is not None:
            before = self._latest("temperature")
            fires = _sure(fires & (now - before >= int(when.risen_by * MILLION)))
            unknown = unknown & ~before.is_null()
        elif when.within is not None:
            readings = [(self._earlier("temperature", n) >= limit) & self._within(n, when.within) for n in _EARLIER]
            fires = _any([fires, *[_sure(one) for one in readings]])
            unknown = unknown & ~fires
        return {"temperature": fires}, {"temperature": unknown}


_EARLIER = range(1, HISTORY_LENGTH + 1)
_ANSWERS, _KNOWN, _LAGS, _ENDS, _LEAVES = range(5)
"""Stages: answers, the known ones, those of earlier reports, where a run of them ends, then conditions from the leaves
upwards."""


def _urgency(ruleset: Ruleset, fires: Mapping[str, str], undecided: Mapping[str, str]) -> Expr:
    """The rank of the urgency: of the highest that fired, at least soon where an urgent rule is undecided."""
    found: Expr = nw.lit(int(Urgency.ROUTINE))
    for urgency in sorted(Urgency)[1:]:
        raising = [name for id, name in fires.items() if ruleset.by_id[id].urgency is urgency]
        if urgency is Urgency.SOON:
            raising += [name for id, name in undecided.items() if ruleset.by_id[id].urgency >= Urgency.URGENT]
        if raising:
            found = nw.when(nw.any_horizontal(*raising, ignore_nulls=True)).then(nw.lit(int(urgency))).otherwise(found)
    return found


def _meets(answer: Expr, level: Severity, presence: bool) -> Expr:
    return answer > 0 if presence else answer >= int(level)


def _number(subject: str, name: str, met: Callable[[Expr], Expr]) -> tuple[dict[str, Expr], dict[str, Expr]]:
    value = nw.col(name)
    return {subject: _sure((value >= 0) & met(value))}, {subject: _sure(value == UNKNOWN_CODE)}


def _score(met: Expr) -> tuple[dict[str, Expr], dict[str, Expr]]:
    abandoned = _sure(nw.col("abandoned") == 1)
    return {"thinking_check": _sure(met) & ~abandoned}, {"thinking_check": abandoned}


def _on(window: Window) -> Expr:
    day = nw.col("day")
    edges = [day >= window.first, *([] if window.last is None else [day <= window.last])]
    return day.is_null() | _all([_sure(edge) for edge in edges])


def _sure(expr: Expr) -> Expr:
    """Null, which is what was not asked, as no."""
    return expr.fill_null(False)


def _any(exprs: Sequence[Expr]) -> Expr:
    return nw.any_horizontal(*exprs, ignore_nulls=True) if exprs else nw.lit(False)


def _all(exprs: Sequence[Expr]) -> Expr:
    return nw.all_horizontal(*exprs, ignore_nulls=True) if exprs else nw.lit(True)


def _count(exprs: Sequence[Expr]) -> Expr:
    return reduce(add, [expr.cast(nw.Int64) for expr in exprs]) if exprs else nw.lit(0)

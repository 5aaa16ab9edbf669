"""Whole records of several patients, and what the live engine and the columns say of each report."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import narwhals as nw
from hypothesis import strategies as st

from tests.rules.strategies import NOW, reports
from triage.rules import cases
from triage.rules.columns import judged
from triage.rules.engine import HISTORY_LENGTH, assess
from triage.rules.replay import Past, in_order
from triage.rules.urgency import Urgency


@st.composite
def records(draw):
    """The reports of up to three patients, as (id, patient, report); some without a time, some at the same."""
    found = []
    for patient in "abc"[: draw(st.integers(1, 3))]:
        ages = draw(st.lists(st.none() | st.integers(0, 120), min_size=1, max_size=16))
        for number, age in enumerate(ages):
            report = draw(reports(at=None if age is None else NOW - timedelta(hours=age)))
            found.append((f"{patient}{number}", patient, replace(report, patient=patient)))
    return found


def past(some):
    return [Past(id, patient, report, report) for id, patient, report in some]


def examples(ruleset):
    """Every example of every rule that judges reports, each a patient of its own with its history."""
    some = []
    for rule in ruleset.rules:
        for number, case in enumerate(rule.cases):
            one = cases.example(case, ruleset.catalogue)
            patient = f"{rule.id}-{number}"
            for place, report in enumerate([*one.history, one.report]):
                some.append((f"{patient}-{place}", patient, replace(report, patient=patient)))
    return some


def table(some, catalogue):
    """Reports, or what both catalogues read of each, as one Polars frame."""
    import polars as pl

    from triage.ruleset_editor import frames

    all_past = [one if isinstance(one, Past) else Past(one[0], one[1], one[2], one[2]) for one in some]
    found = frames.of_reports(sorted(all_past, key=lambda one: one.patient), catalogue.symptoms)
    return pl.concat([frame.to_native() for frame in found])


def by_reference(ruleset, some):
    """Id → urgency, fired and undecided rules, by the live engine; the twelve reports before each are its history."""
    expected = {}
    for patient in {patient for _, patient, _ in some}:
        own = sorted([(id, report) for id, of, report in some if of == patient], key=lambda one: in_order(one[1]))
        for number, (id, report) in enumerate(own):
            earlier = [one for _, one in own[max(0, number - HISTORY_LENGTH) : number]]
            result = assess(ruleset, report, earlier)
            fired, undecided = ({one.rule for one in some} for some in (result.fired, result.undecided))
            expected[id] = (result.urgency, fired, undecided)
    return expected


def by_columns(ruleset, frame):
    """The same by the columns, of a frame of any engine."""
    told, (verdicts,) = judged(nw.from_native(frame), [ruleset])
    if isinstance(told, nw.LazyFrame):
        told = told.collect("polars")
    return {
        row["id"]: (
            Urgency(row[verdicts.urgency]),
            {rule for rule, name in verdicts.fires.items() if row[name]},
            {rule for rule, name in verdicts.undecided.items() if row[name]},
        )
        for row in told.iter_rows(named=True)
    }

"""What the benchmark compares has to be the same: judged here on a few reports, without clocks and public engines."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import by_hand, engine, public_engines, replay
from bench.reports import MOST_EARLIER, Told
from tests.rules.records import examples, past
from triage.rules.engine import assess
from triage.rules.loading import load
from triage.rules.ruleset import Ruleset
from triage.ruleset_editor import frames


@pytest.fixture(scope="module")
def shipped() -> Ruleset:
    return load(engine.RULES)


@pytest.fixture(scope="module")
def kinds(shipped: Ruleset) -> dict[str, list[Told]]:
    return engine.kinds_of_reports(shipped, 60)


def test_the_rules_written_by_hand_agree_with_the_engine(shipped: Ruleset, kinds: dict[str, list[Told]]) -> None:
    assert engine.by_hand_disagreements(shipped, kinds["quiet"] + kinds["firing"]) == []


def test_the_reports_are_of_two_kinds_and_always_the_same(shipped: Ruleset, kinds: dict[str, list[Told]]) -> None:
    assert not any(assess(shipped, one.report, one.history).fired for one in kinds["quiet"])
    assert all(assess(shipped, one.report, one.history).fired for one in kinds["firing"])
    assert {len(one.history) for told in kinds.values() for one in told} == set(range(MOST_EARLIER + 1))
    assert engine.kinds_of_reports(shipped, 60) == kinds


def test_the_rules_written_by_hand_name_every_rule_that_a_report_can_wake(shipped: Ruleset) -> None:
    written = set(by_hand.fired.__code__.co_consts)

    assert {rule.id for rule in (*shipped.single_rules, *shipped.together_rules)} <= written


def test_rules_about_one_report_can_be_said_in_the_public_engines_languages(shipped: Ruleset) -> None:
    rules = public_engines.expressible(shipped)

    assert len(public_engines.json_list(rules, shipped.catalogue)["merge"]) == len(rules) > 60
    for language in (public_engines.WORDS, public_engines.SIGNS, public_engines.HAS):
        assert "temperature" in public_engines.listed(rules, shipped.catalogue, language)


def test_many_rules_are_as_many_and_none_of_them_fails(shipped: Ruleset, kinds: dict[str, list[Told]]) -> None:
    many = engine.many_rules(shipped, 300)

    assert len(many.by_id) == 300
    assert not any(rule.failed for one in kinds["firing"] for rule in assess(many, one.report, one.history).fired)


def test_the_rules_written_by_hand_as_columns_agree_with_the_replay(tmp_path: Path, shipped: Ruleset) -> None:
    """On every example of every rule, and on the first patients of the benchmark."""
    replay.make(tmp_path, 5 * replay.EACH, patients=5)
    frames.write(past(examples(shipped)), shipped.catalogue.symptoms, tmp_path / "examples.parquet")
    found = replay.by_hand(tmp_path)
    told = replay.by_replay(tmp_path)

    assert told == found
    assert replay.by_hand_once(tmp_path) == {"before": found["before"]}
    assert all(told["before"].values()), "a rule that never fires is not compared"
    assert told["after"]["crs-fever"] > told["before"]["crs-fever"]

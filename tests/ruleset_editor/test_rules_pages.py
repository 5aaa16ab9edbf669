"""The rules as clinicians read them: all of them, in plain sentences, with what they stand on."""

from __future__ import annotations

from pathlib import PurePath

import pytest
from click.testing import CliRunner

from triage.cli import cli
from triage.rules.conditions import TemperatureAtLeast
from triage.rules.report import celsius_to_fahrenheit
from triage.rules.ruleset import JUDGMENT
from triage.rules.wording import fill, judging_lines, rule_sentences

pytestmark = pytest.mark.database("sqlite")  # nothing is asked of the database but who signed in


@pytest.fixture
def visitor(make, pages):
    return pages(make.clinician("Dora"))


def test_every_active_rule_is_listed_once_with_its_urgency(visitor, make):
    page = visitor.get("ruleset_editor.rules")
    listed = sorted(str(link["href"]) for link in page.soup.select('main a[href^="/rules/"]'))
    assert listed == sorted(f"/rules/{rule.id}" for rule in make.ruleset.rules)
    for rule in make.ruleset.rules:
        entry = page.soup.select_one(f'main a[href="/rules/{rule.id}"]').find_parent("li")
        assert rule.urgency.code.capitalize() in entry.get_text()
        assert rule.title in " ".join(entry.get_text().split())


def test_the_most_urgent_rules_of_a_theme_come_first(visitor):
    page = visitor.get("ruleset_editor.rules")
    order = ["Emergency", "Urgent", "Soon", "Routine"]
    for theme in page.soup.select("main ul"):
        tags = [tag.get_text() for tag in theme.select(".nhsuk-tag")]
        assert tags == sorted(tags, key=order.index)


def test_the_headings_are_words(visitor):
    headings = [heading.get_text() for heading in visitor.get("ruleset_editor.rules").soup.select("main h2")]
    assert "Cytokine release syndrome (CRS)" in headings
    assert "Allergy and infusion" in headings


def test_the_page_names_the_ruleset_by_its_hash(visitor, make):
    assert visitor.get("ruleset_editor.rules").shows(make.ruleset.hash)


def test_every_rule_has_a_page_with_its_reason_advice_and_passage(visitor, make):
    for rule in make.ruleset.rules:
        page = visitor.get("ruleset_editor.rule", rule_id=rule.id)
        assert page.heading == " ".join(rule.title.split())
        assert page.shows(rule.why)
        assert page.shows(fill(rule.advice))
        for citation in rule.citations:
            assert page.shows(make.ruleset.passage(citation).text), f"{rule.id}: {citation}"
        if rule.source == JUDGMENT:
            assert page.shows("A judgment, to be approved")
        firing = sum(case.fires for case in rule.cases)
        assert page.shows(f"{firing} on which it fires, {len(rule.cases) - firing} on which it stays quiet")


def test_the_sentence_tells_the_threshold_that_the_engine_uses(visitor, make):
    """One threshold, told once: the page is made from the same values that the engine reads."""
    plain = {rule.id: rule.when for rule in make.ruleset.rules if isinstance(rule.when, TemperatureAtLeast)}
    assert plain
    for rule_id, when in plain.items():
        page = visitor.get("ruleset_editor.rule", rule_id=rule_id)
        assert page.shows(f"at least {when.celsius} °C ({celsius_to_fahrenheit(when.celsius)} °F)")


def test_nurse_editor_and_command_say_a_rule_in_the_same_sentences(make, pages, alice, visitor):
    """Made from the conditions, once: what the nurse reads, the clinician edits and `rules explain` prints."""
    ruleset = make.ruleset
    files = {PurePath(rule.place.file).name for rule in ruleset.rules[::15]}
    beside = {id: told for name in files for id, told in told_beside(visitor, name)}
    nurse = pages(alice)
    for rule in ruleset.rules[::15]:
        said = CliRunner().invoke(cli, ["rules", "explain", rule.id]).output.splitlines()
        assert said == rule_sentences(rule, ruleset)
        judging = judging_lines(rule, ruleset.catalogue)
        assert said[1 : 1 + len(judging)] == judging
        plain = [line.removeprefix("  - ") for line in judging]
        for page in (
            nurse.get("ruleset_editor.rule", rule_id=rule.id),
            visitor.get("ruleset_editor.rule", rule_id=rule.id),
            visitor.get("ruleset_editor.draft_rule", rule_id=rule.id),
        ):
            told = [" ".join(tag.get_text().split()) for tag in page.soup.select("main p, main li")]
            start = told.index(plain[0])
            assert told[start : start + len(plain)] == plain, page.path
        assert beside[rule.id] == [" ".join(line.removeprefix("  - ").split()) for line in said[1:]]


def told_beside(visitor, name):
    """Id and sentences of each rule that stand beside the text of a file."""
    page = visitor.get("ruleset_editor.draft_file", name=name)
    for heading in page.soup.select("#editor-told h3"):
        lines = heading.find_next_sibling("ul").select("li")
        yield (
            heading.a["href"].rpartition("/")[2],
            [" ".join(line.get_text().split()).removeprefix("- ") for line in lines],
        )


def test_a_rule_that_is_not_there_is_a_404(visitor):
    assert visitor.get("ruleset_editor.rule", rule_id="no-such-rule").status == 404


def test_a_nurse_may_read_the_rules(pages, alice):
    assert pages(alice).get("ruleset_editor.rules").status == 200

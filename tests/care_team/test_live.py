"""The rows that open dashboards fetch: when they are new, and what a filter shows."""

from __future__ import annotations

from datetime import timedelta

import pytest
from bs4 import BeautifulSoup

from tests.house.test_queries import counted
from triage.care_team import boards, queue
from triage.care_team.queue import version
from triage.rules.urgency import Urgency


def rows(visitor, tag=None, **query):
    """What a dashboard is answered that has the rows of that tag."""
    headers = {"If-None-Match": f'"{tag}"'} if tag else {}
    return visitor.client.get("/queue/rows", query_string=query, headers=headers)


def names(answer):
    return [name.get_text() for name in BeautifulSoup(answer.text, "html.parser").select(".app-queue__name")]


def tag_of(answer):
    return BeautifulSoup(answer.text, "html.parser").select_one("#queue-rows")["data-version"]


@pytest.fixture
def hold_clock(monkeypatch, make):
    """The minute is part of the tag; a test must not run over its end."""
    at = make.now().replace(second=1)
    monkeypatch.setattr("triage.clock.now", lambda: at)
    return at


def test_what_has_not_changed_is_not_sent_again(hold_clock, make, anna, pages, alice):
    make.alert(anna)
    visitor = pages(alice)
    tag = visitor.get("care_team.queue").soup.select_one("#queue-rows")["data-version"]

    answer = rows(visitor, tag)
    assert (answer.status_code, answer.data) == (304, b"")
    assert answer.headers["Cache-Control"] == "no-store"


def test_asking_without_news_costs_few_queries_and_reads_no_alert(hold_clock, app, make, pages, alice):
    for name in ("Anna", "Berta", "Carla"):
        make.alert(make.patient(name))
    visitor = pages(alice)
    tag = tag_of(rows(visitor))
    with counted(app) as statements:
        assert rows(visitor, tag).status_code == 304
    asked = [statement for statement in statements if not statement.startswith(("BEGIN", "PRAGMA"))]
    assert len(asked) <= 4, asked  # who asks, which rules are active, the heartbeat, the tag


@pytest.mark.parametrize("what", ["new", "raised", "acknowledged", "resolved", "report", "later"])
def test_everything_that_changes_a_row_is_news(what, hold_clock, monkeypatch, session, make, anna, pages, alice):
    from triage.alerts import services
    from triage.models import Disposition

    alert = make.alert(anna, Urgency.URGENT, ago=timedelta(minutes=5))
    visitor = pages(alice)
    tag = tag_of(rows(visitor))
    assert rows(visitor, tag).status_code == 304
    if what == "new":
        make.alert(make.patient("Berta"), Urgency.SOON)
    elif what == "raised":
        make.alert(anna, Urgency.EMERGENCY)
    elif what == "report":
        make.report(anna, chills="none", temperature_c=36.6)
    elif what == "later":
        monkeypatch.setattr("triage.clock.now", lambda: hold_clock + timedelta(minutes=1))
    else:
        with make.app.app_context():
            services.acknowledge(session, alert, alice, hold_clock)
            if what == "resolved":
                note = "Telephoned, comes in today"
                services.resolve(session, alert, alice, Disposition.SEEN_TODAY, note, hold_clock)
    answer = rows(visitor, tag)
    assert answer.status_code == 200
    assert tag_of(answer) != tag


def test_work_on_an_alert_is_news(hold_clock, session, make, anna, pages, alice, bob):
    from triage.alerts import services, work
    from triage.models import CallBackEnd

    alert = make.alert(anna, Urgency.URGENT)
    visitor = pages(alice)
    tags = [tag_of(rows(visitor))]

    def news(step, *words, **more):
        with make.app.app_context():
            step(session, *words, **more)
        tags.append(tag_of(rows(visitor, tags[-1])))

    news(services.acknowledge, alert, alice, hold_clock)
    news(work.take_over, alert, bob, hold_clock, instead_of=alice.id)
    call_back = make.call_back(alert, bob)
    tags.append(tag_of(rows(visitor, tags[-1])))
    news(work.end_call_back, call_back, bob, CallBackEnd.DONE, hold_clock)
    news(work.give_back, make.ruleset, alert, bob, hold_clock)
    assert len(set(tags)) == len(tags) == 6


def test_another_team_changes_nothing(hold_clock, make, anna, pages, alice, charlie):
    visitor = pages(alice)
    tag = tag_of(rows(visitor))
    make.alert(make.patient("Elsewhere", team=charlie.care_team))

    assert rows(visitor, tag).status_code == 304
    make.alert(anna)
    assert names(rows(visitor, tag)) == ["Anna"]
    assert names(rows(pages(charlie))) == ["Elsewhere"]


def test_the_tag_depends_on_who_asks_and_for_what(hold_clock, make, anna, pages, alice, bob):
    make.alert(anna)
    anybody = tag_of(rows(pages(alice)))
    assert tag_of(rows(pages(bob))) != anybody
    assert tag_of(rows(pages(alice), silent="yes")) != anybody
    assert tag_of(rows(pages(alice))) == anybody


def test_open_dashboards_share_rows_that_were_read_once(hold_clock, make, anna, pages, alice, bob, monkeypatch):
    """Reading them is most of what a dashboard costs. A page that is opened reads them anew: also a telephone number
    that was just corrected stands on it."""
    read = []
    monkeypatch.setattr(boards, "queue", lambda *given: read.append(given[-1]) or queue.queue(*given))
    make.alert(anna)
    first, second = pages(alice), pages(bob)
    assert names(rows(first)) == names(rows(second)) == names(rows(first)) == ["Anna"]
    assert len(read) == 1
    bea = make.alert(make.patient("Bea"))
    assert sorted(names(rows(first))) == sorted(names(rows(second))) == ["Anna", "Bea"]
    assert read == [None, {bea.id}]  # nothing else changed

    first.get("care_team.queue")
    assert len(read) == 3
    assert sorted(names(rows(second))) == ["Anna", "Bea"]
    assert len(read) == 3


def test_rows_that_were_drawn_for_others_carry_everybodys_own_words(hold_clock, make, session, anna, pages, alice, bob):
    """Their token, what they may give back, and the filter that their address says."""
    from triage.alerts import services

    alert = make.alert(anna)
    make.alert(make.patient("Bea"), Urgency.EMERGENCY)
    services.acknowledge(session, alert, alice, hold_clock)
    own, filtered, other = rows(pages(alice)), rows(pages(alice), silent="yes"), rows(pages(bob))
    tokens = [
        {field["value"] for field in BeautifulSoup(answer.text, "html.parser").select("[name=csrf_token]")}
        for answer in (own, filtered, other)
    ]
    assert [len(each) for each in tokens] == [1, 1, 1]
    assert not tokens[0] & tokens[2]
    assert [answer.text.count("Give back") for answer in (own, other)] == [1, 0]
    assert "silent=yes" in filtered.text
    assert "silent=yes" not in own.text + other.text
    assert "\0" not in own.text + filtered.text + other.text

    bobs = pages(bob)
    bobs.get("care_team.queue")
    page = BeautifulSoup(rows(bobs).text, "html.parser")
    form = page.find("form", action=lambda address: address and address.endswith("/acknowledge?seen=1"))
    token = form.select_one("[name=csrf_token]")["value"]
    assert bobs.client.post(form["action"], data={"csrf_token": token}).status_code == 302


def test_each_team_has_a_minute_of_its_own(session, make, alice, charlie):
    """Else two hundred dashboards would fetch their rows at one moment, once a minute."""

    def changes(team):
        with make.app.app_context():
            versions = [version(session, team, make.now() + timedelta(seconds=second)) for second in range(61)]
        return [second for second in range(60) if versions[second] != versions[second + 1]]

    mine, theirs = changes(alice.care_team), changes(charlie.care_team)
    assert len(mine) == len(theirs) == 1
    for team, changed in ((alice.care_team, mine), (charlie.care_team, theirs)):
        assert (int(make.now().timestamp()) + changed[0] + 1 + team.id.int % 60) % 60 == 0


def test_a_dashboard_of_somebody_signed_out_is_sent_to_sign_in(make, anna, pages, alice):
    make.alert(anna)
    visitor = pages(alice)
    tag = tag_of(rows(visitor))
    visitor.time_out()
    answer = rows(visitor, tag)
    assert answer.status_code == 302
    assert "Anna" not in answer.text


@pytest.fixture
def ward(make, session, alice, bob):
    """One of everything: soon and urgent, early and late, silent, acknowledged by Alice and by Bob."""
    from triage.alerts import services

    def acknowledged(alert, by):
        with make.app.app_context():
            services.acknowledge(session, alert, by, make.now())

    make.alert(make.patient("Urgent early"), Urgency.URGENT)
    make.alert(make.patient("Soon early"), Urgency.SOON)
    make.alert(make.patient("Soon late", day=60), Urgency.SOON)
    make.alert(make.patient("Soon unknown", therapy=None, day=None), Urgency.SOON)
    make.alert(make.patient("Soon bite", therapy="bite"), Urgency.SOON)
    acknowledged(make.alert(make.patient("Soon Alice"), Urgency.SOON), alice)
    acknowledged(make.alert(make.patient("Soon Bob"), Urgency.SOON), bob)


@pytest.mark.parametrize(
    ("query", "inside"),
    [
        ({}, {"Soon early", "Soon late", "Soon unknown", "Soon bite", "Soon Alice", "Soon Bob"}),
        ({"whose": "mine"}, {"Soon Alice"}),
        ({"whose": "unacknowledged"}, {"Soon early", "Soon late", "Soon unknown", "Soon bite"}),
        ({"urgency": "soon"}, {"Soon early", "Soon late", "Soon unknown", "Soon bite", "Soon Alice", "Soon Bob"}),
        ({"urgency": "emergency"}, set()),
        ({"therapy": "bite"}, {"Soon bite", "Soon unknown"}),
        ({"therapy": "unknown"}, {"Soon unknown"}),
        ({"days": "later"}, {"Soon late", "Soon unknown"}),
        ({"days": "early", "whose": "mine"}, {"Soon Alice"}),
        ({"silent": "yes"}, set()),
        ({"whose": "nonsense"}, {"Soon early", "Soon late", "Soon unknown", "Soon bite", "Soon Alice", "Soon Bob"}),
    ],
)
def test_filters_show_what_was_asked_for_and_never_hide_an_urgent_alert(query, inside, ward, pages, alice):
    page = pages(alice).get("care_team.queue", query=query)
    found = [name.get_text() for name in page.soup.select(".app-queue__name")]

    assert found[0] == "Urgent early", "an urgent alert stands in every view, and first"
    assert set(found[1:]) == inside
    asked_for_urgent = not query or query == {"whose": "nonsense"} or query == {"whose": "unacknowledged"}
    assert page.shows("1 urgent alert is outside this filter") is not asked_for_urgent
    hidden = 6 - len(inside)
    assert page.shows(f"{hidden} {'is' if hidden == 1 else 'are'} hidden by the filter") is bool(hidden)


def test_silent_patients_can_be_asked_for(make, session, app, pages, alice):
    from triage.alerts import silence

    make.patient("Silas", day=5)
    make.alert(make.patient("Rita"), Urgency.SOON)
    with app.app_context():
        silence.sweep(session, make.ruleset, make.now())
    page = pages(alice).get("care_team.queue", query={"silent": "yes"})
    assert [name.get_text() for name in page.soup.select(".app-queue__name")] == ["Silas"]


def test_the_filter_form_works_without_scripts(ward, pages, alice):
    page = pages(alice).get("care_team.queue").press("Filter", whose="mine")
    assert page.shows("Filter (in use)")
    assert page.field("whose") == "mine"
    assert page.click("Show all").shows("7 patients need somebody")


def test_no_name_goes_into_an_address(ward, pages, alice):
    """The search for a name has no `name`, so a form never sends it."""
    field = pages(alice).get("care_team.queue").soup.select_one("input[type=search]")
    assert field.get("name") is None
    assert field.find_parent("form") is None


def test_the_filter_stays_through_everything_a_nurse_does(ward, make, pages, alice):
    query = {"urgency": "soon", "whose": "unacknowledged"}

    def filtered(page):
        assert page.field("urgency") == "soon"
        assert page.field("whose") == "unacknowledged"
        return page

    queue = filtered(pages(alice).get("care_team.queue", query=query))
    filtered(queue.press("Acknowledge the alert of Soon early"))
    record = queue.visitor.get(queue.links()["Open record of Soon bite"])
    filtered(record.click("Queue"))
    record = record.press("Acknowledge")
    resolve = record.click("Resolve")
    filtered(resolve.click("Queue"))
    filtered(resolve.press("Resolve", disposition="advice_given", note=""))
    mine = pages(alice).get("care_team.queue", query={"whose": "mine"})
    assert mine.press("Give back the alert of Soon Alice").field("whose") == "mine"


def test_the_rows_of_an_open_dashboard_keep_its_filter(ward, pages, alice):
    answer = rows(pages(alice), urgency="soon")
    links = BeautifulSoup(answer.text, "html.parser").select("a[href], form[action]")
    addresses = [str(each.get("href") or each.get("action")) for each in links]
    ours = [address for address in addresses if not address.startswith("tel:")]
    assert ours
    assert all("urgency=soon" in address for address in ours)
    data = pages(alice).get("care_team.queue", query={"urgency": "soon"}).soup.select_one("#queue-live")
    assert data["data-rows"] == "/queue/rows", "the script adds what stands in the address bar"


def test_an_overdue_call_back_is_as_loud_as_an_unanswered_alert_of_its_urgency(hold_clock, session, make, pages, alice):
    from triage.alerts import services

    def alert(name, urgency, minutes):
        return make.alert(make.patient(name), urgency, ago=timedelta(minutes=minutes))

    alert("Just over", Urgency.URGENT, 16)
    alert("Long over", Urgency.URGENT, 60)
    alert("In time", Urgency.URGENT, 5)
    alert("Emergency", Urgency.EMERGENCY, 0)
    for name, due in (("Overdue", -10), ("Promised", 10)):
        promised = alert(name, Urgency.URGENT, 90)
        with make.app.app_context():
            services.acknowledge(session, promised, alice, hold_clock)
        make.call_back(promised, alice, due_in=timedelta(minutes=due))
    soon = alert("Soon overdue", Urgency.SOON, 90)
    with make.app.app_context():
        services.acknowledge(session, soon, alice, hold_clock)
    make.call_back(soon, alice, due_in=-timedelta(hours=5))

    page = pages(alice).get("care_team.queue")
    order = [name.get_text() for name in page.soup.select(".app-queue__name")]
    assert order == ["Emergency", "Long over", "Overdue", "Just over", "In time", "Promised", "Soon overdue"]
    assert page.row("Overdue").shows("Call-back 10 minutes overdue")
    assert not page.row("Promised").shows("overdue")


def test_a_call_back_that_becomes_overdue_is_news(hold_clock, monkeypatch, session, make, anna, pages, alice):
    from triage.alerts import services

    alert = make.alert(anna)
    with make.app.app_context():
        services.acknowledge(session, alert, alice, hold_clock)
    make.call_back(alert, alice, due_in=timedelta(minutes=1))
    visitor = pages(alice)
    before = rows(visitor)
    monkeypatch.setattr("triage.clock.now", lambda: hold_clock + timedelta(minutes=2))
    after = rows(visitor, tag_of(before))
    marks = [
        BeautifulSoup(answer.text, "html.parser").select_one(".app-queue__row")["data-overdue"]
        for answer in (before, after)
    ]
    assert marks == ["0", "1"]


def test_an_alert_of_a_moved_patient_that_is_opened_again_stays_in_the_new_teams_queue(
    make, session, anna, pages, alice, charlie
):
    """It was told to the old team, and every other change took it out of the new team's open dashboards."""
    from triage.accounts import staff
    from triage.alerts import services, work
    from triage.models import Disposition

    alert, at = make.alert(anna, Urgency.URGENT), make.now()
    services.acknowledge(session, alert, alice, at)
    services.resolve(session, alert, alice, Disposition.ADVICE_GIVEN, "Told what to do and when to call", at)
    staff.move_patient(session, anna, charlie.care_team, make.staff("administrator", "Daniel"), at)
    work.reopen(session, make.ruleset, alert, charlie, "The wrong patient was resolved", at)

    session.rollback()
    assert alert.care_team_id == charlie.care_team_id
    visitor = pages(charlie)
    assert names(rows(visitor)) == ["Anna"]
    make.alert(make.patient("Gerda", team=charlie.care_team))
    assert sorted(names(rows(visitor))) == ["Anna", "Gerda"]

"""A nurse looks after another team for some hours: she says why, that team sees it, and it ends by itself."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from triage.accounts import covers
from triage.models import AuditEntry, Cover
from triage.rules.urgency import Urgency

WHY = "Nobody of that team is on the ward tonight"
pytestmark = pytest.mark.database("sqlite")


@pytest.fixture
def clock(monkeypatch, make):
    """Puts the clock so far behind its start."""
    start = make.now()
    monkeypatch.setattr("triage.clock.now", lambda: start)
    return lambda span: monkeypatch.setattr("triage.clock.now", lambda: start + span)


def begin(visitor, team, hours="4", reason=WHY):
    form = visitor.get("covers.begin")
    return form.press("Begin", team=str(team.id), hours=hours, reason=reason)


def queue_of(visitor, team):
    return visitor.client.get(f"/queue?team={team.id}")


def test_a_nurse_covers_another_team_works_there_and_comes_back(session, make, anna, pages, alice, charlie):
    alert, team = make.alert(anna, Urgency.URGENT), alice.care_team
    make.alert(make.patient("Gerda", team=charlie.care_team))
    visitor = pages(charlie)
    record = visitor.path("care_team.record", patient_id=anna.id)
    assert queue_of(visitor, team).status_code == visitor.client.get(record).status_code == 404

    page = begin(visitor, team)
    assert page.heading == f"Queue of {team.name}"
    assert page.shows("Anna")
    assert not page.shows("Gerda")
    assert f"You also look after {team.name} until" in page.text

    page = page.press("Acknowledge the alert of Anna")
    assert page.heading == f"Queue of {team.name}"  # and not her own
    session.rollback()
    assert alert.taken_by_id == charlie.id
    assert "You also look after" in visitor.get(record).text
    telephoned = visitor.get("telephone.home", patient_id=anna.id)
    assert telephoned.status == 200
    own = visitor.get("care_team.queue")
    assert own.shows("Gerda")
    assert not own.shows("Anna")

    session.rollback()
    done = [entry.action for entry in session.scalars(select(AuditEntry).where(AuditEntry.person_id == charlie.id))]
    assert done.count("cover_begun") == 1
    assert "patient_seen" in done
    visitor.get("covers.everybody").press(f"End covering {team.name}")
    assert visitor.client.get(record).status_code == 404
    ended = visitor.get(f"/queue?team={team.id}").follow()
    assert ended.heading == f"Queue of {charlie.care_team.name}"
    assert "do not cover that team any more" in ended.text


def test_the_team_sees_who_covers_it_and_why_and_can_end_it(make, pages, alice, charlie):
    make.cover(charlie, alice.care_team)
    queue = pages(alice).get("care_team.queue")
    assert f"Charlie of {charlie.care_team.name} covers this team until" in queue.text
    assert "Nobody of that team is there tonight" in queue.text

    administrator = pages(make.staff("administrator", "Daniel"))
    page = administrator.get("covers.everybody")
    assert page.shows("Charlie")
    page = page.press("End the cover by Charlie")
    assert page.shows("Covers that have ended")
    assert queue_of(pages(charlie), alice.care_team).status_code == 302
    assert not pages(charlie).get("care_team.queue").shows("You also look after")


def test_a_cover_ends_by_itself_also_for_an_open_dashboard(clock, make, anna, pages, alice, charlie):
    make.alert(anna)
    visitor = pages(charlie)
    begin(visitor, alice.care_team, hours="1")
    rows = f"/queue/rows?team={alice.care_team.id}"
    clock(timedelta(minutes=59))
    assert "Anna" in visitor.client.get(rows).text
    clock(timedelta(hours=1))
    answer = visitor.client.get(rows)
    assert (answer.status_code, answer.text) == (410, "")
    assert visitor.client.get(visitor.path("care_team.record", patient_id=anna.id)).status_code == 404


def test_what_a_nurse_writes_by_telephone_for_a_covered_team_is_stored(session, make, anna, alice, charlie):
    from triage.reports import services
    from triage.rules.report import from_data

    def send(token):
        with make.app.app_context():
            report = from_data({"temperature_c": 36.6}, make.ruleset.catalogue)
            return services.submit(session, make.ruleset, report, charlie, token, make.now(), about=anna.id)

    with pytest.raises(LookupError):
        send("before")
    make.cover(charlie, alice.care_team)
    assert send("then").patient_id == anna.id


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"reason": "x"}, "Write in a few words why"),
        ({"reason": "y" * 501}, "Shorten the reason to 500 characters"),
        ({"hours": "99"}, "Choose for how long"),
        ({"team": "another"}, "Choose the team"),
    ],
)
def test_a_cover_has_a_team_a_reason_and_an_end(fields, error, session, make, pages, alice, charlie):
    form = pages(charlie).get("covers.begin")
    page = form.press("Begin", **{"team": str(alice.care_team.id), "hours": "4", "reason": WHY, **fields})
    assert page.status == 422
    assert page.errors == [error]
    assert page.field("reason") == fields.get("reason", WHY)
    assert not session.scalars(select(Cover)).all()


def test_neither_the_own_team_nor_one_twice_nor_the_heartbeat_is_covered(session, make, pages, alice, charlie):
    from triage import heartbeat

    with make.app.app_context():
        heartbeat.plant(session, make.now())
    visitor = pages(charlie)
    form = visitor.get("covers.begin")
    offered = [field["value"] for field in form.soup.select("input[name=team]")]
    assert offered == [str(alice.care_team.id)]
    form.press("Begin", team=offered[0], hours="4", reason=WHY)
    form.press("Begin", team=offered[0], hours="4", reason=WHY)  # the page was still open
    session.rollback()
    assert len(session.scalars(select(Cover)).all()) == 1
    assert "no team here that you do not see already" in visitor.get("covers.begin").text
    with pytest.raises(covers.NotPossible):
        covers.begin(session, charlie, charlie.care_team_id, WHY, 4, make.now())


@pytest.mark.database("sqlite", "postgresql")
def test_two_presses_at_once_are_one_cover(session, make, alice, charlie):
    from concurrent.futures import ThreadPoolExecutor

    from sqlalchemy.orm import Session

    team_id, at = alice.care_team_id, make.now()

    def press(_):
        with make.app.app_context(), Session(session.get_bind()) as own:
            try:
                covers.begin(own, charlie, team_id, WHY, 4, at)
            except covers.NotPossible:
                return "refused"
        return "begun"

    with ThreadPoolExecutor(2) as both:
        assert sorted(both.map(press, range(2))) == ["begun", "refused"]


def test_an_alert_of_a_covered_team_is_not_handed_over_with_the_own_shift(make, anna, pages, alice, charlie):
    own = make.alert(make.patient("Gerda", team=charlie.care_team), Urgency.URGENT)
    theirs = make.alert(anna, Urgency.URGENT)
    handover_id = make.handover(own, make.nurse("Dora", team=charlie.care_team))["handover_id"]
    make.cover(charlie, alice.care_team)
    visitor = pages(charlie)
    path = visitor.path("handover.accept", handover_id=handover_id, alert_id=theirs.id)
    answer = visitor.client.post(path, data={"csrf_token": visitor.csrf_token()})
    assert answer.status_code == 404

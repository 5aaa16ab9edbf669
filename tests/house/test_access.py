"""The access table: every route × method × role × team. A new route without a row fails, and says what to write."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from triage.accounts.access import allowed_roles
from triage.models import Role
from triage.rules.urgency import Urgency

# Pages: what differs between the databases is asked in tests of the services, and of every route in test_junk.py.
pytestmark = pytest.mark.database("sqlite")

PATIENT, CAREGIVER, NURSE, CLINICIAN, ADMINISTRATOR, AUDITOR = Role
REPORTERS = {PATIENT, CAREGIVER}
EVERYBODY = set(Role)
STAFF = EVERYBODY - REPORTERS
ROLES = [None, *Role]  # None is nobody: not signed in


@dataclass(frozen=True)
class Row:
    """Who may use a route; everybody else signed in gets 403, nobody is asked to sign in. `of` is the row its address
    names: for people who have the role but belong elsewhere it does not exist (404)."""

    roles: set[Role]
    of: str = ""
    public: bool = False
    whole_site: bool = False
    """Whether it may name people of other teams: the auditor's task has no team."""


PUBLIC = Row(EVERYBODY, public=True)

TABLE = {
    "accounts.home": PUBLIC,
    "accounts.health": PUBLIC,
    "accounts.sign_in": PUBLIC,
    "accounts.sign_out": Row(EVERYBODY),
    "account.choose_language": PUBLIC,
    "language.languages": Row({CLINICIAN}),
    "language.language": Row({CLINICIAN}),
    "language.withdraw": Row({CLINICIAN}),
    "accounts.people": Row({ADMINISTRATOR}),
    "accounts.enrol": Row({ADMINISTRATOR}),
    "accounts.patient": Row({ADMINISTRATOR}, of="patient"),
    "accounts.give_access": Row({ADMINISTRATOR}, of="patient"),
    "accounts.renew_access": Row({ADMINISTRATOR}, of="patient"),
    "accounts.reach": Row({ADMINISTRATOR}, of="patient"),
    "erasing.export": Row({ADMINISTRATOR}, of="patient"),
    "erasing.erase": Row({ADMINISTRATOR}, of="patient"),
    "monitoring.admitted": Row({NURSE, ADMINISTRATOR}, of="patient"),
    "monitoring.home": Row({NURSE, ADMINISTRATOR}, of="admission"),
    "monitoring.take_back_admission": Row({NURSE, ADMINISTRATOR}, of="admission"),
    "monitoring.end": Row({NURSE, ADMINISTRATOR}, of="patient"),
    "monitoring.take_back_end": Row({NURSE, ADMINISTRATOR}, of="end of monitoring"),
    "monitoring.change": Row({NURSE, ADMINISTRATOR}, of="change of a course"),
    "monitoring.add_dose": Row({ADMINISTRATOR}, of="patient"),
    "monitoring.correct_dose": Row({ADMINISTRATOR}, of="dose"),
    "monitoring.remove_dose": Row({ADMINISTRATOR}, of="dose"),
    "monitoring.begin_course": Row({ADMINISTRATOR}, of="patient"),
    "monitoring.steroids": Row({ADMINISTRATOR}, of="course"),
    "accounts.change_place": Row({ADMINISTRATOR}, of="patient"),
    "trail.search": Row({AUDITOR}, whole_site=True),
    "trail.find": Row({AUDITOR}, whole_site=True),
    "trail.export": Row({AUDITOR}, whole_site=True),
    "trail.who_looked": Row({PATIENT}),
    "accounts.take_invitation_back": Row({ADMINISTRATOR}, of="patient"),
    "accounts.consent": Row({ADMINISTRATOR}, of="patient"),
    "accounts.withdraw_consent": Row({ADMINISTRATOR}, of="patient"),
    "joining.code": PUBLIC,
    "joining.passphrase": PUBLIC,
    "joining.trouble": PUBLIC,
    # Everybody's own sign-ins only (tests/accounts/test_sessions.py).
    "account.home": Row(EVERYBODY),
    "account.end": Row(EVERYBODY),
    "account.end_others": Row(EVERYBODY),
    "account.passphrase": Row(EVERYBODY),
    "account.unlock": PUBLIC,
    # Everybody's own passkeys only (tests/accounts/test_passkeys.py).
    "passkeys.challenge": PUBLIC,
    "passkeys.sign_in": PUBLIC,
    "passkeys.add": Row(EVERYBODY),
    "passkeys.save": Row(EVERYBODY),
    "passkeys.remove": Row(EVERYBODY),
    "passkeys.begin_set_up": PUBLIC,
    "passkeys.finish_set_up": PUBLIC,
    "second_factor.code": PUBLIC,
    "second_factor.set_up": PUBLIC,
    "second_factor.go_on": Row(STAFF),
    "second_factor.renew": Row(STAFF),
    "staff.everybody": Row({ADMINISTRATOR}),
    "staff.invite": Row({ADMINISTRATOR}),
    "staff.invite_again": Row({ADMINISTRATOR}, of="staff"),
    "staff.take_back": Row({ADMINISTRATOR}, of="staff"),
    "staff.rename": Row({ADMINISTRATOR}, of="staff"),
    "staff.leave": Row({ADMINISTRATOR}, of="staff"),
    "staff.change_patient": Row({ADMINISTRATOR}, of="patient"),
    "staff.move_patient": Row({ADMINISTRATOR}, of="patient"),
    "staff.what_changes": Row({ADMINISTRATOR}),
    "reports.home": Row(REPORTERS),
    "reports.too_unwell": Row(REPORTERS),
    "reports.danger": Row(REPORTERS),
    "reports.temperature": Row(REPORTERS),
    "reports.medicines": Row(REPORTERS),
    "reports.symptoms": Row(REPORTERS),
    "reports.more": Row(REPORTERS),
    "reports.severity": Row(REPORTERS),
    **{f"reports.{step}": Row(REPORTERS) for step in ("thinking", "orientation", "naming")},
    **{f"reports.{step}": Row(REPORTERS) for step in ("command", "writing", "attention")},
    "reports.about": Row(REPORTERS),
    "reports.note": Row(REPORTERS),
    "reports.check": Row(REPORTERS),
    "reports.send": Row(REPORTERS),
    "reports.earlier": Row(REPORTERS),
    "reports.result": Row(REPORTERS, of="report"),
    "own_record.page": Row(REPORTERS),
    "own_record.sheet": Row(REPORTERS),
    # The whole record as a file is the patient's alone.
    "own_record.take": Row({PATIENT}),
    "reminding.choose": Row(REPORTERS),
    "reminding.turn_off": Row(REPORTERS),
    # Whoever needs it has no time to sign in; it tells nothing of anybody.
    "emergency.page": PUBLIC,
    # What a phone needs without a connection: whose else a kept form is, tests/reports/test_offline.py asks.
    "offline.page": Row(REPORTERS),
    "offline.token": Row(REPORTERS),
    "offline.kept": Row(REPORTERS),
    "thinking.first": Row(REPORTERS),
    "thinking.accept": Row({NURSE}, of="patient"),
    "telephone.home": Row({NURSE}, of="patient"),
    "telephone.ask": Row({NURSE}, of="patient"),
    "telephone.check": Row({NURSE}, of="patient"),
    "telephone.send": Row({NURSE}, of="patient"),
    # A nurse of another team begins one; whose team it is sees and ends it (tests/accounts/test_covers.py).
    "covers.everybody": Row({NURSE, ADMINISTRATOR}),
    "covers.begin": Row({NURSE}),
    "covers.end": Row({NURSE, ADMINISTRATOR}, of="cover"),
    "alerts.rota": Row({NURSE, ADMINISTRATOR}),
    "alerts.add_duty": Row({NURSE, ADMINISTRATOR}),
    "alerts.swap_duty": Row({NURSE, ADMINISTRATOR}, of="duty"),
    "alerts.remove_duty": Row({NURSE, ADMINISTRATOR}, of="duty"),
    # Each their own; an administrator everybody's of the team (tests/alerts/test_rota.py).
    "alerts.contact": Row({NURSE, ADMINISTRATOR}, of="staff"),
    "alerts.test_alert": Row({NURSE, ADMINISTRATOR}),
    # For machines: an age and no data; messages of the heartbeat, refused unless they are signed.
    "alerts.heartbeat": PUBLIC,
    "alerts.take_heartbeat": PUBLIC,
    "care_team.queue": Row({NURSE}),
    "care_team.queue_rows": Row({NURSE}),
    "care_team.record": Row({NURSE}, of="patient"),
    "care_team.acknowledge": Row({NURSE}, of="alert"),
    "care_team.resolve": Row({NURSE}, of="alert"),
    "alert_work.take_over": Row({NURSE}, of="alert"),
    "alert_work.give_back": Row({NURSE}, of="alert"),
    "alert_work.write": Row({NURSE}, of="alert"),
    "alert_work.end_call_back": Row({NURSE}, of="call-back"),
    "alert_work.move_call_back": Row({NURSE}, of="call-back"),
    "alert_work.reopen": Row({NURSE}, of="alert"),
    "alert_work.useful": Row({NURSE}, of="alert"),
    "alert_work.mute": Row({NURSE}, of="patient"),
    "alert_work.lift": Row({NURSE}, of="muted rule"),
    "handover.now": Row({NURSE}),
    "handover.begin": Row({NURSE}),
    "handover.accept": Row({NURSE}, of="handover and alert"),
    "handover.take_acceptance_back": Row({NURSE}, of="acceptance"),
    "handover.write": Row({NURSE}, of="handover"),
    "handover.close": Row({NURSE}, of="handover"),
    "handover.take_back": Row({NURSE}, of="handover"),
    "handover.earlier": Row({NURSE}),
    "handover.kept": Row({NURSE}, of="handover"),
    # Who works off alerts, and who owns the rules that open them. No figure names a patient.
    "numbers.page": Row({NURSE, CLINICIAN}),
    "numbers.file": Row({NURSE, CLINICIAN}),
    "ruleset_editor.rules": Row({CLINICIAN, NURSE}),
    "ruleset_editor.rule": Row({CLINICIAN, NURSE}),
    # Rules belong to the site, not to a team: every clinician changes and decides. A replay names patients of the
    # clinician's own team only (tests/ruleset_editor/test_change_pages.py).
    "ruleset_editor.draft": Row({CLINICIAN}),
    "ruleset_editor.draft_file": Row({CLINICIAN}),
    "ruleset_editor.check_file": Row({CLINICIAN}),
    "ruleset_editor.draft_rule": Row({CLINICIAN}),
    "ruleset_editor.move_example": Row({CLINICIAN}),
    "ruleset_editor.keep_boundary": Row({CLINICIAN}),
    "ruleset_editor.discard": Row({CLINICIAN}),
    "ruleset_editor.catch_up": Row({CLINICIAN}),
    "ruleset_editor.take_files": Row({CLINICIAN}),
    "ruleset_editor.draft_replay": Row({CLINICIAN}),
    "ruleset_editor.propose": Row({CLINICIAN}),
    "ruleset_editor.proposal": Row({CLINICIAN}),
    "ruleset_editor.history": Row({CLINICIAN}),
    "ruleset_editor.version": Row({CLINICIAN}),
}


ENDS_THE_VISIT = {
    "alerts.remove_duty",
    "accounts.sign_out",
    "accounts.renew_access",
    "accounts.withdraw_consent",
    "monitoring.end",
    "staff.invite_again",
    "staff.leave",
}
"""Tried last: what comes after would meet a ward without accounts or courses."""


class Ward:
    """A care team with one patient, who has sent a report that opened an alert, and somebody of each role."""

    def __init__(self, make: Any, name: str) -> None:
        team = make.team(f"Ward {len(name)}", phone=f"+44 1632 960 {len(name):03}")
        patient = make.patient(name, team=team)
        self.name = name
        self.people = {
            PATIENT: make.account(patient),
            CAREGIVER: make.caregiver(patient),
            **{
                role: make.staff(role.value, f"{role} of {name}", team=team)
                for role in (NURSE, CLINICIAN, ADMINISTRATOR, AUDITOR)
            },
        }
        alert = make.alert(patient, Urgency.URGENT, by=self.people[CAREGIVER])
        self.values = {
            "patient_id": patient.id,
            "alert_id": alert.id,
            "report_id": alert.findings[0].report_id,
            "call_back_id": make.call_back(alert, self.people[NURSE]).id,
            **make.handover(alert, self.people[NURSE]),
            "mute_id": make.mute(patient, self.people[NURSE]).id,
            "step": "danger",
            "task": "thinking",
            "person_id": self.people[CAREGIVER].id,
            "rule_id": make.ruleset.rules[0].id,
            "code": "es",
            "admission_id": make.admission(patient, self.people[NURSE]).id,
            "end_id": make.end(make.patient(f"{name}'s neighbour", team=team), self.people[NURSE]).id,
            "change_id": make.course_change(patient, self.people[ADMINISTRATOR]).id,
            "dose_id": patient.courses[0].dose_events[0].id,
            "course_id": patient.courses[0].id,
            "duty_id": make.duty(self.people[NURSE]).id,
            "staff_id": self.people[NURSE].id,
            "cover_id": make.cover(make.nurse("Helper", team=make.team(f"Helpers of {len(name)}")), team).id,
            "name": "crs.yaml",
            "number": 1,
            "proposal_id": make.proposal(make.clinician("A colleague", team=team)).id,
        }


UNKNOWN = {
    "step": "no-such-step",
    "task": "no-such-task",
    "rule_id": "no-such-rule",
    "code": "xx",
    "name": "no-such.yaml",
    "number": 999,
}
"""What stands nowhere, for arguments that are no ids of rows."""


def routes(app):
    return [rule for rule in app.url_map.iter_rules() if rule.endpoint != "static"]


def methods(rule):
    return sorted(rule.methods - {"HEAD", "OPTIONS"})


@pytest.mark.database("sqlite")
def test_every_route_has_a_row(app):
    for rule in routes(app):
        assert rule.endpoint in TABLE, (
            f"{rule.endpoint} ({rule.rule}) is new: write into TABLE of this file who may use it, "
            "and mark its view with @roles(…) of triage.accounts.access"
        )
    gone = set(TABLE) - {rule.endpoint for rule in routes(app)}
    assert not gone, f"these routes are gone; take them out of TABLE: {sorted(gone)}"


@pytest.mark.database("sqlite")
def test_every_view_says_who_may_use_it(app):
    for rule in routes(app):
        row = TABLE[rule.endpoint]
        said = allowed_roles(app.view_functions[rule.endpoint])
        assert said == (None if row.public else frozenset(row.roles)), f"{rule.endpoint} says {said}, TABLE {row}"


@pytest.mark.database("sqlite")
def test_a_view_that_says_nothing_is_for_nobody(app, pages, alice):
    app.add_url_rule("/forgotten", "forgotten", lambda: "secret")
    for somebody in (None, alice):
        page = pages(somebody).get("/forgotten")
        assert page.status in (302, 403)
        assert "secret" not in page.html


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role or "nobody")
def test_access(role, app, make, pages):
    """Every route as this role, in one ward and against another: what they may do is tried, too."""
    ours, theirs = Ward(make, "Anna"), Ward(make, "Berthold")
    for rule in sorted(routes(app), key=lambda rule: (rule.endpoint in ENDS_THE_VISIT, rule.endpoint)):
        row, endpoint = TABLE[rule.endpoint], rule.endpoint
        visitor = pages(ours.people.get(role))
        for method in methods(rule):
            other = {name: theirs.values[name] for name in rule.arguments}
            unknown = {name: UNKNOWN.get(name, uuid4()) for name in rule.arguments}
            own = {name: ours.values[name] for name in rule.arguments}
            asked = f"{method} {rule.rule} by {role or 'nobody'}"
            if row.public:
                status = send(visitor, method, endpoint, own).status  # 503: no heartbeat comes here
                assert status < 400 or status == 503 or method == "POST", asked
            elif role is None:
                for values in (own, other, unknown):
                    page = send(visitor, method, endpoint, values)
                    assert page.status == (302 if method == "GET" else 401), asked
                    if method == "GET":
                        assert page.location.startswith("/sign-in?next="), asked
                    assert not page.shows("Anna"), asked
            elif role not in row.roles:
                for values in (own, other, unknown):
                    page = send(visitor, method, endpoint, values)
                    assert page.status == 403, asked
                    assert not page.shows("Berthold"), asked
            else:
                if rule.arguments:
                    assert send(visitor, method, endpoint, unknown).status == 404, f"{asked} of a row that is not there"
                if row.of:
                    page = send(visitor, method, endpoint, other)
                    assert page.status == 404, f"{asked} of another team"
                    assert not page.shows("Berthold"), asked
                page = send(visitor, method, endpoint, own)
                assert page.status in (200, 302, 303, 422), f"{asked} of the own team answers {page.status}"
                assert row.whole_site or not page.shows("Berthold"), f"{asked} shows another team's patient"


@dataclass(frozen=True)
class Answer:
    """What a route answered. Whether its page is well made is asked by the tests of each room."""

    status: int
    location: str
    text: str

    def shows(self, words):
        return words in self.text


def send(visitor, method, endpoint, values):
    """Ask without filling anything in."""
    path = visitor.path(endpoint, **values)
    if method == "GET":
        answer = visitor.client.get(path)
    else:
        assert method == "POST", "only GET and POST are used"
        answer = visitor.client.post(path, data={"csrf_token": visitor.csrf_token()})
    text = answer.get_data().decode(errors="replace")  # a PDF is no text
    return Answer(answer.status_code, answer.location or "", text)

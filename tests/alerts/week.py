"""A made-up week on two wards: fifty patients, their caregivers, nurses who answer as people do. The product's own
services and the worker's own sweep run on it, on a simulated clock, minute by minute.

Everything is drawn from a seed, so that a week that fails fails again. What happens is told to `demanded.Demands` too,
which says what the rule files demand of it. Channels keep what they are given: the world outside.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.alerts.demanded import Case, Demands, Entry, Human, Ward
from triage import paths
from triage.alerts import rota, services, silence, work, worker
from triage.alerts.channels.message import Undelivered
from triage.database import writing
from triage.models import (
    Alert,
    AlertFinding,
    AlertKind,
    AlertStatus,
    AuditEntry,
    CallBackEnd,
    CareTeam,
    Course,
    Delivery,
    Disposition,
    DoseEvent,
    DoseKind,
    Duty,
    EndReason,
    MessageKind,
    OwedReminder,
    OwedStep,
    Patient,
    Person,
    Role,
)
from triage.monitoring import stays
from triage.reports import services as reports
from triage.rules.report import from_data

HOUR, DAY = 60, 24 * 60
CHANNELS = ("sms", "mail", "webhook")
"""Set up in this week; teams, slack and pagerduty are not."""
NOTE = "Telephoned, all is well at home"
ANSWERS: dict[str, dict[str, Any]] = {
    "calm": {"temperature_c": 36.7, "tiredness": "mild"},
    "sign": {"temperature_c": 36.9, "tiredness": "moderate"},
    "soon": {"temperature_c": 37.6},
    "urgent": {"temperature_c": 36.8, "chills": "mild"},
    "emergency": {"temperature_c": 39.4, "hard_to_wake": "yes"},
}


UNRESOLVED = (
    select(Alert.patient_id, Patient.name, Alert.status, Alert.urgency)
    .join(Alert.patient)
    .where(Alert.status != AlertStatus.RESOLVED)
)


class Outside:
    """What a channel's server was given: (minute, address, kind, keys). It takes nothing while it is down."""

    def __init__(self, down: Callable[[int], bool]) -> None:
        self.got: list[tuple[int, str, str, tuple[str, ...]]] = []
        self.down, self.minute, self.tries = down, 0, 0

    def send(self, message: Any, address: str) -> None:
        self.tries += 1
        if self.down(self.minute):
            raise Undelivered
        self.got.append((self.minute, address, message.kind, message.keys))


class Week:
    """The wards, the people in them, and what they do."""

    def __init__(self, app: Any, session: Any, ruleset: Any, start: datetime, seed: int = 4) -> None:
        self.app, self.session, self.ruleset, self.start = app, session, ruleset, start
        self.random, self.numbers = random.Random(seed), iter(range(1, 10_000))
        self.rows: dict[object, tuple[type[Any], UUID]] = {}
        self.wards, self.cases = self._wards(), []
        self.happens: dict[int, list[Callable[[int], None]]] = {}
        self.plans: dict[str, list[tuple[int, str]]] = {}
        self.episodes: dict[str, int] = {}
        self.log: list[Entry] = []
        self._patients()
        self._rota()
        self.demands = Demands(paths.folder("rules"), start, self.wards, self.cases, list(CHANNELS))
        self._what_is_noted()

    # Who there is

    def _wards(self) -> list[Ward]:
        north = [
            self._human("Alice", "nurse", "mail phone"),
            self._human("Bob", "nurse", "phone"),
            self._human("Chris", "nurse", "mail"),
            self._human("Dana", "nurse", "mail phone"),
            self._human("Erin", "nurse", ""),
            self._human("Dr Frost", "clinician", "mail"),
            self._human("Gil", "administrator", "mail"),
            self._human("Hanna", "administrator", "phone"),
        ]
        west = [
            self._human("Ivy", "nurse", "mail phone"),
            self._human("Jon", "nurse", "mail"),
            self._human("Kim", "administrator", "mail phone"),
        ]
        wards = [Ward("North", "Europe/London", north), Ward("West", "America/New_York", west)]
        for ward in wards:
            row = CareTeam(
                id=self._id(), name=ward.name, time_zone=ward.zone, phone="+44 1632 960 300", emergency_number="999"
            )
            self.rows[ward.name] = (CareTeam, row.id)
            self._save(row, *(self._person(human, care_team_id=self.rows[ward.name][1]) for human in ward.staff))
        return wards

    def _human(self, name: str, role: str, reached_by: str) -> Human:
        number = next(self.numbers)
        mail = f"person{number}@example.org" if "mail" in reached_by else ""
        phone = f"+44 1632 9{number:05}" if "phone" in reached_by else ""
        return Human(name, role, number, mail, phone)

    def _person(self, human: Human, **columns: Any) -> Person:
        row = Person(
            id=UUID(int=human.order),
            name=human.name,
            role=Role(human.role),
            sign_in_name=f"somebody{human.order}",
            password_hash="!",
            session_key=f"key{human.order}",
            mail=human.mail,
            phone=human.phone,
            **columns,
        )
        self.rows[human.name] = (Person, row.id)
        return row

    def _patient(
        self,
        name: str,
        therapy: str | None = "car_t",
        day: int | None = 5,
        *,
        ward: int = 0,
        doses: tuple[int, ...] = (),
        enrolled: int = -10 * DAY,
        reached_by: str | None = None,
        caregiver: str | None = None,
    ) -> Case:
        """A patient who is on that day of that therapy when the week begins; `doses` are further ones, on these days
        of the week."""
        zone = ZoneInfo(self.wards[ward].zone)
        today = (self.start + timedelta(hours=12)).astimezone(zone).date()
        given = [] if day is None else [today - timedelta(days=day), *(today + timedelta(days=each) for each in doses)]
        ways = ["mail", "phone", "mail phone", "mail phone", ""]
        people = [self._human(name, "patient", self.random.choice(ways) if reached_by is None else reached_by)]
        caregiver = self.random.choice([*ways, "nobody"]) if caregiver is None else caregiver
        if caregiver != "nobody":
            people.append(self._human(f"{name}'s sister", "caregiver", caregiver))
        case = Case(name, self.wards[ward], therapy, sorted(given), enrolled, people)
        row = Patient(
            id=self._id(),
            name=name,
            phone="",
            care_team_id=self.rows[case.ward.name][1],
            enrolled_at=self._at(enrolled),
        )
        course = Course(id=self._id(), patient_id=row.id, therapy=therapy, started_on=given[0] if given else None)
        events = [DoseEvent(id=self._id(), course_id=course.id, given_on=on, kind=DoseKind.INFUSION) for on in given]
        self._save(row)
        self._save(course, *(self._person(human, patient_id=row.id) for human in people))
        self._save(*events)
        self.rows[name, "patient"] = (Patient, row.id)
        self.cases.append(case)
        return case

    def _patients(self) -> None:
        draw = self.random
        for number in range(1, 27):
            therapy = draw.choice(["car_t", "car_t", "car_t", "bite"])
            case = self._patient(f"Regular {number}", therapy, draw.randint(0, 24))
            hour = draw.randint(6 * HOUR, 22 * HOUR)
            self._reports(case, (hour + day * DAY + draw.randint(-50, 50) for day in range(-1, 8)))
        for number in range(1, 7):  # now and then later than a day
            case = self._patient(f"Late {number}", "car_t", draw.randint(0, 26))
            self._reports(case, self._steps(draw.randint(0, DAY), lambda: draw.randint(20 * HOUR, 32 * HOUR)))
        for number, day in enumerate((2, 11, 13, 16, 21), start=1):  # from some moment on nothing comes
            case = self._patient(f"Silent {number}", "car_t", day)
            last = draw.randint(0, 3)
            days = [*range(-1, last), *(range(last + 2, 8) if number in (2, 3, 5) else ())]
            self._reports(case, (draw.randint(7 * HOUR, 20 * HOUR) + day * DAY for day in days))
        for number, kinds in enumerate((["sign"], ["emergency"], ["soon"], ["urgent", "calm"]), start=1):
            case = self._patient(f"Worrying {number}", "car_t", 3 * number)
            self._reports(case, (9 * HOUR + number * 100 + 7 * HOUR * place for place in range(len(kinds))), kinds)
            self._reports(case, (11 * HOUR + day * DAY for day in range(2, 8)), ["calm"])
            self._reports(case, [-14 * HOUR], ["soon" if number == 3 else "calm"])
        self._reports(self._patient("Admitted", "car_t", 4), [-3 * HOUR, 9 * HOUR, 4 * DAY, 5 * DAY, 6 * DAY])
        self._reports(self._patient("Discharged", "car_t", 17), [-2 * HOUR, 10 * HOUR])
        self._reports(self._patient("Died", "car_t", 9), [-5 * HOUR, 8 * HOUR], ["calm", "urgent"])
        self._reports(
            self._patient("Unknown therapy", None, 30), [-DAY, *(12 * HOUR + day * DAY for day in (0, 2, 3, 4, 6))]
        )
        self._reports(
            self._patient("Unknown day", "car_t", None),
            [-HOUR, *(9 * HOUR + day * DAY for day in range(2, 8))],
            ["calm"],
        )
        # The last of the days of reports ends while a reminder waits for the morning.
        self._reports(self._patient("Last day", "car_t", 27, reached_by="mail"), [21 * HOUR + 50])
        self._patient("Not yet treated", "bite", -1, doses=(3,), enrolled=-2 * DAY)
        # On the other ward the clocks go forward in the night to the fifth day, at two.
        west = self._patient("Western", "car_t", 16, ward=1, reached_by="phone", caregiver="phone")
        self._reports(west, [*(20 * HOUR + day * DAY for day in range(-1, 3)), 3 * DAY + 3 * HOUR])
        self._reports(self._patient("Western calm", "bite", 6, ward=1), (15 * HOUR + day * DAY for day in range(-1, 8)))
        assert len(self.cases) == 50

    def _steps(self, first: int, pause: Callable[[], int]) -> Iterator[int]:
        while first < 8 * DAY:
            yield first
            first += pause()

    def _rota(self) -> None:
        """Twelve hours each, with a gap of five hours on the third night and nobody at night in the West."""
        north, west = self.wards
        names = ["Alice", "Bob", "Chris", "Dana", "Erin"]
        for turn in range(-1, 15):
            begins, ends = turn * 12 * HOUR + 7 * HOUR, (turn + 1) * 12 * HOUR + 7 * HOUR
            self._duty(north, names[turn % len(names)], begins, ends - (5 * HOUR if turn == 5 else 0))
        self._duty(north, "Dana", 30 * HOUR, 33 * HOUR)  # two at once
        for day in range(8):
            self._duty(west, "Ivy", day * DAY + 13 * HOUR, day * DAY + 25 * HOUR)

    def _duty(self, ward: Ward, name: str, begins: int, ends: int) -> None:
        human = next(each for each in ward.staff if each.name == name)
        row = Duty(
            id=self._id(),
            care_team_id=self.rows[ward.name][1],
            person_id=UUID(int=human.order),
            begins_at=self._at(begins),
            ends_at=self._at(ends),
            entered_by_id=UUID(int=human.order),
        )
        self._save(row)
        self.rows[ward.name, "duty", len(ward.duties)] = (Duty, row.id)
        ward.duties.append([human, begins, ends])

    # What happens

    def _reports(self, case: Case, at: Any, kinds: list[str] | None = None) -> None:
        for place, minute in enumerate(at):
            weights = {"calm": 80, "sign": 10, "soon": 5, "urgent": 4, "emergency": 1}
            kind = self.random.choices(list(weights), list(weights.values()))[0]
            kind = kinds[place % len(kinds)] if kinds else kind
            kind = "calm" if minute < 0 and not kinds else kind
            reporter = case.people[-1] if self.random.random() < 0.3 else case.people[0]

            def report(now: int, kind: str = kind, reporter: Human = reporter) -> None:
                self._report(now, case, kind, reporter)

            self._then(max(minute, -2 * DAY), report)

    def _report(self, now: int, case: Case, kind: str, reporter: Human) -> None:
        if case.died or (case.stays and case.stays[-1][1] is None):
            return
        answers, at = ANSWERS[kind], self._at(now)
        local = at.astimezone(ZoneInfo(case.ward.zone)).date()
        given = [dose for dose in case.doses if dose <= local]
        data = {
            "patient": case.name,
            "therapy": case.therapy,
            "days_since_therapy": (local - max(given)).days if given else None,
            "temperature_c": answers.get("temperature_c"),
            "symptoms": {name: answer for name, answer in answers.items() if name != "temperature_c"},
        }
        record = reports.submit(
            self.session,
            self.ruleset,
            from_data(data, self.ruleset.catalogue),
            self._row(reporter.name),
            f"{case.name} {now}",
            at,
        )
        # How a report is judged is tested elsewhere. This week asks what follows from it.
        self.demands.happened(now, "report", case.name, urgency=record.assessment.urgency.code, answers=answers)

    def _what_is_noted(self) -> None:
        self._then(20 * HOUR, lambda now: self._stay(now, "Admitted"))
        self._then(2 * DAY + 11 * HOUR, lambda now: self._home(now, "Admitted"))
        self._then(DAY + 9 * HOUR, lambda now: self._end(now, "Discharged", EndReason.COMPLETED))
        self._then(DAY + 6 * HOUR, lambda now: self._end(now, "Died", EndReason.DIED))
        self._then(3 * DAY + 10 * HOUR, lambda now: self._swap(now, 8, "Dana"))  # in the middle of the duty
        self._then(3 * DAY + 10 * HOUR, lambda now: self._swap(now, 11, "Alice"))  # before it
        self._then(5 * HOUR, lambda now: self._swap(now, 0, "Chris"))

    def _stay(self, now: int, name: str) -> None:
        stays.note_admission(self.session, self._row(name, "patient"), self._at(now), self._row("Alice"), self._at(now))
        self.demands.happened(now, "admitted", name)

    def _home(self, now: int, name: str) -> None:
        patient = self._row(name, "patient")
        stays.note_home(self.session, patient.in_hospital, self._at(now), self._row("Alice"), self._at(now))
        self.demands.happened(now, "home", name)

    def _end(self, now: int, name: str, reason: EndReason) -> None:
        on = self._at(now).date()
        stays.end_monitoring(self.session, self._row(name, "patient"), reason, on, self._row("Alice"), self._at(now))
        what = "died" if reason is EndReason.DIED else "discharged"
        self.demands.happened(now, what, name, on=on)

    def _swap(self, now: int, duty: int, to: str) -> None:
        ward = self.wards[0]
        human = next(each for each in ward.staff if each.name == to)
        rota.swap(self.session, self._row(ward.name, "duty", duty), self._row(to), self._row("Alice"), self._at(now))
        self.demands.happened(now, "swapped", "", ward=ward, duty=duty, to=human)

    # What nurses do

    def _nurses(self, now: int) -> None:
        unresolved = sorted(self.session.execute(UNRESOLVED), key=lambda row: row[1])
        self.session.rollback()
        for patient_id, name, status, urgency in unresolved:
            plan = self.plans.get(name)
            if status == AlertStatus.OPEN and (not plan or plan[0][1] not in ("acknowledge", "nothing")):
                plan = self.plans[name] = self._plan(now, name, urgency.code)
            while plan and plan[0][0] <= now:
                _, what = plan.pop(0)
                if what != "nothing":
                    self._act(now, name, patient_id, what)
        for name, plan in self.plans.items():
            if plan and plan[0] == (now, "take back"):
                plan.pop(0)
                self._act(now, name, self.rows[name, "patient"][1], "take back")

    def _plan(self, now: int, name: str, urgency: str) -> list[tuple[int, str]]:
        """What the nurse who meets this alert will do, and when: drawn anew each time that it is open."""
        self.episodes[name] = self.episodes.get(name, 0) + 1
        draw = random.Random(f"{name} {self.episodes[name]}")
        longest = {"emergency": 30, "urgent": 40, "soon": 40 * HOUR}[urgency]
        taken = now + draw.choice([draw.randint(0, longest), *(draw.randint(0, longest // 5) for _ in range(3))])
        if (name, urgency) == ("Worrying 2", "emergency") or (name, self.episodes[name]) == ("Silent 2", 1):
            taken += 2 * HOUR  # a bad night
        if name == "Worrying 3":
            taken += 30 * HOUR  # what is soon may wait
        habit = draw.choice(["at once", "forgets", "gives back", "writes", "promises", "slips"])
        plan = [(taken, "acknowledge")]
        if habit == "at once":
            plan += [(taken + draw.randint(2, 14), "resolve")]
        elif habit == "forgets":
            plan += [(taken + draw.randint(5 * HOUR, 9 * HOUR), "resolve")]
        elif habit == "gives back":
            plan += [(taken + draw.randint(1, 12), "give back")]
        elif habit == "writes":
            plan += [(taken + draw.randint(1, 14), "note"), (taken + draw.randint(2 * HOUR, 20 * HOUR), "resolve")]
        elif habit == "promises":
            due = taken + draw.randint(2 * HOUR, 5 * HOUR)
            plan += [(taken + 3, "promise"), (due, "call"), (due + 2, "resolve")]
        else:
            plan += [(taken + 10, "resolve"), (taken + 40, "take back")]
        return plan

    def _act(self, now: int, name: str, patient_id: UUID, what: str) -> None:
        case, session, at = self.demands.cases[name], self.session, self._at(now)
        query = select(Alert).where(Alert.patient_id == patient_id).order_by(Alert.opened_at.desc()).limit(1)
        alert = session.scalars(query).one()
        nurses = [self._row(human.name) for human in case.ward.staff if human.role == "nurse"]
        nurse = alert.taken_by or nurses[(now + len(name)) % len(nurses)]
        told = {
            "acknowledge": "acknowledged",
            "give back": "given_back",
            "note": "written",
            "promise": "written",
            "call": "written",
            "resolve": "resolved",
            "take back": "taken_back",
        }[what]
        if what == "acknowledge":
            services.acknowledge(session, alert, nurse, at)
        elif what == "give back":
            work.give_back(session, self.ruleset, alert, nurse, at)
        elif what == "note":
            work.write_down(session, alert, nurse, at, text=NOTE)
        elif what == "promise":
            work.write_down(session, alert, nurse, at, call_back=at + timedelta(hours=3))
        elif what == "call":
            for promised in alert.promised:
                work.end_call_back(session, promised, nurse, CallBackEnd.DONE, at)
        elif what == "resolve":
            for promised in alert.promised:  # a report that came in between was looked after first
                work.end_call_back(session, promised, nurse, CallBackEnd.NOT_NEEDED, at)
            services.resolve(session, alert, nurse, Disposition.ADVICE_GIVEN, NOTE, at)
        elif alert.is_resolved:
            work.reopen(session, self.ruleset, alert, nurse, "Resolved the wrong one", at)
        else:
            return  # a new alert came first
        self.demands.happened(now, told, name)

    # The clock

    def run(self, days: int, stands_still: Callable[[int], bool], sms_down: Callable[[int], bool]) -> None:
        """Let these days pass, minute by minute. The worker stands still, and the SMS gateway is down, when these say
        so."""
        channels = {name: Outside(sms_down if name == "sms" else lambda minute: False) for name in CHANNELS}
        self.outside = channels
        for now in range(-2 * DAY, round(days * DAY)):
            self.session.expunge_all()
            for happens in self.happens.pop(now, ()):
                happens(now)
            if now < 0:
                continue
            self._nurses(now)
            if not stands_still(now):
                self._worker(now, channels)
                self.demands.worker(now, lambda name, now=now: not channels[name].down(now))
        self.read_back()

    def _worker(self, now: int, channels: dict[str, Outside]) -> None:
        """A minute of `triage worker`: the look of the minute, then sweeps until there is nothing to send. Their
        seconds are not counted: what is told three seconds later is told in this minute."""
        with Session(self.session.get_bind()) as session:
            self._minute_of_a_worker(session, now, channels)

    def _minute_of_a_worker(self, session: Session, now: int, channels: dict[str, Outside]) -> None:
        at = self._at(now)
        work.expire_acknowledgements(session, at)
        silence.sweep(session, self.ruleset, at)
        for _ in range(2):
            before = sum(channel.tries for channel in channels.values())
            for channel in channels.values():
                channel.minute = now
            worker.sweep(session, self.ruleset, channels, lambda: at)
            if sum(channel.tries for channel in channels.values()) == before:
                break

    def read_back(self) -> None:
        """What the product did, from what it wrote down."""
        session = self.session
        session.rollback()
        for finding, patient in session.execute(
            select(AlertFinding, Patient.name)
            .join(Alert, Alert.id == AlertFinding.alert_id)
            .join(Patient, Patient.id == Alert.patient_id)
            .where(AlertFinding.kind == AlertKind.SILENCE)
        ):
            fired = "+".join(sorted(rule["rule"] for rule in json.loads(finding.body)["fired"]))
            self._wrote(finding.found_at, patient, f"{finding.urgency.code} silence: {fired}")
        for at, patient in session.execute(
            select(AuditEntry.at, Patient.name)
            .join(Patient, Patient.id == AuditEntry.patient_id)
            .where(AuditEntry.action == "alert_acknowledgement_expired")
        ):
            self._wrote(at, patient, "acknowledgement expired")
        for owed, patient in session.execute(select(OwedReminder, Patient.name).join(Patient)):
            self._wrote(owed.owed_at, patient, f"reminder {owed.number} owed")
        names = {person.id: person.name for person in session.scalars(select(Person))}
        of_alert = dict(session.execute(select(Alert.id, Patient.name).join(Patient)).all())
        of_reminder = dict(session.execute(select(OwedReminder.id, Patient.name).join(Patient)).all())
        steps = {step.id: step for step in session.scalars(select(OwedStep))}
        numbers = dict(session.execute(select(OwedReminder.id, OwedReminder.number)).all())
        self.sent = {}
        for each in session.scalars(select(Delivery).where(Delivery.delivered_at.is_not(None))):
            whom = names[each.person_id] if each.person_id else "all staff"
            if each.kind == MessageKind.ALERT:
                step = steps[each.step_id]
                patient, what = of_alert[each.alert_id], f"{step.urgency.code} step {step.number}"
            elif each.kind == MessageKind.REMINDER:
                patient, what = of_reminder[each.reminder_id], f"reminder {numbers[each.reminder_id]}"
            else:
                patient, what = "", {"rota_empty": "rota empty", "channel_failing": "channel failing"}[each.kind]
            self._wrote(each.delivered_at, patient, what, whom, each.channel)
            self.sent[each.key] = each.channel

    def _wrote(self, at: datetime, patient: str, what: str, whom: str = "", by: str = "") -> None:
        self.log.append(Entry((at - self.start) // timedelta(minutes=1), patient, what, whom, by))

    # Small things

    def _then(self, minute: int, what: Callable[[int], None]) -> None:
        self.happens.setdefault(minute, []).append(what)

    def _at(self, minute: int) -> datetime:
        return self.start + timedelta(minutes=minute)

    def _row(self, *name: object) -> Any:
        table, key = self.rows[name if len(name) > 1 else name[0]]
        return self.session.get_one(table, key)

    def _id(self) -> UUID:
        return UUID(int=1_000_000 + next(self.numbers))

    def _save(self, *rows: Any) -> None:
        with writing(self.session):
            self.session.add_all(rows)


def first_difference(did: list[Entry], demanded: list[Entry]) -> str:
    """What is missing, extra or late first; empty where the two say the same."""
    did, demanded = sorted(did), sorted(demanded)
    for ours, theirs in zip([*did, None], [*demanded, None], strict=False):
        if ours != theirs:
            break
    else:
        return ""
    missing, extra = list(demanded), []
    for entry in did:
        if entry in missing:
            missing.remove(entry)
        else:
            extra.append(entry)
    lines = [f"{len(missing)} demanded and not done, {len(extra)} done and not demanded. The first of them:"]
    lines += [f"  demanded: {said(entry)}" for entry in missing[:6]]
    lines += [f"  done:     {said(entry)}" for entry in extra[:6]]
    return "\n".join(lines)


def said(entry: Entry) -> str:
    day, minute = divmod(entry.minute, DAY)
    return (
        f"day {day} {minute // 60:02}:{minute % 60:02} UTC, {entry.patient or 'no patient'}: {entry.what}"
        f"{f', to {entry.whom} by {entry.by}' if entry.whom else ''}"
    )

"""What rules/response.yaml and rules/silence.yaml demand of a week: who is told of what, in which minute, by what.

Written from docs/rule-language.md and docs/architecture.md, obvious first, with no code of `triage` at all: it reads
the files itself and asks every patient, alert and message again each minute. `tests/alerts/week.py` tells it what
happened in the world; `test_week.py` holds what it demands against what the product did.

Times are whole minutes since the week began. Urgencies are the words of the files.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from ruamel.yaml import YAML

SCALE = ("none", "mild", "moderate", "severe", "very_severe")
RANK = {"routine": 0, "soon": 1, "urgent": 2, "emergency": 3}
PERSONAL = ("sms", "mail")
TRIES, FIRST_PAUSE, LONGEST_PAUSE = 3, 10, 300
"""docs/settings.md, "A failure is tried again": how often before the next channel, and seconds between."""


class Entry(NamedTuple):
    """One line of a log. Two logs are compared line by line."""

    minute: int
    patient: str
    what: str
    whom: str = ""
    by: str = ""


@dataclass(eq=False)
class Human:
    name: str
    role: str
    order: int
    mail: str = ""
    phone: str = ""

    def at(self, channel: str) -> str:
        return {"mail": self.mail, "sms": self.phone}.get(channel, "")


@dataclass(eq=False)
class Ward:
    """A care team."""

    name: str
    zone: str
    staff: list[Human]
    duties: list[list[Any]] = field(default_factory=list)
    """[who, first minute, minute after the last]."""


@dataclass(eq=False)
class Case:
    """A patient, as the world knows them."""

    name: str
    ward: Ward
    therapy: str | None
    doses: list[date]
    enrolled: int
    people: list[Human]
    ended_on: date | None = None
    died: bool = False
    stays: list[list[int | None]] = field(default_factory=list)
    last: int | None = None
    answers: dict[str, Any] = field(default_factory=dict)


@dataclass(eq=False)
class Chain:
    """One step of an alert that runs."""

    urgency: str
    number: int
    words: dict[str, Any]
    due: int
    times: int = 0
    done: bool = False
    cancelled: bool = False


@dataclass(eq=False)
class Wait:
    """An alert."""

    case: Case
    urgency: str
    status: str = "open"
    acknowledged: int = 0
    written: bool = False
    resolved: int | None = None
    steps: list[Chain] = field(default_factory=list)
    silences: list[tuple[int, str]] = field(default_factory=list)
    """(minute, urgency) of what was said of silence."""


@dataclass(eq=False)
class Owed:
    """A message to be sent."""

    kind: str
    what: str
    case: Case | None
    human: Human | None
    channel: str
    others: list[str]
    urgency: str
    due: int
    alert: Wait | None = None
    step: Chain | None = None
    reminder: Asked | None = None
    tries: int = 0
    next_try: int = 0
    """Seconds since the week began."""
    ended: bool = False


@dataclass(eq=False)
class Asked:
    """A reminder that is owed."""

    case: Case
    since: int
    number: int
    due: int
    ended: bool = False


class Demands:
    """The week as the files want it. Call `happened` with what happens in a minute, then `worker` if one runs."""

    def __init__(self, rules: Path, start: datetime, wards: list[Ward], cases: list[Case], channels: list[str]) -> None:
        def read(name: str) -> Any:
            return YAML(typ="safe").load(rules / name)

        self.start, self.wards, self.channels = start, wards, channels
        self.cases = {case.name: case for case in cases}
        self.response, self.rules = read("response.yaml"), read("silence.yaml")
        self.daily = {each["code"]: span(each["daily_report"]) for each in read("catalogue.yaml")["therapies"]}
        self.grace = minutes(self.response["silence"]["grace"])
        self.outcome = {urgency: minutes(text) for urgency, text in self.response["outcome_within"].items()}
        self.shortest = min(minutes(text) for rule in self.rules for text in hours_of(rule["when"]))
        self.alerts: list[Wait] = []
        self.asked: list[Asked] = []
        self.owed: list[Owed] = []
        self.notices: set[tuple[object, ...]] = set()
        self.failures = dict.fromkeys(channels, 0)
        self.admins_told = dict.fromkeys(channels, False)
        self.log: list[Entry] = []
        self._days: dict[tuple[str, int], date] = {}

    # The world

    def happened(self, minute: int, what: str, name: str, **known: Any) -> None:
        getattr(self, f"_on_{what}")(minute, self.cases.get(name), **known)

    def _on_report(self, minute: int, case: Case, urgency: str, answers: dict[str, Any]) -> None:
        case.last, case.answers = minute, answers
        if urgency != "routine":
            self._found(minute, case, urgency)

    def _on_admitted(self, minute: int, case: Case) -> None:
        case.stays.append([minute, None])
        self._nobody_waits(case)

    def _on_home(self, minute: int, case: Case) -> None:
        case.stays[-1][1] = minute

    def _on_discharged(self, minute: int, case: Case, on: date) -> None:
        case.ended_on = on

    def _on_died(self, minute: int, case: Case, on: date) -> None:
        case.died, case.ended_on = True, on
        self._nobody_waits(case)

    def _on_swapped(self, minute: int, case: None, ward: Ward, duty: int, to: Human) -> None:
        old = ward.duties[duty]
        ward.duties.append([to, max(old[1], minute), old[2]])
        old[2] = max(old[1], minute)

    def _on_acknowledged(self, minute: int, case: Case) -> None:
        alert = self._alert(case, "open")
        alert.status, alert.acknowledged, alert.written = "acknowledged", minute, False
        stop(alert)

    def _on_given_back(self, minute: int, case: Case) -> None:
        self._open_again(minute, self._alert(case, "acknowledged"))

    def _on_written(self, minute: int, case: Case) -> None:
        self._alert(case, "acknowledged").written = True

    def _on_resolved(self, minute: int, case: Case) -> None:
        alert = self._alert(case, "acknowledged")
        alert.status, alert.resolved = "resolved", minute
        stop(alert)

    def _on_taken_back(self, minute: int, case: Case) -> None:
        """A resolution was a slip."""
        alert = [each for each in self.alerts if each.case is case][-1]
        alert.resolved = None
        self._open_again(minute, alert)

    def _nobody_waits(self, case: Case) -> None:
        for asked in self.asked:
            asked.ended |= asked.case is case

    def _alert(self, case: Case, status: str) -> Wait:
        found = [alert for alert in self.alerts if alert.case is case and alert.status == status]
        assert len(found) == 1, f"{case.name} has no {status} alert by the files, and a nurse met one"
        return found[0]

    # What the files say of it

    def _found(self, minute: int, case: Case, urgency: str) -> Wait:
        """A finding opens an alert or joins the one that is not resolved. It never lowers one."""
        alert = next((each for each in self.alerts if each.case is case and each.status != "resolved"), None)
        if alert is None:
            alert = Wait(case, urgency)
            self.alerts.append(alert)
            self._begin(minute, alert)
            return alert
        raised = RANK[urgency] > RANK[alert.urgency]
        if raised:
            alert.urgency = urgency
        if alert.status == "acknowledged":
            if raised or RANK[urgency] >= RANK["urgent"]:
                self._open_again(minute, alert)
        elif raised:
            self._begin(minute, alert)  # the steps of the lower urgency go on beside it
        return alert

    def _begin(self, minute: int, alert: Wait) -> None:
        for number, words in enumerate(self.response["escalation"][alert.urgency]):
            alert.steps.append(Chain(alert.urgency, number, words, minute + minutes(words["after"])))

    def _open_again(self, minute: int, alert: Wait) -> None:
        alert.status = "open"
        self._begin(minute, alert)

    def worker(self, minute: int, works: Any) -> None:
        """What a worker has to do in that minute. `works(channel)`: whether it takes messages now."""
        self._expire(minute)
        self._look_for_silence(minute)
        self._carry_out(minute)
        self._remind(minute)
        self._send(minute, works)

    def _expire(self, minute: int) -> None:
        for alert in self.alerts:
            limit = self.outcome.get(alert.urgency)
            waits = alert.status == "acknowledged" and not alert.written
            if waits and limit is not None and minute - alert.acknowledged >= limit:
                self.log.append(Entry(minute, alert.case.name, "acknowledgement expired"))
                self._open_again(minute, alert)

    # Silence

    def _look_for_silence(self, minute: int) -> None:
        longest = max(minutes(each["before"]) for each in self.response["reminders"])
        for case in self.cases.values():
            if minute + longest - (case.enrolled if case.last is None else case.last) < self.shortest + self.grace:
                continue
            self._ask(minute, case)
            fired = self._silence(case, minute)
            urgency = most_urgent(fired)
            if urgency == "routine":
                continue
            since = self._since(case, minute)
            told = [
                (found, said, alert) for alert in self.alerts if alert.case is case for found, said in alert.silences
            ]
            told = [each for each in told if each[0] > since]
            before = max((RANK[said] for _, said, _ in told), default=0)
            if RANK[urgency] <= before:
                if any(alert.resolved is None for _, _, alert in told):
                    continue  # somebody is told of it until somebody acts
                handled = max(alert.resolved for _, _, alert in told if alert.resolved is not None)
                if most_urgent(self._silence(case, minute, handled)) == "routine":
                    continue
            names = "+".join(sorted(rule["id"] for rule in fired or ()))
            self.log.append(Entry(minute, case.name, f"{urgency} silence: {names}"))
            self._found(minute, case, urgency).silences.append((minute, urgency))

    def _ask(self, minute: int, case: Case) -> None:
        since = self._since(case, minute)
        known = {each.number for each in self.asked if each.case is case and each.since == since}
        for number, words in enumerate(self.response["reminders"]):
            if number in known:
                continue
            urgency = most_urgent(self._silence(case, minute + minutes(words["before"])))
            if urgency != "routine":
                due = minute
                if urgency == "soon":
                    due = self._after_quiet(words, case.ward, minute)
                self.asked.append(Asked(case, since, number, due))
                self.log.append(Entry(minute, case.name, f"reminder {number} owed"))

    def _silence(self, case: Case, minute: int, handled: int | None = None) -> list[dict[str, Any]] | None:
        """The rules that fire; None where no report is expected."""
        day = self._expected(case, minute)
        if day is False:
            return None
        since = self._since(case, minute)
        silent = minute - (since if handled is None else max(since, handled)) - self.grace
        return [
            rule
            for rule in self.rules
            if concerns(rule, case.therapy, day) and holds(rule["when"], case.answers, silent)
        ]

    def _expected(self, case: Case, minute: int) -> int | bool | None:
        """The day since therapy; None where it is not known; False where no report is expected."""
        if case.died or any(since <= minute and (home is None or home > minute) for since, home in case.stays):
            return False
        today = self._today(case, minute)
        if case.ended_on is not None and today > case.ended_on:
            return False
        given = [dose for dose in case.doses if dose <= today]
        if case.doses and not given and case.therapy is not None:
            return None
        day = (today - max(given)).days if given else None
        return day if case.therapy is None or day is None or within(self.daily[case.therapy], day) else False

    def _since(self, case: Case, minute: int) -> int:
        """The last report, else enrolment; the return from hospital; the midnight that began the days of reports."""
        since = [case.enrolled if case.last is None else case.last]
        since += [home for _, home in case.stays if home is not None and home <= minute]
        today = self._today(case, minute)
        given = sorted(dose for dose in case.doses if dose <= today) or sorted(case.doses)[:1]
        if given:
            first = given.pop()
            while given and (case.therapy is None or within(self.daily[case.therapy], (first - given[-1]).days - 1)):
                first = given.pop()
            midnight = datetime(first.year, first.month, first.day, tzinfo=ZoneInfo(case.ward.zone))
            since.append((midnight - self.start) // timedelta(minutes=1))
        return max(since)

    def _today(self, case: Case, minute: int) -> date:
        key = (case.ward.zone, minute)
        if key not in self._days:
            self._days[key] = self._local(case.ward, minute).date()
        return self._days[key]

    def _local(self, ward: Ward, minute: int) -> datetime:
        return (self.start + timedelta(minutes=minute)).astimezone(ZoneInfo(ward.zone))

    def _after_quiet(self, words: dict[str, Any], ward: Ward, minute: int) -> int:
        """The first minute from this one on that lies outside the quiet hours on the ward's clocks."""
        if "quiet_hours" in words:
            begins, ends = words["quiet_hours"].split("-")
            while True:
                clock = f"{self._local(ward, minute):%H:%M}"
                if not (begins <= clock < ends if begins <= ends else clock >= begins or clock < ends):
                    break
                minute += 1
        return minute

    # Who is told

    def _carry_out(self, minute: int) -> None:
        for alert in self.alerts:
            for step in alert.steps if alert.status == "open" else ():
                if step.done or step.cancelled or step.due > minute:
                    continue
                step.due, due = self._after_quiet(step.words, alert.case.ward, minute), step.due
                if step.due > minute:
                    continue
                self._tell(minute, alert, step)
                step.times += 1
                if "repeat_every" in step.words:
                    every = minutes(step.words["repeat_every"])
                    step.due = due + every * ((minute - due) // every + 1)
                else:
                    step.done = True

    def _tell(self, minute: int, alert: Wait, step: Chain) -> None:
        ward = alert.case.ward
        people = self._people(ward, step.words["tell"], minute)
        if step.words["tell"] == "on_call" and not on_duty(ward, minute):
            day = self._local(ward, minute).date()
            for human in ward.staff:
                channel = next((each for each in PERSONAL if each in self.channels and human.at(each)), "")
                if human.role == "administrator" and channel:
                    self._notice(minute, "rota empty", (ward.name, day), human, [channel])
        usable = [channel for channel in step.words["by"] if channel in self.channels]
        for human, names in reached(people, usable):
            waits = (each for each in self.owed if not each.ended and each.step is step)
            if any(each.human is human and each.channel == names[0] for each in waits):
                continue  # the message of last time has not left yet
            self._owe_step(minute, alert, step, human, names)

    def _owe_step(self, minute: int, alert: Wait, step: Chain, human: Human | None, names: list[str]) -> None:
        what = f"{step.urgency} step {step.number}"
        self.owed.append(
            Owed(
                "alert",
                what,
                alert.case,
                human,
                names[0],
                names[1:],
                step.urgency,
                minute,
                alert=alert,
                step=step,
                next_try=minute * 60,
            )
        )

    def _people(self, ward: Ward, tell: str, minute: int) -> list[Human]:
        if tell == "on_call":
            return on_duty(ward, minute) or ward.staff
        roles = {"nurses": "nurse", "administrators": "administrator"}
        return [human for human in ward.staff if tell == "everybody" or human.role == roles[tell]] or ward.staff

    def _remind(self, minute: int) -> None:
        for asked in self.asked:
            if asked.ended or asked.due > minute:
                continue
            asked.ended, case = True, asked.case
            if answered(asked) or self._expected(case, minute) is False:
                continue
            words = self.response["reminders"][asked.number]
            role = {"patient": "patient", "caregivers": "caregiver"}[words["tell"]]
            for human in case.people:
                names = [each for each in words["by"] if each in self.channels and human.at(each)]
                if human.role == role and names:
                    what = f"reminder {asked.number}"
                    self.owed.append(
                        Owed(
                            "reminder",
                            what,
                            case,
                            human,
                            names[0],
                            names[1:],
                            "routine",
                            minute,
                            reminder=asked,
                            next_try=minute * 60,
                        )
                    )

    def _notice(self, minute: int, what: str, about: tuple[object, ...], human: Human, names: list[str]) -> None:
        key = (what, *about, human.name, names[0])
        if key not in self.notices:
            self.notices.add(key)
            self.owed.append(
                Owed(what, what, None, human, names[0], names[1:], "routine", minute, next_try=minute * 60)
            )

    # How messages leave

    def _send(self, minute: int, works: Any) -> None:
        """Each message is tried once; what a failure hands on to another channel leaves in the same minute."""
        self.owed = [each for each in self.owed if not (each.ended or given_up(each))]
        for _ in range(2):
            tried: set[tuple[str, Human | None, str]] = set()
            while groups := self._groups(minute, tried):
                for group, messages in groups:
                    tried.add(group)
                    messages = [each for each in messages if not each.ended]
                    if messages and works(group[0]):
                        self.failures[group[0]], self.admins_told[group[0]] = 0, False
                        for each in messages:
                            each.ended = True
                            name = each.human.name if each.human else "all staff"
                            self.log.append(
                                Entry(minute, each.case.name if each.case else "", each.what, name, group[0])
                            )
                    elif messages:
                        self._failed(minute, group[0], messages)

    def _groups(self, minute: int, tried: set[Any]) -> list[tuple[Any, list[Owed]]]:
        found: dict[Any, list[Owed]] = {}
        for each in self.owed:
            group = (each.channel, each.human, each.kind)
            if group not in tried and not each.ended and not given_up(each) and each.next_try <= minute * 60:
                found.setdefault(group, []).append(each)

        def order(item: Any) -> Any:
            (channel, human, kind), messages = item
            urgency = max(RANK[each.urgency] for each in messages)
            return (-urgency, min(each.due for each in messages), kind, channel, human.order if human else 0)

        return sorted(found.items(), key=order)

    def _failed(self, minute: int, channel: str, messages: list[Owed]) -> None:
        self.failures[channel] += 1
        failing = self.failures[channel] >= TRIES
        if failing and not self.admins_told[channel]:
            self.admins_told[channel] = True
            others = [each for each in PERSONAL if each in self.channels and each != channel]
            for ward in self.wards:
                for human in ward.staff:
                    names = [each for each in others if human.at(each)]
                    if human.role == "administrator" and names:
                        self._notice(minute, "channel failing", (channel, minute), human, names)
        for each in messages:
            each.tries += 1
            each.next_try = minute * 60 + min(FIRST_PAUSE * 2 ** (each.tries - 1), LONGEST_PAUSE)
            if failing or each.tries >= TRIES:
                each.ended = self._by_the_next(minute, each)

    def _by_the_next(self, minute: int, each: Owed) -> bool:
        for place, name in enumerate(each.others):
            if name in PERSONAL and not (each.human and each.human.at(name)):
                continue
            human = each.human if name in PERSONAL else None
            names = each.others[place:]
            self.owed.append(
                Owed(
                    each.kind,
                    each.what,
                    each.case,
                    human,
                    names[0],
                    names[1:],
                    each.urgency,
                    minute,
                    alert=each.alert,
                    step=each.step,
                    reminder=each.reminder,
                    next_try=minute * 60,
                )
            )
            return True
        return False


def stop(alert: Wait) -> None:
    for step in alert.steps:
        step.cancelled = True


def answered(asked: Asked) -> bool:
    return asked.case.last is not None and asked.case.last > asked.since


def given_up(owed: Owed) -> bool:
    """Nobody is told any more of what somebody has taken, nor asked for a report that came or is not expected."""
    if owed.alert is not None and owed.step is not None:
        return owed.alert.status != "open" or owed.step.cancelled
    if owed.reminder is not None:
        in_hospital = bool(owed.reminder.case.stays) and owed.reminder.case.stays[-1][1] is None
        return answered(owed.reminder) or owed.reminder.case.died or in_hospital
    return False


def on_duty(ward: Ward, minute: int) -> list[Human]:
    return [human for human in ward.staff if any(who is human and a <= minute < b for who, a, b in ward.duties)]


def reached(people: list[Human], usable: list[str]) -> list[tuple[Human | None, list[str]]]:
    """Each by the first channel of the list that reaches them; a room of all staff gets one message."""
    found: list[tuple[Human | None, list[str]]] = []
    for human in people:
        for place, name in enumerate(usable):
            if name not in PERSONAL or human.at(name):
                message = (human if name in PERSONAL else None, usable[place:])
                if message not in found:
                    found.append(message)
                break
    return found


def minutes(text: str) -> int:
    if text == "at_once":
        return 0
    number, unit = re.fullmatch(r"(\d+) ?(min|h|d)", text).groups()  # type: ignore[union-attr]
    return int(number) * {"min": 1, "h": 60, "d": 24 * 60}[unit]


def span(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    first, last = text.split("-")
    return int(first), int(last)


def within(days: tuple[int, int] | None, day: int) -> bool:
    return days is not None and days[0] <= day <= days[1]


def concerns(rule: dict[str, Any], therapy: str | None, day: int | None) -> bool:
    """What is not known counts as inside."""
    to = rule.get("applies_to", {})
    if therapy is not None and "therapies" in to and therapy not in to["therapies"]:
        return False
    return day is None or "days" not in to or within(span(to["days"]), day)


def hours_of(when: Any) -> list[str]:
    if isinstance(when, dict):
        found = [when["silent_for"]] if "silent_for" in when else []
        return found + [text for part in when.values() for text in hours_of(part)]
    return [text for part in when for text in hours_of(part)] if isinstance(when, list) else []


def holds(when: dict[str, Any], answers: dict[str, Any], silent: int) -> bool:
    if "all" in when:
        return all(holds(part, answers, silent) for part in when["all"])
    if "any" in when:
        return any(holds(part, answers, silent) for part in when["any"])
    if "silent_for" in when:
        return silent >= minutes(when["silent_for"])
    if "temperature" in when:
        number, _ = when["temperature"]["at_least"].split()
        return answers.get("temperature_c") is not None and answers["temperature_c"] >= float(number)
    if "thinking_check" in when:
        return False  # nobody in this week does one
    answer = answers.get(when["symptom"])
    if "is" in when:
        return answer in ("yes", True)
    return answer is not None and SCALE.index(answer) >= SCALE.index(when["at_least"])


def most_urgent(rules: list[dict[str, Any]] | None) -> str:
    return max((rule["urgency"] for rule in rules or ()), key=RANK.__getitem__, default="routine")

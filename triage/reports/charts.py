"""The last three weeks of a patient as drawings: values in, values out. The markup is templates/components/charts.html.

Everything drawn stands a column a day on the same places, so that a fever, a headache and a silence can be read one
below the other. What was not measured, not asked or cannot be read is drawn as such, and never as a normal value; no
line is drawn across it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from zoneinfo import ZoneInfo

from triage import languages
from triage.languages import _, degrees, later
from triage.rules.catalogue import THINKING_CHECK_FULL, Catalogue, Presence, Severity
from triage.rules.report import Answer, Report, Unknown, celsius_to_fahrenheit
from triage.rules.urgency import Urgency
from triage.rules.wording import number

MOST_DAYS = 22
"""Today and the three weeks before."""
FEWEST_DAYS = 7
FEVER_LINE = Decimal("38.0")
"""A ruler for the eye. What counts as a fever for this patient, the rules say."""
WIDTH, LEFT = 1000, 160
"""Of each drawing, in its own units; the names of lines and lanes stand left of LEFT."""
JOINED_WITHIN = timedelta(hours=36)
"""A line joins readings of one day and the next; over a missed day nobody knows how it went."""


@dataclass(frozen=True)
class Sent:
    """One report, as the drawings need it. `report` is None where what was stored cannot be read any more."""

    at: datetime
    by: str
    role: str
    urgency: Urgency | None
    report: Report | None


@dataclass(frozen=True)
class Span:
    """Something that lasted: a silence, or an alert until it was resolved. `end` is None while it lasts."""

    start: datetime
    end: datetime | None
    urgency: Urgency


@dataclass(frozen=True)
class Day:
    """One column. `number` is the day since therapy, None where it is not known."""

    date: date
    number: int | None
    missed: bool
    """Whether no report came. Nothing was missed before the enrolment, and today is not over."""
    enrolled: bool
    x: float
    width: float

    @property
    def label(self) -> str:
        if self.number is None:
            return "?" if self.enrolled else ""
        return str(self.number)


@dataclass(frozen=True)
class Mark:
    """One sign of a drawing. `kind` chooses its shape; `says` is what it stands for, in words."""

    x: float
    y: float
    kind: str
    says: str
    text: str = ""
    text_y: float = 0


@dataclass(frozen=True)
class Tick:
    """A line of the scale with its name."""

    y: float
    text: str


@dataclass(frozen=True)
class Table:
    """The same as a drawing, in words."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Curve:
    """Readings over time. `limit` is the line they are held against; `lanes` name the strips below."""

    height: int
    bottom: float
    ticks: tuple[Tick, ...]
    limit: Tick
    lines: tuple[str, ...]
    marks: tuple[Mark, ...]
    lanes: tuple[Tick, ...]
    summary: str
    table: Table

    @property
    def empty(self) -> bool:
        """Whether nothing was measured at all."""
        return not any(mark.kind in ("in", "out") for mark in self.marks)


@dataclass(frozen=True)
class Bar:
    """A stretch of a lane."""

    x: float
    y: float
    width: float
    kind: str
    says: str


@dataclass(frozen=True)
class Timeline:
    """Who reported when, when nobody did, and how long alerts lasted."""

    height: int
    lanes: tuple[Tick, ...]
    marks: tuple[Mark, ...]
    bars: tuple[Bar, ...]
    summary: str
    table: Table


@dataclass(frozen=True)
class Cell:
    """The worst answer of a day. `sign` is read by eyes, `says` by screen readers; `kind` chooses the colour."""

    sign: str
    says: str
    kind: str


@dataclass(frozen=True)
class Row:
    """One symptom over the days."""

    label: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Grid:
    """Symptoms by day: those that somebody had, or did not know about. `denied` were asked and always answered no."""

    rows: tuple[Row, ...]
    denied: tuple[str, ...]


@dataclass(frozen=True)
class Weeks:
    """All drawings of a record."""

    days: tuple[Day, ...]
    temperature: Curve
    thinking: Curve
    symptoms: Grid
    timeline: Timeline


@dataclass(frozen=True)
class OwnWeeks:
    """What a patient is shown of the weeks: without the thinking check, whose points are never shown to them."""

    days: tuple[Day, ...]
    temperature: Curve
    symptoms: Grid


def own_weeks(
    sent: Sequence[Sent],
    catalogue: Catalogue,
    *,
    since: datetime,
    now: datetime,
    zone: str,
    day_number: Callable[[date], int | None],
) -> OwnWeeks:
    """The three weeks up to `now` for the patient's own pages; as `weeks`."""
    paper = _Paper(sent, since, now, ZoneInfo(zone), day_number)
    seen = [each for each in sorted(sent, key=lambda each: each.at) if paper.shows(each.at)]
    return OwnWeeks(paper.days, _temperature(seen, paper), _grid(seen, paper, catalogue))


def weeks(
    sent: Sequence[Sent],
    silences: Sequence[Span],
    alerts: Sequence[Span],
    catalogue: Catalogue,
    *,
    since: datetime,
    now: datetime,
    zone: str,
    day_number: Callable[[date], int | None],
) -> Weeks:
    """The three weeks up to `now`. `since` is when the patient was enrolled: before, nobody waited for reports."""
    paper = _Paper(sent, since, now, ZoneInfo(zone), day_number)
    seen = [each for each in sorted(sent, key=lambda each: each.at) if paper.shows(each.at)]
    return Weeks(
        days=paper.days,
        temperature=_temperature(seen, paper),
        thinking=_thinking(seen, paper),
        symptoms=_grid(seen, paper, catalogue),
        timeline=_timeline(seen, silences, alerts, paper),
    )


class _Paper:
    """Where a moment stands: each day of the care team's time zone is a column of the same width."""

    def __init__(
        self,
        sent: Iterable[Sent],
        since: datetime,
        now: datetime,
        zone: ZoneInfo,
        day_number: Callable[[date], int | None],
    ) -> None:
        self.zone, self.now = zone, now
        today = self.date_of(now)
        began = min([since, *(each.at for each in sent)])
        wanted = (today - self.date_of(began)).days + 1
        count = min(MOST_DAYS, max(FEWEST_DAYS, wanted))
        self.first = today - timedelta(days=count - 1)
        self.began = self.date_of(began)
        self.column = (WIDTH - LEFT) / count
        dates = {self.date_of(each.at) for each in sent}
        self.days = tuple(
            Day(
                date=(on := self.first + timedelta(days=place)),
                number=day_number(on),
                missed=on not in dates and self.began <= on < today,
                enrolled=on >= self.began,
                x=self._left(place),
                width=round(self.column, 1),
            )
            for place in range(count)
        )

    def date_of(self, moment: datetime) -> date:
        return moment.astimezone(self.zone).date()

    def shows(self, moment: datetime) -> bool:
        return moment <= self.now and self.date_of(moment) >= self.first

    def x(self, moment: datetime) -> float:
        """Cut off at both edges, far enough inside that a mark is whole."""
        local = moment.astimezone(self.zone)
        place = (local.date() - self.first).days + (local.hour * 60 + local.minute) / 1440
        return round(min(max(LEFT + self.column * place, LEFT + 9), WIDTH - 9), 1)

    def when(self, moment: datetime) -> str:
        return languages.short_moment(moment.astimezone(self.zone))

    def _left(self, place: int) -> float:
        return round(LEFT + self.column * place, 1)


# --- Temperature

_REDUCER = {
    Presence.YES: later("fever reducer taken"),
    Presence.NO: later("no fever reducer"),
    Unknown.UNKNOWN: later("not known whether a fever reducer was taken"),
    None: later("fever reducer not asked"),
}


def _temperature(seen: Sequence[Sent], paper: _Paper) -> Curve:
    read = [(each, each.report.temperature_c) for each in seen if each.report is not None]
    measured = [(each.at, value) for each, value in read if isinstance(value, Decimal)]
    values = [value for _, value in measured]
    low = min([Decimal(36), *values]).to_integral_value(ROUND_FLOOR)
    high = max([Decimal(40), *values]).to_integral_value(ROUND_CEILING)
    top, bottom = 20.0, 170.0

    def y(celsius: Decimal) -> float:
        return round(bottom - float((celsius - low) / (high - low)) * (bottom - top), 1)

    reducer_y, missing_y = bottom + 22, bottom + 43
    marks: list[Mark] = []
    rows: list[tuple[str, ...]] = []
    for each in seen:
        value = each.report.temperature_c if each.report else None
        taken = each.report.fever_reducer_taken if each.report else None
        said, x = _temperature_words(each.report), paper.x(each.at)
        reducer = str(_REDUCER[taken]) if each.report else _("cannot be read")
        says = f"{paper.when(each.at)}: {said}, {reducer}"
        if isinstance(value, Decimal):
            out = value >= FEVER_LINE
            label = languages.decimals(number("temperature", value)) if out else ""
            marks.append(Mark(x, y(value), "out" if out else "in", says, label, y(value) - 11))
        else:
            marks.append(Mark(x, missing_y, "sign", says, _missing_sign(each.report, value)))
        if taken is Presence.YES:
            marks.append(Mark(x, reducer_y, "reducer", says))
        elif isinstance(taken, Unknown):
            marks.append(Mark(x, reducer_y, "sign", says, "?"))
        rows.append((paper.when(each.at), each.by, said, reducer))
    broken = [each.at for each, value in read if not isinstance(value, Decimal)]
    broken += [each.at for each in seen if each.report is None]
    hot = sum(value >= FEVER_LINE for value in values)
    told = [
        _(
            "%(count)s of %(all)s reports give a temperature, %(hot)s of %(limit)s or more.",
            count=len(values),
            all=len(seen),
            hot=hot,
            limit=degrees(FEVER_LINE),
        )
    ]
    if values:
        latest, when = degrees(values[-1]), paper.when(measured[-1][0])
        told.append(_("The highest was %(degrees)s.", degrees=degrees(max(values))))
        told.append(_("The latest was %(degrees)s, %(when)s.", degrees=latest, when=when))
    return Curve(
        height=244,
        bottom=bottom,
        ticks=tuple(
            Tick(y(Decimal(step)), f"{step} °C / {languages.decimals(celsius_to_fahrenheit(Decimal(step)))} °F")
            for step in range(int(low), int(high) + 1)
        ),
        limit=Tick(y(FEVER_LINE), degrees(FEVER_LINE)),
        lines=tuple(_lines(((at, y(value)) for at, value in measured), broken, paper)),
        marks=tuple(marks),
        lanes=(Tick(reducer_y, _("Fever reducer")), Tick(missing_y, _("No reading"))),
        summary=" ".join(told),
        table=Table(
            (_("When"), _("Reported by"), _("Temperature"), _("Fever reducer, 6 hours before")), tuple(reversed(rows))
        ),
    )


def _temperature_words(report: Report | None) -> str:
    if report is None:
        return _("the report cannot be read")
    if report.temperature_c is None:
        return _("not asked")
    return _("not measured") if isinstance(report.temperature_c, Unknown) else degrees(report.temperature_c)


def _missing_sign(report: Report | None, value: object) -> str:
    if report is None:
        return "×"
    return "?" if isinstance(value, Unknown) else "·"


def _lines(points: Iterable[tuple[datetime, float]], broken: Sequence[datetime], paper: _Paper) -> Iterator[str]:
    """Stretches of points that may be joined, as SVG wants them."""
    stretch: list[str] = []
    last: datetime | None = None
    for at, y in points:
        if last is not None and (at - last > JOINED_WITHIN or any(last <= gap <= at for gap in broken)):
            yield " ".join(stretch)
            stretch = []
        stretch.append(f"{paper.x(at)},{y}")
        last = at
    if stretch:
        yield " ".join(stretch)


# --- Thinking check


def _thinking(seen: Sequence[Sent], paper: _Paper) -> Curve:
    """The points of each finished check beside the person's own. An unfinished one is a sign, never a number of
    points: what was skipped is not known."""
    top, bottom = 18.0, 88.0

    def y(points: int) -> float:
        return round(bottom - points / THINKING_CHECK_FULL * (bottom - top), 1)

    lane = bottom + 22
    marks: list[Mark] = []
    rows: list[tuple[str, ...]] = []
    points: list[tuple[datetime, float]] = []
    broken: list[datetime] = []
    scores: list[int] = []
    on_file = [
        each.report.thinking_check_baseline
        for each in seen
        if each.report and each.report.thinking_check_baseline is not None
    ]
    baseline = on_file[-1] if on_file else THINKING_CHECK_FULL
    for each in seen:
        check = each.report.thinking_check if each.report else None
        own = each.report.baseline if each.report else baseline
        if each.report is None:
            said, sign = "the report cannot be read", "×"
        elif check is None:
            said, sign = "not asked", ""
        elif check.declined:
            said, sign = "declined", "D"
        elif not check.finished:
            said, sign = "begun and not finished", "!"
        else:
            said, sign = f"{check.score} of {THINKING_CHECK_FULL}", ""
        says, x = f"{paper.when(each.at)}: {said}", paper.x(each.at)
        if check is not None and check.finished:
            below = check.score < own
            label = str(check.score) if below else ""
            marks.append(Mark(x, y(check.score), "out" if below else "in", says, label, y(check.score) + 22))
            points.append((each.at, y(check.score)))
            scores.append(check.score)
        elif sign:
            marks.append(Mark(x, lane, "sign", says, sign))
            broken.append(each.at)
        rows.append((paper.when(each.at), each.by, said, _baseline_words(each.report)))
    unfinished = sum(mark.text == "!" for mark in marks)
    declined = sum(mark.text == "D" for mark in marks)
    asked = len(scores) + unfinished + declined
    return Curve(
        height=142,
        bottom=bottom,
        ticks=tuple(Tick(y(step), f"{step} points") for step in (0, 5, 10)),
        limit=Tick(y(baseline), f"own baseline {baseline}" if on_file else "no own baseline"),
        lines=tuple(_lines(points, broken, paper)),
        marks=tuple(marks),
        lanes=(Tick(lane, "Not finished"),),
        summary=(
            f"{asked} of {len(seen)} reports hold a thinking check, {unfinished} not finished"
            + (f", {declined} declined." if declined else ".")
            + (f" The latest finished one: {scores[-1]} of {THINKING_CHECK_FULL}." if scores else "")
            + (f" Own baseline: {baseline}." if on_file else " No own baseline is on file: held against full points.")
        ),
        table=Table(("When", "Reported by", "Thinking check", "Own baseline"), tuple(reversed(rows))),
    )


def _baseline_words(report: Report | None) -> str:
    if report is None or report.thinking_check_baseline is None:
        return "not on file"
    return f"{report.thinking_check_baseline} of {THINKING_CHECK_FULL}"


# --- Symptoms by day

NO_REPORT = Cell("–", later("no report"), "missing")
NOT_ASKED = Cell("·", later("not asked"), "empty")
NONE_YET = Cell("", later("none yet"), "empty")
UNKNOWN = Cell("?", later("not known"), "unknown")
UNREADABLE = Cell("×", later("cannot be read"), "unknown")


def _grid(seen: Sequence[Sent], paper: _Paper, catalogue: Catalogue) -> Grid:
    by_day: dict[date, list[Sent]] = {}
    for each in seen:
        by_day.setdefault(paper.date_of(each.at), []).append(each)
    urgency = Row(_("Most urgent result"), tuple(_urgency(by_day.get(day.date, ()), day) for day in paper.days))
    answered = {code for each in seen if each.report for code in each.report.symptoms}
    had = {code for each in seen if each.report for code in each.report.complaints()}
    # A code that the present catalogue has no words for stays in sight, by its code.
    order = [*catalogue.symptoms, *sorted(answered - set(catalogue.symptoms))]
    names = {code: symptom.label for code, symptom in catalogue.symptoms.items()}
    return Grid(
        rows=(
            urgency,
            *(
                Row(
                    _label(code, names),
                    tuple(_worst_of(by_day.get(day.date, ()), code, day) for day in paper.days),
                )
                for code in order
                if code in had
            ),
        ),
        denied=tuple(names.get(code, code) for code in order if code in answered and code not in had),
    )


def _label(code: str, names: Mapping[str, str]) -> str:
    words = names.get(code, code.replace("_", " "))
    return words[:1].upper() + words[1:]


def _urgency(reports: Sequence[Sent], day: Day) -> Cell:
    if not reports:
        return NO_REPORT if day.missed else NONE_YET
    known = [each.urgency for each in reports if each.urgency is not None]
    if not known:
        return Cell("?", _("not judged"), "unknown")
    worst = max(known)
    words = languages.code_words(worst.code)
    return Cell(words[0].upper(), words, worst.code)


def _worst_of(reports: Sequence[Sent], code: str, day: Day) -> Cell:
    """The worst answer of a day's reports. One "I don't know" beside milder answers stays in sight."""
    if not reports:
        return NO_REPORT if day.missed else NONE_YET
    answers = [each.report.symptoms[code] for each in reports if each.report and code in each.report.symptoms]
    if not answers:
        return UNREADABLE if any(each.report is None for each in reports) else NOT_ASKED
    known = [answer for answer in answers if not isinstance(answer, Unknown)]
    doubt = len(known) < len(answers)
    worst = max(known, default=None)
    if worst is None or (doubt and not worst):
        return UNKNOWN
    cell = _answer(worst)
    return Cell(f"{cell.sign}?", _("%(answer)s, and once not known", answer=cell.says), cell.kind) if doubt else cell


def _answer(answer: Answer) -> Cell:
    if isinstance(answer, Severity):
        return Cell(str(int(answer)), languages.code_words(answer.code), f"level-{int(answer)}")
    return Cell(_("Y"), _("yes"), "yes") if answer is Presence.YES else Cell("N", _("no"), "level-0")


# --- Reports, silence and alerts

_ROLES = {"patient": "Patient reported", "caregiver": "Caregiver reported", "nurse": "By telephone"}


def _timeline(seen: Sequence[Sent], silences: Sequence[Span], alerts: Sequence[Span], paper: _Paper) -> Timeline:
    roles = [role for role in _ROLES if role == "patient" or any(each.role == role for each in seen)]
    names = [*(_ROLES[role] for role in roles), "Silence", "Alert"]
    place = {name: 16.0 + 24 * index for index, name in enumerate(names)}
    # The most urgent is drawn last: no milder mark covers it.
    marks = [
        Mark(
            paper.x(each.at),
            place[_ROLES.get(each.role, _ROLES["patient"])],
            each.urgency.code if each.urgency is not None else "none",
            f"{paper.when(each.at)}: report by {each.by}, {_urgency_words(each.urgency)}",
            each.urgency.code[0].upper() if each.urgency is not None else "?",
        )
        for each in sorted(seen, key=lambda each: (each.urgency is None, each.urgency or Urgency.ROUTINE))
    ]
    spans = [("Silence", span) for span in silences] + [("Alert", span) for span in alerts]
    spans = [(what, span) for what, span in spans if span.end is None or paper.shows(span.end)]
    bars = [
        Bar(
            x := paper.x(span.start),
            place[what],
            round(max(paper.x(span.end or paper.now) - x, 3), 1),
            "silence" if what == "Silence" else span.urgency.code,
            _span_words(what, span, paper),
        )
        for what, span in spans
    ]
    events = [(each.at, f"Report, {_urgency_words(each.urgency)}", each.by) for each in seen]
    events += [(span.start, _span_words(what, span, paper, since=False), "") for what, span in spans]
    events.sort(key=lambda event: event[0], reverse=True)
    missed = sum(day.missed for day in paper.days)
    return Timeline(
        height=int(place["Alert"]) + 36,
        lanes=tuple(Tick(y, name) for name, y in place.items()),
        marks=tuple(marks),
        bars=tuple(bars),
        summary=f"{len(seen)} reports; {missed} {'day' if missed == 1 else 'days'} without any.",
        table=Table(
            ("When", "What", "By"), tuple((paper.when(at), what, by or "the system") for at, what, by in events)
        ),
    )


def _urgency_words(urgency: Urgency | None) -> str:
    return "not judged" if urgency is None else urgency.code


def _span_words(what: str, span: Span, paper: _Paper, *, since: bool = True) -> str:
    kind = f"Silence ({span.urgency.code})" if what == "Silence" else f"Alert, {span.urgency.code}"
    ended = {"Silence": "no report since", "Alert": "not resolved"}[what]
    until = f"until {paper.when(span.end)}" if span.end else ended
    return f"{kind}{f' from {paper.when(span.start)}' if since else ''}, {until}"

"""The sheet for a visit as one page of PDF: the same drawings and tables as templates/reports/sheet.html.

It is drawn from the places that `triage.reports.charts` works out, so that paper and screen cannot tell two stories.
The typeface comes along (fonts/), since a name that a printer's own cannot write would come out as empty boxes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from triage import languages
from triage.languages import _
from triage.reports.charts import FEVER_LINE, LEFT, WIDTH, Curve, Day, Grid, Mark
from triage.reports.own_record import Summary

FONT = "DejaVu Sans"
PAGE_WIDTH, PAGE_HEIGHT, MARGIN = 595, 842, 40
"""A4, in points."""
SCALE = (PAGE_WIDTH - 2 * MARGIN) / WIDTH
"""Of the drawings: from their own units to points."""
ROW, MOST_ROWS, MOST_REPORTS = 12, 26, 8
"""Height of a row in points; the most symptoms and reports that fit."""
GREY, LIGHT, DARK = 0.45, 0.85, 0.0


def of(summary: Summary) -> bytes:
    """The page. What does not fit is counted on it, never left out unsaid."""
    from reportlab.pdfgen.canvas import Canvas

    _register()
    file = BytesIO()
    # Without the time of its making and a number of its own: the same record gives the same file.
    canvas = Canvas(file, pagesize=(PAGE_WIDTH, PAGE_HEIGHT), invariant=True, lang=languages.spoken())
    canvas.setTitle(_("Sheet for a visit"))
    canvas.setAuthor(_("Triage helper"))
    paper = _Paper(canvas)
    for size, text in _head(summary):
        paper.line(text, size)
    weeks = summary.weeks
    paper.line(_("Temperature"), 11)
    paper.line(weeks.temperature.summary, 8)
    paper.curve(weeks.temperature, weeks.days)
    limit = languages.celsius(FEVER_LINE)
    signs = (
        ("○", _("below %(limit)s", limit=limit)),
        ("■", _("%(limit)s or more", limit=limit)),
        ("▼", _("fever reducer taken")),
        ("?", _("not measured or not known")),
        ("·", _("not asked")),
    )
    paper.line("   ".join(f"{sign} {words}" for sign, words in signs), 7)
    paper.line(_("Symptoms by day"), 11)
    paper.grid(weeks.symptoms, weeks.days)
    levels = ("none", "mild", "moderate", "severe", "very_severe")
    answers = [f"{level} {languages.code_words(code)}" for level, code in enumerate(levels)]
    answers += [f"{_('Y')} {_('yes')}", f"N {_('no')}", f"? {_('not known')}", f"· {_('not asked')}"]
    results = [languages.code_words(code) for code in ("emergency", "urgent", "soon", "routine")]
    letters = ", ".join(f"{words[0].upper()} {words}" for words in results)
    paper.line(f"{', '.join(answers)}, – {_('no report')}; {letters}", 7)
    if weeks.symptoms.denied:
        paper.line(_("Only answered “none” or “no”: %(signs)s.", signs=", ".join(weeks.symptoms.denied)), 7)
    paper.line(_("The latest reports that asked for a call or an answer"), 11)
    for text in _reports(summary):
        paper.line(text, 8)
    paper.line(_("Decision support. It never replaces calling your care team."), 7)
    canvas.showPage()
    canvas.save()
    return file.getvalue()


def _head(summary: Summary) -> list[tuple[int, str]]:
    patient, course = summary.patient, summary.course
    about = [_("Born %(day)s.", day=_day(patient.born_on))] if patient.born_on else []
    product = f", {course.product}" if course and course.product else ""
    day = _(", day %(day)s after the last dose", day=summary.day) if summary.day is not None else ""
    about.append(f"{_('Treatment:')} {summary.therapy or _('not known')}{product}{day}.")
    local = summary.at.astimezone(ZoneInfo(patient.care_team.time_zone))
    return [
        (15, _("Reports of %(name)s for a visit", name=patient.name)),
        (8, " ".join(about)),
        (8, f"{_('Care team:')} {patient.care_team.name}, {patient.care_team.phone}. {_as_of(local)}"),
    ]


def _reports(summary: Summary) -> list[str]:
    zone = ZoneInfo(summary.patient.care_team.time_zone)
    found = [record for record in summary.records if record.assessment.urgency.code != "routine"]
    lines = []
    for record in found[:MOST_REPORTS]:
        local = record.reported_at.astimezone(zone)
        urgency = languages.code_words(record.assessment.urgency.code)
        by = _(", by %(name)s", name=record.reporter.name)
        lines.append(f"{_day(local)}, {local:%H:%M}: {urgency}{by}")
    if len(found) > MOST_REPORTS:
        lines.append(_("… and %(count)s more in these days.", count=len(found) - MOST_REPORTS))
    return lines or [_("None in these days.")]


def _day(on: Any) -> str:
    return languages.day_words(on)


def _as_of(local: datetime) -> str:
    return _("As of %(when)s.", when=f"{_day(local)}, {local:%H:%M}")


@cache
def _register() -> None:
    from reportlab.pdfbase.pdfmetrics import registerFont
    from reportlab.pdfbase.ttfonts import TTFont

    registerFont(TTFont(FONT, str(Path(__file__).parent / "fonts" / "DejaVuSans.ttf")))


class _Paper:
    """Writes from the top of the page downwards."""

    def __init__(self, canvas: Any) -> None:
        self.canvas = canvas
        self.y: float = PAGE_HEIGHT - MARGIN

    def line(self, text: str, size: int) -> None:
        """A paragraph of that size in points, broken where it is too long."""
        from reportlab.lib.utils import simpleSplit

        for part in simpleSplit(text, FONT, size, PAGE_WIDTH - 2 * MARGIN):
            self.y -= size * 1.35
            self._text(MARGIN, self.y, part, size)
        self.y -= size * 0.25

    def curve(self, curve: Curve, days: Sequence[Day]) -> None:
        top = self.y

        def place(x: float, y: float) -> tuple[float, float]:
            return MARGIN + x * SCALE, top - y * SCALE

        for day in days:
            if day.missed:
                x, y = place(day.x, curve.height - 20)
                self._box(x, y, day.width * SCALE, (curve.height - 20) * SCALE, LIGHT)
            self._text(*place(day.x + day.width / 2, curve.height - 6), day.label, 6, centred=True)
        self._text(*place(LEFT - 10, curve.height - 6), _("Day"), 6, right=True)
        for tick in curve.ticks:
            self._rule(*place(LEFT, tick.y), *place(WIDTH, tick.y), LIGHT)
            if abs(tick.y - curve.limit.y) > 9:
                self._text(*place(LEFT - 10, tick.y + 5), tick.text, 5.5, right=True)
        for lane in curve.lanes:
            self._text(*place(LEFT - 10, lane.y + 5), lane.text, 5.5, right=True)
        self._rule(*place(LEFT, curve.limit.y), *place(WIDTH, curve.limit.y), DARK, dashed=True)
        self._text(*place(LEFT - 10, curve.limit.y + 5), curve.limit.text, 5.5, right=True)
        for stretch in curve.lines:
            points = [place(*map(float, point.split(","))) for point in stretch.split()]
            for (x1, y1), (x2, y2) in pairwise(points):
                self._rule(x1, y1, x2, y2, GREY)
        for mark in curve.marks:
            self._mark(mark, *place(mark.x, mark.y))
            if mark.kind == "out":
                self._text(*place(mark.x, mark.text_y), mark.text, 6, centred=True)
        self.y = top - curve.height * SCALE - 4

    def _mark(self, mark: Mark, x: float, y: float) -> None:
        self.canvas.setStrokeGray(DARK)
        if mark.kind == "in":
            self.canvas.setFillGray(1)
            self.canvas.circle(x, y, 2.4, stroke=1, fill=1)
        elif mark.kind == "out":
            self._box(x - 2.8, y - 2.8, 5.6, 5.6, DARK)
        else:
            self._text(x, y - 2.5, "▼" if mark.kind == "reducer" else mark.text, 7, centred=True)

    def grid(self, grid: Grid, days: Sequence[Day]) -> None:
        heads = [(day.label, f"{day.date.day}.{day.date.month}.") for day in days]
        self.y -= ROW
        for day, (number, on) in zip(days, heads, strict=True):
            x = MARGIN + (day.x + day.width / 2) * SCALE
            self._text(x, self.y + 2, number, 6.5, centred=True)
            self._text(x, self.y - 5, on, 4.5, centred=True)
        self._text(MARGIN, self.y, "Day since dose", 6.5)
        self.y -= 6
        for row in grid.rows[:MOST_ROWS]:
            self.y -= ROW
            self._rule(MARGIN, self.y + ROW - 3, PAGE_WIDTH - MARGIN, self.y + ROW - 3, LIGHT)
            self._fitted(MARGIN, self.y, row.label, 6.5, (LEFT - 4) * SCALE)
            for day, cell in zip(days, row.cells, strict=True):
                self._text(MARGIN + (day.x + day.width / 2) * SCALE, self.y, cell.sign, 7, centred=True)
        self.y -= 4
        if len(grid.rows) > MOST_ROWS:
            self.line(f"… and {len(grid.rows) - MOST_ROWS} symptoms more.", 7)

    def _fitted(self, x: float, y: float, text: str, size: float, width: float) -> None:
        from reportlab.pdfbase.pdfmetrics import stringWidth

        needed = stringWidth(text, FONT, size)
        self._text(x, y, text, size * min(1.0, width / needed) if needed else size)

    def _text(self, x: float, y: float, text: str, size: float, *, centred: bool = False, right: bool = False) -> None:
        self.canvas.setFillGray(DARK)
        self.canvas.setFont(FONT, size)
        draw = self.canvas.drawCentredString if centred else self.canvas.drawRightString if right else None
        (draw or self.canvas.drawString)(x, y, text)

    def _rule(self, x1: float, y1: float, x2: float, y2: float, grey: float, *, dashed: bool = False) -> None:
        self.canvas.setStrokeGray(grey)
        self.canvas.setLineWidth(0.6)
        self.canvas.setDash([2, 2] if dashed else [])
        self.canvas.line(x1, y1, x2, y2)

    def _box(self, x: float, y: float, width: float, height: float, grey: float) -> None:
        self.canvas.setFillGray(grey)
        self.canvas.rect(x, y, width, height, stroke=0, fill=1)

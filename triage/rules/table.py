"""A report as one row of a table, for judging very many at once (`columns`).

A row holds what conditions read and nothing else:

    patient, position     whose it is, and the how-many-th report of that patient it is, from 0
    id, reported_at       its id, and microseconds since 1970 (UTC); null: without a time
    therapy, day          null: not known
    s_CODE                answers to symptoms: 0 none, 1–4 mild to very severe, 5 yes, 6 no, -1 unknown; null: not asked
    temperature, m_NAME   millionths of a degree (°C) or of the quantity's unit; -1 unknown; null: not asked
    steroids, reducer     0 no, 1 yes, -1 unknown; null: not asked
    score, finished, abandoned, baseline    the thinking check; null where there was none. `abandoned`: it has no
                          points; beside it `finished` is 1 for a check that was declined, since it was not begun
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from triage.rules.catalogue import MEASURED, THINKING_CHECK_POINTS, Catalogue, Presence, Scale, Severity
from triage.rules.report import UNKNOWN, Answer, Report, ThinkingCheck, Unknown

Row = dict[str, Any]

MILLION = 1_000_000
YES, NO, UNKNOWN_CODE = 5, 6, -1
KINDS = ("string", "int64", "int8")

_CHECK = ("score", "finished", "abandoned", "baseline")


def columns(codes: Iterable[str]) -> dict[str, str]:
    """Name and kind (one of KINDS) of every column, for reports that may answer those symptoms."""
    texts = dict.fromkeys(("id", "patient", "therapy"), "string")
    numbers = ("position", "reported_at", "day", "temperature", *(f"m_{name}" for name in MEASURED))
    small = ("steroids", "reducer", *_CHECK, *(f"s_{code}" for code in codes))
    return texts | dict.fromkeys(numbers, "int64") | dict.fromkeys(small, "int8")


def rows(id_and_readings: Sequence[tuple[str, Sequence[Report]]], patient: str) -> Iterator[Row]:
    """Rows of one patient's reports, which stand in their order. Each is given as the catalogues that will judge it
    read it, once or more: what only one of them knows is kept for that one."""
    for position, (id, readings) in enumerate(id_and_readings):
        yield _row(id, patient, position, readings)


def _row(id: str, patient: str, position: int, readings: Sequence[Report]) -> Row:
    report = readings[0]
    therapy = next((one.therapy for one in readings if one.therapy is not None), None)
    answers = {code: answer for one in reversed(readings) for code, answer in one.symptoms.items()}
    check = report.thinking_check
    return {
        "id": id,
        "patient": patient,
        "position": position,
        "reported_at": None if report.reported_at is None else since_1970(report.reported_at),
        "therapy": therapy,
        "day": report.days_since_therapy,
        "temperature": _scaled(report.temperature_c),
        "steroids": _plain(report.on_steroids),
        "reducer": _plain(report.fever_reducer_taken),
        "score": check.score if check else None,
        "finished": int(check.finished or check.declined) if check else None,
        "abandoned": int(check.without_points) if check else None,
        "baseline": report.thinking_check_baseline,
        **{f"m_{name}": _scaled(report.measured.get(name)) for name in MEASURED},
        **{f"s_{code}": _code(answer) for code, answer in answers.items()},
    }


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def since_1970(moment: datetime) -> int:
    """A moment as a row tells it: in microseconds since 1970 (UTC)."""
    return micros(moment - _EPOCH)


def micros(span: timedelta) -> int:
    """A span of time in whole microseconds."""
    return span // timedelta(microseconds=1)


def _scaled(value: Decimal | Unknown | None) -> int | None:
    return UNKNOWN_CODE if isinstance(value, Unknown) else None if value is None else int(value * MILLION)


def _plain(value: Presence | Unknown | None) -> int | None:
    return UNKNOWN_CODE if isinstance(value, Unknown) else None if value is None else int(value)


def _code(answer: Answer) -> int:
    if isinstance(answer, Unknown):
        return UNKNOWN_CODE
    return int(answer) if isinstance(answer, Severity) else YES if answer is Presence.YES else NO


def report_of(row: Mapping[str, Any], catalogue: Catalogue) -> Report:
    """The report that a row tells of, as far as conditions of that catalogue read it. Of a thinking check its points
    are told by their sum."""

    def scaled(value: int | None) -> Decimal | Unknown | None:
        return None if value is None else UNKNOWN if value == UNKNOWN_CODE else Decimal(value) / MILLION

    def plain(value: int | None) -> Presence | Unknown | None:
        return None if value is None else UNKNOWN if value == UNKNOWN_CODE else Presence(value)

    symptoms: dict[str, Answer] = {}
    for code, symptom in catalogue.symptoms.items():
        answer = _answer(row.get(f"s_{code}"), symptom.scale)
        if answer is not None:
            symptoms[code] = answer
    measured = {name: value for name in MEASURED if (value := scaled(row[f"m_{name}"])) is not None}
    at = row["reported_at"]
    return Report(
        therapy=row["therapy"] if row["therapy"] in catalogue.therapies else None,
        days_since_therapy=row["day"],
        patient=row["patient"],
        reported_at=None if at is None else _EPOCH + timedelta(microseconds=at),
        temperature_c=scaled(row["temperature"]),
        fever_reducer_taken=plain(row["reducer"]),
        on_steroids=plain(row["steroids"]),
        symptoms=symptoms,
        thinking_check=_check(row),
        thinking_check_baseline=row["baseline"],
        measured=measured,
    )


def _answer(value: int | None, scale: Scale) -> Answer | None:
    if value is None or value == UNKNOWN_CODE:
        return None if value is None else UNKNOWN
    if scale is Scale.PRESENCE:
        return {YES: Presence.YES, NO: Presence.NO}.get(value)
    return Severity(value) if value <= Severity.VERY_SEVERE else None


def _check(row: Mapping[str, Any]) -> ThinkingCheck | None:
    if row["score"] is None:
        return None
    if row["abandoned"]:
        return ThinkingCheck({}, abandoned=not row["finished"], declined=bool(row["finished"]))
    items, left = {}, row["score"]
    for item, most in THINKING_CHECK_POINTS.items():
        if left or row["finished"]:
            items[item] = min(left, most)
            left -= items[item]
    if not row["finished"] and len(items) == len(THINKING_CHECK_POINTS):
        items = {item: points for item, points in items.items() if points}
    return ThinkingCheck(items)

"""Many reports in, one assessment a line out: what `triage assess` does."""

from __future__ import annotations

import json
import re
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from triage.rules import wording
from triage.rules.catalogue import MEASURED, PRESENCE_CODES, SEVERITY_CODES, Catalogue, Scale
from triage.rules.engine import HISTORY_LENGTH, assess
from triage.rules.report import UNKNOWN, BadReport, Report, from_data
from triage.rules.ruleset import Ruleset


@dataclass(frozen=True)
class BadLine:
    """A line that is no report, and why."""

    number: int
    reason: str

    def __str__(self) -> str:
        """On one line of its own, whatever the data held."""
        reason = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", self.reason)
        return f"line {self.number}: {reason if len(reason) <= 400 else reason[:300] + ' … ' + reason[-80:]}"


def assess_lines(ruleset: Ruleset, lines: Iterable[bytes]) -> Iterator[bytes | BadLine]:
    """The assessment of each report as one line of JSON, in their order; a BadLine for each mistake.

    The text is JSON Lines, or one JSON object or list over several lines. Earlier reports of the same patient are the
    history of the later ones; a line without a patient has none.
    """
    earlier: dict[str, deque[Report]] = defaultdict(lambda: deque(maxlen=10 * HISTORY_LENGTH))
    for number, data in read_lines(lines):
        if isinstance(data, BadLine):
            yield data
            continue
        try:
            report = from_data(data, ruleset.catalogue)
        except BadReport as bad:
            for problem in bad.problems:
                yield BadLine(number, str(problem))
            continue
        history = [] if report.patient is None else _latest(r for r in earlier[report.patient] if _before(r, report))
        answer = assess(ruleset, report, history).to_data()
        answer["advice"] = [wording.fill(text) for text in answer["advice"]]
        yield json.dumps(answer, ensure_ascii=False, separators=(", ", ": ")).encode()
        if report.patient is not None:
            earlier[report.patient].append(report)


def _before(earlier: Report, report: Report) -> bool:
    """Whether it came first. Without times the order of the lines counts."""
    if earlier.reported_at is None or report.reported_at is None:
        return True
    return earlier.reported_at <= report.reported_at


def _latest(history: Iterable[Report]) -> list[Report]:
    """Those that the engine will look at, which does the rest of the choosing: the 12 latest and any as late."""
    some = list(history)
    times = sorted((r.reported_at for r in some if r.reported_at is not None), reverse=True)
    if not times:
        return some[-HISTORY_LENGTH:]
    if len(times) <= HISTORY_LENGTH:
        return some
    return [r for r in some if r.reported_at is not None and r.reported_at >= times[HISTORY_LENGTH - 1]]


def read_lines(lines: Iterable[bytes]) -> Iterator[tuple[int, Any]]:
    """(line number, data or BadLine) of each report, as soon as its line is there."""
    first = True
    source = iter(lines)
    for number, raw in enumerate(source, 1):
        line = raw.removeprefix(_MARK) if number == 1 else raw
        if not line.strip():
            continue
        data = _parse(line, number)
        if first and isinstance(data, BadLine) and line.lstrip()[:1] in (b"[", b"{"):
            # Perhaps one JSON value written over several lines.
            yield from _over_lines(line, list(source), data)
            return
        first = False
        yield from _spread(data, number)


def _over_lines(line: bytes, rest: list[bytes], bad: BadLine) -> Iterator[tuple[int, Any]]:
    """One list or object over several lines, or a bad first line and then JSON Lines."""
    number = bad.number
    try:
        text = b"".join([line, *rest]).decode()
    except UnicodeDecodeError:
        text = ""
    if text.lstrip().startswith("["):
        items = list(_items(text, number))
        if not items or not isinstance(items[0][1], BadLine) or items[0][0] > number:
            yield from items
            return
    elif text and not isinstance(whole := _parse(text.encode(), number), BadLine):
        yield from _spread(whole, number)
        return
    elif text and not any(part.strip().startswith(b"{") and part.strip().endswith(b"}") for part in rest):
        yield number, whole
        return
    yield number, bad
    for later, part in enumerate(rest, number + 1):
        if part.strip():
            yield from _spread(_parse(part, later), later)


def _items(text: str, number: int) -> Iterator[tuple[int, Any]]:
    """The items of a JSON list, each with the line on which it begins; those before a mistake are still read."""
    at = _after_spaces(text, text.index("[") + 1)
    if text[at : at + 1] == "]" and not text[at + 1 :].strip():
        return
    counted, line = 0, number
    while True:
        at = _after_spaces(text, at)
        line, counted = line + text.count("\n", counted, at), at
        try:
            item, at = _DECODER.raw_decode(text, at)
        except json.JSONDecodeError as error:
            yield _bad(number + error.lineno - 1, f"{error.msg} at column {error.colno}")
            return
        except (ValueError, RecursionError) as error:
            yield _bad(line, _why(error))
            return
        yield line, item
        at = _after_spaces(text, at)
        if text[at : at + 1] != ",":
            break
        at += 1
    if text[at : at + 1] != "]" or text[at + 1 :].strip():
        end = at if text[at : at + 1] != "]" else _after_spaces(text, at + 1)
        yield _bad(number + text.count("\n", 0, end), "a comma or the end of the list “]” is expected")


def _after_spaces(text: str, at: int) -> int:
    while text[at : at + 1] in (" ", "\t", "\r", "\n"):
        at += 1
    return at


def _spread(data: Any, number: int) -> Iterator[tuple[int, Any]]:
    """A list gives each of its reports."""
    if isinstance(data, list):
        yield from ((number, item) for item in data)
    else:
        yield number, data


def _parse(line: bytes, number: int) -> Any:
    """The data of one line, or a BadLine."""
    try:
        return json.loads(line.decode(), parse_constant=_no_constant, object_pairs_hook=_no_doubles)
    except UnicodeDecodeError:
        return BadLine(number, "is not written in UTF-8")
    except json.JSONDecodeError as error:
        at = min(error.pos, len(error.doc.rstrip()))
        below, column = error.doc.count("\n", 0, at), at - error.doc.rfind("\n", 0, at)
        return _bad(number + below, f"{error.msg} at column {column}")[1]
    except (ValueError, RecursionError) as error:
        return _bad(number, _why(error))[1]


def _bad(number: int, why: str) -> tuple[int, BadLine]:
    return number, BadLine(number, f"is no JSON: {why}")


def _why(error: ValueError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return "too deeply nested"
    # Python's own sentence about long numbers tells programmers how to allow them.
    return "a number is far too long" if "integer string conversion" in str(error) else str(error)


def _no_constant(word: str) -> None:
    raise ValueError(f"{word} is no number")


def _no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        names = [name for name, _ in pairs]
        double = next(name for name in names if names.count(name) > 1)
        raise ValueError(f'"{double}" stands twice in one object')
    return data


_DECODER = json.JSONDecoder(parse_constant=_no_constant, object_pairs_hook=_no_doubles)
_MARK = b"\xef\xbb\xbf"
"""The byte order mark that some editors put at the beginning."""


def catalogue_json(catalogue: Catalogue) -> str:
    """The catalogue as one JSON object."""
    data = {
        "symptoms": [
            {
                "code": symptom.code,
                "label": symptom.label,
                "question": symptom.question,
                "about": symptom.about,
                "scale": symptom.scale.value,
                "group": symptom.group,
                "answers": [*_answers(symptom.scale), UNKNOWN.code],
                "asked": symptom.asked.value,
                "daily_for": sorted(symptom.daily_for),
                **({"snomed": vars(symptom.snomed)} if symptom.snomed else {}),
            }
            for symptom in catalogue.symptoms.values()
        ],
        "measured": [{"code": code, "label": label, "unit": unit} for code, (label, unit) in MEASURED.items()],
        "therapies": [
            {
                "code": therapy.code,
                "label": therapy.label,
                "products": list(therapy.products),
                "early": str(therapy.early) if therapy.early else None,
                "daily_report": str(therapy.daily_report) if therapy.daily_report else None,
            }
            for therapy in catalogue.therapies.values()
        ],
        "severities": dict(catalogue.severities),
        "groups": [{"code": code, "label": label} for code, label in catalogue.groups.items()],
    }
    return json.dumps(data, ensure_ascii=False, indent=2)


def catalogue_text(catalogue: Catalogue) -> str:
    """The catalogue as a table for people."""
    rows: Iterable[Mapping[str, str]] = (
        {"code": s.code, "answers": "no, yes" if s.scale is Scale.PRESENCE else "none … very_severe", "label": s.label}
        for s in catalogue.symptoms.values()
    )
    lines = [f"{row['code']:<28} {row['answers']:<20} {row['label']}" for row in rows]
    lines += [f"{code:<28} {unit:<20} {label}" for code, (label, unit) in MEASURED.items()]
    lines += [f"{code:<28} {'therapy':<20} {therapy.label}" for code, therapy in catalogue.therapies.items()]
    return "\n".join(lines)


def _answers(scale: Scale) -> tuple[str, ...]:
    return PRESENCE_CODES if scale is Scale.PRESENCE else SEVERITY_CODES

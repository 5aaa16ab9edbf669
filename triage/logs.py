"""Structured logs: one JSON line an event. An event is a constant name; its values are ids, counts and type names.

Never a person's name, an answer, a form field, an exception's message or an SQL parameter: a log is read by people
who care for the machine, not for the patient.
"""

from __future__ import annotations

import logging
import sys
import traceback
from pathlib import Path
from typing import IO, Any

import structlog

_HERE = Path(__file__).resolve().parent


class _Stderr(logging.StreamHandler[IO[str]]):
    """Writes to what standard error is at that moment, not to what it was when logging was configured."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> IO[str]:
        return sys.stderr

    @stream.setter
    def stream(self, value: IO[str]) -> None:
        raise AttributeError("the stream is always standard error")


def configure() -> None:
    """Make every event a JSON line on standard error. May be called again."""
    logger = logging.getLogger("triage")
    logger.setLevel(logging.INFO)
    if not any(isinstance(handler, _Stderr) for handler in logger.handlers):
        logger.addHandler(_Stderr())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def begin_request(endpoint: str | None, method: str) -> None:
    """Every event from now on says which request it belongs to. An endpoint is a name of ours, never an address."""
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(endpoint=endpoint, method=method)


def event(name: str, **ids: str | int | float | None) -> None:
    """Log that something happened."""
    _logger().info(name, **ids)


def failure(name: str, error: BaseException, **ids: str | int | float | None) -> None:
    """Log an exception by its type and the places it passed. Its message is left out: it may hold what was typed."""
    _logger().error(name, error=_type(error), at=places(error), **ids)


def places(error: BaseException) -> list[str]:
    """The lines of this program that an exception passed, innermost last: "reports/services.py:41 submit"."""
    found = []
    for frame, line in traceback.walk_tb(error.__traceback__):
        file = Path(frame.f_code.co_filename)
        if file.is_relative_to(_HERE):
            found.append(f"{file.relative_to(_HERE)}:{line} {frame.f_code.co_name}")
    return found


def _type(error: BaseException) -> str:
    cause = getattr(error, "orig", None)  # SQLAlchemy's name for what the driver raised
    return type(error).__name__ + (f" ({type(cause).__name__})" if cause is not None else "")


def _logger() -> Any:
    return structlog.stdlib.get_logger("triage")

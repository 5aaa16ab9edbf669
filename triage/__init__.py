"""The triage helper: reports from home after leukemia immunotherapy, judged by rules, in order for nurses.

Importing this package imports no framework: `triage.rules` stays pure and quick (tests/house/test_imports.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flask import Flask


def create_app(overrides: Mapping[str, Any] | None = None) -> Flask:
    """The web application; `overrides` replace settings of config.py. Made in triage.web."""
    from triage.web import create_app as make

    return make(overrides)

"""Macros and fields without the rest: they know no database and nobody signed in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from flask_wtf import CSRFProtect
from jinja2 import StrictUndefined

from triage import languages
from triage.paths import folder


@pytest.fixture
def context() -> Iterator[None]:
    """Inside a request of a bare application that reads templates as ours does (triage/web.py)."""
    app = Flask("macros", template_folder=folder("templates"))
    app.secret_key = "only-for-tests"
    app.jinja_options = {"undefined": StrictUndefined, "trim_blocks": True, "lstrip_blocks": True}
    app.add_template_filter(str, "dialled")  # the real one is tested with the pages
    languages.set_up(app)
    CSRFProtect(app)
    with app.test_request_context():
        yield

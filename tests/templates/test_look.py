"""How the components look and behave in a real browser: every one of them, on a phone and on a desktop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask import Blueprint, Flask, render_template
from flask_wtf import FlaskForm
from jinja2 import ChoiceLoader, FileSystemLoader

from triage.accounts.access import public
from triage.fields import Checkboxes, DateParts, Hidden, Password, Radios, Select, Text, TextArea

pytestmark = pytest.mark.database("sqlite")


class Sample(FlaskForm):
    """One field of each kind."""

    temperature = Text(
        "Your temperature now", description="For example 36.8", suffix="°C", inputmode="decimal", width=5
    )
    passphrase = Password("Your passphrase", autocomplete="current-password")
    unit = Radios("What does the thermometer show?", choices=[("c", "°C (Celsius)"), ("f", "°F (Fahrenheit)")])
    other = Radios("Anything else?", choices=[("yes", "Yes"), ("no", "No")], inline=True, size="s")
    signs = Checkboxes(
        "Breathing and heart",
        choices=[("breath", "Short of breath at rest"), ("pain", "Chest pain"), ("none", "None of these")],
        exclusive=["none"],
        hints={"breath": "When you sit still"},
        description="In the last 24 hours",
    )
    dose = DateParts("Day of the first dose", description="For example 17 11 2026")
    kind = Select("Kind of dose", choices=[("", "Choose one"), ("step", "Dose step")])
    note = TextArea("Anything else your care team should know?", description="You can leave this empty.")
    token = Hidden()


def sample_app_for(app: Flask) -> None:
    """Gives the application a page with every component, and the same with an error at every field."""
    bp = Blueprint("sample", __name__)
    loader: Any = app.jinja_env.loader
    app.jinja_env.loader = ChoiceLoader([loader, FileSystemLoader(Path(__file__).parent)])

    @bp.get("/sample")
    @public
    def sample() -> str:
        return render_template("sample.html", form=Sample())

    @bp.get("/sample/errors")
    @public
    def errors() -> str:
        form = Sample(formdata=None)
        for field in form:
            field.errors = [f"Something is wrong with {field.label.text}"]
        return render_template("sample.html", form=form)

    app.register_blueprint(bp)

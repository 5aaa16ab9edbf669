"""What an auditor types."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms.validators import DataRequired, Length

from triage.fields import Text


class FindForm(FlaskForm):
    """A part of a name."""

    name = Text(
        "Name of a person or a patient",
        [DataRequired("Enter a name, or a part of it"), Length(max=100, message="Enter at most 100 characters")],
        description="A part of it is enough. For people, a sign-in name too.",
        autocomplete="off",
        plain=True,
        width=20,
    )

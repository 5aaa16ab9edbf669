"""Every template and every macro is used, and every page can be compiled."""

from __future__ import annotations

import re

import pytest

from triage.paths import folder, top

TEMPLATES = folder("templates")
NAMES = sorted(str(file.relative_to(TEMPLATES)) for file in TEMPLATES.rglob("*.html"))
TEXTS = {name: (TEMPLATES / name).read_text() for name in NAMES}
PYTHON = "\n".join(file.read_text() for place in ("triage", "tests") for file in sorted((top() / place).rglob("*.py")))
# Rendered by a name made from a status code (triage/web.py).
BY_CODE = re.compile(r"errors/\w+\.html")


@pytest.mark.parametrize("name", NAMES)
def test_every_template_is_used(name):
    others = "\n".join(text for other, text in TEXTS.items() if other != name)
    assert BY_CODE.fullmatch(name) or f'"{name}"' in PYTHON + others, (
        f"nothing renders templates/{name}: use or delete it"
    )


@pytest.mark.parametrize("name", [name for name in NAMES if "{% macro" in TEXTS[name]])
def test_every_macro_is_used(name):
    for macro in re.findall(r"{%-? macro (\w+)\(", TEXTS[name]):
        uses = sum(len(re.findall(rf"\b{macro}\b", text)) for text in (*TEXTS.values(), PYTHON))
        assert uses > 1, f"nothing calls {macro} of templates/{name}"


@pytest.mark.database("sqlite")
@pytest.mark.parametrize("name", NAMES)
def test_every_template_compiles(name, app):
    app.jinja_env.get_template(name)


@pytest.mark.parametrize("name", NAMES)
def test_no_template_turns_off_escaping(name):
    """What people type is never markup. Markup is made in macros."""
    assert "|safe" not in TEXTS[name].replace(" ", ""), f"templates/{name} uses |safe"
    assert "autoescape false" not in TEXTS[name]


@pytest.mark.parametrize("name", NAMES)
def test_pages_write_addresses_by_endpoint(name):
    """A typed address breaks unseen; url_for fails loudly."""
    assert not re.search(r'(?:href|action|src)="/', TEXTS[name]), f"templates/{name}: use url_for(…)"

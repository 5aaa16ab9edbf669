"""Our macros print what NHS.UK frontend's own templates print, so that its styles, scripts and accessibility hold.

nhsuk-frontend-jinja is the reference, in an environment of its own: it needs undefined values that chain, with which a
misspelt name in our own pages would print nothing. Compared is what a browser makes of both: elements, attributes,
text; not the order of attributes and classes, nor white space. Where we differ on purpose, the test says so.
"""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest
from flask import render_template_string
from jinja2 import ChainableUndefined, Environment, PackageLoader
from wtforms import Field, Form

from triage.fields import Checkboxes, DateParts, Password, Radios, Select, Text, TextArea

REFERENCE = Environment(
    loader=PackageLoader("nhsuk_frontend_jinja"),
    undefined=ChainableUndefined,
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
)


class _Parts(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if "class" in values:
            values["class"] = " ".join(sorted(values["class"].split()))
        self.found.append(" ".join([f"<{tag}", *(f'{name}="{values[name]}"' for name in sorted(values))]) + ">")

    def handle_endtag(self, tag: str) -> None:
        self.found.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if words := " ".join(data.split()):
            self.found.append(words)


def parts(html: object) -> list[str]:
    """Elements and texts, one an entry, without what makes no difference."""
    parser = _Parts()
    parser.feed(str(html))
    parser.close()
    return parser.found


def reference(component: str, macro: str, /, **params: Any) -> list[str]:
    template = REFERENCE.get_template(f"nhsuk/components/{component}/macro.jinja")
    return parts(getattr(template.module, macro)(params))


@pytest.fixture
def ours(context: None) -> Any:
    """Parts of a snippet of a page, with the macros of content.html at hand."""

    def printed(snippet: str, **values: Any) -> list[str]:
        return parts(render_template_string('{% import "components/content.html" as c %}' + snippet, **values))

    return printed


def field(kind: Any, label: str = "Label", *, data: Any = None, error: str = "", **options: Any) -> list[str]:
    """Parts of one field, called "it"."""
    form = type("OneField", (Form,), {"it": kind(label, **options)})(data={} if data is None else {"it": data})
    it: Field = form.it
    it.errors = (error,) if error else ()
    return parts(it())


LABEL = {"text": "Label", "size": "s"}
LEGEND = {"legend": {"text": "Label", "size": "m"}}
ERROR: dict[str, Any] = {"errorMessage": {"text": "Wrong"}}
HINT: dict[str, Any] = {"hint": {"text": "Hint"}}


def test_a_text_field(context):
    assert field(Text) == reference("input", "input", id="it", name="it", label=LABEL)


def test_a_text_field_with_everything(context):
    ours = field(
        Text,
        data="38.4",
        error="Wrong",
        description="Hint",
        width=5,
        suffix="°C",
        inputmode="decimal",
        autocomplete="off",
        plain=True,
    )
    assert ours == reference(
        "input",
        "input",
        id="it",
        name="it",
        label=LABEL,
        value="38.4",
        width="5",
        suffix="°C",
        inputmode="decimal",
        autocomplete="off",
        autocapitalize="none",
        spellcheck=False,
        **HINT,
        **ERROR,
    )


def test_a_text_field_whose_label_is_the_heading_of_the_page(context):
    label = {"text": "Label", "size": "l", "isPageHeading": True}
    assert field(Text, heading=True) == reference("input", "input", id="it", name="it", label=label)


def test_a_label_of_another_size(context):
    label = {"text": "Label", "size": "m"}
    assert field(TextArea, size="m") == reference("textarea", "textarea", id="it", name="it", label=label, rows="4")


def test_a_passphrase(context):
    assert field(Password, autocomplete="current-password", error="Wrong", data="typed before") == reference(
        "password-input", "passwordInput", id="it", name="it", label=LABEL, autocomplete="current-password", **ERROR
    )


def test_a_text_area(context):
    assert field(TextArea, data="<b>", error="Wrong", description="Hint", rows=7) == reference(
        "textarea", "textarea", id="it", name="it", label=LABEL, value="<b>", rows="7", **HINT, **ERROR
    )


def test_a_select(context):
    items = [{"value": "a", "text": "A"}, {"value": "b", "text": "B", "selected": True}]
    assert field(Select, data="b", error="Wrong", choices=[("a", "A"), ("b", "B")]) == reference(
        "select", "select", id="it", name="it", label=LABEL, items=items, **ERROR
    )


@pytest.mark.parametrize("inline", [True, False])
@pytest.mark.parametrize("heading", [True, False])
def test_radios(context, heading, inline):
    legend = {"text": "Label", "size": "l" if heading else "m", "isPageHeading": heading}
    items = [{"value": "a", "text": "A", "hint": {"text": "About A"}}, {"value": "b", "text": "B", "checked": True}]
    printed = field(
        Radios,
        data="b",
        error="Wrong",
        description="Hint",
        choices=[("a", "A"), ("b", "B")],
        hints={"a": "About A"},
        heading=heading,
        inline=inline,
    )
    assert printed == reference(
        "radios",
        "radios",
        idPrefix="it",
        name="it",
        fieldset={"legend": legend},
        items=items,
        inline=inline,
        **HINT,
        **ERROR,
    )


def test_checkboxes(context):
    """We number the ids of the boxes without a gap; the reference counts the divider too."""
    items = [
        {"value": "a", "text": "A", "checked": True, "hint": {"text": "About A"}},
        {"value": "b", "text": "B"},
        {"divider": "or"},
        {"value": "none", "text": "None of these", "behaviour": "exclusive", "id": "it-3"},
    ]
    printed = field(
        Checkboxes,
        data=["a"],
        error="Wrong",
        description="Hint",
        choices=[("a", "A"), ("b", "B"), ("none", "None of these")],
        hints={"a": "About A"},
        exclusive=["none"],
    )
    assert printed == reference(
        "checkboxes", "checkboxes", idPrefix="it", name="it", fieldset=LEGEND, items=items, **HINT, **ERROR
    )


@pytest.mark.parametrize("error", ["", "Wrong"])
def test_a_date(context, error):
    """The first box has the field's own id, so that a link of the error summary leads to it; the reference gives that
    id to what is around all three. Names have a hyphen, not brackets."""
    printed = field(DateParts, description="Hint", error=error)
    wanted = reference(
        "date-input",
        "dateInput",
        id="it",
        fieldset=LEGEND,
        **HINT,
        **({"errorMessage": {"text": error}} if error else {}),
        items=[
            {
                "id": "it" if part == "day" else f"it-{number}",
                "name": f"it-{part}",
                "label": part.title(),
                "width": width,
            }
            for number, part, width in ((1, "day", "2"), (2, "month", "2"), (3, "year", "4"))
        ],
    )
    assert [one.replace('id="it-parts"', 'id="it"') for one in printed] == wanted


@pytest.mark.parametrize("kind", ["", "secondary", "warning"])
def test_buttons(ours, kind):
    assert ours("{{ c.button('Send', kind) }}", kind=kind) == reference(
        "button", "button", text="Send", variant=kind, preventDoubleClick=True
    )
    assert ours("{{ c.link_button('Go on', '/x', kind) }}", kind=kind) == reference(
        "button", "button", text="Go on", href="/x", variant=kind
    )


def test_the_error_summary_links_to_each_field_and_says_what_no_field_shows(ours):
    class Daily(Form):
        temperature = Text("Temperature")
        unit = Radios("Unit", choices=[("c", "°C")])

    form = Daily()
    form.temperature.errors = ("Enter the temperature",)
    form.unit.errors = ("Choose the unit",)
    form.form_errors = ["Try again"]
    assert ours("{{ c.error_summary(form) }}", form=form) == reference(
        "error-summary",
        "errorSummary",
        titleText="There is a problem",
        errorList=[
            {"text": "Enter the temperature", "href": "#temperature"},
            {"text": "Choose the unit", "href": "#unit"},
            {"text": "Try again"},
        ],
    )
    assert ours("{{ c.error_summary(form) }}", form=Daily()) == []


@pytest.mark.parametrize("kind", ["emergency", "urgent", "non-urgent"])
def test_care_cards(ours, kind):
    """Ours also have a sign in the heading, another one for each kind, so that colour is not all that differs."""
    printed = ours("{% call c.care_card(kind, 'Call now') %}<p>Why</p>{% endcall %}", kind=kind)
    start, end = next(n for n, one in enumerate(printed) if one.startswith("<svg")), printed.index("</svg>")
    assert 'aria-hidden="true"' in printed[start]
    assert printed[:start] + printed[end + 1 :] == reference(
        "card", "card", variant=kind, heading="Call now", headingLevel=2, descriptionHtml="<p>Why</p>"
    )


def test_a_summary_list(ours):
    rows = [("Temperature", "38.4 °C", "/change"), ("Note", "<none>", "")]
    change = {"items": [{"href": "/change", "text": "Change", "visuallyHiddenText": "Temperature"}]}
    assert ours("{{ c.summary_list(rows) }}", rows=rows) == reference(
        "summary-list",
        "summaryList",
        rows=[
            {"key": {"text": "Temperature"}, "value": {"text": "38.4 °C"}, "actions": change},
            {"key": {"text": "Note"}, "value": {"text": "<none>"}},
        ],
    )


def test_a_summary_list_in_which_nothing_can_be_changed(ours):
    assert ours("{{ c.summary_list([('Note', 'none', '')]) }}") == reference(
        "summary-list", "summaryList", rows=[{"key": {"text": "Note"}, "value": {"text": "none"}}]
    )


def test_a_table(ours):
    """Ours also says the role of the body, which becomes a block on a phone as the head and the rows do."""
    rows = [["Monday", "urgent"], ["Tuesday", "<soon>"]]
    printed = ours("{{ c.table('Reports', ['When', 'Result'], rows) }}", rows=rows)
    wanted = reference(
        "tables",
        "table",
        caption="Reports",
        captionSize="s",
        head=[{"text": "When"}, {"text": "Result"}],
        rows=[[{"text": text} for text in row] for row in rows],
        responsive=True,
    )
    assert [
        one.replace('tbody class="nhsuk-table__body" role="rowgroup"', 'tbody class="nhsuk-table__body"')
        for one in printed
    ] == wanted


def test_tags(ours):
    assert ours("{{ c.tag('Silent', 'grey') }}") == reference("tag", "tag", text="Silent", colour="grey")
    assert ours("{{ c.urgency_tag('urgent') }}") == reference(
        "tag", "tag", text="Urgent", classes="app-urgency app-urgency--urgent"
    )


def test_details(ours):
    assert ours("{% call c.details('More') %}<p>Text</p>{% endcall %}") == reference(
        "details", "details", summary="More", html="<p>Text</p>"
    )


def test_inset_text(ours):
    assert ours("{% call c.inset() %}<p>Text</p>{% endcall %}") == reference(
        "inset-text", "insetText", html="<p>Text</p>"
    )


def test_a_warning(ours):
    assert ours("{% call c.warning('Steroids') %}<p>Text</p>{% endcall %}") == reference(
        "warning-callout", "warningCallout", heading="Steroids", headingLevel=2, html="<p>Text</p>"
    )


def test_a_back_link(ours):
    assert ours("{{ c.back_link('/before') }}") == reference("back-link", "backLink", href="/before", text="Back")


@pytest.mark.parametrize("kind", ["", "success"])
def test_a_banner(ours, kind):
    """Its title does not say "Success" or "Important": the first reassures, the second competes with a care card."""
    assert ours("{{ c.banner('Enrolled', kind) }}", kind=kind) == reference(
        "notification-banner",
        "notificationBanner",
        text="Enrolled",
        titleText="Done" if kind else "Please note",
        titleId="banner-1",
        **({"variant": kind} if kind else {}),
    )

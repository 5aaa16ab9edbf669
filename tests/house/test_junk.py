"""Whatever is sent to any route, nobody gets an error of ours for it: no 5xx, and no page of another team.

Every route, as every role, with junk in the address, the query, the form and the headers. `make scan` asks ten thousand
times (SCAN_EXAMPLES).
"""

from __future__ import annotations

import os
from urllib.parse import quote, urlencode
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.house.test_access import ENDS_THE_VISIT, TABLE, UNKNOWN, Ward, methods, routes
from triage.models import Role

EXAMPLES = int(os.environ.get("SCAN_EXAMPLES", "300"))

NASTY = st.sampled_from(
    [
        "\x00",
        "a\x00b",
        "\ud800".encode("utf-8", "surrogatepass").decode("utf-8", "replace"),
        "\u202e\u0000x",
        "9" * 400,
        "-1",
        str(2**31),
        str(2**63),
        str(2**64),
        "1e309",
        "nan",
        "inf",
        "٣٨",
        "0x10",
        "0001-01-01",
        "9999-12-31",
        "00:00",
        "99:99",
        "' OR 1=1 --",
        "<script>alert(1)</script>",
        "{{ 7 * 7 }}",
        "../../etc/passwd",
        "%00",
        "%s%n",
        "\r\nSet-Cookie: x=y",
        "x" * 5_000,
        "é" * 300,
        "🤒",
        str(UUID(int=0)),
        "null",
        "[]",
        "on",
        "yes",
        "none",
        "unknown",
    ]
)
TEXT = st.one_of(NASTY, st.text(max_size=40), st.integers().map(str))
FIELDS = [
    *(
        "sign_in_name",
        "passphrase",
        "answer",
        "passkey",
        "next",
        "kept",
        "token",
        "stamp",
        "seen",
        "useful",
        "why",
        "note",
        "disposition",
    ),
    *(
        "text",
        "call",
        "call_back",
        "rule",
        "reason",
        "ends_on-day",
        "ends_on-month",
        "ends_on-year",
        "person",
        "patient",
    ),
    *(
        "action",
        "subject",
        "since",
        "until",
        "before",
        "name",
        "number",
        "fires",
        "keep",
        "signed",
        "confirmed",
        "decide",
    ),
    *("accepted-0", "therapy", "urgency", "days", "whose", "silent", "back", "how", "acknowledge", "instead_of"),
    *("temperature", "temperature_unit", "fever_reducer", "signs", "symptoms", "chills", "severity", "steroids"),
    *("born_on-day", "born_on-month", "born_on-year", "started_on-day", "started_on-month", "started_on-year", "phone"),
    *(
        "given_on-day",
        "given_on-month",
        "given_on-year",
        "kind",
        "role",
        "mail",
        "begins",
        "ends",
        "from_day",
        "to_day",
    ),
]
PAIRS = st.lists(st.tuples(st.one_of(st.sampled_from(FIELDS), TEXT), TEXT), max_size=6)
HEADERS = st.dictionaries(
    st.sampled_from(
        ["Accept", "Accept-Language", "Referer", "Origin", "If-None-Match", "Range", "Sec-Fetch-Site", "X-CSRFToken"]
    ),
    st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=40),
    max_size=3,
)  # fmt: skip


class Everywhere:
    """A ward, a ward of others, and somebody of each role who is signed in."""

    def __init__(self, app, make, pages):
        self.app, self.make, self.pages = app, make, pages
        self.ours, self.theirs = Ward(make, "Anna"), Ward(make, "Berthold")
        self.visitors = {role: pages(self.ours.people.get(role)) for role in (None, *Role)}
        self.tokens = {role: visitor.csrf_token() for role, visitor in self.visitors.items()}
        # Those that end the visit would make all later examples ask as nobody.
        self.ways = [
            (rule, method)
            for rule in sorted(routes(app), key=lambda rule: rule.rule)
            for method in methods(rule)
            # That of the heartbeat reads nothing of what is sent, and says 503 while none came.
            if rule.endpoint not in {*ENDS_THE_VISIT, "alerts.heartbeat"}
        ]

    def ask(self, data):
        """One request; what was asked, the role, and the answer."""
        rule, method = data.draw(st.sampled_from(self.ways), "route")
        # Most of the time by somebody who may: else it would hardly ever come to a view.
        may = sorted(TABLE[rule.endpoint].roles)
        role = data.draw(st.sampled_from([*may * 4, None, *Role]), "role")
        values = {}
        for name in sorted(rule.arguments):
            kinds = [self.ours.values[name], self.theirs.values[name], UNKNOWN.get(name, UUID(int=3))]
            values[name] = data.draw(st.sampled_from(kinds), name)
        path = self.visitors[role].path(rule.endpoint, **values)
        if path != "/" and data.draw(st.booleans(), "bend the address"):
            path += data.draw(st.sampled_from(["/", "%00", "%ff", "/../", ";x", "//", "%2e%2e/"]), "end")
        query = data.draw(PAIRS, "query")
        options = {"query_string": _encoded(query), "headers": data.draw(HEADERS, "headers")}
        client = self.visitors[role].client
        if method == "GET":
            return f"GET {path} {query!r}", role, client.get(path, **options)
        form = data.draw(PAIRS, "form")
        token = data.draw(st.sampled_from([*[self.tokens[role]] * 8, "junk", ""]), "token")
        body = _encoded([*form, ("csrf_token", token)])
        kind = data.draw(
            st.sampled_from(["application/x-www-form-urlencoded"] * 4 + ["application/json", "text/x", ""])
        )
        asked = f"POST {path} {query!r} {form!r} {kind}"
        return asked, role, client.post(path, data=body, content_type=kind, **options)


def _encoded(pairs):
    return urlencode([(name.encode("utf-8", "replace"), value.encode("utf-8", "replace")) for name, value in pairs])


def test_junk_gets_no_error_of_ours_and_no_page_of_others(app, make, pages):
    everywhere = Everywhere(app, make, pages)

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a failure names its request: nothing to shrink
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def try_one(data):
        asked, role, answer = everywhere.ask(data)
        assert answer.status_code < 500, f"{asked} as {role} answers {answer.status_code}"
        if role is not Role.AUDITOR:
            assert b"Berthold" not in answer.data, f"{asked} as {role} shows another team's patient"

    try_one()


@pytest.mark.parametrize(
    "junk", ["\x00", "a\x00b", "9" * 30, str(2**63), "é" * 200], ids=["nul", "within", "number", "2**63", "long"]
)
def test_no_field_of_any_route_takes_us_down(junk, app, make, pages):
    """Every field at once, in form and address, by somebody who may; also in the address itself."""
    everywhere = Everywhere(app, make, pages)
    fields = [(name, junk) for name in FIELDS]
    for rule, method in everywhere.ways:
        role = min(TABLE[rule.endpoint].roles)
        visitor, token = everywhere.visitors[role], everywhere.tokens[role]
        path = visitor.path(rule.endpoint, **{name: everywhere.ours.values[name] for name in rule.arguments})
        for address in (path, f"{path.rstrip('/')}/{quote(junk[:200])}"):
            if method == "GET":
                answer = visitor.client.get(address, query_string=_encoded(fields))
            else:
                body = _encoded([*fields, ("csrf_token", token)])
                kind = "application/x-www-form-urlencoded"
                answer = visitor.client.post(address, data=body, content_type=kind, query_string=_encoded(fields[:9]))
            assert answer.status_code < 500, f"{method} {address[:80]} with {junk[:9]!r} answers {answer.status_code}"

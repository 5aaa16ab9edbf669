"""What a browser, another site or a scanner may do: every line of docs/security.md about the web has its test here."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from tests.house.test_access import EVERYBODY, TABLE, Ward, methods, routes, send
from triage.accounts import looks
from triage.models import AuditEntry, Model, Role
from triage.web import FORWARDED, LARGEST_FORM, create_app

REAL = {
    "TESTING": True,
    "HOST": "0.0.0.0",
    "SECRET_KEY": "k" * 40,
    "EMERGENCY_NUMBER": "999",
    "CARE_TEAM_PHONE": "+44 1632 960 123",
    "CARE_TEAM_NAME": "Ward 7",
}
STAFF = sorted(EVERYBODY - {Role.PATIENT, Role.CAREGIVER})
OFTEN = {"report_draft", "ruleset_draft"}
"""What is kept while somebody types, and thrown away when it is too old."""


def rows(session):
    """How many rows each table has, without the audit trail."""
    session.rollback()
    tables = [table for table in Model.metadata.sorted_tables if not table.name.startswith("audit_")]
    return {table.name: session.scalar(select(func.count()).select_from(table)) for table in tables}


def alerts(session):
    return session.execute(select(Model.metadata.tables["alert"])).all()


# --- who looked -------------------------------------------------------------------------------------------------------


@pytest.mark.database("sqlite")
@pytest.mark.parametrize("role", STAFF)
def test_every_page_that_names_a_patient_to_staff_leaves_an_entry(role, app, make, pages, session, monkeypatch):
    """A new page that fetches its rows through `access` is written down by itself; one that lists patients calls
    `looks.at_list`."""
    monkeypatch.setattr(looks, "LIST_AGAIN_AFTER", timedelta(0))
    ward = Ward(make, "Anna")
    visitor = pages(ward.people[role])
    mine = AuditEntry.person_id == ward.people[role].id
    for rule in routes(app):
        if role not in TABLE[rule.endpoint].roles or "GET" not in rule.methods or TABLE[rule.endpoint].public:
            continue
        session.rollback()
        last = session.scalar(select(func.max(AuditEntry.id))) or 0
        answer = send(visitor, "GET", rule.endpoint, {name: ward.values[name] for name in rule.arguments})
        if answer.status == 200 and "Anna" in answer.text.replace(" of Anna", ""):
            session.rollback()
            done = session.scalars(select(AuditEntry.action).where(AuditEntry.id > last, mine)).all()
            assert [one for one in done if one.endswith("_seen")], f"{rule.endpoint}: no entry says who saw a patient"


# --- what changes -----------------------------------------------------------------------------------------------------


@pytest.mark.database("sqlite")
@pytest.mark.parametrize("role", [None, *Role], ids=lambda role: role or "nobody")
def test_nothing_is_changed_by_a_form_without_its_token(role, app, make, pages, session):
    """Every route that takes a form, as everybody who may use it: sent by another site, nothing happens."""
    ward = Ward(make, "Anna")
    visitor = pages(ward.people.get(role))
    before = rows(session), alerts(session)
    tried = 0
    for rule in routes(app):
        if "POST" not in rule.methods:
            continue
        path = visitor.path(rule.endpoint, **{name: ward.values[name] for name in rule.arguments})
        answer = visitor.client.post(path, data={}, headers={"Sec-Fetch-Site": "cross-site"})
        allowed = TABLE[rule.endpoint].public or role in TABLE[rule.endpoint].roles
        # 401: the sign-in page itself, anew, for whoever is on it or is not signed in.
        expected = {400, 401} if role is None or rule.endpoint == "accounts.sign_in" else {400} if allowed else {403}
        if rule.endpoint == "alerts.take_heartbeat":
            expected = {403}  # sent by a worker, and signed: no form
        assert answer.status_code in expected, f"POST {path} without a token answers {answer.status_code}"
        tried += 1
    assert tried > 20
    assert (rows(session), alerts(session)) == before


@pytest.mark.database("sqlite")
@pytest.mark.parametrize("role", list(Role))
def test_a_get_changes_nothing_but_the_audit_trail(role, app, make, pages, session):
    """A link, a preview of it or a browser that fetches ahead must acknowledge no alert."""
    ward = Ward(make, "Anna")
    visitor = pages(ward.people[role])
    before = rows(session), alerts(session)
    for rule in routes(app):
        if "GET" in rule.methods and (role in TABLE[rule.endpoint].roles):
            send(visitor, "GET", rule.endpoint, {name: ward.values[name] for name in rule.arguments})
    assert (rows(session), alerts(session)) == before


def test_every_route_answers_to_get_or_post_only(app):
    for rule in routes(app):
        assert set(methods(rule)) <= {"GET", "POST"}


# --- headers and cookies ----------------------------------------------------------------------------------------------


@pytest.mark.database("sqlite")
def test_the_policy_lets_nothing_inline_run_and_nothing_from_elsewhere_in(client):
    policy = dict(
        part.strip().partition(" ")[::2]
        for part in client.get("/sign-in").headers["Content-Security-Policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert {policy[name] for name in ("script-src", "style-src", "img-src", "connect-src", "form-action")} == {"'self'"}
    assert (policy["frame-ancestors"], policy["base-uri"]) == ("'none'", "'none'")


@pytest.mark.database("sqlite")
def test_a_nonce_is_good_for_one_page_only(make, pages):
    """Only the code editor of the rules has one: its library writes a style sheet."""
    visitor = pages(make.clinician())
    policies = {
        visitor.get("ruleset_editor.draft_file", name="crs.yaml").response.headers["Content-Security-Policy"]
        for _ in range(2)
    }
    assert len(policies) == 2
    assert all("'nonce-" in policy and "unsafe" not in policy for policy in policies)
    assert all("script-src 'self';" in policy for policy in policies)


@pytest.mark.database("sqlite")
def test_a_real_server_says_https_only_and_sets_host_cookies_alone(database_url):
    client = create_app(REAL | {"DATABASE_URL": database_url}).test_client()
    answer = client.get("/sign-in", base_url="https://triage.example")
    cookies = answer.headers.getlist("Set-Cookie")
    assert "max-age=31536000" in answer.headers["Strict-Transport-Security"]
    assert len(cookies) == 1
    (cookie,) = cookies
    assert cookie.startswith("__Host-triage=")
    for part in ("Secure", "HttpOnly", "Path=/", "SameSite=Lax"):
        assert part in cookie
    assert "Domain" not in cookie, "a __Host- cookie belongs to one host"


@pytest.mark.database("sqlite")
def test_frames_other_sites_and_referrers(client):
    headers = client.get("/sign-in").headers
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]


@pytest.mark.database("sqlite")
def test_no_address_is_made_from_what_the_browser_calls_us(database_url):
    """A forged Host header would else send somebody who signs in, or a link in a mail, to another site."""
    client = create_app(REAL | {"DATABASE_URL": database_url}).test_client()
    for path in ("/", "/queue", "/report"):
        answer = client.get(path, headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"})
        assert answer.headers["Location"].startswith("/")
        assert "evil.example" not in answer.text


@pytest.mark.database("sqlite")
def test_a_form_has_a_largest_size(pages):
    page = pages(None).post("accounts.sign_in", {"sign_in_name": "x" * LARGEST_FORM})
    assert page.status == 413


# --- the demonstration ------------------------------------------------------------------------------------------------

ELSEWHERE = [
    ({}, {"REMOTE_ADDR": "192.0.2.7"}),
    ({}, {"REMOTE_ADDR": "::ffff:192.0.2.7"}),
    ({}, {"REMOTE_ADDR": ""}),  # a socket file: a proxy stands in front
    ({"Host": "triage.example"}, {}),
    ({"Host": "192.0.2.7:8000"}, {}),
    ({"Host": "127.0.0.1.evil.example"}, {}),
    ({"Host": "localhost.evil.example:8000"}, {}),
    ({"Host": ""}, {}),
    *(({name: "192.0.2.7"}, {}) for name in FORWARDED),
]


@pytest.mark.database("sqlite")
@pytest.mark.parametrize(("headers", "environ"), ELSEWHERE)
@pytest.mark.parametrize("path", ["/sign-in", "/", "/health", "/no/such/page"])
def test_a_demonstration_answers_no_other_machine_whatever_serves_it(path, headers, environ, client):
    """Also not behind another server program that listens everywhere, behind a proxy, or called by another name."""
    answer = client.get(path, headers=headers, environ_overrides=environ)
    assert answer.status_code == 403
    assert "Set-Cookie" not in answer.headers
    assert answer.headers["Content-Security-Policy"]


@pytest.mark.database("sqlite")
def test_a_demonstration_signs_nobody_in_from_elsewhere(make, pages, alice):
    visitor = pages(alice)
    assert visitor.client.get("/queue", headers={"Host": "evil.example"}).status_code == 403
    answer = visitor.client.post(
        "/sign-in", data={"csrf_token": visitor.csrf_token()}, headers={"Host": "evil.example"}
    )
    assert answer.status_code == 403


@pytest.mark.database("sqlite")
@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8000", "127.0.0.1", "127.0.0.1:8000", "[::1]", "[::1]:8000", "LOCALHOST"]
)
@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_a_demonstration_answers_its_own_machine(host, peer, client):
    assert client.get("/sign-in", headers={"Host": host}, environ_overrides={"REMOTE_ADDR": peer}).status_code == 200


@pytest.mark.database("sqlite")
def test_a_real_server_answers_through_its_proxy(database_url):
    client = create_app(REAL | {"DATABASE_URL": database_url}).test_client()
    headers = {"Host": "triage.example", "X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"}
    assert client.get("/sign-in", headers=headers, environ_overrides={"REMOTE_ADDR": "10.0.0.1"}).status_code == 200


def test_nobody_can_register(app):
    """Accounts are made by administrators: no page that takes a name of a new person is public."""
    public = {endpoint for endpoint, row in TABLE.items() if row.public}
    assert public == {
        "accounts.home",
        "accounts.health",
        "accounts.sign_in",
        "account.unlock",
        "account.choose_language",
        # Only with the code of an invitation, or after a right passphrase.
        "joining.code",
        "joining.passphrase",
        "joining.trouble",
        "second_factor.code",
        "second_factor.set_up",
        "passkeys.begin_set_up",
        "passkeys.finish_set_up",
        # Only a passkey that somebody added who was signed in.
        "passkeys.challenge",
        "passkeys.sign_in",
        "alerts.heartbeat",
        "alerts.take_heartbeat",
        "emergency.page",
    }

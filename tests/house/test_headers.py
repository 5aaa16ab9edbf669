"""The headers of every answer, the flags of the session cookie. `tests/pages.py` looks at each page tests fetch."""

from __future__ import annotations

import pytest

from triage.paths import folder
from triage.web import HEADERS, create_app

pytestmark = pytest.mark.database("sqlite")

REAL = {
    "TESTING": True,
    "HOST": "0.0.0.0",
    "SECRET_KEY": "k" * 40,
    "EMERGENCY_NUMBER": "999",
    "CARE_TEAM_PHONE": "+44 1632 960 123",
    "CARE_TEAM_NAME": "Ward 7",
}


@pytest.mark.parametrize("path", ["/", "/sign-in", "/health", "/queue", "/no/such/page", "/reports/not-an-id"])
def test_every_answer_carries_the_security_headers(client, path):
    answer = client.get(path)
    for name, value in HEADERS.items():
        assert answer.headers[name] == value, name
    assert answer.headers["Cache-Control"] == "no-store"


def test_styles_and_scripts_come_compressible_and_for_this_site_only(client):
    file = next(file for file in sorted(folder("static").rglob("*.css")))
    answer = client.get(f"/static/{file.relative_to(folder('static'))}")
    assert answer.status_code == 200
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert "max-age" in answer.headers["Cache-Control"]
    answer.close()


def test_the_session_cookie_cannot_be_read_by_scripts_or_sent_by_other_sites(client):
    cookie = client.get("/sign-in").headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


def test_where_others_reach_the_server_cookies_travel_by_https_only(database_url):
    client = create_app(REAL | {"DATABASE_URL": database_url}).test_client()
    answer = client.get("/sign-in", base_url="https://triage.example")
    assert "Secure" in answer.headers["Set-Cookie"]
    assert answer.headers["Set-Cookie"].startswith("__Host-")
    assert "max-age" in answer.headers["Strict-Transport-Security"]


def test_a_form_of_absurd_size_is_refused(pages, alice):
    page = pages(alice).post("care_team.queue", {"note": "x" * 300_000})
    assert page.status in (405, 413)
    page = pages(None).post("accounts.sign_in", {"sign_in_name": "x" * 300_000})
    assert page.status == 413


def test_every_error_page_shows_whom_to_call(pages, alice):
    """The visitor checks it on each; this asks for one of each kind."""
    visitor = pages(alice)
    assert visitor.get("/no/such/page").status == 404
    assert visitor.get("accounts.people").status == 403
    assert visitor.get("/sign-out").status == 405

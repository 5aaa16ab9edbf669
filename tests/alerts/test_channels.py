"""Each channel really sends, and what it sends says nothing about anybody's health.

Slack, Teams and PagerDuty have hosts that Apprise knows, and no test may ask those. So the last step of `requests`, the
opening of a connection to a host, is led to a server on this machine: the address, the headers and every byte of the
body are those that would have gone out. What this does not show is TLS, and that those services still take such a body.
"""

from __future__ import annotations

import json
from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.alerts.sinks import http_sink
from tests.alerts.test_worker import HEALTH, NUMBERS
from triage.alerts import worker
from triage.alerts.channels import setup
from triage.alerts.channels.message import Undelivered
from triage.alerts.messages import compose
from triage.database import writing
from triage.rules.urgency import Urgency

pytestmark = pytest.mark.database("sqlite")

LINK = "https://triage.example.org/"
PHONE = "+44 1632 960 500"
URLS = {
    "slack": "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ",
    "teams": "workflows://prod-1.example.org:443/643e69f8351647c69f3e0c7a4f0bd8aa/sig-nature_1234567890",
    "pagerduty": "pagerduty://integrationkey1234567890@apikey1234567890/triage/ward",
    "sms": "twilio://AC0123456789abcdef0123456789abcdef:0123456789abcdef0123456789abcdef@+441632960000/{to}",
}
HOSTS = {
    "slack": "hooks.slack.com",
    "teams": "prod-1.example.org",
    "pagerduty": "events.pagerduty.com",
    "sms": "api.twilio.com",
}


@pytest.fixture
def outside(monkeypatch):
    """What would have left this machine: (URL, headers, body), taken by a server here."""
    from requests.adapters import HTTPAdapter

    real, went = HTTPAdapter.send, []
    with http_sink() as sink:

        def send(self, request, **named):
            url = request.url
            request.url = sink.url
            request.headers["Host"] = urlsplit(url).netloc
            answer = real(self, request, **{**named, "verify": True})
            went.append((url, *sink.got[-1]))
            return answer

        monkeypatch.setattr(HTTPAdapter, "send", send)
        sink.status = 202
        yield sink, went


@pytest.fixture
def reported(make, session, alice):
    """Anna has reported, with all that must not go out; Alice is told."""
    with writing(session):
        alice.phone = PHONE
    anna = make.patient("Anna Berthold", day=5)
    at = make.now()
    make.report(anna, at=at, temperature_c=39.4, chills="severe", note="A note in her own words")
    return at


def texts(value):
    """Every text of a JSON body."""
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if isinstance(value, list):
        return [text for each in value for text in texts(each)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("name", URLS)
def test_what_goes_to_its_host_is_a_link_and_no_health_data(name, app, make, session, reported, outside):
    sink, went = outside
    sink.status, sink.body = {"sms": (201, b"{}"), "slack": (200, b"ok")}.get(name, (202, b""))
    app.config.update({setup.setting_of(name): URLS[name], "PUBLIC_URL": LINK})
    with app.app_context():
        assert worker.sweep(session, make.ruleset, setup.channels(app.config), lambda: reported) == 1
    ((url, headers, body),) = went
    assert urlsplit(url).hostname == HOSTS[name]
    assert headers["host"].startswith(HOSTS[name])
    sent = body.decode()
    said = " ".join(value for _, value in parse_qsl(sent)) if name == "sms" else " ".join(texts(json.loads(sent)))
    assert "alert is waiting" in said
    assert LINK in said
    for word in (*HEALTH, "note"):
        assert word not in sent.lower().replace("notes", ""), word
    for number in NUMBERS[::2]:
        assert number not in sent, number
    if name == "sms":
        assert "To=%2B441632960500" in sent
        assert len(said) < 300, "one or two messages of a telephone"


@pytest.mark.parametrize("name", URLS)
def test_a_service_that_refuses_is_a_failure(name, app, outside):
    sink, _ = outside
    app.config.update({setup.setting_of(name): URLS[name], "PUBLIC_URL": LINK})
    with app.app_context():
        message = compose("test", ["key"])
    sink.status = 500
    with pytest.raises(Undelivered):
        setup.channels(app.config)[name].send(message, PHONE)


@pytest.mark.parametrize(
    ("url", "field"),
    [
        ("form://127.0.0.1:{port}/send?:to={{to}}&:message=text&:title=&:type=&:version=", "text"),
        ("json://127.0.0.1:{port}/send?:to={{to}}&:message=text&:title=&:type=&:version=", "text"),
    ],
)
def test_any_gateway_for_sms_that_takes_a_form_or_json(url, field, app, make, session, reported):
    with http_sink() as gateway:
        app.config.update(CHANNEL_SMS=url.format(port=gateway.server.server_port), PUBLIC_URL=LINK)
        with app.app_context():
            assert worker.sweep(session, make.ruleset, setup.channels(app.config), lambda: reported) == 1
    ((_, body),) = gateway.got
    sent = json.loads(body) if url.startswith("json") else dict(parse_qsl(body.decode()))
    assert sent["to"] == "+441632960500"
    assert sent[field].startswith("An ")
    assert sent[field].endswith(f" alert is waiting. Sign in: {LINK}")
    assert not [word for word in HEALTH if word in body.decode().lower()]


def test_an_smseagle_in_the_own_network(app, make, session, reported):
    with http_sink() as gateway:
        app.config.update(
            CHANNEL_SMS=f"smseagle://token@127.0.0.1:{gateway.server.server_port}/{{to}}", PUBLIC_URL=LINK
        )
        with app.app_context():
            worker.sweep(session, make.ruleset, setup.channels(app.config), lambda: reported)
    ((_, body),) = gateway.got
    assert "441632960500" in body.decode()
    assert LINK in body.decode()


# PagerDuty's incidents


@pytest.fixture
def dedup_keys(app, make, session, outside):
    """The keys that PagerDuty gets at that moment."""
    _, went = outside
    app.config.update(CHANNEL_PAGERDUTY=URLS["pagerduty"], PUBLIC_URL=LINK)

    def run(at):
        before = len(went)
        with app.app_context():
            worker.sweep(session, make.ruleset, setup.channels(app.config), lambda: at)
        return [json.loads(body)["dedup_key"] for _, _, body in went[before:]]

    return run


def test_an_alert_that_is_told_of_again_joins_its_incident(make, anna, alice, dedup_keys):
    at = make.now()
    alert = make.alert(anna, Urgency.EMERGENCY, at=at)
    keys = [key for minute in range(0, 31, 5) for key in dedup_keys(at + timedelta(minutes=minute))]
    assert len(keys) >= 5
    assert len(set(keys)) == 1
    assert str(alert.id) not in keys[0]


def test_an_incident_that_was_answered_swallows_no_other_alert(app, make, anna, alice, dedup_keys):
    """Two alerts told of in one message are an incident of their own: were it that of the first, which somebody has
    answered at PagerDuty, nobody would hear of the second."""
    at = make.now()
    first = make.alert(anna, Urgency.EMERGENCY, at=at)
    (alone,) = set(dedup_keys(at))
    second = make.alert(make.patient("Berthold"), Urgency.EMERGENCY, at=at + timedelta(minutes=10))
    (together,) = set(dedup_keys(at + timedelta(minutes=10)))
    with app.app_context():
        of_each = {compose("alert", ["key"], [alert.id]).incident for alert in (first, second)}
    assert alone in of_each
    assert together not in of_each
    assert set(dedup_keys(at + timedelta(minutes=30))) == {together}


def test_a_test_is_no_incident_of_an_alert(app, outside):
    _, went = outside
    app.config.update(CHANNEL_PAGERDUTY=URLS["pagerduty"], PUBLIC_URL=LINK)
    with app.app_context():
        setup.channels(app.config)["pagerduty"].send(compose("test", ["key"]), "")
    assert "dedup_key" not in json.loads(went[0][2])

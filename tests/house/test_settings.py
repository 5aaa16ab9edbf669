"""config.py: typed, refusing nonsense at start, and telling what each setting means."""

from __future__ import annotations

import runpy
import stat

import pytest

from triage.paths import folder

CONFIG = runpy.run_path(str(folder("config.py")), run_name="config_under_test")
settings, SETTINGS, BadSettings = CONFIG["settings"], CONFIG["SETTINGS"], CONFIG["BadSettings"]

REAL = {
    "TRIAGE_HOST": "0.0.0.0",
    "TRIAGE_SECRET_KEY": "k" * 40,
    "TRIAGE_DATA_KEYS": "k" * 43,
    "TRIAGE_EMERGENCY_NUMBER": "999",
    "TRIAGE_CARE_TEAM_PHONE": "+44 1632 960 123",
    "TRIAGE_CARE_TEAM_NAME": "Ward 7",
}


@pytest.fixture
def data(tmp_path):
    return {"TRIAGE_DATA": str(tmp_path / "data")}


def refused(environ):
    with pytest.raises(BadSettings) as caught:
        settings(environ)
    return str(caught.value).splitlines()


def test_on_ones_own_machine_nothing_has_to_be_set(data):
    values = settings(data)
    assert (values["HOST"], values["PORT"], values["LOCAL"]) == ("127.0.0.1", 8000, True)
    assert values["DATABASE_URL"] == f"sqlite:///{data['TRIAGE_DATA']}/triage.sqlite3"


def test_a_secret_is_made_once_and_readable_by_its_owner_only(data, tmp_path):
    first = settings(data)["SECRET_KEY"]
    file = tmp_path / "data" / "secret-key"
    assert len(first) >= 32
    assert settings(data)["SECRET_KEY"] == first == file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_so_is_a_data_key(data, tmp_path):
    first = settings(data)["DATA_KEYS"]
    file = tmp_path / "data" / "data-keys"
    assert settings(data)["DATA_KEYS"] == first
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_data_keys_keep_their_order_the_newest_first(data):
    older, newer = "k" * 43, "n" * 43
    assert settings(data | {"TRIAGE_DATA_KEYS": f"{newer}\n{older}"})["DATA_KEYS"] == (
        *settings(data | {"TRIAGE_DATA_KEYS": newer})["DATA_KEYS"],
        *settings(data | {"TRIAGE_DATA_KEYS": older})["DATA_KEYS"],
    )


@pytest.mark.parametrize("reached", [{"TRIAGE_HOST": "0.0.0.0"}, {"TRIAGE_HOST": "::"}, {"TRIAGE_HTTPS": "yes"}])
def test_where_others_reach_it_nothing_that_protects_people_has_a_default(reached, data):
    problems = refused(reached | data)
    assert [problem.split()[0] for problem in problems] == [
        "TRIAGE_SECRET_KEY",
        "TRIAGE_DATA_KEYS",
        "TRIAGE_EMERGENCY_NUMBER",
        "TRIAGE_CARE_TEAM_PHONE",
        "TRIAGE_CARE_TEAM_NAME",
    ]


def test_a_real_server_starts_with_those_five(data):
    values = settings(REAL | data)
    assert (values["LOCAL"], values["HTTPS"], values["CARE_TEAM_NAME"]) == (False, True, "Ward 7")


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("PORT", "80 80", "whole number from 1 to 65535"),
        ("PORT", "0", "whole number from 1 to 65535"),
        ("PORT", "65536", "whole number from 1 to 65535"),
        ("PORT", "", "whole number from 1 to 65535"),
        ("HOST", "127.0.0.1:8000", "without a port"),
        ("HTTPS", "true", "yes or no"),
        ("DATABASE_URL", "triage.sqlite3", "sqlite:///"),
        ("DATABASE_URL", "sqlite:///:memory:", "sqlite:///"),
        ("DATABASE_URL", "mysql://somewhere/triage", "sqlite:///"),
        ("SECRET_KEY", "short", "at least 32 characters"),
        ("DATA_KEYS", "k" * 42, "as `triage keys new` makes them"),
        ("DATA_KEYS", f"{'k' * 43} {'k' * 43}", "as `triage keys new` makes them"),
        ("DATA_KEYS", " ", "as `triage keys new` makes them"),
        ("RULES", "/no/such/folder", "folder that exists"),
        ("EMERGENCY_NUMBER", "nine-one-one", "telephone number"),
        ("CARE_TEAM_PHONE", "call us", "telephone number"),
        ("CARE_TEAM_NAME", " ", "some text"),
        ("TIME_ZONE", "London", "Europe/London"),
        ("TIME_ZONE", "../../etc/passwd", "Europe/London"),
        ("PATIENT_SESSION_DAYS", "-1", "whole number from 1 to 366"),
        ("STAFF_SESSION_MINUTES", "1.5", "whole number from 5 to 10080"),
        ("STAFF_IDLE_MINUTES", "0", "whole number from 1 to 60"),
        ("SECOND_FACTOR", "perhaps", "yes or no"),
        ("INVITATION_DAYS", "31", "whole number from 1 to 30"),
        ("PROXIES", "some", "whole number from 0 to 5"),
        ("CHANNEL_MAIL", "smtp.example.org", "Apprise URL"),
        ("CHANNEL_MAIL", "mailto://smtp.example.org", "{to}"),
        ("CHANNEL_SMS", "twilio://a:b@c/d", "{to}"),
        ("CHANNEL_SLACK", "a b", "Apprise URL"),
        ("CHANNEL_WEBHOOK", "ftp://example.org", "https://"),
        ("CHANNEL_WEBHOOK_SECRET", "short", "at least 32 characters"),
        ("PUBLIC_URL", "triage.example.org", "https://"),
    ],
)
def test_nonsense_stops_the_start_and_names_the_variable(name, text, says, data):
    (problem,) = refused(data | {f"TRIAGE_{name}": text})
    assert problem.startswith(f"TRIAGE_{name} must be ")
    assert says in problem


def test_all_problems_are_told_at_once(data):
    assert len(refused(data | {"TRIAGE_PORT": "x", "TRIAGE_HTTPS": "x", "TRIAGE_TIME_ZONE": "x"})) == 3


def test_a_misspelt_variable_is_not_ignored(data):
    assert refused(data | {"TRIAGE_PROT": "8080"}) == ["TRIAGE_PROT is no setting — did you mean TRIAGE_PORT?"]


def test_a_secret_that_is_refused_is_not_repeated(data):
    for name in ("SECRET_KEY", "DATA_KEYS"):
        assert "hunter2" not in "\n".join(refused(data | {f"TRIAGE_{name}": "hunter2"}))


def test_a_demonstration_links_to_its_own_address(data):
    assert settings(data)["PUBLIC_URL"] == "http://127.0.0.1:8000/"
    assert settings(data | {"TRIAGE_HOST": "::1", "TRIAGE_PORT": "8080"})["PUBLIC_URL"] == "http://[::1]:8080/"


def test_a_real_server_that_tells_people_needs_the_address_they_are_sent_to(data):
    assert settings(REAL | data)["PUBLIC_URL"] == ""
    (problem,) = refused(REAL | data | {"TRIAGE_CHANNEL_SLACK": "slack://A/B/C"})
    assert problem.startswith("TRIAGE_PUBLIC_URL must be set")


def test_a_webhook_is_signed(data):
    (problem,) = refused(data | {"TRIAGE_CHANNEL_WEBHOOK": "https://example.org/hook"})
    assert problem == "TRIAGE_CHANNEL_WEBHOOK_SECRET must be set where TRIAGE_CHANNEL_WEBHOOK is"


def test_every_setting_says_what_it_means():
    for setting in SETTINGS:
        assert setting.about.endswith("."), f"config.py: say in a sentence what {setting.name} means"


def test_every_setting_is_documented_for_those_who_run_a_server():
    """docs/settings.md lists each variable; the sentence stands in config.py and is repeated there word for word."""
    text = " ".join((folder("docs") / "settings.md").read_text().split())
    for setting in SETTINGS:
        assert f"`{setting.variable}`" in text, f"docs/settings.md lacks {setting.variable}"
        assert setting.about in text, f"docs/settings.md says something else about {setting.variable}: {setting.about}"

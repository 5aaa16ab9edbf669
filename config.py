"""Every setting of the triage helper, read once at start from the environment.

A setting NAME is read from the variable TRIAGE_NAME, for example `TRIAGE_PORT=8080 triage serve`. Nonsense stops the
start and names the variable; so does a variable that begins with TRIAGE_ and is no setting. This file is run by
`triage.web.settings`; nothing imports it as a module called `config`.

Where the server is reached from other machines (TRIAGE_HOST is no loopback address, or TRIAGE_HTTPS is yes), nothing
that protects people has a default: SECRET_KEY, DATA_KEYS, EMERGENCY_NUMBER, CARE_TEAM_PHONE and CARE_TEAM_NAME must
be set.
"""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from triage import paths

PREFIX = "TRIAGE_"


class Refused(ValueError):
    """A value that makes no sense for its setting; the text says what is expected."""


class BadSettings(Exception):
    """What is wrong with the environment, every problem on a line of its own."""


@dataclass(frozen=True)
class Setting:
    """One setting: what it means, how its text becomes a value, and its value when the variable is not set."""

    name: str
    about: str
    read: Callable[[str], Any]
    default: Callable[[Mapping[str, Any]], Any]
    """Given the settings above it. Raises Refused when there is no safe default."""

    @property
    def variable(self) -> str:
        return PREFIX + self.name


# Readers: text in, value out; Refused says what was expected, never repeating a secret.


def _text(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise Refused("must be some text")
    return text.strip()


def _whole(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.strip().isascii() or not text.strip().isdigit() or not least <= int(text) <= most:
            raise Refused(f"must be a whole number from {least} to {most}")
        return int(text)

    return read


def _yes_no(text: str) -> bool:
    words = {"yes": True, "no": False}
    if text.strip().lower() not in words:
        raise Refused("must be yes or no")
    return words[text.strip().lower()]


def _host(text: str) -> str:
    host = text.strip().removeprefix("[").removesuffix("]")
    if host != "localhost":
        try:
            ip_address(host)
        except ValueError:
            raise Refused("must be an address such as 127.0.0.1, ::1 or 0.0.0.0, without a port") from None
    return host


def _secret(text: str) -> str:
    if len(text.strip()) < 32:
        raise Refused(
            'must be at least 32 characters that nobody can guess; python3 -c "import secrets; '
            'print(secrets.token_urlsafe(48))" makes some'
        )
    return text.strip()


def _data_keys(text: str) -> tuple[bytes, ...]:
    try:
        keys = tuple(base64.b64decode(key + "=" * (-len(key) % 4), "-_", validate=True) for key in text.split())
    except ValueError:
        keys = ()
    if not keys or any(len(key) != 32 for key in keys) or len(set(keys)) != len(keys):
        raise Refused("must be keys of 43 characters, as `triage keys new` makes them, with blanks between")
    return keys


def _phone(text: str) -> str:
    number = _text(text)
    if not 2 <= sum(c.isdigit() for c in number) <= 20 or not set(number) <= set("+0123456789 ()-./"):
        raise Refused("must be a telephone number, for example +44 1632 960 123")
    return number


def _zone(text: str) -> str:
    try:
        return ZoneInfo(text.strip()).key
    except (OSError, ValueError, KeyError):
        raise Refused("must be the name of a time zone, for example Europe/London") from None


def _folder(text: str) -> str:
    return str(Path(_text(text)).expanduser().absolute())


def _existing_folder(text: str) -> str:
    if not Path(_folder(text)).is_dir():
        raise Refused("must be a folder that exists")
    return _folder(text)


def _database_url(text: str) -> str:
    url = text.strip()
    if url.startswith("sqlite:///") and len(url) > len("sqlite:///") and ":memory:" not in url:
        return "sqlite:///" + str(Path(url.removeprefix("sqlite:///")).absolute())  # the same file from any folder
    if url.startswith(("postgresql://", "postgresql+psycopg://")):
        return url
    raise Refused("must be sqlite:///path/to/file.sqlite3 or postgresql://user@host/database")


def _web_address(text: str) -> str:
    url = _text(text)
    if not url.startswith(("http://", "https://")) or len(url.split()) != 1:
        raise Refused("must be an address that begins with https:// or http://")
    return url


def _apprise(text: str) -> str:
    url = _text(text)
    if "://" not in url or len(url.split()) != 1:
        raise Refused("must be one Apprise URL, for example slack://TokenA/TokenB/TokenC")
    return url


def _anywhere(text: str) -> str:
    return _web_address(text) if text.strip().startswith("http") else _apprise(text)


def _apprise_urls(text: str) -> tuple[str, ...]:
    return tuple(_apprise(url) for url in text.split()) or (_apprise(text),)


def _apprise_to(text: str) -> str:
    url = _apprise(text)
    if "{to}" not in url:
        raise Refused("must be one Apprise URL with {to} where the address of a person goes")
    return url


# Defaults.


def _is_loopback(host: str) -> bool:
    return host == "localhost" or ip_address(host).is_loopback


def _always(value: Any) -> Callable[[Mapping[str, Any]], Any]:
    return lambda settings: value


def _only_local(value: Any) -> Callable[[Mapping[str, Any]], Any]:
    """A default good enough for a demonstration on one's own machine, and nowhere else."""

    def default(settings: Mapping[str, Any]) -> Any:
        if not settings["LOCAL"]:
            raise Refused("must be set where other machines reach the server")
        return value(settings) if callable(value) else value

    return default


def _data_folder(settings: Mapping[str, Any]) -> str:
    beside = Path(__file__).resolve().parent
    installed = (beside / "web.py").is_file()  # from a wheel: nothing is kept inside the package
    return str(Path.cwd() / "data" if installed else beside / "instance")


def _kept(name: str, size: int, read: Callable[[str], Any]) -> Callable[[Mapping[str, Any]], Any]:
    """A key of so many bytes in the data folder, made on first use and readable by this user only."""

    def kept(settings: Mapping[str, Any]) -> Any:
        file = Path(settings["DATA"], name)
        try:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # the database lies there too
            try:
                handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError:
                return read(file.read_text())
            with open(handle, "w") as writer:
                key = secrets.token_urlsafe(size)
                writer.write(key)
        except OSError as error:
            raise Refused(
                f"cannot be kept in {file.parent} ({error.strerror}): set TRIAGE_DATA to another folder"
            ) from None
        return read(key)

    return kept


def _public_url(settings: Mapping[str, Any]) -> str:
    if settings["LOCAL"]:
        host = f"[{settings['HOST']}]" if ":" in settings["HOST"] else settings["HOST"]
        return f"http://{host}:{settings['PORT']}/"
    if any(settings.get(name) for name in _CHANNELS):
        raise Refused("must be set where people are told by a channel: messages link to it")
    return ""


def _own_receiver(settings: Mapping[str, Any]) -> str:
    """Where this server takes the heartbeat's messages itself."""
    host = settings["HOST"]
    if not _is_loopback(host) and ip_address(host).is_unspecified:
        host = "::1" if ":" in host else "127.0.0.1"
    return f"http://{f'[{host}]' if ':' in host else host}:{settings['PORT']}/heartbeat"


def _webhook_secret(settings: Mapping[str, Any]) -> str:
    if settings.get("CHANNEL_WEBHOOK"):
        raise Refused("must be set where TRIAGE_CHANNEL_WEBHOOK is")
    return ""


SETTINGS: tuple[Setting, ...] = (
    Setting("HOST", "The address the server listens on.", _host, _always("127.0.0.1")),
    Setting("PORT", "The port the server listens on.", _whole(1, 65535), _always(8000)),
    Setting(
        "HTTPS",
        "yes: people reach the server by https, through a proxy that ends TLS; cookies then travel by https only. "
        "No by default on a loopback address, else yes.",
        _yes_no,
        lambda settings: not _is_loopback(settings["HOST"]),
    ),
    Setting(
        "DATA",
        "The folder for the SQLite database and the generated secret key: instance/ beside config.py or, where a wheel "
        "is installed, data/ in the current folder.",
        _folder,
        _data_folder,
    ),
    Setting(
        "DATABASE_URL",
        "The database: sqlite:///… or postgresql://…; an SQLite file in the data folder by default.",
        _database_url,
        lambda settings: f"sqlite:///{Path(settings['DATA'], 'triage.sqlite3')}",
    ),
    Setting(
        "SECRET_KEY",
        "Signs sessions and forms; at least 32 characters. A demonstration makes one and keeps it in the data folder.",
        _secret,
        _only_local(_kept("secret-key", 48, _secret)),
    ),
    Setting(
        "DATA_KEYS",
        "Encrypts names, contacts, texts and answers in the database: keys of `triage keys new`, the newest first, "
        "with blanks between. Without them the data are lost. A demonstration keeps one in the data folder.",
        _data_keys,
        _only_local(_kept("data-keys", 32, _data_keys)),
    ),
    Setting(
        "RULES",
        "The folder of the active rule files; the one shipped with the program by default.",
        _existing_folder,
        lambda settings: str(paths.folder("rules")),
    ),
    Setting(
        "EMERGENCY_NUMBER",
        "The emergency number on pages before sign-in; a demonstration shows 999.",
        _phone,
        _only_local("999"),
    ),
    Setting(
        "CARE_TEAM_PHONE",
        "The care team's 24-hour line on pages before sign-in; a demonstration shows a number nobody has.",
        _phone,
        _only_local("+44 1632 960 123"),
    ),
    Setting(
        "CARE_TEAM_NAME",
        "Whose line that is; a demonstration says “your care team”.",
        _text,
        _only_local("your care team"),
    ),
    Setting(
        "TIME_ZONE",
        "The time zone of pages before sign-in; a care team has its own.",
        _zone,
        _always("Europe/London"),
    ),
    Setting(
        "PATIENT_SESSION_DAYS",
        "How long patients and caregivers stay signed in on their own device.",
        _whole(1, 366),
        _always(30),
    ),
    Setting(
        "STAFF_SESSION_MINUTES",
        "How long nurses, clinicians and administrators stay signed in.",
        _whole(5, 7 * 24 * 60),
        _always(12 * 60),
    ),
    Setting(
        "SECOND_FACTOR",
        "yes: staff need an authenticator app or a passkey also in a demonstration. Where other machines reach the "
        "server they always do.",
        _yes_no,
        _always(False),
    ),
    Setting(
        "INVITATION_DAYS",
        "For how long the printed invitation of a patient, caregiver or member of the staff is good.",
        _whole(1, 30),
        _always(7),
    ),
    Setting(
        "PROXIES",
        "How many proxies stand before the server, each adding the address it is asked from to X-Forwarded-For: "
        "failures to sign in are counted by address. 1 where people reach the server by https, else 0.",
        _whole(0, 5),
        lambda settings: 1 if settings["HTTPS"] else 0,
    ),
    Setting(
        "STAFF_IDLE_MINUTES",
        "After so many minutes in which they did nothing, nurses, clinicians and administrators enter their passphrase "
        "again; what they had typed is kept.",
        _whole(1, 60),
        _always(15),
    ),
    Setting(
        "CHANNEL_MAIL",
        "Tells people by mail: an Apprise URL with {to}, for example "
        "mailtos://user:password@smtp.example.org:587?from=triage@example.org&to={to}. No mail by default.",
        _apprise_to,
        _always(""),
    ),
    Setting(
        "CHANNEL_SMS",
        "Tells people by SMS: the Apprise URL of a gateway with {to}, for example twilio://SID:token@sender/{to}. "
        "No SMS by default.",
        _apprise_to,
        _always(""),
    ),
    Setting("CHANNEL_TEAMS", "Tells a Teams room of staff: its Apprise URL. None by default.", _apprise, _always("")),
    Setting("CHANNEL_SLACK", "Tells a Slack room of staff: its Apprise URL. None by default.", _apprise, _always("")),
    Setting("CHANNEL_PAGERDUTY", "Tells PagerDuty: its Apprise URL. None by default.", _apprise, _always("")),
    Setting(
        "CHANNEL_WEBHOOK",
        "Tells another program: an address that gets a signed POST. None by default.",
        _web_address,
        _always(""),
    ),
    Setting(
        "CHANNEL_WEBHOOK_SECRET",
        "Signs what is sent to TRIAGE_CHANNEL_WEBHOOK; at least 32 characters.",
        _secret,
        _webhook_secret,
    ),
    Setting(
        "PUBLIC_URL",
        "Where people reach the pages; messages link to it, and passkeys are for it. A demonstration takes its own "
        "address.",
        _web_address,
        _public_url,
    ),
    Setting(
        "DELIVERY_DAYS",
        "How long it is kept who was told what, by which channel and when, after an alert is resolved. What is not "
        "delivered yet stays in any case.",
        _whole(30, 3660),
        _always(366),
    ),
    Setting(
        "RECORD_YEARS",
        "How long a record is kept after monitoring ended: `triage retention` erases the patient then.",
        _whole(1, 100),
        _always(30),
    ),
    Setting(
        "DRAFT_DAYS",
        "How long it is kept what somebody typed and never sent: `triage retention` deletes it then.",
        _whole(1, 366),
        _always(30),
    ),
    Setting(
        "SIGN_IN_DAYS",
        "How long it is kept who was signed in on what kind of device, after that ended: `triage retention` deletes it "
        "then. The audit trail keeps when somebody signed in.",
        _whole(1, 3660),
        _always(366),
    ),
    Setting(
        "HEARTBEAT_MINUTES",
        "How often the made-up patient of the heartbeat reports.",
        _whole(1, 30),
        _always(2),
    ),
    Setting(
        "HEARTBEAT_LATE_MINUTES",
        "How old the latest heartbeat may be before every page of staff says that messages may not be going out. By "
        "default two heartbeats and a minute.",
        _whole(2, 120),
        lambda settings: 2 * settings["HEARTBEAT_MINUTES"] + 1,
    ),
    Setting(
        "HEARTBEAT_CHANNEL",
        "Where the heartbeat's messages go: an Apprise URL, or an address that gets a signed POST. Something that "
        "wakes nobody. By default this server itself, at the address it listens on.",
        _anywhere,
        _own_receiver,
    ),
    Setting(
        "WATCH_ALARM",
        "Whom `triage watch` tells: Apprise URLs, with blanks between. Only that command reads it, on the machine it "
        "runs on.",
        _apprise_urls,
        _always(()),
    ),
)

_CHANNELS = tuple(setting.name for setting in SETTINGS if setting.name.startswith("CHANNEL_"))


def only(name: str, environ: Mapping[str, str]) -> Any:
    """The value of one setting, for a command that needs no other. Raises BadSettings."""
    setting = next(one for one in SETTINGS if one.name == name)
    given = environ.get(setting.variable)
    try:
        return setting.default({}) if given is None else setting.read(given)
    except Refused as refused:
        raise BadSettings(f"{setting.variable} {refused}") from None


def settings(environ: Mapping[str, str], overrides: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The values of all settings, and LOCAL: whether only this machine can reach the server.

    `overrides` are values already and win over the environment; those that are no setting of ours pass through.
    Raises BadSettings with every problem at once.
    """
    values: dict[str, Any] = dict(overrides or {})
    problems = [_unknown(name) for name in sorted(environ) if name.startswith(PREFIX) and name not in _VARIABLES]
    for setting in SETTINGS:
        if setting.name not in values:
            try:
                given = environ.get(setting.variable)
                values[setting.name] = setting.default(values) if given is None else setting.read(given)
            except Refused as refused:
                problems.append(f"{setting.variable} {refused}")
                values[setting.name] = setting.default({"LOCAL": True} | values) if setting.name in _EARLY else None
        if setting.name == "HTTPS":
            values["LOCAL"] = _is_loopback(values["HOST"]) and not values["HTTPS"]
    if problems:
        raise BadSettings("\n".join(problems))
    return values


_EARLY = ("HOST", "PORT", "HTTPS", "DATA")
"""Others look at these, so that a bad one takes its default until all problems are told."""
_VARIABLES = frozenset(setting.variable for setting in SETTINGS)


def _unknown(name: str) -> str:
    close = get_close_matches(name, _VARIABLES, n=1)
    return f"{name} is no setting" + (f" — did you mean {close[0]}?" if close else "")

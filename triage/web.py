"""Makes the web application: settings, extensions, rooms, error pages, headers. No route and no query stands here."""

from __future__ import annotations

import inspect
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from click import ClickException
from flask import Flask, Request, Response, current_app, g, has_app_context, render_template, request
from flask.typing import ResponseReturnValue
from flask_login import LoginManager
from flask_wtf.csrf import CSRFError, CSRFProtect
from jinja2 import StrictUndefined
from sqlalchemy import event
from sqlalchemy.exc import DataError, SQLAlchemyError
from sqlalchemy.orm import Session
from werkzeug.datastructures import ImmutableMultiDict
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix
from whitenoise import WhiteNoise

from triage import clock, data_keys, encryption, languages, logs, paths
from triage.accounts import access, covers, language, looks, sessions
from triage.accounts import account_views as account
from triage.accounts import cover_views as cover
from triage.accounts import erasing_views as erasing
from triage.accounts import joining_views as joining
from triage.accounts import passkey_views as passkeys
from triage.accounts import second_factor_views as second_factor
from triage.accounts import staff_views as staff
from triage.accounts import trail_views as trail
from triage.accounts import views as accounts
from triage.alerts import pulse
from triage.alerts import views as alerts
from triage.care_team import boards
from triage.care_team import handover_views as handover
from triage.care_team import numbers_views as numbers
from triage.care_team import views as care_team
from triage.care_team import work_views as alert_work
from triage.compressed import compress
from triage.database import db
from triage.languages import _, later
from triage.models import Cover, Person, Role
from triage.monitoring import views as monitoring
from triage.reports import emergency, first_check, forms, offline, own_record_views, reminding, telephone
from triage.reports import views as reports
from triage.rules.loading import RuleFileErrors, load, read_folder, read_texts
from triage.ruleset_editor import language_views, versions
from triage.ruleset_editor import views as ruleset_editor

ROOMS = (
    accounts,
    trail,
    account,
    joining,
    second_factor,
    passkeys,
    staff,
    cover,
    erasing,
    reports,
    own_record_views,
    reminding,
    emergency,
    first_check,
    offline,
    telephone,
    alerts,
    monitoring,
    care_team,
    alert_work,
    handover,
    numbers,
    ruleset_editor,
    language_views,
)
LARGEST_FORM = 256 * 1024  # bytes; a report with the longest note is a tenth of it
LONGEST_CONNECT = 5
"""Seconds to wait for PostgreSQL: then somebody is told whom to call, while they still look at the page."""

_POLICY = "Content-Security-Policy"
HEADERS = {
    # Styles, scripts and images come from our own /static/ and nowhere else; nothing inline runs.
    _POLICY: (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
        "worker-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": (
        "camera=(), microphone=(), geolocation=(), "
        "publickey-credentials-create=(self), publickey-credentials-get=(self)"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
HTTPS_HEADERS = {"Strict-Transport-Security": "max-age=31536000"}
NOT_KEPT = {"Cache-Control": "no-store"}
"""Pages are personal: after signing out, the back button of a shared device must not show them."""


FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Via")
"""Headers by which a proxy says that somebody else stands behind it."""


class CannotStart(ClickException):
    """The settings or rule files make no sense. One problem a line; a command ends with it in plain words."""


class _Fields(ImmutableMultiDict[str, Any]):
    """Fields of a form or an address, without the one character that no database takes and nobody types: it comes from
    scanners, and would else make an error of ours out of a slip of theirs."""

    def __init__(self, mapping: Any = None) -> None:
        pairs = ImmutableMultiDict(mapping or ()).items(multi=True)
        super().__init__((_without_nul(name), _without_nul(value)) for name, value in pairs)


def _without_nul(value: Any) -> Any:
    return value.replace("\x00", "") if isinstance(value, str) else value


class _Request(Request):
    parameter_storage_class = _Fields
    is_json = False
    """No page takes JSON; Flask-WTF would read a form out of it, and a broken one would be an error of ours."""


@dataclass(frozen=True)
class Phone:
    """Whom to call, on every page."""

    emergency_number: str
    care_team_phone: str
    care_team_name: str

    @property
    def care_team_tel(self) -> str:
        """The number as a link dials it."""
        return dialled(self.care_team_phone)


def create_app(overrides: Mapping[str, Any] | None = None) -> Flask:
    """The application; `overrides` replace settings. Raises CannotStart for bad settings and bad rule files."""
    logs.configure()
    app = Flask("triage", template_folder=paths.folder("templates"), static_folder=paths.folder("static"))
    app.request_class = _Request
    app.config.from_mapping(settings(overrides))
    encryption.use(app.config["DATA_KEYS"])
    _configure(app)
    _this_machine_only(app)
    app.extensions[versions.EXTENSION] = _rules(app.config["RULES"])
    app.extensions[boards.EXTENSION] = boards.Boards()
    db.init_app(app)
    _without_async(app)
    _check_keys(app)
    _note_commits(app)
    _sign_in(app)
    CSRFProtect(app).exempt(alerts.take_heartbeat)  # sent by a worker, and signed
    _templates(app)
    languages.set_up(app)
    app.before_request(versions.forget)
    for room in ROOMS:
        app.register_blueprint(room.bp)
    _error_pages(app)
    _headers(app)
    return app


def settings(overrides: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The settings of config.py in this environment. Raises CannotStart."""
    file = paths.config_file()
    read: Callable[..., dict[str, Any]] = file["settings"]
    try:
        return read(os.environ, overrides)
    except file["BadSettings"] as problems:
        raise CannotStart(str(problems)) from None


def _configure(app: Flask) -> None:
    """What Flask and its extensions are told, worked out from our settings."""
    secure = not app.config["LOCAL"]
    engine = {
        "url": app.config["DATABASE_URL"],
        "hide_parameters": True,  # an error would carry answers and names into the log
    }
    if not app.config["DATABASE_URL"].startswith("sqlite"):
        engine["pool_pre_ping"] = True  # a connection that died in the night is noticed before a report is sent on it
        engine["connect_args"] = {"connect_timeout": LONGEST_CONNECT}
    for name, value in {
        "SQLALCHEMY_ENGINES": {"default": engine},
        # A demonstration shows the ward without a telephone at hand; nothing else may.
        "SECOND_FACTOR": app.config["SECOND_FACTOR"] or secure,
        "SESSION_COOKIE_NAME": "__Host-triage" if secure else "triage",
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_COOKIE_SECURE": secure,
        # The cookie's own life; how long a sign-in lasts is decided by triage/accounts/sessions.py.
        "PERMANENT_SESSION_LIFETIME": timedelta(days=app.config["PATIENT_SESSION_DAYS"]),
        "WTF_CSRF_TIME_LIMIT": None,  # a form may lie open for hours; the token lives as long as the session
        "MAX_CONTENT_LENGTH": LARGEST_FORM,
    }.items():
        app.config[name] = value


def _rules(folder: str) -> versions.Started:
    stamp = tuple((str(file), file.stat().st_mtime_ns) for file in sorted(Path(folder).rglob("*")))
    return _loaded(folder, stamp)


@lru_cache(maxsize=4)
def _loaded(folder: str, stamp: object) -> versions.Started:
    """Reading all files takes a while; tests make an application each."""
    try:
        return versions.Started(load(Path(folder)), read_folder(Path(folder)), read_texts(Path(folder)))
    except RuleFileErrors as errors:
        raise CannotStart(f"The rule files cannot be used:\n{errors}") from None


def _this_machine_only(app: Flask) -> None:
    """A demonstration answers nobody but its own machine, whatever serves it: the setting HOST alone would not keep
    another server program from listening elsewhere, nor a page of another site from calling it by a name of its own
    that leads to 127.0.0.1 (DNS rebinding). Comes before everything else, and asks nothing of the database."""
    if not app.config["LOCAL"]:
        return

    @app.before_request
    def only_this_machine() -> ResponseReturnValue | None:
        if _is_from_here():
            return None
        logs.begin_request(request.endpoint, request.method)
        logs.event("demonstration_asked_from_elsewhere")
        return Response(
            "This is a demonstration, which answers its own machine only, at http://127.0.0.1 or http://localhost, and "
            "through no proxy. docs/settings.md says what a real server needs.\n",
            403,
            mimetype="text/plain",
        )


def _is_from_here() -> bool:
    """Whether the other end, and the name by which it calls us, are this machine, and nobody stands behind it."""
    return (
        is_loopback(request.remote_addr or "")
        and is_loopback(_name_of_host(request.environ.get("HTTP_HOST", "")))
        and not any(name in request.headers for name in FORWARDED)
    )


def _name_of_host(header: str) -> str:
    """A Host header without its port."""
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.partition(":")[0]


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach that address or name."""
    if host.lower() == "localhost":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)  # "::ffff:127.0.0.1", as a socket for both kinds says it
    return (mapped or address).is_loopback


def _sign_in(app: Flask) -> None:
    manager = LoginManager()
    # Its context processor would ask the database for who is signed in, also for the page that says it is down.
    manager.init_app(app, add_context_processor=False)
    # A phone changes its address between home and street: that is no reason to sign a patient out.
    manager.session_protection = None  # type: ignore[assignment]  # what its documentation says
    manager.user_loader(sessions.load)

    @app.before_request
    def guard() -> ResponseReturnValue | None:
        """Deny by default. Before the CSRF check, so that a form whose sender's sign-in timed out is kept."""
        logs.begin_request(request.endpoint, request.method)
        g.incident = secrets.token_hex(4)
        languages.speak(languages.ENGLISH)  # until it is known who asks
        g.phone = _phone(None)  # so that an error page has numbers even when the next line finds no database
        try:
            g.phone = _phone(access.signed_in())
            language.settle()
        except SQLAlchemyError as error:
            if access.needs_records():
                raise
            logs.failure("database_failed", error, incident=g.incident, status=200)
            g.broken = True
            language.settle()
            return None
        refusal = access.refusal()
        if refusal is access.Refusal.SIGN_IN_FIRST:
            return accounts.sign_in_first()
        if refusal is access.Refusal.WRONG_ROLE:
            looks.refused(access.person())
            return _error_page(403)
        if not access.is_by_itself():
            sessions.note_use(clock.now())
        return None

    @app.after_request
    def write_down(response: Response) -> Response:
        """Who looked at what: written before the answer leaves, once it is known to show a page."""
        if not g.get("broken"):
            shows = not (response.status_code in range(300, 400) or g.get("error_page"))
            looks.write(db.session, clock.now(), shows)
        return response


def _phone(person: Person | None) -> Phone:
    """The numbers of the person's own care team; before sign-in those of the settings."""
    if person is None:
        config = current_app.config
        return Phone(config["EMERGENCY_NUMBER"], config["CARE_TEAM_PHONE"], config["CARE_TEAM_NAME"])
    team = access.team_of(person)
    g.time_zone = team.time_zone
    return Phone(team.emergency_number, team.phone, team.name)


def _templates(app: Flask) -> None:
    """How templates are read and what every one of them knows."""
    app.jinja_options = {"undefined": StrictUndefined, "trim_blocks": True, "lstrip_blocks": True}
    app.add_template_filter(local_time)
    app.add_template_filter(local_date)
    app.add_template_filter(temperature)
    app.add_template_filter(dialled)

    @app.context_processor
    def known_everywhere() -> dict[str, Any]:
        """Whom to call, who is signed in, where they can go. An error page does not ask the database for it."""
        person = None if g.get("broken") else access.signed_in()
        if person is not None:
            g.phone = _phone(person)  # somebody may have signed in with this very request
        return {
            "phone": g.phone,
            "person": person,
            "navigation": _navigation(person),
            "heartbeat": _heartbeat(person),
            "covering": _covering(person),
            # Whose phone it is, for the scripts that keep what could not be sent; empty for staff.
            "reporter_stamp": forms.stamp_of(str(person.id)) if person is not None and not person.is_staff else "",
            "language": languages.spoken(),
            "direction": languages.direction(),
            "other_languages": language.others(person),
            "care_team_words": care_team_words,
        }


def care_team_words(name: str) -> str:
    """The name of a care team; where the settings name none, in the language of the page."""
    return _("your care team") if name == "your care team" else name


def _heartbeat(person: Person | None) -> pulse.Pulse | None:
    """For the pages of staff: whether messages go out."""
    return pulse.pulse(db.session, clock.now()) if person is not None and person.is_staff else None


def _covering(person: Person | None) -> list[Cover]:
    """The teams that a nurse looks after beside her own: no page may let her forget it."""
    is_nurse = person is not None and person.role == Role.NURSE and not access.is_by_itself()
    return covers.of_nurse(db.session, person, clock.now()) if person is not None and is_nurse else []


@dataclass(frozen=True)
class Link:
    """A place to go."""

    text: str
    href: str
    current: bool


_NAVIGATION: Mapping[Role, tuple[tuple[str, str], ...]] = {
    Role.PATIENT: ((later("Report"), "reports.home"), (later("My record"), "own_record.page")),
    Role.CAREGIVER: ((later("Report"), "reports.home"), (later("Record"), "own_record.page")),
    Role.NURSE: (
        ("Queue", "care_team.queue"),
        ("Handover", "handover.now"),
        ("On call", "alerts.rota"),
        ("Cover", "covers.everybody"),
        ("Numbers", "numbers.page"),
        ("Rules", "ruleset_editor.rules"),
    ),
    Role.CLINICIAN: (
        ("Rules", "ruleset_editor.rules"),
        ("Change the rules", "ruleset_editor.draft"),
        ("Versions", "ruleset_editor.history"),
        ("Numbers", "numbers.page"),
    ),
    Role.ADMINISTRATOR: (
        ("People", "accounts.people"),
        ("Staff", "staff.everybody"),
        ("On call", "alerts.rota"),
        ("Cover", "covers.everybody"),
    ),
    Role.AUDITOR: (("Audit trail", "trail.search"),),
}


def _navigation(person: Person | None) -> list[Link]:
    if person is None:
        return []
    return [
        Link(str(text), current_app.url_for(endpoint), current=request.endpoint == endpoint)
        for text, endpoint in _NAVIGATION[Role(person.role)]
    ]


def local_time(moment: datetime) -> str:
    """A moment in the care team's time zone: "Monday 2 March 2026, 08:00"."""
    local = moment.astimezone(_zone())
    return f"{languages.weekday_words(local)}, {local:%H:%M}"


def local_date(moment: datetime) -> str:
    """The day of a moment in the care team's time zone: "Monday 2 March 2026"."""
    return languages.weekday_words(moment.astimezone(_zone()))


def _zone() -> ZoneInfo:
    return ZoneInfo(g.get("time_zone") or current_app.config["TIME_ZONE"])


def temperature(celsius: object) -> str:
    """A temperature in both units, "38.4 °C (101.1 °F)"; words for what is no number."""
    if isinstance(celsius, int | float | Decimal):
        return languages.degrees(Decimal(str(celsius)))
    return _("not known")


def dialled(phone: str) -> str:
    """A telephone number as a `tel:` link dials it: digits and a leading plus."""
    return ("+" if phone.strip().startswith("+") else "") + "".join(filter(str.isdigit, phone))


def _without_async(app: Flask) -> None:
    """Flask-SQLAlchemy-Lite closes asynchronous sessions after each request. We have none, and to find that out it
    begins a thread for each request: a tenth of what an open queue costs."""
    app.teardown_appcontext_funcs[:] = [
        close for close in app.teardown_appcontext_funcs if not inspect.iscoroutinefunction(close)
    ]


def _check_keys(app: Flask) -> None:
    """Whatever uses the database without a key that is in use there is refused (data_keys.py)."""
    with app.app_context():
        event.listen(db.engine, "connect", data_keys.check_connection)


def _note_commits(app: Flask) -> None:
    """Remember whether this request has saved anything: an error page must say so truthfully."""
    with app.app_context():

        @event.listens_for(db.sessionmaker, "after_commit")
        def committed(session: Session) -> None:
            if has_app_context():
                g.saved = True


def _is_of_staff() -> bool:
    somebody = access.signed_in()
    return somebody is not None and somebody.is_staff


def _error_pages(app: Flask) -> None:
    @app.errorhandler(CSRFError)
    def page_too_old(error: CSRFError) -> ResponseReturnValue:
        return accounts.sign_in_first() or _error_page(400)

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> ResponseReturnValue:
        if error.response is not None or error.code is None or error.code < 400:
            return error.get_response()
        return _error_page(error.code)

    @app.errorhandler(DataError)
    def no_such_value(error: DataError) -> ResponseReturnValue:
        """A number beyond all numbers, or another value that a database cannot hold: a slip of whoever sent it."""
        return _broken("value_refused", error, 400)

    @app.errorhandler(SQLAlchemyError)
    def database_error(error: SQLAlchemyError) -> ResponseReturnValue:
        return _broken("database_failed", error, 503)

    @app.errorhandler(Exception)
    def program_error(error: Exception) -> ResponseReturnValue:
        return _broken("program_failed", error, 500)


def _broken(name: str, error: Exception, code: int) -> ResponseReturnValue:
    """The page for what should not happen. Nothing of the error itself is shown or logged but its type and place."""
    logs.failure(name, error, incident=g.incident, status=code)
    g.broken = True
    return _error_page(code)


def _error_page(code: int) -> ResponseReturnValue:
    """`saved` is None where nothing was to be saved, else whether the form that was sent is saved."""
    g.error_page = True
    saved = None if request.method in ("GET", "HEAD", "OPTIONS") else bool(g.get("saved"))
    template = f"errors/{code}.html"
    known = template in current_app.jinja_env.list_templates()
    page = render_template(template if known else "errors/error.html", code=code, incident=g.incident, saved=saved)
    return page, code


def _headers(app: Flask) -> None:
    headers = HEADERS if app.config["LOCAL"] else HEADERS | HTTPS_HEADERS

    @app.after_request
    def add_headers(response: Response) -> Response:
        response.headers.update(headers | NOT_KEPT)
        if not g.get("broken") and not _is_of_staff():
            compress(request, response)  # staff sit at a cable, and their queue may be long
        if "style_nonce" in g:
            # The code editor of the rules writes its own style sheet; its nonce is good for this one page.
            policy = headers[_POLICY].replace("style-src 'self'", f"style-src 'self' 'nonce-{g.style_nonce}'")
            response.headers[_POLICY] = policy
        return response

    if proxies := app.config["PROXIES"]:
        # Only the address: whatever else a proxy says is not believed.
        app.wsgi_app = ProxyFix(app.wsgi_app, proxies, 0, 0, 0, 0)  # type: ignore[method-assign]

    def static_headers(static: Any, path: str, url: str) -> None:
        for name, value in headers.items():
            static[name] = value
        if path.endswith("worker.js"):
            static["Service-Worker-Allowed"] = "/"  # it lies below /static/, and stands in for pages beside it

    # WhiteNoise answers for /static/ before Flask is asked, compressed where a .gz lies beside the file.
    app.wsgi_app = WhiteNoise(  # type: ignore[method-assign]
        app.wsgi_app,
        root=str(paths.folder("static")),
        prefix="static/",
        max_age=300,
        allow_all_origins=False,
        mimetypes={".webmanifest": "application/manifest+json"},
        add_headers_function=static_headers,
    )

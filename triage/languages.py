"""The language of a page: its words, days and numbers, as the person who reads it writes them.

English stands in the program and its templates; `translations/CODE.po` has the same texts in another language. What
rules and catalogue say to patients is translated beside the rules, where clinicians answer for it
(`triage.rules.translation`). Staff read English.

Python marks a text with `_("…")`, and one that is made before anybody asks for a page with `later("…")`; templates have
`{{ _("…") }}`. Values come by name: `_("Call %(number)s", number=…)`. Where no page is asked for, as in a command or
the worker, everything is English unless `speaking` says otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError, dates, numbers
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from flask import Flask, Request, g, has_app_context
from flask_babel import Babel, Domain, force_locale, get_locale, refresh
from flask_babel import gettext as _gettext
from flask_babel import lazy_gettext as _lazy

from triage import paths
from triage.rules.report import celsius_to_fahrenheit
from triage.rules.wording import Speech, number

ENGLISH = "en"
LANGUAGES = {ENGLISH: "English", "es": "Español"}
"""Every language there is, with its name in that language. Which of them a site offers, its clinicians decide."""
COOKIE = "language"
COOKIE_DAYS = 400
FAHRENHEIT = frozenset({"US", "PR", "GU", "VI", "AS", "MP", "BS", "BZ", "KY", "PW", "FM", "MH", "LR"})
"""Where thermometers are read in °F."""
_TERRITORY = re.compile(r"[a-z]{2,3}(?:[-_][a-z]{4})?[-_]([a-z]{2})", re.IGNORECASE)


class _Catalogues(Domain):
    """Compiles a catalogue in memory when it is first read: nothing built lies about that could be older than the
    texts, in a checkout or in a wheel."""

    def get_translations(self) -> NullTranslations:
        locale = get_locale()
        return catalogue(locale.language if locale else ENGLISH)


@lru_cache
def catalogue(language: str) -> NullTranslations:
    """The texts of the pages in that language; for English, and where there are none, the texts as they are."""
    file = Path(paths.folder("translations")) / f"{language}.po"
    if language not in LANGUAGES or not file.is_file():
        return NullTranslations()
    with file.open("rb") as text:
        read = read_po(text, locale=language)
    compiled = BytesIO()
    write_mo(compiled, read)
    compiled.seek(0)
    return Translations(compiled)


def set_up(app: Flask) -> None:
    """Give the templates of an application `_` and `ngettext`, and the language of each request."""
    babel = Babel()
    babel.init_app(app, locale_selector=lambda: g.get("locale", ENGLISH))
    babel.domain_instance = _Catalogues()
    app.jinja_env.newstyle_gettext = True  # type: ignore[attr-defined]  # of jinja2.ext.i18n
    app.add_template_filter(code_words, "code_words")
    app.add_template_filter(clock_words, "clock_words")
    app.add_template_filter(day_words, "day_words")
    app.add_template_filter(month_day, "month_day")
    app.add_template_filter(short_day, "short_day")
    app.add_template_filter(decimals, "decimals")


# --- which one


def speak(language: str, territory: str = "") -> None:
    """From here on the page is in that language, as they write it in that country (two letters; may be unknown)."""
    g.territory = territory.upper()
    g.locale = language
    if language != ENGLISH and territory:
        with suppress(UnknownLocaleError, ValueError):  # nobody has said how that country writes this language
            g.locale = str(Locale.parse(f"{language}_{territory.upper()}"))
    refresh()


def name_in_english(language: str) -> str:
    """For the pages of staff: "es" is "Spanish"."""
    return Locale(language).english_name or language


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """A part in another language than the rest, as a message to somebody else."""
    with force_locale(language):
        yield


def saying(language: str) -> Callable[..., str]:
    """`_` in that language, for a part of a page that somebody else reads."""

    def say(text: str, **values: Any) -> str:
        with speaking(language):
            return _(text, **values)

    return say


def spoken() -> str:
    """The code of the language that is spoken now, for example "es"."""
    locale = get_locale() if has_app_context() else None
    return locale.language if locale else ENGLISH


def direction() -> str:
    """ "ltr" or "rtl": from where to where the language is read."""
    locale = get_locale()
    return str(locale.text_direction) if locale else "ltr"


def asked_for(request: Request, offered: tuple[str, ...]) -> str:
    """What a browser asks for among the offered languages: a choice made before, else what its settings prefer."""
    chosen = request.cookies.get(COOKIE, "")
    if chosen in offered:
        return chosen
    for wanted, _quality in request.accept_languages:
        language = wanted.replace("_", "-").split("-")[0].lower()
        if language in offered:
            return language
    return ENGLISH


def territory_of(request: Request) -> str:
    """The country that the browser's settings name first; empty where they name none."""
    for wanted, _quality in request.accept_languages:
        if found := _TERRITORY.fullmatch(wanted):
            return found[1].upper()
    return ""


# --- words


def _(text: str, **values: Any) -> str:
    """The text in the language of the page, with the values put in."""
    if has_app_context():
        return _gettext(text, **values)
    return text % values if values else text


def later(text: str, **values: Any) -> str:
    """A text that is looked up each time it is shown: for what stands in a class or a module."""
    return cast(str, _lazy(text, **values))


# --- days, times and numbers


def _locale() -> Locale:
    locale = get_locale() if has_app_context() else None
    return locale or Locale(ENGLISH)


def day_words(day: date) -> str:
    """ "2 March 2026" """
    if spoken() == ENGLISH:
        return f"{day.day} {day:%B %Y}"
    return str(dates.format_date(day, "long", locale=_locale()))


def weekday_words(day: date) -> str:
    """ "Monday 2 March 2026" """
    if spoken() == ENGLISH:
        return f"{day:%A} {day.day} {day:%B %Y}"
    return str(dates.format_date(day, "full", locale=_locale()))


def weekday_and_month_day(day: date) -> str:
    """ "Monday 2 March" """
    if spoken() == ENGLISH:
        return f"{day:%A} {day.day} {day:%B}"
    return str(dates.format_skeleton("MMMMEEEEd", day, locale=_locale()))


def month_day(day: date) -> str:
    """ "2 March" """
    if spoken() == ENGLISH:
        return f"{day.day} {day:%B}"
    return str(dates.format_skeleton("MMMMd", day, locale=_locale()))


def short_day(day: date) -> str:
    """ "2 Mar" """
    if spoken() == ENGLISH:
        return f"{day.day} {day:%b}"
    return str(dates.format_skeleton("MMMd", day, locale=_locale()))


def short_moment(local: datetime) -> str:
    """ "Mon 2 Mar, 08:00" """
    if spoken() == ENGLISH:
        return f"{local:%a} {local.day} {local:%b}, {local:%H:%M}"
    return f"{dates.format_skeleton('EMMMd', local, locale=_locale())}, {local:%H:%M}"


def clock_words(moment: datetime, at: datetime, time_zone: str) -> str:
    """A moment as one reads it at `at`: "today 14:05", "yesterday 08:12", "Monday 2 March, 08:12"."""
    local, now = (each.astimezone(ZoneInfo(time_zone)) for each in (moment, at))
    days, clock = (now.date() - local.date()).days, f"{local:%H:%M}"
    if days == 0:
        return _("today %(clock)s", clock=clock)
    if days == 1:
        return _("yesterday %(clock)s", clock=clock)
    if days == -1:
        return _("tomorrow %(clock)s", clock=clock)
    day = weekday_and_month_day(local) if local.year == now.year else weekday_words(local)
    return _("%(day)s, %(clock)s", day=day, clock=clock)


def decimals(text: object) -> str:
    """A number as text, "38.4", with the sign that the language has before decimals."""
    symbol = str(numbers.get_decimal_symbol(_locale()))
    return str(text).replace(".", symbol) if symbol == "," else str(text)


def fahrenheit_first() -> bool:
    """Whether the reader's country reads thermometers in °F."""
    return has_app_context() and g.get("territory", "") in FAHRENHEIT


def celsius(value: Decimal) -> str:
    """ "38.4 °C" """
    return f"{decimals(number('temperature', value))} °C"


def degrees(value: Decimal) -> str:
    """A temperature in both units, first in the one the reader knows: "38.4 °C (101.1 °F)"."""
    in_fahrenheit = f"{decimals(celsius_to_fahrenheit(value))} °F"
    one, other = celsius(value), in_fahrenheit
    return f"{other} ({one})" if fahrenheit_first() else f"{one} ({other})"


# --- what triage.rules makes sentences of


def speech() -> Speech:
    """The language of the page for `triage.rules.wording`."""
    return Speech(_, decimals)


_OF_THE_RULES = (
    later("temperature"),
    later("thinking check"),
    later("fever reducer in the last 6 hours"),
    later("on steroids or after tocilizumab"),
    later("time since the last report"),
    later("upper blood pressure"),
    later("pulse"),
    later("oxygen saturation"),
    later("mmHg"),
    later("a minute"),
    later("this rule could not be evaluated, so a person has to look at the report"),
)
"""Words that stand in triage/rules, which knows no languages."""


# --- codes that pages show as words

_CODES = {
    "emergency": later("emergency"),
    "urgent": later("urgent"),
    "soon": later("soon"),
    "routine": later("routine"),
    "none": later("none"),
    "mild": later("mild"),
    "moderate": later("moderate"),
    "severe": later("severe"),
    "very_severe": later("very severe"),
    "yes": later("yes"),
    "no": later("no"),
    "unknown": later("I don’t know"),
    "patient": later("patient"),
    "caregiver": later("caregiver"),
    "nurse": later("nurse"),
    "clinician": later("clinician"),
    "administrator": later("administrator"),
    "auditor": later("auditor"),
    "circle": later("circle"),
    "square": later("square"),
    "triangle": later("triangle"),
    "star": later("star"),
    "new": later("New"),
    "more": later("More"),
    "less": later("Less"),
    "not_any_more": later("Not any more"),
}


def code_words(code: str) -> str:
    """A code as its reader says it: "very_severe" is "very severe"."""
    words = _CODES.get(code)
    return code.replace("_", " ") if words is None else str(words)

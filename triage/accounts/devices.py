"""What a browser says of itself, in two words, so that somebody knows their own devices in a list."""

from __future__ import annotations

from triage.languages import _

# The first that stands in the text decides: Edge calls itself Chrome too, and Chrome Safari.
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Macintosh", "Mac"),
    ("Linux", "Linux"),
)


def words(device: str) -> str:
    """What `described` has kept, in the language of the page."""
    browser, on, system = device.partition(" on ")
    browser = _("A browser") if browser == "A browser" else browser
    return _("%(browser)s on %(system)s", browser=browser, system=system) if on else browser


def described(user_agent: str) -> str:
    """For example "Firefox on Android". Only words of ours: whatever else a browser sends is not kept."""
    browser = next((name for sign, name in _BROWSERS if sign in user_agent), "A browser")
    system = next((name for sign, name in _SYSTEMS if sign in user_agent), "")
    return f"{browser} on {system}" if system else browser

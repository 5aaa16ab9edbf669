"""A real Chromium as a person holds it: a phone or a desktop, opened on the running application."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Literal
from unittest.mock import patch
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    Request,
    Response,
    expect,
    sync_playwright,
)

from tests import servers

Device = Literal["phone", "desktop"]
DEVICES: dict[Device, dict[str, Any]] = {
    "phone": {
        "viewport": {"width": 390, "height": 844},
        "device_scale_factor": 2,
        "is_mobile": True,
        "has_touch": True,
    },
    "desktop": {"viewport": {"width": 1280, "height": 900}},
}
# WCAG 2.2 AA and axe's best practice: what the pages promise.
AXE_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

# Nothing waits that long; but other work may share the machine's two cores. Playwright's own patience is 5 seconds.
PATIENCE = 30_000
expect.set_options(timeout=PATIENCE)


@contextmanager
def chromium_browser() -> Iterator[Browser]:
    """The machine's Chromium, without a window. Raises servers.Missing."""
    executable = servers.chromium()
    with sync_playwright() as playwright, _no_second_event_loop():
        browser = playwright.chromium.launch(executable_path=executable, args=servers.CHROMIUM_ARGS)
        try:
            yield browser
        finally:
            browser.close()


def _no_second_event_loop() -> AbstractContextManager[object]:
    """Playwright keeps an event loop running in our thread. Flask-SQLAlchemy-Lite would start another at the end of
    each request, to close asynchronous sessions, which we never open; two loops in one thread are an error."""
    return patch("flask_sqlalchemy_lite._extension._close_async_sessions", new=lambda error: None)


class Browsing:
    """Opens pages of one site, each in a browser profile of its own, and notes what no page of ours may do: raise a
    script error, break the content security policy, miss a style or script, or ask any other server for anything."""

    def __init__(self, browser: Browser, base_url: str) -> None:
        self.problems: list[str] = []
        self.base_url = base_url
        self._browser = browser
        self._contexts: list[BrowserContext] = []

    def __call__(self, device: Device = "phone", **options: Any) -> Page:
        """A fresh profile (nobody signed in) on that device; `options` go to Playwright's `new_context`."""
        context = self._browser.new_context(base_url=self.base_url, **({"locale": "en-GB"} | DEVICES[device] | options))
        self._contexts.append(context)
        context.set_default_timeout(PATIENCE)
        context.on("request", self._on_request)
        context.on("response", self._on_response)
        context.on("console", self._on_console)
        context.on("weberror", lambda error: self.problems.append(f"script error: {error.error}"))
        return context.new_page()

    def close(self) -> None:
        for context in self._contexts:
            context.close()

    def _on_request(self, request: Request) -> None:
        if urlsplit(request.url).scheme in ("http", "https", "ws", "wss") and not request.url.startswith(self.base_url):
            self.problems.append(f"asked another server: {request.url}")

    def _on_response(self, response: Response) -> None:
        if response.status >= 400 and response.request.resource_type not in ("document", "fetch", "xhr"):
            self.problems.append(f"missing: {response.url} ({response.status})")

    def _on_console(self, message: ConsoleMessage) -> None:
        # A page that answers 422 or 503 on purpose is reported there too; missing parts are seen by _on_response.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.problems.append(f"console: {message.text}")


def follow(control: Locator) -> Page:
    """Click a button or link that leads to another page, and wait until that page is there.

    A click alone waits for no form that the server takes its time to answer: what comes next would meet the old page,
    or none. `tests/test_tooling.py` holds that no journey clicks a button or link in another way.
    """
    page = control.page
    with page.expect_navigation():
        control.click()
    return page


BARS = """position => {
    const at = scrollY;
    for (const bar of document.querySelectorAll(".app-phone, .app-live")) bar.style.position = position;
    scrollTo(0, at);
}"""


def accessibility_problems(page: Page) -> list[str]:
    """What axe-core finds wrong on the page as it is now: one line each, with the element and what to do."""
    # Every rule looks at everything; only what it finds good is not described in full, which took half of the time.
    options = {"runOnly": {"type": "tag", "values": AXE_RULES}, "resultTypes": ["violations"]}
    # Bars that stay in sight cover what lies under them: axe would call that a small target.
    page.evaluate(BARS, "static")
    found = Axe().run(page, options=options).response
    page.evaluate(BARS, "")
    return [
        f"{page.url}: {problem['id']} at {' '.join(map(str, node['target']))}: {node['failureSummary']}"
        for problem in found["violations"]
        for node in problem["nodes"]
    ]

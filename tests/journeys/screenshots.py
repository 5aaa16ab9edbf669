"""Takes the pictures of docs/images: every page of the main road, as on a phone and at a desk.

`make screenshots` runs it on a throw-away database with the synthetic demo people.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page
from werkzeug.serving import make_server

from tests.browsing import BARS, Browsing, Device, chromium_browser, follow
from triage import clock, create_app
from triage.database import db, upgrade
from triage.demo import DEMO_PASSWORD, fill
from triage.paths import folder
from triage.reports.thinking import ITEMS
from triage.ruleset_editor import versions

IMAGES = folder("docs") / "images"


def main() -> None:
    """Write every picture anew."""
    with tempfile.TemporaryDirectory() as data:
        url = f"sqlite:///{data}/triage.sqlite3"
        upgrade(url)
        app = create_app({"DATABASE_URL": url, "DATA": data})
        with app.app_context():
            fill(db.session, versions.active(), clock.now())
        server = make_server("127.0.0.1", 0, app, threaded=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with chromium_browser() as chromium:
            browsing = Browsing(chromium, f"http://127.0.0.1:{server.server_port}")
            for device in ("phone", "desktop"):
                _patient(browsing, device)
                _staff(browsing, device)
            _overview(browsing)
            browsing.close()
            assert not browsing.problems, browsing.problems
        server.shutdown()


def _sign_in(page: Page, name: str) -> Page:
    page.goto("/sign-in")
    page.get_by_label("Your sign-in name").fill(name)
    page.get_by_label("Your passphrase").fill(DEMO_PASSWORD)
    follow(page.get_by_role("button", name="Sign in"))
    return page


def _shooter(page: Page, device: Device) -> Callable[[str], None]:
    def shoot(name: str) -> None:
        page.evaluate("window.scrollTo(0, 0)")  # a bar that sticks to the top would stand in the middle of the picture
        page.evaluate(BARS, "static")  # in a picture of the whole page they would lie across its middle
        page.screenshot(path=IMAGES / f"{name}-{device}.png", full_page=True, scale="css")

    return shoot


def _patient(browsing: Browsing, device: Device) -> None:
    page = browsing(device)
    shoot = _shooter(page, device)
    page.goto("/sign-in")
    shoot("sign-in")
    page.goto("/emergency")
    shoot("emergency")
    page.goto("/sign-in")
    _sign_in(page, "patient")
    shoot("report-danger-signs")
    follow(page.get_by_role("button", name="None of these"))
    page.get_by_label("Your temperature now").fill("98.6")
    page.get_by_label("°C (Celsius)").check()
    follow(page.get_by_role("button", name="Continue"))
    shoot("report-temperature-error")
    page.get_by_label("Your temperature now").fill("38.4")
    follow(page.get_by_role("button", name="Continue"))
    shoot("report-medicines")
    follow(page.get_by_role("button", name="None of these"))
    page.get_by_label("I have chills or shake with cold").check()
    shoot("report-symptoms")
    follow(page.get_by_role("button", name="Continue"))
    page.get_by_label("Moderate").check()
    shoot("report-severity")
    follow(page.get_by_role("button", name="Continue"))
    _thinking_check(page, shoot)
    shoot("report-check")
    follow(page.get_by_role("button", name="Send"))
    shoot("result-urgent")
    page.goto("/reports")
    shoot("earlier-reports")
    page.goto("/my-record")
    shoot("my-record")
    page.goto("/on-this-phone")
    shoot("on-this-phone")
    page.goto("/no-connection")
    shoot("no-connection")
    page.goto("/my-record/sheet")
    shoot("sheet")
    page.goto("/report/danger")
    page.get_by_label("I had a seizure").check()
    follow(page.get_by_role("button", name="Continue"))
    shoot("result-emergency")
    page.goto("/report")  # as begun: what is left to answer is sent along, and the next device finds nothing half done
    follow(page.get_by_role("button", name="I am too unwell to answer"))
    page.goto("/report/temperature")


def _thinking_check(page: Page, shoot: Callable[[str], None]) -> None:
    """All five tasks, without an answer; nothing where the phone did them just before."""
    if not page.url.endswith("/report/thinking"):
        return
    shoot("thinking-check")
    follow(page.get_by_role("button", name="Start the thinking check"))
    for item in ITEMS:
        shoot(f"thinking-{item}")
        follow(page.get_by_role("button", name="I cannot do this one"))


def _staff(browsing: Browsing, device: Device) -> None:
    page = _sign_in(browsing(device), "nurse")
    shoot = _shooter(page, device)
    shoot("queue")
    follow(page.locator(".app-queue__row", has_text="Cora").get_by_role("link", name="Open record"))
    shoot("record")
    page.goto("/queue")
    row = page.locator(".app-queue__row", has_text="Neil")
    if row.get_by_role("button", name="Acknowledge").count():
        follow(row.get_by_role("button", name="Acknowledge"))
    follow(page.locator(".app-queue__row", has_text="Neil").get_by_role("button", name="Resolve"))
    shoot("resolve")
    page = _sign_in(browsing(device), "clinician")
    shoot = _shooter(page, device)
    shoot("rules")
    page.goto("/rules/crs-fever-with-collapse")
    shoot("rule")
    page = _sign_in(browsing(device), "administrator")
    shoot = _shooter(page, device)
    shoot("people")
    page.goto("/people/enrol")
    shoot("enrol")


def _overview(browsing: Browsing) -> None:
    """The picture of the README: the queue at a desk."""
    page = _sign_in(browsing("desktop"), "nurse")
    page.screenshot(path=Path(IMAGES) / "overview.png", scale="css")


if __name__ == "__main__":
    main()

"""What encryption of the database costs: queue, record and sending a report, beside the same without it.

Run it with `make bench-encryption`. Two SQLite files hold the same care team with fifty open alerts. One is encrypted
as a ward's is; in the other the seals are the values themselves. Both are measured by turns, in one run.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from uuid import uuid4

from bench.queue import new_patient, new_person, new_team
from triage import clock, create_app, encryption
from triage.accounts import sessions
from triage.care_team import boards
from triage.database import db, upgrade, writing
from triage.models import Patient, Role
from triage.reports import services
from triage.rules.report import from_data
from triage.ruleset_editor import versions

WAITING = 50
REPORTS = 12
"""Of each patient before the one that opens the alert."""
ROUNDS = 41
GOAL = 1.2


class Clear(encryption.Ring):
    """Keys that encrypt nothing: what is measured beside."""

    def seal(self, place: str, value: bytes) -> bytes:
        return value

    def open(self, place: str, seal: bytes) -> bytes:
        return seal


class Site:
    """A filled database, and what is done in it."""

    def __init__(self, folder: str, name: str, ring: encryption.Ring) -> None:
        self.ring = ring
        url = f"sqlite:///{folder}/{name}.sqlite3"
        upgrade(url)
        self.app = create_app({"DATABASE_URL": url, "SECRET_KEY": "k" * 32, "DATA": folder})
        self.use()  # making an application sets the keys of its settings
        with self.app.app_context():
            at = clock.now()
            with writing(db.session):
                versions.plant(db.session, at)
                team = new_team(0)
                db.session.add(team)
                db.session.flush()
                nurse = new_person(Role.NURSE, care_team_id=team.id)
                patients = [new_patient(f"Synthetic {number}", team, at, day=20) for number in range(WAITING + 1)]
                db.session.add_all([nurse, *patients])
                db.session.flush()
                db.session.add_all([new_person(Role.PATIENT, patient_id=patient.id) for patient in patients])
            for patient in patients:
                for ago in reversed(range(REPORTS)):
                    self._send(patient, 36.6, timedelta(days=ago + 1))
                if patient is not patients[0]:
                    self._send(patient, 38.6, timedelta(minutes=5))
            self.quiet, self.waiting = patients[0].id, patients[1].id
            self.fields = sessions.opened(db.session, nurse, at, at + timedelta(days=1), "A browser")
        self.client = self.app.test_client()
        with self.client.session_transaction() as session:
            session.permanent = True
            session.update(self.fields)

    def use(self) -> None:
        """Its keys are those of the process from now on."""
        encryption._ring = self.ring

    def _send(self, patient: Patient, temperature: float, ago: timedelta) -> None:
        ruleset = versions.active()
        told = {
            "therapy": "car_t",
            "days_since_therapy": 20,
            "temperature_c": temperature,
            "symptoms": dict.fromkeys(("chills", "nausea", "headache", "confusion"), "none"),
            "note": "Slept badly, drank enough, walked a little. " * 4,
        }
        report = from_data(told, ruleset.catalogue)
        services.submit(db.session, ruleset, report, patient.people[0], str(uuid4()), clock.now() - ago)

    def queue(self) -> None:
        """Fifty rows, read anew: nothing that the process has kept of them."""
        self.app.extensions[boards.EXTENSION] = boards.Boards()
        self._page("/queue")

    def record(self) -> None:
        self._page(f"/patients/{self.waiting}")

    def submit(self) -> None:
        with self.app.app_context():
            self._send(db.session.get_one(Patient, self.quiet), 36.5, timedelta())

    def _page(self, path: str) -> None:
        answer = self.client.get(path)
        if answer.status_code != 200:
            raise RuntimeError(f"{path} answered {answer.status_code}")


def seconds(site: Site, do: Callable[[Site], None]) -> float:
    site.use()
    began = time.perf_counter()
    do(site)
    return time.perf_counter() - began


def main(rounds: int = ROUNDS) -> int:
    """Print milliseconds and ratios; 1 where a ratio is over the goal."""
    worst = 0.0
    with tempfile.TemporaryDirectory(prefix="triage-bench-") as folder:
        key = [b"a key of thirty-two bytes: bench"]
        clear, sealed = Site(folder, "clear", Clear(key)), Site(folder, "sealed", encryption.Ring(key))
        for what, do in (
            (f"the queue, {WAITING} rows read anew", Site.queue),
            ("a patient's record", Site.record),
            ("sending a report", Site.submit),
        ):
            taken: Sequence[tuple[float, float]] = [(seconds(clear, do), seconds(sealed, do)) for _ in range(rounds)]
            without, with_it = (statistics.median(side) for side in zip(*taken[1:], strict=True))
            worst = max(worst, with_it / without)
            ratio = with_it / without
            print(f"  {what:<30} {1000 * without:6.1f} ms, {1000 * with_it:6.1f} ms encrypted: {ratio:.2f} ×")
    print(f"the largest ratio is {worst:.2f} ×; the goal is at most {GOAL} ×")
    return 0 if worst <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))

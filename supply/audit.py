"""`make audit`: does a package that we install, or that the front end is built from, have a known hole?

pip-audit and npm audit ask databases elsewhere. Where these cannot be reached, both may end without a word of warning
and with exit code 0, as if all were well. So what they say is counted: a package that was not looked up is *not
audited*.

Exit code 0: every package was looked up, none has a known hole. 1: some have. 2: not audited.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TOP = Path(__file__).resolve().parents[1]


@dataclass
class Outcome:
    """What came of one list of packages."""

    what: str
    audited: int = 0
    holes: list[str] = field(default_factory=list)
    not_audited: list[str] = field(default_factory=list)
    """Why, or which packages."""

    def lines(self) -> Iterable[str]:
        """What is told of it."""
        for hole in self.holes:
            yield f"{self.what}: {hole}"
        if self.not_audited:
            shown = "; ".join(self.not_audited[:3]) + (
                f"; and {len(self.not_audited) - 3} more" if len(self.not_audited) > 3 else ""
            )
            yield f"{self.what}: NOT AUDITED: {shown}"
        else:
            yield f"{self.what}: {self.audited} packages looked up, {len(self.holes)} known holes"


def python_packages(lock: Path, program: Sequence[str]) -> Outcome:
    """The packages of a lock file, by pip-audit (`program`)."""
    outcome = Outcome(lock.name)
    pinned = set(re.findall(r"^([a-z0-9][a-z0-9._-]*)==", lock.read_text(), re.MULTILINE))
    command = [*program, "--requirement", str(lock), "--no-deps", "--disable-pip", "--format", "json"]
    said, why = _run([*command, "--progress-spinner", "off"], lock.parent)
    try:
        found = said["dependencies"]
        looked_up = set()
        for one in found:
            name = _normal(one["name"])
            if "skip_reason" in one or "vulns" not in one:
                outcome.not_audited.append(f"{name} ({one.get('skip_reason', 'nothing was said of it')})")
                continue
            looked_up.add(name)
            outcome.holes += [f"{name} {one['version']}: {hole['id']}" for hole in one["vulns"]]
    except (KeyError, TypeError):
        outcome.not_audited.append(why or "pip-audit gave no answer")
        return outcome
    outcome.audited = len(looked_up)
    told = {_normal(one["name"]) for one in found}
    outcome.not_audited += [f"{name} (not looked up)" for name in sorted(pinned - told - _of_other_systems(lock))]
    return outcome


def node_packages(folder: Path, program: Sequence[str]) -> Outcome:
    """The packages of a package-lock.json, by npm audit (`program`)."""
    outcome = Outcome(f"{folder.name}/package-lock.json")
    said, why = _run([*program, "audit", "--json"], folder)
    try:
        holes, counted = said["vulnerabilities"], said["metadata"]["dependencies"]["total"]
        outcome.holes = [f"{name}: {hole['severity']}" for name, hole in sorted(holes.items())]
        outcome.audited = int(counted)
    except (KeyError, TypeError, ValueError, AttributeError):
        problem = said.get("message") or said.get("error") if isinstance(said, dict) else None
        outcome.not_audited.append(str(problem or why or "npm audit gave no answer")[:200])
    if not outcome.not_audited and not outcome.audited:
        outcome.not_audited.append("npm audit looked nothing up")
    return outcome


def _run(command: Sequence[str], folder: Path) -> tuple[Any, str]:
    """What a program answered as JSON, and the last line of its complaints."""
    if shutil.which(command[0]) is None:
        return None, f"{Path(command[0]).name} is not installed"
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    complaints = [line for line in done.stderr.strip().splitlines() if line.strip()]
    try:
        return json.loads(done.stdout), complaints[-1][:200] if complaints else ""
    except ValueError:
        return None, complaints[-1][:200] if complaints else f"exit code {done.returncode} and no answer"


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _of_other_systems(lock: Path) -> set[str]:
    """Packages that the lock file wants on other systems or Pythons only: pip-audit passes those by."""
    return set(re.findall(r"^([a-z0-9][a-z0-9._-]*)==\S+ ; ", lock.read_text(), re.MULTILINE))


def main(program: Sequence[str] = (str(Path(sys.executable).with_name("pip-audit")),)) -> int:
    """Audit every lock file; tells what came of it."""
    outcomes = [python_packages(lock, program) for lock in sorted(TOP.glob("requirements*.lock"))]
    outcomes.append(node_packages(TOP / "assets", ["npm"]))
    for outcome in outcomes:
        print("\n".join(outcome.lines()))
    return verdict(outcomes)


def verdict(outcomes: Sequence[Outcome]) -> int:
    """The exit code: what was not audited weighs more than what was found in the rest."""
    if any(outcome.not_audited for outcome in outcomes):
        print(
            "NOT AUDITED: run this where the vulnerability databases of PyPI and npm can be reached.", file=sys.stderr
        )
        return 2
    return 1 if any(outcome.holes for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())

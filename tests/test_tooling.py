"""The ground under everything else: pinned dependencies, the commands, the wheel, the servers tests need."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests import servers

TOP = servers.TOP
LOCKS = sorted(TOP.glob("requirements*.lock"))


def pins(lock: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==([^\s;]+)", lock.read_text(), re.MULTILINE))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_file_names_versions_and_hashes_and_no_place(lock: Path) -> None:
    text = lock.read_text()

    assert len(re.findall(r"--hash=sha256:[0-9a-f]{64}", text)) >= len(pins(lock)) > 0
    assert not re.search(r"://|(?<!\w)--(?!hash=sha256:)|file:|@ ", text), "run `make lock`"


def test_what_pyproject_pins_is_what_the_lock_files_install() -> None:
    project = tomllib.loads((TOP / "pyproject.toml").read_text())
    run = project["project"]["dependencies"]
    extras = project["project"]["optional-dependencies"]
    develop, spark = pins(TOP / "requirements-dev.lock"), pins(TOP / "requirements-spark.lock")
    locked = [(each, develop) for each in run + extras["postgres"] + project["dependency-groups"]["dev"]]
    locked += [(each, spark) for each in extras["spark"]]

    assert extras.keys() == {"postgres", "spark"}, "say here which lock file holds the new extra"
    for requirement, lock in locked:
        name, _, version = re.sub(r"\[.*?]", "", requirement).partition("==")
        name = re.split(r"[><=]", name)[0]
        assert name in lock, f"{name} is not in the lock file: run `make lock`"
        assert not version or lock[name] == version, f"{requirement}: run `make lock`"
    both = develop.keys() & spark.keys()
    assert {name: develop[name] for name in both} == {name: spark[name] for name in both}, "run `make lock`"
    assert pins(TOP / "requirements.lock").items() <= develop.items(), "tests must run what the ward runs: `make lock`"


def test_the_lock_files_name_all_that_the_packages_need() -> None:
    """`make` installs them without resolving: nothing would notice a package that is missing from the lock."""
    checked = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True)

    assert checked.returncode == 0, checked.stdout


def test_make_help_lists_every_command() -> None:
    targets = re.search(r"^\.PHONY: (.*)$", (TOP / "Makefile").read_text(), re.MULTILINE)
    assert targets
    # Started by `make test`, this make would otherwise take itself for a part of that one.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    shown = subprocess.run(["make"], cwd=TOP, env=environ, capture_output=True, text=True, check=True).stdout

    for target in targets[1].split():
        assert re.search(rf"^  make {target} +\S", shown, re.MULTILINE), f"give {target} a line: `{target}: ## …`"


def test_a_missing_program_fails_and_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("PLAYWRIGHT_BROWSERS_PATH", raising=False)
    monkeypatch.setattr(servers, "POSTGRESQL_FOLDERS", ())
    monkeypatch.setattr(sys, "prefix", str(tmp_path))

    with pytest.raises(servers.Missing, match="apt-get install chromium"):
        servers.chromium()
    with pytest.raises(servers.Missing, match="apt-get install postgresql"):
        servers.postgresql()


def test_the_wheel_carries_all_it_needs_and_runs_alone(tmp_path: Path) -> None:
    """A ward installs a wheel: no folder of this repository is beside it."""
    built = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(built, cwd=TOP, check=True, capture_output=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        wheel.extractall(tmp_path / "site")

    for folder in ("templates", "static", "migrations", "rules"):
        inside = tmp_path / "site" / "triage" / ("shipped_rules" if folder == "rules" else folder)
        there = [
            file.relative_to(TOP / folder) for file in (TOP / folder).rglob("*.*") if "__pycache__" not in file.parts
        ]
        assert there, f"there is no folder {folder}"
        assert not [file for file in there if not (inside / file).exists()], "pyproject.toml leaves these out"
    run = "import sys; sys.path.insert(0, 'site'); import triage.cli as cli; print(cli.__file__); cli.main()"
    done = subprocess.run(
        [sys.executable, "-c", run, "rules", "check"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert str(tmp_path) in done.stdout


def test_browser_tests_wait_for_the_page_a_click_leads_to() -> None:
    """A click alone does not: what is looked at next would now and then be the old page, or half of the new one."""
    for file in sorted((TOP / "tests" / "journeys").glob("*.py")):
        for number, line in enumerate(file.read_text().splitlines(), 1):
            alone = re.search(r"""get_by_role\(["'](button|link)["'].*\.click\(\)(?!  # stays on the page$)""", line)
            assert not alone, f"{file.name}:{number}: follow(…) of tests/browsing.py, or say `# stays on the page`"

"""`make audit` says "not audited" and fails wherever something was not looked up: never an empty all-clear."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from supply import audit

LOCK = """alembic==1.20.1 \\
    --hash=sha256:00
flask==3.1.3 \\
    --hash=sha256:00
colorama==0.4.6 ; sys_platform == 'win32' \\
    --hash=sha256:00
"""
CLEAN = {"name": "alembic", "version": "1.20.1", "vulns": []}
HOLE = {"name": "Flask", "version": "3.1.3", "vulns": [{"id": "PYSEC-2026-1"}]}
FINE = {"name": "Flask", "version": "3.1.3", "vulns": []}
SKIPPED = {"name": "flask", "skip_reason": "Dependency not found on PyPI and could not be audited: flask (3.1.3)"}


@pytest.fixture
def program(tmp_path):
    """A stand-in for pip-audit or npm: says that, complains that, and ends with that code."""

    def make(said="", complaint="", code=0):
        file = tmp_path / "program.py"
        file.write_text(f"import sys\nprint({said!r})\nprint({complaint!r}, file=sys.stderr)\nsys.exit({code})\n")
        return [sys.executable, str(file)]

    return make


def of_python(tmp_path, program):
    lock = tmp_path / "requirements.lock"
    lock.write_text(LOCK)
    return audit.python_packages(lock, program)


def told(outcome):
    return "\n".join(outcome.lines())


def test_packages_that_were_looked_up_and_have_no_hole_are_an_all_clear(tmp_path, program):
    outcome = of_python(tmp_path, program(json.dumps({"dependencies": [CLEAN, FINE]})))
    assert audit.verdict([outcome]) == 0
    assert "2 packages looked up, 0 known holes" in told(outcome)


def test_a_known_hole_is_named(tmp_path, program):
    outcome = of_python(tmp_path, program(json.dumps({"dependencies": [CLEAN, HOLE]}), code=1))
    assert audit.verdict([outcome]) == 1
    assert "flask 3.1.3: PYSEC-2026-1" in told(outcome)


@pytest.mark.parametrize(
    ("said", "complaint", "code"),
    [
        (json.dumps({"dependencies": [CLEAN, SKIPPED]}), "No known vulnerabilities found", 0),  # passes emptily
        (json.dumps({"dependencies": [CLEAN]}), "", 0),  # says nothing of one
        (json.dumps({"dependencies": []}), "No known vulnerabilities found", 0),
        ("", "Failed to resolve host", 1),
        ("No known vulnerabilities found", "", 0),
        ("null", "", 0),
    ],
)
def test_what_was_not_looked_up_is_not_audited_whatever_the_exit_code(tmp_path, program, said, complaint, code, capsys):
    outcome = of_python(tmp_path, program(said, complaint, code))
    assert audit.verdict([outcome]) == 2
    assert "NOT AUDITED" in told(outcome)
    assert "NOT AUDITED" in capsys.readouterr().err


def test_a_program_that_is_missing_is_not_audited(tmp_path):
    outcome = of_python(tmp_path, ["no-such-program"])
    assert "NOT AUDITED: no-such-program is not installed" in told(outcome)


NPM_CLEAN = {"vulnerabilities": {}, "metadata": {"dependencies": {"total": 120}}}


@pytest.mark.parametrize(
    ("said", "code", "words"),
    [
        (NPM_CLEAN, 0, "120 packages looked up, 0 known holes"),
        (NPM_CLEAN | {"vulnerabilities": {"sass": {"severity": "high"}}}, 1, "sass: high"),
        ({"message": "405 Method Not Allowed"}, 2, "NOT AUDITED: 405"),
        ({"error": {"code": "ENOLOCK"}}, 2, "NOT AUDITED"),
        (
            {"vulnerabilities": {}, "metadata": {"dependencies": {"total": 0}}},
            2,
            "NOT AUDITED: npm audit looked nothing",
        ),
        (None, 2, "NOT AUDITED"),
        ([], 2, "NOT AUDITED"),
    ],
)
def test_the_front_end_is_told_of_in_the_same_way(tmp_path, program, said, code, words):
    outcome = audit.node_packages(tmp_path, program(json.dumps(said)))
    assert audit.verdict([outcome]) == code
    assert words in told(outcome)


def test_make_audit_fails_where_the_databases_cannot_be_asked():
    """The real programs, told that the network is a proxy where nothing listens."""
    pip_audit = _supply("pip-audit")
    command = ["env", "HTTPS_PROXY=http://127.0.0.1:9", "HTTP_PROXY=http://127.0.0.1:9", str(pip_audit)]
    outcome = audit.python_packages(audit.TOP / "requirements-postgres-server.lock", command)
    assert audit.verdict([outcome]) == 2


def _supply(name: str) -> Path:
    program = audit.TOP / ".venv-supply" / "bin" / name
    assert program.exists(), "make .venv-supply/.installed installs what looks at the supply (make test does)"
    return program


def test_the_bill_of_materials_names_all_that_a_ward_runs(tmp_path):
    from supply import sbom
    from tests.test_tooling import pins

    bill = sbom.bill_of_materials(str(_supply("cyclonedx-py")))
    again = sbom.bill_of_materials(str(_supply("cyclonedx-py")))
    assert bill == again, "the same lock files give the same bill"
    assert (bill["bomFormat"], bill["specVersion"] >= "1.5") == ("CycloneDX", True)
    found = {one["purl"].partition("?")[0] for one in bill["components"]}
    for name, version in pins(audit.TOP / "requirements.lock").items():
        assert f"pkg:pypi/{name}@{version}" in found
    front_end = {purl for purl in found if purl.startswith("pkg:npm/")}
    assert {"pkg:npm/nhsuk-frontend@10.6.1", "pkg:npm/codemirror@6.0.2"} <= front_end
    assert not [purl for purl in front_end if "esbuild" in purl or "/sass@" in purl]
    assert all(one["hashes"] for one in bill["components"] if one["purl"].startswith("pkg:npm/"))
    assert {one["bom-ref"] for one in bill["components"]} <= {entry["ref"] for entry in bill["dependencies"]}
    file = tmp_path / "bill.json"
    file.write_text(json.dumps(bill))
    check = (
        "import sys; from cyclonedx.validation.json import JsonStrictValidator as V; "
        "from cyclonedx.schema import SchemaVersion as S; "
        "wrong = V(S.from_version(sys.argv[2])).validate_str(open(sys.argv[1]).read()); "
        "sys.exit(0 if wrong is None else str(wrong))"
    )
    done = subprocess.run(
        [str(_supply("python")), "-c", check, str(file), bill["specVersion"]], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr

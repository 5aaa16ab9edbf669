"""Which way dependencies run. `MAY` is the list of docs/architecture.md, as code; anything else fails."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import triage

PACKAGE = Path(triage.__file__).resolve().parent
ROOMS = ("accounts", "reports", "alerts", "monitoring", "care_team", "ruleset_editor")

# Beneath every room.
GROUND = r"clock|paths|logs|languages|encryption|database|models|fields|rules\..*"
# What a room offers to the others; its views and forms never.
OF_ACCOUNTS = r"accounts\.(access|audit|confirming|covers|looks)"
RULESETS = r"ruleset_editor\.(versions|spoken)"
REPORTS = r"reports\.(services|history|results|rejudging|contradictions|baselines|thinking|charts)"
ALERTS = r"alerts\.(services|work|mutes|pulse|promise|reminders|daily)"
MONITORING = r"monitoring\.tales"
SILENT = r"alerts\.(rota|silence)"

# The first line whose pattern names the importing module decides.
MAY: tuple[tuple[str, str], ...] = (
    # These know every room, and only these know each other.
    (r"web|cli|serve|demo|heartbeat|__main__|__init__", r".*"),
    # Runs on another machine: it knows no database.
    (r"watch", r"clock|paths|alerts\.channels\.(by_apprise|message)"),
    (r"rules\..*", r"rules\..*"),
    (r"clock|paths|compressed", r""),
    (r"logs", r"clock"),
    (r"languages", r"paths|rules\..*"),
    (r"fields", r"languages|rules\..*"),
    (r"encryption", r""),
    (r"database", r"rules\.urgency|paths|logs|encryption"),
    (r"data_keys", r"encryption|database|models|accounts\.audit"),
    (r"retention", r"database|models|accounts\.(audit|erasing)|alerts\.retention"),
    (r"models", r"rules\.urgency|database|encryption"),
    # Deeper rooms may not know shallower ones: accounts < ruleset_editor < alerts < reports < monitoring <
    # care_team. Rulesets and
    # earlier reports are looked up by rooms beneath them too.
    (r"accounts\..*", rf"{GROUND}|accounts\..*|{RULESETS}"),
    (r"ruleset_editor\..*", rf"{GROUND}|ruleset_editor\..*|{OF_ACCOUNTS}"),
    (r"alerts\..*", rf"{GROUND}|alerts\..*|{OF_ACCOUNTS}|{RULESETS}|reports\.history"),
    (r"reports\..*", rf"{GROUND}|reports\..*|{OF_ACCOUNTS}|{RULESETS}|{ALERTS}"),
    (r"monitoring\..*", rf"{GROUND}|monitoring\..*|{OF_ACCOUNTS}|{RULESETS}|{REPORTS}|{ALERTS}"),
    (
        r"care_team\..*",
        rf"{GROUND}|care_team\..*|{OF_ACCOUNTS}|{RULESETS}|{REPORTS}|{ALERTS}|{MONITORING}|{SILENT}",
    ),
)

# A command starts itself: what `triage silence` and `triage rules replay` run needs an application around it.
COMMANDS = {"alerts.silence": r"__init__", "alerts.worker": r"__init__", "ruleset_editor.commands": r"__init__"}


def _name(file: Path) -> str:
    parts = file.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1]) if len(parts) > 1 and parts[-1] == "__init__" else ".".join(parts)


FILES = {_name(file): file for file in sorted(PACKAGE.rglob("*.py"))}


def _imports(file: Path) -> Iterator[tuple[int, str]]:
    """Every import of a file, also inside functions and under TYPE_CHECKING: line and full dotted name."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: write the full name, `from triage.…`"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield node.lineno, whole if whole.removeprefix("triage.") in FILES else str(node.module)


def _own(dotted: str) -> str | None:
    """The module of this program that an import names, or None for another package's."""
    if dotted == "triage":
        return "__init__"
    return dotted.removeprefix("triage.") if dotted.startswith("triage.") else None


@pytest.mark.parametrize("module", FILES)
def test_dependencies_run_one_way(module):
    allowed = next((may for pattern, may in MAY if re.fullmatch(pattern, module)), None)
    if module in ROOMS or module == "rules":
        allowed = ""  # a room's __init__ is a docstring
    assert allowed is not None, f"{module} is new: give it a line in MAY and in docs/architecture.md"
    for line, dotted in _imports(FILES[module]):
        target = _own(dotted)
        if target is None or re.fullmatch(allowed, target) or re.fullmatch(COMMANDS.get(module, r"(?!)"), target):
            continue
        pytest.fail(f"triage/{module.replace('.', '/')}.py:{line} may not import triage.{target}: see MAY in this test")


@pytest.mark.parametrize("module", FILES)
def test_nobody_imports_the_views_or_forms_of_another_room(module):
    room = module.split(".")[0]
    for line, dotted in _imports(FILES[module]):
        target = _own(dotted) or ""
        if re.fullmatch(r"\w+\.(views|forms)", target) and not target.startswith(f"{room}.") and module != "web":
            pytest.fail(f"{module}:{line} imports {target}, which belongs to that room alone")


def _order_of_the_rules() -> list[str]:
    """The order told by triage/rules/README.md."""
    readme = (PACKAGE / "rules" / "README.md").read_text()
    told = re.search(r"in this order:\s*([\w\s,]+)\.", readme)
    assert told, "triage/rules/README.md tells the order of its modules: “in this order: urgency, …”"
    return [name.strip() for name in told[1].replace("\n", " ").split(",")]


def test_the_rules_import_only_what_stands_above_them():
    order = _order_of_the_rules()
    modules = [name.removeprefix("rules.") for name in FILES if name.startswith("rules.")]
    assert set(modules) == set(order), "triage/rules/README.md must name each module of its folder in the order"
    for module in modules:
        for line, dotted in _imports(FILES[f"rules.{module}"]):
            target = _own(dotted)
            if target is not None and target != "rules":
                above = order[: order.index(module)]
                assert target.removeprefix("rules.") in above, f"rules/{module}.py:{line} imports {dotted}"


def test_the_rules_load_nothing_else_in_a_fresh_process():
    """Reading import lines does not find what a package's root drags in; looking at what was loaded does."""
    modules = [f"triage.{name}" for name in FILES if name.split(".")[0] == "rules"]
    program = f"import sys, {', '.join(modules)}\nprint(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    loaded = set(
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    )
    bare = set(
        subprocess.run(
            [sys.executable, "-c", "import sys; print(*sys.modules)"], capture_output=True, text=True, check=True
        ).stdout.split()
    )
    allowed = {
        "triage",
        "pydantic",
        "pydantic_core",
        "annotated_types",
        "typing_extensions",
        "typing_inspection",
        "ruamel",
        "narwhals",
    }
    foreign = loaded - set(sys.stdlib_module_names) - {name.split(".")[0] for name in bare} - allowed
    # C parts of the allowed packages register under names of their own.
    foreign = {name for name in foreign if not name.startswith(("_ruamel", "_sysconfigdata"))}
    assert not foreign, f"importing triage.rules also loads {sorted(foreign)}"


def test_judging_a_report_needs_no_yaml_and_no_pydantic():
    program = "import sys, triage.rules.engine, triage.rules.wording\nprint(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not {"pydantic", "ruamel.yaml", "narwhals", "flask", "sqlalchemy"} & set(loaded)


@pytest.mark.parametrize("module", FILES)
def test_only_one_place_commits(module):
    """A door-level service commits through `writing`, once, at its end; helpers, views and models never."""
    commits = re.findall(r"\.commit\(", FILES[module].read_text())
    assert len(commits) == (1 if module == "database" else 0), "use `with writing(session): …` of triage/database.py"


@pytest.mark.parametrize("module", FILES)
def test_only_the_clock_asks_for_the_time(module):
    asks = re.findall(r"datetime\.(?:now|utcnow|today)\(|date\.today\(|time\.time\(", FILES[module].read_text())
    assert module == "clock" or not asks, "take the time from triage.clock.now()"

"""Every command says what it does, and is told of in the documentation."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from triage.cli import cli
from triage.paths import top

DOCUMENTS = "\n".join(
    file.read_text()
    for file in [*top().glob("*.md"), *sorted((top() / "docs").rglob("*.md")), *sorted((top() / "rules").rglob("*.md"))]
)


def commands(group: click.Group, path: str = "triage") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


COMMANDS = dict(commands(cli))


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_is_documented(path):
    assert path in DOCUMENTS, f"README.md or docs/ must tell of `{path}`"


@pytest.mark.parametrize("path", COMMANDS)
def test_the_help_of_every_command_and_option_says_something(path):
    command = COMMANDS[path]
    assert command.help, f"{path} needs a docstring"
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help, f"{path} {option.opts[0]} needs a help text"
    result = CliRunner().invoke(cli, [*path.split()[1:], "--help"])
    assert result.exit_code == 0, result.output


def test_every_benchmark_is_run_as_a_module():
    """Run by its path, a benchmark finds bench/ first: `import queue` of a library would be our bench/queue.py."""
    recipe = [line for line in (top() / "Makefile").read_text().splitlines() if line.startswith("\t")]
    assert any("-m bench." in line for line in recipe)
    assert not [line for line in recipe if "bench/" in line and ".py" in line]

"""Where the folders templates, static, rules and migrations lie: in a wheel inside the package, else beside it."""

from __future__ import annotations

import runpy
from functools import lru_cache
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).resolve().parent


def top() -> Path:
    """The folder that holds templates/, static/, rules/, migrations/ and config.py."""
    return _PACKAGE if (_PACKAGE / "templates").is_dir() else _PACKAGE.parent


def folder(name: str) -> Path:
    """One of those folders, or a file beside them. `rules` inside a wheel is `shipped_rules`: the name `rules` is
    taken there by the language."""
    if name == "rules" and top() == _PACKAGE:
        return _PACKAGE / "shipped_rules"
    return top() / name


@lru_cache
def config_file() -> dict[str, Any]:
    """What config.py holds. It is run as a file: as a module its name would be everybody's."""
    return runpy.run_path(str(folder("config.py")), run_name="triage_config")

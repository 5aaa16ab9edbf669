"""`make sbom`: the bill of materials (CycloneDX) of what a ward runs.

The Python packages of requirements.lock, by cyclonedx-py, with their hashes; and the front-end packages that are built
into static/, by assets/package-lock.json. What only builds or tests is left out: it is not delivered.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

TOP = Path(__file__).resolve().parents[1]
BUILDERS = frozenset({"esbuild", "sass"})
"""Packages of assets/package.json that build, and of which nothing goes into static/."""


def python_part(program: str, lock: Path, pyproject: Path) -> dict[str, Any]:
    """The bill of the Python packages, as cyclonedx-py writes it. The same lock gives the same bytes."""
    command = [
        program,
        "requirements",
        str(lock),
        "--pyproject",
        str(pyproject),
        "--output-reproducible",
        "--of",
        "JSON",
    ]
    bill: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return bill


def front_end_part(lock: Path) -> list[dict[str, Any]]:
    """A component for each front-end package that is built into static/."""
    packages: dict[str, dict[str, Any]] = json.loads(lock.read_text())["packages"]
    wanted = [name for name in packages[""]["devDependencies"] if name not in BUILDERS]
    shipped: dict[str, dict[str, Any]] = {}
    while wanted:
        name = wanted.pop()
        if name not in shipped:
            shipped[name] = packages[f"node_modules/{name}"]
            wanted += shipped[name].get("dependencies", {})
    return [_component(name, package) for name, package in sorted(shipped.items())]


def _component(name: str, package: dict[str, Any]) -> dict[str, Any]:
    group, _, short = name.rpartition("/")
    purl = f"pkg:npm/{quote(group, safe='')}/{short}" if group else f"pkg:npm/{short}"
    purl += f"@{package['version']}"
    algorithm, _, digest = package["integrity"].partition("-")
    component = {
        "type": "library",
        "bom-ref": purl,
        "name": short,
        "version": package["version"],
        "purl": purl,
        "hashes": [{"alg": algorithm.replace("sha", "SHA-"), "content": base64.b64decode(digest).hex()}],
        "licenses": [{"license": {"id": package["license"]}}],
        "description": "Built into static/",
    }
    return component | ({"group": group} if group else {})


def bill_of_materials(program: str) -> dict[str, Any]:
    """Both parts as one bill."""
    bill = python_part(program, TOP / "requirements.lock", TOP / "pyproject.toml")
    bill["components"] = bill.get("components", []) + front_end_part(TOP / "assets" / "package-lock.json")
    root = bill.get("metadata", {}).get("component", {}).get("bom-ref")
    known = {entry["ref"] for entry in bill.get("dependencies", [])}
    bill["dependencies"] = bill.get("dependencies", []) + [
        {"ref": one["bom-ref"]} for one in bill["components"] if one["bom-ref"] not in known
    ]
    if root and root not in known:
        bill["dependencies"].append({"ref": root})
    return bill


def main(target: Path = TOP / "build" / "sbom.json") -> None:
    """Write it."""
    bill = bill_of_materials(str(Path(sys.executable).with_name("cyclonedx-py")))
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(bill, indent=2, sort_keys=True) + "\n")
    print(f"{target.relative_to(TOP)}: {len(bill['components'])} components, CycloneDX {bill['specVersion']}")


if __name__ == "__main__":
    main()

"""What browsers are sent was built from the sources beside it, asks nobody else for anything, and is ours to send."""

from __future__ import annotations

import gzip
import hashlib
import json
import re

import pytest

from triage.paths import folder, top

STATIC = folder("static")
BUILT = ["site.css", "site.js", "editor.js", "queue.js", "result.js", "reporter.js", "passkey.js", "worker.js"]
BUILD = "run `npm ci && npm run build` in assets/ and commit what it wrote"


@pytest.mark.parametrize("name", BUILT)
def test_no_page_asks_another_server_or_for_a_typeface_that_is_not_ours(name):
    text = (STATIC / name).read_text().replace("http://www.w3.org/", "")  # names of XML dialects, never asked for
    found = re.findall(r"frutiger|assets\.nhs\.uk|https?://|@font-face", text, re.IGNORECASE)
    assert not found, f"static/{name} holds {sorted(set(found))}"


@pytest.mark.parametrize("name", BUILT)
def test_the_compressed_file_is_the_same_file(name):
    assert gzip.decompress((STATIC / f"{name}.gz").read_bytes()) == (STATIC / name).read_bytes(), BUILD


def test_styles_and_scripts_were_built_from_the_sources_beside_them():
    """The build needs Node, which users and most developers lack; comparing needs none."""
    for name, digest in json.loads((STATIC / "built-from.json").read_text()).items():
        assert hashlib.sha256((top() / name).read_bytes()).hexdigest() == digest, f"{name} has changed: {BUILD}"


def test_every_image_the_styles_name_is_there():
    named = set(re.findall(r'url\("?/static/([^")]+)', (STATIC / "site.css").read_text()))
    assert named
    for name in named:
        assert (STATIC / name).is_file(), f"the styles name static/{name}"


def test_text_has_a_typeface():
    """NHS.UK frontend sets one only together with its own, which we do not ship: pages would come out in Times."""
    assert re.search(r"html\{[^}]*font-family:Arial,sans-serif", (STATIC / "site.css").read_text())


def test_the_lock_file_names_versions_and_hashes_but_no_download_address():
    lock = json.loads((top() / "assets/package-lock.json").read_text())
    assert not [name for name, package in lock["packages"].items() if "resolved" in package]
    version = lock["packages"]["node_modules/nhsuk-frontend"]["version"]
    licence = (STATIC / "vendor/nhsuk-frontend/LICENSE").read_text()
    assert f"nhsuk-frontend {version}" in licence
    assert "MIT License" in licence


def test_the_code_editor_names_the_licences_of_what_it_holds():
    packages = json.loads((top() / "assets/package-lock.json").read_text())["packages"]
    licence = (STATIC / "vendor/codemirror/LICENSE").read_text()
    held = ("codemirror", "@codemirror/autocomplete", "@codemirror/lang-yaml", "@codemirror/lint", "@codemirror/view")
    for name in held:
        assert f"{name} {packages[f'node_modules/{name}']['version']}" in licence
    assert "MIT License" in licence

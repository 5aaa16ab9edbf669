"""Running needs no network: nothing is downloaded, asked or told elsewhere, by the server or by its worker."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar

from triage.paths import folder

# Python itself tells of every connection and every name that is looked up, in each process that is started.
WATCH = """
import os, sys
def told(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"):
        where = arguments[1] if event in ("socket.connect", "socket.sendto") else arguments[0]
        with open(os.environ["NETWORK_WATCH"], "a") as file:
            file.write(f"{event} {where!r}\\n")
sys.addaudithook(told)
with open(os.environ["NETWORK_WATCH"], "a") as file:
    file.write(f"process {os.getpid()}\\n")
"""
OWN = re.compile(r"process \d+|socket\.\w+ (\('(127\.0\.0\.1|::1)'.*|'(127\.0\.0\.1|::1|localhost)'|b?'?/.*)")


def test_a_server_and_its_worker_talk_to_this_machine_only(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(WATCH)
    watched = tmp_path / "watched"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TRIAGE_")}
    environ = clean | {
        "PYTHONPATH": str(tmp_path),
        "NETWORK_WATCH": str(watched),
        "TRIAGE_DATA": str(tmp_path / "data"),
        "TRIAGE_PORT": str(port),
    }
    run = {"cwd": folder("rules").parent, "env": environ, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run([sys.executable, "-m", "triage", "demo"], check=True, **run)
    server = subprocess.Popen([sys.executable, "-m", "triage", "serve"], **run)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_for(f"{url}/health")
        for name, pages in {
            "nurse": ["/queue", "/on-call"],
            "patient": ["/report", "/reports", "/who-looked"],
            "clinician": ["/ruleset/draft"],
            "auditor": ["/audit"],
        }.items():
            _look(url, name, pages)
    finally:
        server.terminate()
        server.wait(timeout=30)
    lines = watched.read_text().splitlines()
    assert sum(line.startswith("process") for line in lines) >= 3, "demo, server and worker are all watched"
    assert not [line for line in lines if not OWN.match(line)]


def _wait_for(url):
    for _ in range(300):
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                assert answer.status == 200
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the server did not start")


def _look(url, name, pages):
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    with browser.open(f"{url}/sign-in", timeout=60) as page:
        token = re.search(r'name="csrf_token" value="([^"]+)"', page.read().decode())[1]
    form = {"csrf_token": token, "sign_in_name": name, "passphrase": "synthetic-demo-only"}
    with browser.open(f"{url}/sign-in", urllib.parse.urlencode(form).encode(), timeout=60) as answer:
        assert answer.status == 200
    for page in pages:
        with browser.open(url + page, timeout=60) as answer:
            assert answer.status == 200
            assert "/sign-in" not in answer.url

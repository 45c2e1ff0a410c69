"""A real Keycloak for the Socomec login: downloaded once, started in dev mode on loopback.

The distribution is the zip of the Maven artifact ``org.keycloak:keycloak-quarkus-dist``; Maven
brings it from wherever the machine's own settings say, and its digest is checked here.
``python -m energy_platform_tests.keycloak.server`` starts it for a look and stops with Ctrl+C.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSION: Final = "26.4.7"
SHA256: Final = "dd9834c023460be856f731423d86228c23b5d002194a2064642bec0cc6573eaa"
ARTIFACT: Final = f"org.keycloak:keycloak-quarkus-dist:{VERSION}:zip"
COPY: Final = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy"

CACHE: Final = Path(__file__).parents[2] / ".cache" / "keycloak"
"""Where the distribution stays between runs; ``KEYCLOAK_CACHE`` names another folder."""

MIN_JAVA: Final = 17
READY_S: Final = 180.0
STOP_S: Final = 20.0
REALM: Final = "Socomec"
REALM_FILE: Final = Path(__file__).with_name("realm.json")


class UnavailableError(RuntimeError):
    """Keycloak cannot be had on this machine; the message says what is missing."""


@dataclass(frozen=True)
class Admin:
    """The administrator's door of a running server."""

    url: str
    password: str = field(repr=False)

    def users(self) -> dict[str, str]:
        """Ids of the realm's users by name."""
        found: list[dict[str, Any]] = self._call("GET", "/users").json()
        return {one["username"]: one["id"] for one in found}

    def end_sessions(self, username: str) -> None:
        """Log a user out everywhere: refresh tokens become worthless."""
        self._call("POST", f"/users/{self.users()[username]}/logout")

    def set_enabled(self, username: str, *, enabled: bool) -> None:
        """Deactivate a user, or let it in again."""
        self._call("PUT", f"/users/{self.users()[username]}", {"enabled": enabled})

    def _call(self, method: str, path: str, body: object = None) -> httpx.Response:
        form = {"grant_type": "password", "client_id": "admin-cli", "username": "admin"}
        with httpx.Client(base_url=self.url, trust_env=False, timeout=30) as http:
            token = http.post(
                "/realms/master/protocol/openid-connect/token",
                data={**form, "password": self.password},
            )
            token.raise_for_status()
            answer = http.request(
                method,
                f"/admin/realms/{REALM}{path}",
                json=body,
                headers={"Authorization": f"Bearer {token.json()['access_token']}"},
            )
            answer.raise_for_status()
            return answer


def distribution() -> Path:
    """Return the folder of the unpacked distribution, brought by Maven when it is not there.

    Raises:
        UnavailableError: Java or Maven is missing, or the artifact cannot be had.
    """
    _check_java()
    cache = Path(os.environ.get("KEYCLOAK_CACHE", CACHE))
    home = cache / f"keycloak-{VERSION}"
    if (home / "bin" / "kc.sh").exists():
        return home
    cache.mkdir(parents=True, exist_ok=True)
    (cache / ".gitignore").write_text("*\n", encoding="utf-8")
    archive = cache / f"keycloak-quarkus-dist-{VERSION}.zip"
    if not archive.exists():
        _download(cache)
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    if digest != SHA256:
        archive.unlink()
        raise UnavailableError(f"{ARTIFACT}: expected SHA-256 {SHA256}, came {digest}; removed")
    unpacked = cache / f".unpacking-{os.getpid()}"
    with zipfile.ZipFile(archive) as zipped:
        zipped.extractall(unpacked)
    made = unpacked / home.name
    (made / "bin" / "kc.sh").chmod(0o755)
    made.rename(home)
    shutil.rmtree(unpacked)
    archive.unlink()
    return home


def _check_java() -> None:
    java = shutil.which("java")
    if java is None:
        raise UnavailableError(f"needs Java {MIN_JAVA} or newer on the PATH")
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)  # noqa: S603
    found = re.search(r'version "(\d+)', said.stderr + said.stdout)
    if found is None or int(found[1]) < MIN_JAVA:
        raise UnavailableError(f"needs Java {MIN_JAVA} or newer, found {found and found[1]}")


def _download(cache: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise UnavailableError("needs Maven (mvn) on the PATH to bring Keycloak")
    command = [maven, "--batch-mode", "--quiet", COPY]
    command += [f"-Dartifact={ARTIFACT}", f"-DoutputDirectory={cache}"]
    said = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if said.returncode:
        last = (said.stdout + said.stderr).strip().splitlines()[-1:]
        raise UnavailableError(f"Maven could not bring {ARTIFACT}: {' '.join(last)}")


@contextmanager
def running(log: Path) -> Iterator[Admin]:
    """Serve the realm on a free loopback port while the context lasts.

    Args:
        log: File for what the server says.

    Raises:
        UnavailableError: As :func:`distribution`.
        RuntimeError: The server did not come up; the message quotes its last lines.
    """
    home = distribution()
    imports = home / "data" / "import"
    imports.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(REALM_FILE, imports / "realm.json")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    password = secrets.token_urlsafe(12)
    command = [str(home / "bin" / "kc.sh"), "start-dev", "--import-realm", "--db=dev-mem"]
    command += ["--http-host=127.0.0.1", f"--http-port={port}", "--health-enabled=false"]
    environment = {
        **os.environ,
        "KC_BOOTSTRAP_ADMIN_USERNAME": "admin",
        "KC_BOOTSTRAP_ADMIN_PASSWORD": password,
        "JAVA_OPTS_KC_HEAP": "-Xms64m -Xmx512m",
    }
    with log.open("wb") as out:
        server = subprocess.Popen(  # noqa: S603 - the distribution whose digest was checked
            command, env=environment, stdout=out, stderr=out, start_new_session=True
        )
    try:
        admin = Admin(f"http://127.0.0.1:{port}", password)
        _wait_until_ready(server, admin, log=log)
        yield admin
    finally:
        # kc.sh may leave Java as a child of its own: the whole session is told.
        for number, patience in ((signal.SIGTERM, STOP_S), (signal.SIGKILL, STOP_S)):
            if server.poll() is None:
                os.killpg(server.pid, number)
                try:
                    server.wait(patience)
                except subprocess.TimeoutExpired:
                    continue


def _wait_until_ready(server: subprocess.Popen[bytes], admin: Admin, *, log: Path) -> None:
    until = time.monotonic() + READY_S
    with httpx.Client(base_url=admin.url, trust_env=False, timeout=5) as http:
        while time.monotonic() < until and server.poll() is None:
            try:
                if http.get(f"/realms/{REALM}").is_success:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.25)
    last = log.read_text(encoding="utf-8", errors="replace").splitlines()[-8:]
    raise RuntimeError("Keycloak did not come up:\n" + "\n".join(last))


def main() -> int:
    """Serve until stopped."""
    with running(Path(os.devnull)) as admin:
        sys.stdout.write(f"{admin.url}/realms/{REALM} (Ctrl+C stops)\n")
        sys.stdout.flush()
        try:
            signal.pause()
        except KeyboardInterrupt:
            return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())

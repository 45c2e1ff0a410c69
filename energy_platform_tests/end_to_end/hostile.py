"""A real installation beside a simulated one: all that must not be reached or touched."""

from __future__ import annotations

import hashlib
import os
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import energy_platform

if TYPE_CHECKING:
    from collections.abc import Iterator

TREE = str(Path(energy_platform.__path__[0]).parent)


@dataclass(frozen=True)
class Hostile:
    """What lies around a simulated installation.

    Attributes:
        data: The data folder of the simulated installation.
        live: That of the real one.
        requests: Everything that was asked of the real vendors, Wattics, or a proxy.
        before: Digest of each file of the real installation.
    """

    data: Path
    live: Path
    requests: list[str]
    before: dict[str, str]

    def must_be_untouched(self) -> None:
        assert self.requests == []
        assert digests(self.live) == self.before


def digests(folder: Path) -> dict[str, str]:
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


@contextmanager
def hostile(folder: Path) -> Iterator[Hostile]:
    """Work in a folder whose ``.env``, and whose environment, name a real installation."""
    requests: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def _noted(self) -> None:
            requests.append(self.requestline)
            self.send_response(200)
            self.end_headers()

        do_GET = do_POST = do_PUT = do_CONNECT = _noted  # noqa: N815 - the library's names

        def log_message(self, *_: object) -> None:
            pass

    live = folder / "live"
    live.mkdir()
    (live / "ORIGIN").write_text("live\n", encoding="utf-8")
    (live / "energy.duckdb").write_bytes(b"published")
    (live / "ledger.sqlite").write_bytes(b"ledger")
    kept, before = dict(os.environ), Path.cwd()
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        real = {
            "SOCOMEC_API_URL": f"{url}/socomec/",
            "SOCOMEC_KEYCLOAK_URL": f"{url}/keycloak/",
            "BELIMO_API_URL": f"{url}/belimo",
            "BELIMO_TOKEN_URL": f"{url}/token",
            "SKYCENTRICS_API_URL": f"{url}/skycentrics",
            "WATTICS_BASE_URL": f"{url}/wattics/",
            "WATTICS_USERNAME": "real",
            "WATTICS_PASSWORD": "real",
            "WATTICS_CREDENTIALS": '{"other": {"username": "real", "password": "real"}}',
            "ENERGY_PLATFORM_PORTFOLIO": str(live / "portfolio.yaml"),
            "ENERGY_PLATFORM_LEDGER_URL": f"sqlite:///{live}/ledger.sqlite",
        }
        of_the_file = {
            **real,
            "ENERGY_PLATFORM_DATA_DIR": str(live),
            "ENERGY_PLATFORM_AUTOSTART": "false",
            "ENERGY_PLATFORM_ALERT_URL": f"{url}/alert",
            "DAGSTER_HOME": str(live),
        }
        (folder / ".env").write_text(
            "".join(f"{name}={value}\n" for name, value in of_the_file.items()), encoding="utf-8"
        )
        data = folder / "data"
        try:
            os.chdir(folder)
            os.environ.update(real)
            os.environ.update(
                {
                    # A process elsewhere finds this tree, installed or not.
                    "PYTHONPATH": TREE,
                    "ENERGY_PLATFORM_DATA_DIR": str(data),
                    "DAGSTER_HOME": str(live),
                    "DAGSTER_PROJECT_ENV_FILE_PATHS": '{"energy_platform": "."}',
                    "DBT_PROFILES_DIR": str(live),
                    "DBT_TARGET": "live",
                    "wattics_base_url": f"{url}/small/",
                    "HTTP_PROXY": url,
                    "HTTPS_PROXY": url,
                    "all_proxy": url,
                }
            )
            yield Hostile(data=data, live=live, requests=requests, before=digests(live))
        finally:
            os.chdir(before)
            os.environ.clear()
            os.environ.update(kept)
            server.shutdown()

"""The recipes filled in: text in, text out; `energy-platform service` writes what comes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from energy_platform.memory import show_memory
from energy_platform.settings_example import env_example

RECIPES: Final = Path(__file__).parent / "recipes"
"""Folder of the templates."""

UNITS: Final = (
    "energy-platform.service",
    "energy-platform-health.service",
    "energy-platform-health.timer",
)
"""Files of the recipe for systemd."""

STANDING: Final = 2_000_000_000
"""What web server, daemon, code server and a command hold besides a refresh and a build, bytes:
0.8 GB for the idle three, measured, and as much again for pulls under way."""

_HOMES: Final = ("/home", "/root", "/run/user")
"""What systemd's ``ProtectHome`` hides (systemd.exec(5))."""


class Machine(NamedTuple):
    """What the units have to know of an installation.

    Attributes:
        program: The command ``energy-platform`` of the environment that shall run.
        home: The installation's folder: ``.env`` and the portfolio.
        data_dir: The data folder, the one place that the service may write to.
        names_data_dir: Whether the units have to name it, since no ``.env`` does.
        env_file: The env file, where it is not ``.env`` in the home.
        inbox: Folder in which files are dropped for the platform, where there is one.
        user: Account that the service runs under.
        port: Port of the UI on loopback.
        memory: What a refresh or a build may use, bytes.
    """

    program: Path
    home: Path
    data_dir: Path
    names_data_dir: bool
    env_file: Path | None
    inbox: Path | None
    user: str
    port: int
    memory: int


class Container(NamedTuple):
    """What the container recipe has to know.

    Attributes:
        version: Version of the platform.
        uid: Number of the account that everything runs under; its files are readable by it alone.
        gid: Number of its group.
        host: Name by which people call the UI.
        tls_port: Port of the proxy.
        memory: What a refresh or a build may use, bytes.
        password: Of the database; made for this recipe.
    """

    version: str
    uid: int
    gid: int
    host: str
    tls_port: int
    memory: int
    password: str


class Proxy(NamedTuple):
    """What the proxy has to know.

    Attributes:
        host: Name by which people call the UI.
        tls_port: Port it listens on.
        port: Port of the UI on loopback.
        path_prefix: Path that the UI's addresses begin with.
        certificate: File of the certificate and its chain.
        key: File of its key.
        users: File of those who may log in.
    """

    host: str
    tls_port: int
    port: int
    path_prefix: str
    certificate: str
    key: str
    users: str


def memory_max(memory: int) -> int:
    """Return the most that all processes together may hold, bytes.

    A refresh and a build may run at once, each within its memory.

    Args:
        memory: What a refresh or a build may use, bytes.

    >>> memory_max(2_500_000_000)
    7000000000
    """
    return 2 * memory + STANDING


def systemd_units(machine: Machine, *, for_user: bool) -> dict[str, str]:
    """Return the units by file name.

    Args:
        machine: The installation.
        for_user: Units of a user's own service manager, which may confine less.
    """
    places = (machine.program, machine.home, machine.data_dir)
    writes = [one for one in (machine.data_dir, machine.inbox) if one is not None]
    words = {
        **machine._asdict(),
        **_memory(machine.memory),
        "for_user": for_user,
        "in_home": any(str(one).startswith(f"{home}/") for one in places for home in _HOMES),
        "writes": writes,
    }
    return {name: _render(f"{name}.j2", words) for name in UNITS}


def container_files(container: Container) -> dict[str, str]:
    """Return the files of the container recipe by name, secrets among them."""
    words = {**container._asdict(), **_memory(container.memory)}
    proxy = Proxy(
        host=container.host,
        tls_port=container.tls_port,
        port=3000,
        path_prefix="",
        certificate="/run/secrets/tls_certificate",
        key="/run/secrets/tls_key",
        users="/run/secrets/users",
    )
    return {
        "Containerfile": _text("Containerfile"),
        "requirements.lock": _text("requirements.lock"),
        "compose.yaml": _render("compose.yaml.j2", words),
        "nginx.conf": proxy_alone(proxy),
        "databases.sql": _text("databases.sql"),
        "platform.env": _platform_env(container.password),
        "postgres_password": f"{container.password}\n",
    }


SECRET_FILES: Final = frozenset({"platform.env", "postgres_password"})
"""Files that only the account that runs everything may read."""


def proxy_site(proxy: Proxy) -> str:
    """Return the site for an nginx that runs on this machine."""
    return _render("site.j2", _proxy(proxy))


def proxy_alone(
    proxy: Proxy,
    *,
    error_log: str = "/dev/stderr",
    access_log: str = "/dev/stdout",
    temporary: str = "/tmp",  # noqa: S108 - in the container, where it is its own
) -> str:
    """Return the whole configuration of an nginx that serves nothing else, as in the container.

    Args:
        proxy: The proxy.
        error_log: Where its errors go.
        access_log: Where a line for each request goes.
        temporary: Folder for what it holds meanwhile.
    """
    places = {"error_log": error_log, "access_log": access_log, "temporary": temporary}
    return _render("nginx.conf.j2", {**_proxy(proxy), **places})


def _platform_env(password: str) -> str:
    """Return every variable as ``.env.example`` has them, with the databases filled in."""
    text = env_example()
    for name in ("ledger", "catalogue", "dagster"):
        empty = f"#ENERGY_PLATFORM_{name.upper()}_URL=\n"
        if empty not in text:
            raise LookupError(f"the settings have no line {empty}")
        url = f"postgresql://energy:{password}@postgres/{name}"
        text = text.replace(empty, f"{empty[1:-1]}{url}\n")
    return text


def _proxy(proxy: Proxy) -> dict[str, object]:
    words = proxy._asdict()
    return {**words, "tls_certificate": proxy.certificate, "tls_key": proxy.key}


def _memory(memory: int) -> dict[str, object]:
    most = memory_max(memory)
    shown = show_memory(memory)
    return {
        "memory_max": f"{most // 2**20}M",
        "memory_reason": f"Twice ENERGY_PLATFORM_MEMORY ({shown}), and 2 GB for what always runs.",
    }


def _render(name: str, words: dict[str, object]) -> str:
    text: str = _environment().get_template(name).render(words)
    return f"{text.strip()}\n"


def _text(name: str) -> str:
    return (RECIPES / name).read_text(encoding="utf-8")


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(RECIPES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - units and configuration, no pages
    )
    made.filters |= {"escaped": _escaped, "quoted": _quoted}
    return made


def _escaped(value: object) -> str:
    """Return a value of a unit: % begins a specifier (systemd.unit(5))."""
    return str(value).replace("%", "%%")


def _quoted(value: object) -> str:
    """Return a word of a unit, in quotes where it has to be one (systemd.syntax(7))."""
    text = _escaped(value).replace("\\", "\\\\")
    if not any(one in text for one in " \t'\";"):
        return text
    return '"' + text.replace('"', '\\"') + '"'

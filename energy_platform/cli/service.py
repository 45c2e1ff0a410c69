"""``energy-platform service …``: writes what runs the platform for good, and says what is next."""

from __future__ import annotations

import os
import pwd
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from energy_platform import __version__
from energy_platform.cli.console import console

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from energy_platform.deploy.filled import Machine
    from energy_platform.settings import PlatformSettings

service = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Write units for systemd, a container recipe or a proxy, filled in for this installation.",
)

SYSTEM_ACCOUNT: Final = "energy-platform"
"""Account that the units name when root writes them for a folder that is root's own."""

CONTAINER_ID: Final = 10_001
"""Number of the container's account when root writes the recipe."""

_ADD_USER: Final = 'printf "%s:%s\\n" YOUR_NAME "$(openssl passwd -6)"'

Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for the files.")]
Replace = Annotated[bool, typer.Option("--replace", help="Replace files that were changed.")]
Host = Annotated[str, typer.Argument(help="Name by which people call the UI.")]
TlsPort = Annotated[int, typer.Option(min=1, max=65_535, help="Port of the proxy.")]
UiPort = Annotated[int, typer.Option(min=1, max=65_535, help="Port of the UI on 127.0.0.1.")]


@service.command("systemd")
def systemd(
    *,
    out: Out = Path("deploy/systemd"),
    for_user: Annotated[
        bool, typer.Option("--user", help="Units of your own service manager, without root.")
    ] = False,
    port: UiPort = 3000,
    replace: Replace = False,
) -> None:
    """Write units: the platform, its health and the timer that asks for it."""
    from energy_platform.deploy.filled import systemd_units  # noqa: PLC0415

    machine = _machine(port)
    _write(out, systemd_units(machine, for_user=for_user), replace=replace)
    names = "energy-platform.service energy-platform-health.timer"
    control = "systemctl --user" if for_user else "sudo systemctl"
    place = "~/.config/systemd/user/" if for_user else "/etc/systemd/system/"
    install = f"mkdir -p {place} && cp" if for_user else "sudo cp"
    after = ["sudo loginctl enable-linger $USER   # so that it runs without a session"]
    account = [
        f"sudo useradd --system --home-dir {machine.home} {SYSTEM_ACCOUNT}",
        f"sudo mkdir -p {machine.data_dir} && sudo chown -R {SYSTEM_ACCOUNT}: {machine.data_dir}",
        f"sudo chown {SYSTEM_ACCOUNT}: {machine.env_file or machine.home / '.env'}",
    ]
    needs_account = machine.user == SYSTEM_ACCOUNT and not for_user
    _say_next(
        [
            *(account if needs_account else [f"mkdir -p {machine.data_dir}"]),
            f"{install} {out}/energy-platform* {place}",
            f"{control} daemon-reload",
            f"{control} enable --now {names}",
            *(after if for_user else []),
            "energy-platform health",
        ]
    )


@service.command("container")
def container(
    host: Host,
    *,
    out: Out = Path("deploy/container"),
    tls_port: TlsPort = 8443,
    replace: Replace = False,
) -> None:
    """Write a Containerfile and a compose file: platform, PostgreSQL, proxy with login."""
    from energy_platform.deploy.filled import SECRET_FILES, Container, container_files  # noqa: PLC0415
    from energy_platform.memory import default_memory  # noqa: PLC0415

    _require_host(host)
    uid, gid = (os.getuid(), os.getgid()) if os.getuid() else (CONTAINER_ID, CONTAINER_ID)
    kept = out / "postgres_password"
    password = kept.read_text(encoding="utf-8").strip() if kept.exists() else secrets.token_hex(24)
    files = container_files(
        Container(
            version=__version__,
            uid=uid,
            gid=gid,
            host=host,
            tls_port=tls_port,
            memory=_settings().memory or default_memory(),
            password=password,
        )
    )
    kept_env = {"platform.env"} if (out / "platform.env").exists() else set()
    # What somebody filled in is never replaced.
    wanted = {name: text for name, text in files.items() if name not in kept_env}
    _write(out, wanted, replace=replace, secret=SECRET_FILES, owner=(uid, gid))
    owned = [f"chown {uid}:{gid} tls.key users"] if os.getuid() == 0 else []
    _say_next(
        [
            *_wheel_into(out),
            f"cd {out}",
            "edit platform.env   # your vendors' variables, as in .env",
            f"cp YOUR_CERTIFICATE tls.crt && cp YOUR_KEY tls.key   # of {host}",
            f"{_ADD_USER} > users && chmod 600 users tls.key",
            *owned,
            "docker compose build",
            "docker compose run --rm platform discover --yes",
            "docker compose up --detach",
            "docker compose exec platform energy-platform health",
        ]
    )


@service.command("proxy")
def proxy(
    host: Host,
    *,
    out: Out = Path("deploy/proxy"),
    tls_port: TlsPort = 443,
    port: UiPort = 3000,
    replace: Replace = False,
) -> None:
    """Write a site for the nginx of this machine: TLS, a login, the UI behind it."""
    from energy_platform.deploy.filled import Proxy, proxy_site  # noqa: PLC0415

    _require_host(host)
    text = proxy_site(
        Proxy(
            host=host,
            tls_port=tls_port,
            port=port,
            path_prefix=_settings().ui_path_prefix,
            certificate=f"/etc/ssl/certs/{host}.crt",
            key=f"/etc/ssl/private/{host}.key",
            users="/etc/nginx/energy-platform.users",
        )
    )
    _write(out, {"energy-platform.conf": text}, replace=replace)
    _say_next(
        [
            f"ENERGY_PLATFORM_UI_HOSTS={host} into .env, and start the platform again",
            f"sudo cp {out}/energy-platform.conf /etc/nginx/conf.d/",
            f"{_ADD_USER} | sudo tee -a /etc/nginx/energy-platform.users",
            "sudo chown root:www-data /etc/nginx/energy-platform.users",
            "sudo chmod 640 /etc/nginx/energy-platform.users",
            "sudo nginx -t && sudo systemctl reload nginx",
        ]
    )


def _settings() -> PlatformSettings:
    from energy_platform.settings import Settings  # noqa: PLC0415

    return Settings.load().platform


def _machine(port: int) -> Machine:
    """Return what the units have to know.

    Raises:
        SettingsError: A setting is wrong, or the command is not installed as one.
    """
    from energy_platform.deploy.filled import Machine  # noqa: PLC0415
    from energy_platform.installation.env_file import env_file, home_folder  # noqa: PLC0415
    from energy_platform.memory import default_memory  # noqa: PLC0415
    from energy_platform.settings import Settings, SettingsError  # noqa: PLC0415

    program = Path(sys.executable).with_name("energy-platform")
    if not program.exists():
        raise SettingsError(f"{program} does not exist: install the package into this environment")
    settings = Settings.load()
    read = env_file()
    home, data_dir = home_folder(), settings.platform.data_dir
    folders = [getattr(one, "folder", None) for one in settings.sources.values()]
    return Machine(
        program=program,
        home=home,
        data_dir=data_dir,
        names_data_dir=bool(os.environ.get("ENERGY_PLATFORM_DATA_DIR")),
        env_file=None if read.path == home / ".env" else read.path,
        inbox=next((one for one in folders if one is not None), None),
        user=_account(data_dir),
        port=port,
        memory=settings.platform.memory or default_memory(),
    )


def _account(data_dir: Path) -> str:
    """Return whose service it is: this user's, or for root the owner of the data folder."""
    number = os.getuid()
    if number == 0 and data_dir.exists():
        number = data_dir.stat().st_uid
    return pwd.getpwuid(number).pw_name if number else SYSTEM_ACCOUNT


def _write(
    folder: Path,
    files: Mapping[str, str],
    *,
    replace: bool,
    secret: Collection[str] = (),
    owner: tuple[int, int] | None = None,
) -> None:
    """Write files, none of which may stand there with another text unless it shall be replaced.

    Args:
        folder: Where to; made when missing.
        files: Texts by name.
        replace: Whether files of another text are replaced.
        secret: Names of files that their owner alone may read.
        owner: Whose secret files are, by numbers, when root writes them.

    Raises:
        typer.BadParameter: Files of another text are there; nothing was written.
    """
    changed = [
        name
        for name, text in files.items()
        if (folder / name).exists() and (folder / name).read_text(encoding="utf-8") != text
    ]
    if changed and not replace:
        raise typer.BadParameter(
            f"{', '.join(str(folder / name) for name in changed)} would be replaced by another "
            "text; --replace does it, --out chooses another folder. Nothing was written"
        )
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        path = folder / name
        mode = 0o600 if name in secret else 0o644
        staged = path.with_name(f".{name}.{os.getpid()}")
        with os.fdopen(os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
            file.write(text)
        if name in secret and owner is not None and os.getuid() == 0:
            os.chown(staged, *owner)
        staged.replace(path)
    console().print(
        "\n".join(["written:", *(f"  {folder / name}" for name in files)]),
        markup=False,
        highlight=False,
    )


def _wheel_into(folder: Path) -> list[str]:
    """Return how the wheel of this version comes into the container's folder."""
    checkout = Path(__file__).parents[2]
    if (checkout / "pyproject.toml").exists():
        return [f"{sys.executable} -m pip wheel --no-deps --wheel-dir {folder} {checkout}"]
    return [f"cp THE_WHEEL_THAT_YOU_INSTALLED {folder}/   # energy_platform-{__version__}-…whl"]


def _say_next(commands: list[str]) -> None:
    console().print(
        "\n".join(["next:", *(f"  {command}" for command in commands)]),
        markup=False,
        highlight=False,
    )


def _require_host(host: str) -> None:
    from energy_platform.web.hosts import parse_hosts  # noqa: PLC0415

    try:
        names = parse_hosts(host)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    if len(names) != 1:
        raise typer.BadParameter("expected one name, such as energy.example.com")

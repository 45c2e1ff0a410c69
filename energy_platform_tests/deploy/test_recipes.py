"""What ``energy-platform service`` writes: whole, careful, never over somebody's own changes."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from energy_platform.deploy.filled import RECIPES, Machine, memory_max, systemd_units
from energy_platform_tests.cli.test_app import ROOT, typed
from energy_platform_tests.deploy.containerfile import parse

HOST = "energy.example.com"
MACHINE = Machine(
    program=Path("/opt/energy/bin/energy-platform"),
    home=Path("/srv/energy"),
    data_dir=Path("/srv/energy/data"),
    names_data_dir=False,
    env_file=None,
    inbox=None,
    user="energy",
    port=3000,
    memory=2_500_000_000,
)


def unit(text: str) -> dict[str, dict[str, list[str]]]:
    """Read a unit: values by section and key, in order."""
    sections: dict[str, dict[str, list[str]]] = {}
    section = ""
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            section = line.strip("[]")
            continue
        key, equals, value = line.partition("=")
        assert equals, line
        assert re.fullmatch(r"[A-Za-z]+", key), line
        sections.setdefault(section, {}).setdefault(key, []).append(value)
    return sections


def service_of(machine: Machine, *, for_user: bool = False) -> dict[str, list[str]]:
    return unit(systemd_units(machine, for_user=for_user)["energy-platform.service"])["Service"]


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("container")
    said = typed("service", "container", HOST, "--out", "recipe", folder=folder)
    assert said.returncode == 0, said.stderr
    return folder / "recipe"


def compose_of(container: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((container / "compose.yaml").read_text(encoding="utf-8"))
    return found


def test_the_system_unit_may_write_to_the_data_folder_alone_and_ends_in_order() -> None:
    found = service_of(MACHINE)
    assert found["ProtectSystem"] == ["strict"]
    assert found["ReadWritePaths"] == ["/srv/energy/data"]
    assert found["ProtectHome"] == found["PrivateTmp"] == found["NoNewPrivileges"] == ["yes"]
    assert found["KillMode"] == ["mixed"]
    assert int(found["TimeoutStopSec"][0]) > 60
    assert found["Restart"] == ["on-failure"]
    assert found["OOMPolicy"] == ["continue"]
    assert found["MemoryMax"] == [f"{memory_max(MACHINE.memory) // 2**20}M"]
    assert found["User"] == ["energy"]


def test_a_place_that_a_unit_has_to_quote_is_quoted() -> None:
    odd = MACHINE._replace(
        data_dir=Path("/srv/energy data/100%"),
        inbox=Path("/srv/inbox"),
        names_data_dir=True,
        env_file=Path("/etc/energy.env"),
    )
    found = service_of(odd)
    assert found["ReadWritePaths"] == ['"/srv/energy data/100%%" /srv/inbox']
    assert '"ENERGY_PLATFORM_DATA_DIR=/srv/energy data/100%%"' in found["Environment"]
    assert "ENERGY_PLATFORM_ENV_FILE=/etc/energy.env" in found["Environment"]


def test_what_lies_in_a_home_stays_readable() -> None:
    found = service_of(MACHINE._replace(home=Path("/home/mia/energy")))
    assert found["ProtectHome"] == ["read-only"]


def test_a_users_unit_asks_for_nothing_that_needs_root() -> None:
    found = service_of(MACHINE, for_user=True)
    assert "User" not in found
    assert "ProtectSystem" not in found
    assert found["NoNewPrivileges"] == ["yes"]
    text = systemd_units(MACHINE, for_user=True)["energy-platform.service"]
    assert unit(text)["Install"]["WantedBy"] == ["default.target"]


def test_the_health_is_asked_again_and_again_and_told() -> None:
    units = systemd_units(MACHINE, for_user=False)
    asked = unit(units["energy-platform-health.service"])["Service"]
    assert asked["Type"] == ["oneshot"]
    assert asked["ExecStart"] == ["/opt/energy/bin/energy-platform health --alert"]
    assert unit(units["energy-platform-health.timer"])["Timer"]["OnUnitInactiveSec"] == ["2min"]


def test_no_unit_holds_a_secret(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "WATTICS_PASSWORD=s3cret-word\nENERGY_PLATFORM_LEDGER_URL=postgresql://a:s3cret@h/x\n"
    )
    said = typed("service", "systemd", folder=tmp_path)
    if said.returncode:  # this environment has no command of its own
        assert "install the package" in said.stderr
    written = "".join(path.read_text() for path in tmp_path.rglob("deploy/**/*") if path.is_file())
    assert "s3cret" not in written + said.stdout


def test_the_compose_file_is_one(container: Path) -> None:
    schema = json.loads(Path(__file__).with_name("compose-spec.json").read_text(encoding="utf-8"))
    found = Draft202012Validator(schema).iter_errors(compose_of(container))
    assert [one.message for one in found] == []


def test_every_service_is_careful_and_nothing_is_published_beyond_loopback(container: Path) -> None:
    services = compose_of(container)["services"]
    assert set(services) == {"platform", "proxy", "postgres"}
    for name, one in services.items():
        assert one["read_only"] is True, name
        assert one["cap_drop"] == ["ALL"], name
        assert one["security_opt"] == ["no-new-privileges:true"], name
        assert not one["user"].startswith(("0", "root")), name
        assert one["tmpfs"], name
        assert all(port.startswith("127.0.0.1:") for port in one.get("ports", [])), name
    assert services["proxy"]["network_mode"] == "service:platform"
    assert "ports" not in services["postgres"]


def test_secrets_are_files_of_their_owner_and_stand_nowhere_else(container: Path) -> None:
    password = (container / "postgres_password").read_text(encoding="utf-8").strip()
    assert len(password) >= 32
    for path in container.iterdir():
        is_secret = path.name in {"platform.env", "postgres_password"}
        assert (password in path.read_text(encoding="utf-8")) is is_secret, path.name
        assert stat.S_IMODE(path.stat().st_mode) == (0o600 if is_secret else 0o644), path.name


def test_each_database_of_the_platform_is_one_that_the_server_makes(container: Path) -> None:
    server = compose_of(container)["services"]["postgres"]
    made = re.findall(r"CREATE DATABASE (\w+);", (container / "databases.sql").read_text())
    text = (container / "platform.env").read_text(encoding="utf-8")
    named = re.findall(r"^ENERGY_PLATFORM_\w+_URL=postgresql://.*/(\w+)$", text, re.MULTILINE)
    assert {"ledger", "catalogue", "dagster"} == set(named)
    assert sorted(named) == sorted([server["environment"]["POSTGRES_DB"], *made])


def test_the_image_is_built_of_pinned_packages_and_runs_as_nobody_special(container: Path) -> None:
    steps = list(parse((container / "Containerfile").read_text(encoding="utf-8")))
    assert all("@sha" not in rest for word, rest in steps if word == "FROM")
    installs = [rest for word, rest in steps if "pip install" in rest]
    assert all("--require-hashes" in one or "--no-index" in one for one in installs)
    assert [rest for word, rest in steps if word == "USER"] == ["${UID}:${GID}"]
    assert any(word == "HEALTHCHECK" for word, _ in steps)
    assert {rest.partition("=")[0] for word, rest in steps if word == "ARG"} == {"UID", "GID"}


def test_what_runs_has_the_versions_that_are_tested_and_no_tool_of_development() -> None:
    def pins(path: Path) -> dict[str, str]:
        found = re.findall(r"^([a-z0-9._-]+)(?:\[\w+\])?==(\S+)", path.read_text(), re.MULTILINE)
        return dict(found)

    tested, runs = pins(Path(ROOT) / "requirements.lock"), pins(RECIPES / "requirements.lock")
    assert {name: one for name, one in runs.items() if tested.get(name) != one} == {}
    assert {"dagster", "dagster-postgres", "duckdb", "psycopg"} <= set(runs)
    assert not {"pytest", "mypy", "ruff", "sqlfluff", "sphinx"} & set(runs)


def test_files_that_somebody_changed_are_replaced_only_when_asked_to(tmp_path: Path) -> None:
    command = ("service", "proxy", HOST)
    assert typed(*command, folder=tmp_path).returncode == 0
    path = tmp_path / "deploy" / "proxy" / "energy-platform.conf"
    assert typed(*command, folder=tmp_path).returncode == 0
    path.write_text("mine\n")
    said = typed(*command, folder=tmp_path)
    assert said.returncode == 2
    assert "deploy/proxy/energy-platform.conf would be replaced" in said.stderr
    assert path.read_text() == "mine\n"
    assert typed(*command, "--replace", folder=tmp_path).returncode == 0
    assert f"server_name {HOST};" in path.read_text()


def test_the_secrets_of_a_container_survive_writing_its_recipe_again(tmp_path: Path) -> None:
    command = ("service", "container", HOST, "--out", "recipe")
    assert typed(*command, folder=tmp_path).returncode == 0
    env = tmp_path / "recipe" / "platform.env"
    password = (tmp_path / "recipe" / "postgres_password").read_text()
    env.write_text(env.read_text() + "WATTICS_USERNAME=mia\n")
    assert typed(*command, "--replace", folder=tmp_path).returncode == 0
    assert env.read_text().endswith("WATTICS_USERNAME=mia\n")
    assert (tmp_path / "recipe" / "postgres_password").read_text() == password


@pytest.mark.parametrize("host", ["https://energy.example.com", "a,b", "a b", "x;y"])
def test_a_name_that_is_none_is_refused_and_nothing_is_written(tmp_path: Path, host: str) -> None:
    said = typed("service", "proxy", host, folder=tmp_path)
    assert said.returncode == 2
    assert "such as energy.example.com" in said.stderr
    assert [*tmp_path.iterdir()] == []

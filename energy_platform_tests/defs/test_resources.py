"""Resources name the variables of secrets; no snapshot, run or file of Dagster holds a value."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, cast

import dagster as dg
import pytest
from dagster._core.remote_representation.external_data import RepositorySnap
from dagster._core.snap import JobSnap
from dagster._serdes import serialize_value

from energy_platform.definitions import build_definitions
from energy_platform.defs.instance.secrets import SettingsSecrets, secrets_of
from energy_platform.defs.partitions import range_tags
from energy_platform.defs.resources import source_resource
from energy_platform.defs.runner import open_runner
from energy_platform.destinations.wattics import WatticsSettings
from energy_platform.settings import PlatformSettings
from energy_platform.sources.registry import get_source, sources

if TYPE_CHECKING:
    from pathlib import Path

    from energy_platform.sources.socomec.settings import SocomecSettings

DAY = "2026-03-02"

SECRETS = {
    "SOCOMEC_CLIENT_SECRET": "secret-of-the-client",
    "SOCOMEC_PASSWORD": "secret-of-the-user",
    "BELIMO_CLIENT_SECRET": "secret-of-the-space",
    "SKYCENTRICS_CLIENT_SECRET": "secret-that-signs",
    "WATTICS_PASSWORD": "secret-of-the-stream",
    "WATTICS_CREDENTIALS": '{"roof": {"username": "u", "password": "secret-of-the-roof"}}',
    "ENERGY_PLATFORM_LEDGER_URL": "postgresql+psycopg://u:secret-of-the-ledger@localhost/none",
    "ENERGY_PLATFORM_CATALOGUE_URL": "postgresql+psycopg://u:secret-of-the-lake@localhost:1/none",
}
WORDS = ("secret-of", "secret-that")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of its own, its Dagster home, and no secret from elsewhere."""
    for name in SECRETS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ENERGY_PLATFORM_DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "portfolio.yaml").write_text(
        "version: 1\nsites: [{id: paris, name: Paris, timezone: Europe/Paris}]\ndevices: []\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("ENERGY_PLATFORM_PORTFOLIO", str(tmp_path / "portfolio.yaml"))
    # `open_runner` names the instance to this process.
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setenv("ENERGY_PLATFORM_INSTANCE", str(tmp_path))
    return tmp_path


def env_file(folder: Path, monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    lines = [f"{name}='{value}'\n" for name, value in values.items()]
    (folder / "settings.env").write_text("".join(lines), encoding="utf-8")
    (folder / "settings.env").chmod(0o600)
    monkeypatch.setenv("ENERGY_PLATFORM_ENV_FILE", str(folder / "settings.env"))


def test_the_snapshot_names_each_secret_that_is_set_and_holds_none(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env_file(folder, monkeypatch, **SECRETS)
    repository = build_definitions().get_repository_def()
    snapshot = RepositorySnap.from_def(repository)
    jobs = [JobSnap.from_job_def(job) for job in repository.get_all_jobs()]
    text = "".join(map(serialize_value, [snapshot, *jobs]))
    assert not [word for word in WORDS if word in text]
    named = {name for one in snapshot.resources or () for name in _variables(one.configured_values)}
    assert named == set(SECRETS)
    keys = {one.name for one in snapshot.resources or ()}
    assert keys == {"platform", "lake", "warehouse", "ledger", "wattics", *sources()}


def _variables(values: object) -> set[str]:
    return {one.name for one in cast("dict[str, object]", values).values() if hasattr(one, "name")}


def test_a_run_uses_the_secrets_of_the_env_file_and_keeps_none(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOCOMEC_KEYCLOAK_URL", "http://127.0.0.1:9/")
    monkeypatch.setenv("SOCOMEC_ATTEMPTS", "1")
    monkeypatch.setenv("SOCOMEC_CLIENT_ID", "client")
    monkeypatch.setenv("SOCOMEC_USERNAME", "user")
    env_file(folder, monkeypatch, **{**SECRETS, "ENERGY_PLATFORM_LEDGER_URL": ""})
    home = folder / "data" / "dagster"
    with open_runner(home) as runner:
        report = runner.run("ingest_socomec", tags=range_tags([DAY]))
    assert not report.success
    assert "SOCOMEC_KEYCLOAK_URL" in report.errors[0], "it got as far as the login"
    assert not SECRETS.keys() & os.environ.keys(), "the environment is as it was before"
    told = [
        path
        for path in home.rglob("*")
        if path.is_file() and any(word.encode() in path.read_bytes() for word in WORDS)
    ]
    assert told == []


def test_a_simulated_installation_takes_no_secret_of_the_environment(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "simulated.env").write_text(
        "SOCOMEC_API_URL=http://127.0.0.1:9/\n"
        "SOCOMEC_KEYCLOAK_URL=http://127.0.0.1:9/\n"
        "SOCOMEC_CLIENT_SECRET=invented\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("ENERGY_PLATFORM_SIMULATION", str(folder / "simulated.env"))
    monkeypatch.setenv("SOCOMEC_CLIENT_SECRET", SECRETS["SOCOMEC_CLIENT_SECRET"])
    resource = source_resource("socomec").process_config_and_initialize()
    settings = cast("SocomecSettings", resource.read_settings())
    assert settings.client_secret is not None
    assert settings.client_secret.get_secret_value() == "invented"
    assert SettingsSecrets().get_secrets_for_environment(None) == {
        "SOCOMEC_CLIENT_SECRET": "invented"
    }


def test_dagsters_processes_get_the_secrets_that_the_settings_have(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env_file(
        folder,
        monkeypatch,
        SOCOMEC_PASSWORD="of the file",
        BELIMO_PASSWORD="of the file",
        BELIMO_CLIENT_ID="no secret",
    )
    monkeypatch.setenv("BELIMO_PASSWORD", "of the environment")
    assert SettingsSecrets().get_secrets_for_environment(None) == {
        "SOCOMEC_PASSWORD": "of the file",
        "BELIMO_PASSWORD": "of the environment",
    }


def test_what_a_deployment_configures_instead_is_used(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOCOMEC_PASSWORD", "of the environment")
    monkeypatch.setenv("VAULT_PASSWORD", "of the vault")
    made: Any = type(source_resource("socomec"))
    resource = made(source="socomec", password=dg.EnvVar("VAULT_PASSWORD"))
    settings = resource.process_config_and_initialize().read_settings()
    assert settings.model_dump()["password"].get_secret_value() == "of the vault"


def test_every_secret_of_the_settings_is_one_of_a_resource() -> None:
    assert secrets_of(PlatformSettings) == {
        "ledger_url": "ENERGY_PLATFORM_LEDGER_URL",
        "catalogue_url": "ENERGY_PLATFORM_CATALOGUE_URL",
        "dagster_url": "ENERGY_PLATFORM_DAGSTER_URL",
    }
    assert secrets_of(WatticsSettings).keys() == {"password", "credentials"}
    assert secrets_of(get_source("socomec").settings) == {
        "client_secret": "SOCOMEC_CLIENT_SECRET",
        "password": "SOCOMEC_PASSWORD",
    }

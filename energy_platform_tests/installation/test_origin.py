"""Whose data a folder holds, and what follows from it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal

import dagster as dg
import pytest

from energy_platform.defs.resources import Platform
from energy_platform.destinations.wattics import WatticsSettings
from energy_platform.installation.env_file import write_env_file
from energy_platform.installation.origin import (
    DataFolderError,
    OriginError,
    SimulationInUseError,
    claim,
    installation,
    is_simulated_now,
    only_simulation,
    origin_of,
    settings_file,
    simulation_knobs,
)
from energy_platform.settings import SIMULATION, PlatformSettings, Settings, SettingsError

if TYPE_CHECKING:
    from pathlib import Path

PREFIXES = ("SOCOMEC_", "BELIMO_", "SKYCENTRICS_", "WATTICS_", "ENERGY_PLATFORM_")


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith(PREFIXES):
            monkeypatch.delenv(name)


def test_the_demo_never_mixes_with_a_real_account(tmp_path: Path) -> None:
    claim(tmp_path, origin="live")
    claim(tmp_path, origin="live")
    with pytest.raises(OriginError, match="holds live data and this run brings demo data"):
        claim(tmp_path, origin="demo")
    assert origin_of(tmp_path) == "live"


@pytest.mark.parametrize("left", ["lake", "ledger.sqlite", "landing", "energy.duckdb"])
def test_a_demo_does_not_take_a_folder_whose_marker_was_lost(tmp_path: Path, left: str) -> None:
    (tmp_path / left).mkdir()
    with pytest.raises(OriginError, match="holds live data"):
        claim(tmp_path, origin="demo")
    assert origin_of(tmp_path) is None
    claim(tmp_path, origin="live")


def test_a_damaged_marker_is_no_licence(tmp_path: Path) -> None:
    (tmp_path / "ORIGIN").write_text("", encoding="utf-8")
    with pytest.raises(OriginError, match="expected demo or live"):
        claim(tmp_path, origin="demo")


@pytest.mark.parametrize("place", ["a-file", "a-file/below"])
def test_a_data_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path, place: str) -> None:
    (tmp_path / "a-file").touch()
    with pytest.raises(DataFolderError, match="ENERGY_PLATFORM_DATA_DIR") as caught:
        claim(tmp_path / place, origin="demo")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("folder", ["live", "demo"])
def test_a_run_process_refuses_to_write_into_the_other_kind_of_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: Literal["live", "demo"]
) -> None:
    data = tmp_path / "data"
    claim(data, origin=folder)
    monkeypatch.setenv("ENERGY_PLATFORM_DATA_DIR", str(data))
    if folder == "live":  # and the process is a simulated installation's
        write_env_file(tmp_path / "settings.env", {"ENERGY_PLATFORM_DATA_DIR": str(data)})
        monkeypatch.setenv(SIMULATION, str(tmp_path / "settings.env"))
    began = False

    @dg.op(required_resource_keys={"platform"})
    def writes() -> None:
        nonlocal began
        began = True

    @dg.job(resource_defs={"platform": Platform.of(PlatformSettings())})
    def run() -> None:
        writes()

    with pytest.raises(dg.DagsterError) as caught:
        run.execute_in_process()
    assert isinstance(caught.value.__cause__, OriginError)
    assert f"holds {folder} data" in str(caught.value.__cause__)
    assert not began


def test_a_simulated_process_reads_its_own_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("WATTICS_USERNAME=real\n", encoding="utf-8")
    monkeypatch.setenv("WATTICS_PASSWORD", "real")
    monkeypatch.setenv("wattics_base_url", "https://real.example/")
    own = tmp_path / "settings.env"
    write_env_file(own, {"WATTICS_BASE_URL": "http://127.0.0.1:1/"})
    monkeypatch.setenv(SIMULATION, str(own))
    wattics = WatticsSettings()
    assert (wattics.base_url, wattics.username, wattics.password) == (
        "http://127.0.0.1:1/",
        None,
        None,
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"WATTICS_BASE_URL": "https://real.example/"},
        {"ENERGY_PLATFORM_LEDGER_URL": "postgresql://real.example/ledger"},
        {"ENERGY_PLATFORM_LEDGER_URL": "sqlite:////srv/live/ledger.sqlite"},
        {"ENERGY_PLATFORM_CATALOGUE_URL": "postgresql://real.example/catalogue"},
    ],
)
def test_a_simulated_process_refuses_addresses_beyond_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, str]
) -> None:
    write_env_file(tmp_path / "settings.env", wrong)
    monkeypatch.setenv(SIMULATION, str(tmp_path / "settings.env"))
    with pytest.raises(SettingsError, match="this machine") as caught:
        Settings.load()
    (name,) = wrong
    assert name in str(caught.value)


def test_after_a_demo_the_folder_decides_and_no_real_ledger_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim(tmp_path / "data", origin="demo")
    (tmp_path / ".env").write_text(
        "WATTICS_BASE_URL=https://real.example/\n"
        "ENERGY_PLATFORM_PORTFOLIO=real.yaml\n"
        "ENERGY_PLATFORM_LEDGER_URL=postgresql://real.example/ledger\n"
        "ENERGY_PLATFORM_CATALOGUE_URL=postgresql://real.example/catalogue\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("SOCOMEC_PASSWORD", "real")
    found = installation()
    assert found.origin == "demo"
    assert not found.simulated_now
    assert found.settings.platform.portfolio == tmp_path / "data" / "demo" / "portfolio.yaml"
    assert found.settings.platform.ledger_url is None
    assert found.settings.platform.catalogue_url is None
    assert found.settings.destinations["wattics"].base_url is None
    assert vars(found.settings.sources["socomec"])["password"] is None
    (tmp_path / "data" / "ORIGIN").unlink()
    assert installation().settings.destinations["wattics"].base_url == "https://real.example/"


def test_while_the_demo_runs_its_addresses_are_known(tmp_path: Path) -> None:
    data = tmp_path / "data"
    claim(data, origin="demo")
    (data / "demo").mkdir()
    write_env_file(settings_file(data), {"WATTICS_BASE_URL": "http://127.0.0.1:1/"})
    assert installation().settings.destinations["wattics"].base_url is None
    with only_simulation(data):
        assert is_simulated_now(data)
        assert installation().settings.destinations["wattics"].base_url == "http://127.0.0.1:1/"
        with pytest.raises(SimulationInUseError, match="another demo"), only_simulation(data):
            pass
    assert not is_simulated_now(data)


def test_the_folder_of_a_simulation_comes_from_the_environment_never_from_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text(
        f"ENERGY_PLATFORM_DATA_DIR={tmp_path / 'live'}\nENERGY_PLATFORM_AUTOSTART=false\n"
        "WATTICS_CREDENTIALS={oops\n",
        encoding="utf-8",
    )
    assert simulation_knobs() == {"ENERGY_PLATFORM_DATA_DIR": str(tmp_path / "data")}
    monkeypatch.setenv("ENERGY_PLATFORM_DATA_DIR", "sim")
    assert simulation_knobs() == {"ENERGY_PLATFORM_DATA_DIR": str(tmp_path / "sim")}
    monkeypatch.setenv("ENERGY_PLATFORM_INTRADAY_MINUTES", "soon")
    with pytest.raises(SettingsError, match="ENERGY_PLATFORM_INTRADAY_MINUTES"):
        simulation_knobs()

"""The Dagster instance and the data folder's owner."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from energy_platform.instance import InstanceInUseError, only_ui, render_instance
from energy_platform.origin import OriginError, claim

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def own_home(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    yield
    os.environ.pop("DAGSTER_HOME", None)


def test_dagster_accepts_the_rendered_instance_and_it_calls_nobody(tmp_path: Path) -> None:
    home = render_instance(tmp_path / "dagster")
    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert not instance.telemetry_enabled
        assert not instance.nux_enabled
        assert instance.run_monitoring_enabled
        assert str(tmp_path) in instance.storage_directory()


def test_rendering_again_repairs_an_edited_file(tmp_path: Path) -> None:
    home = render_instance(tmp_path / "dagster")
    good = (home / "dagster.yaml").read_text()
    (home / "dagster.yaml").write_text("telemetry: {enabled: true}\n")
    render_instance(home)
    assert (home / "dagster.yaml").read_text() == good


def test_two_uis_on_one_home_are_refused_and_the_next_one_may_start(tmp_path: Path) -> None:
    home = render_instance(tmp_path / "dagster")
    with only_ui(home), pytest.raises(InstanceInUseError, match="already runs"), only_ui(home):
        pass
    with only_ui(home):
        pass


def test_the_demo_never_mixes_with_a_real_account(tmp_path: Path) -> None:
    claim(tmp_path, origin="live")
    claim(tmp_path, origin="live")
    with pytest.raises(OriginError, match="holds live data and this run brings demo data"):
        claim(tmp_path, origin="demo")

"""What an instance has stored goes on working where the code has moved."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import dagster as dg
import pytest
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin
from dagster._utils.hosted_user_process import recon_job_from_origin

from energy_platform.installation.instance import render_instance

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OLD_PLACES = {
    "energy_platform.defs.instance.launcher": "energy_platform.automation.launcher",
    "energy_platform.defs.instance.secrets": "energy_platform.automation.secrets",
    "class: SettingsSecrets": "class: NoSecrets",
}
"""Where ``dagster.yaml`` named its classes before, by where it does now."""


@pytest.fixture(autouse=True)
def own_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    before = dict(os.environ)
    monkeypatch.setenv("ENERGY_PLATFORM_DATA_DIR", str(tmp_path))
    yield
    os.environ.clear()
    os.environ.update(before)


def test_a_run_of_before_is_shown_and_can_be_run_again(tmp_path: Path) -> None:
    home = render_instance(tmp_path / "dagster")
    origin = JobPythonOrigin(
        job_name="refresh",
        repository_origin=RepositoryPythonOrigin(
            executable_path=sys.executable,
            code_pointer=ModuleCodePointer("energy_platform.definitions", "definitions", None),
        ),
    )
    with dg.DagsterInstance.from_config(str(home)) as instance:
        stored = instance.create_run_for_job(
            dg.GraphDefinition(name="refresh").to_job(),
            status=dg.DagsterRunStatus.SUCCESS,
            job_code_origin=origin,
        )
    path = home / "dagster.yaml"
    text = path.read_text(encoding="utf-8")
    for now, before in OLD_PLACES.items():
        assert now in text
        text = text.replace(now, before)
    path.write_text(text, encoding="utf-8")

    render_instance(home)

    with dg.DagsterInstance.from_config(str(home)) as instance:
        run = instance.get_run_by_id(stored.run_id)
    assert run is not None
    assert run.job_code_origin is not None
    assert recon_job_from_origin(run.job_code_origin).get_definition().name == "refresh"

"""``energy-platform discover`` against the simulated vendors."""

from __future__ import annotations

import io
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from energy_platform.cli.discover import run_discover
from energy_platform.cli.portfolio_changes import INCOMPLETE, NOTHING, OK
from energy_platform.portfolio import load_portfolio
from energy_platform.simulators.suite import SimulatorSuite
from energy_platform.sources.registry import sources
from energy_platform.transforms.quantities import ENERGY_QUANTITIES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from energy_platform.portfolio import Point

MORNING = datetime(2026, 11, 20, 8, tzinfo=UTC)
PREFIXES = (*(f"{name}_".upper() for name in sources()), "WATTICS_", "ENERGY_PLATFORM_")


@pytest.fixture(scope="module")
def served() -> Iterator[SimulatorSuite]:
    # A sensor of the world comes and goes every six hours; now it is gone.
    with SimulatorSuite(clock=lambda: MORNING) as suite:
        yield suite


@pytest.fixture
def suite(
    served: SimulatorSuite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SimulatorSuite]:
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith(PREFIXES):
            monkeypatch.delenv(name)
    for name, value in served.environment().items():
        monkeypatch.setenv(name, value)
    for vendor in suite_vendors(served):
        monkeypatch.setenv(f"{vendor}_RPS".upper(), "500")
        monkeypatch.setenv(f"{vendor}_ATTEMPTS".upper(), "1")
    yield served
    served.clear_faults()


def suite_vendors(suite: SimulatorSuite) -> set[str]:
    """The vendors that have devices in the world."""
    return {device.vendor for device in suite.world.devices}


def size_of(suite: SimulatorSuite) -> int:
    """How many devices of the world report something."""
    return len([device for device in suite.world.devices if device.signals])


def _meaning(point: Point) -> tuple[str, str, str]:
    # Whether a flag is one state or bits is told by its values only.
    kind = "state" if point.kind == "bitfield" else point.kind
    return point.quantity, kind, point.phase


def discover(*, dry_run: bool = False, yes: bool = False, answer: bool = False) -> tuple[int, str]:
    screen = io.StringIO()
    code = run_discover(
        Console(file=screen, width=200), dry_run=dry_run, yes=yes, ask=lambda _: answer
    )
    return code, screen.getvalue()


def test_an_empty_folder_gets_a_portfolio_of_the_whole_suite(
    suite: SimulatorSuite, tmp_path: Path
) -> None:
    code, screen = discover(answer=True)
    path = tmp_path / "portfolio.yaml"
    portfolio = load_portfolio(path)
    assert code == OK
    assert len(portfolio.devices) == size_of(suite) >= 42
    assert "+version: 1" in screen
    assert "TO CONFIRM" in screen
    text = path.read_text(encoding="utf-8")
    for name, secret in suite.environment().items():
        assert secret not in text or secret == "Socomec" or name.endswith("_RPS")
    assert "@" not in text


def test_guesses_agree_with_the_reviewed_portfolio(suite: SimulatorSuite, tmp_path: Path) -> None:
    """What the reviewer calls ``other`` may be found out more closely, but never be an energy."""
    discover(yes=True)
    guessed = load_portfolio(tmp_path / "portfolio.yaml").points
    reviewed_path = tmp_path / "reviewed.yaml"
    reviewed_path.write_text(suite.portfolio(), encoding="utf-8")
    reviewed = load_portfolio(reviewed_path).points
    compared = reviewed.keys() & guessed.keys()
    assert len(compared) > 400
    wrong = {
        key: (guess, right)
        for key in compared
        if (guess := _meaning(guessed[key])) != (right := _meaning(reviewed[key]))
        and (right[0] != "other" or guess[0] in ENERGY_QUANTITIES)
        # The neutral has no phase in the world; the station's vendor says no unit.
        and reviewed[key].name not in {"In", "Weather Station Temp"}
    }
    assert not wrong


def test_nothing_is_written_before_somebody_agrees(
    suite: SimulatorSuite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert discover(answer=False)[0] == INCOMPLETE
    assert discover(dry_run=True, yes=True)[0] == OK
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert run_discover(Console(file=io.StringIO())) == NOTHING
    assert not (tmp_path / "portfolio.yaml").exists()


def test_an_edited_portfolio_keeps_every_edit(suite: SimulatorSuite, tmp_path: Path) -> None:
    discover(yes=True)
    path = tmp_path / "portfolio.yaml"
    text = path.read_text(encoding="utf-8")
    start = text.index("  - vendor: socomec\n    serial: SN000012")
    end = text.index("  - vendor: belimo", start)
    edited = (text[:start] + text[end:]).replace(
        "role: main  # TO CONFIRM", "role: main  # checked on site; TO CONFIRM", 1
    ) + "# closing remark\n"
    path.write_text(edited, encoding="utf-8")
    path.chmod(0o640)
    code, screen = discover(yes=True)
    assert code == OK
    after = path.read_text(encoding="utf-8")
    assert "+  - vendor: socomec" in screen
    assert "socomec/SN000012" in load_portfolio(path).devices
    left = iter(after.splitlines())
    assert all(line in left for line in edited.splitlines())
    assert path.stat().st_mode & 0o777 == 0o640
    assert discover(yes=True)[1].rstrip().endswith("needs no addition")


def test_a_link_to_the_portfolio_stays_a_link(suite: SimulatorSuite, tmp_path: Path) -> None:
    kept = tmp_path / "configuration" / "buildings.yaml"
    kept.parent.mkdir()
    kept.write_text("version: 1\nsites: []\n", encoding="utf-8")
    (tmp_path / "portfolio.yaml").symlink_to(kept)
    assert discover(yes=True)[0] == OK
    assert (tmp_path / "portfolio.yaml").is_symlink()
    assert len(load_portfolio(kept).devices) == size_of(suite)


def test_a_file_saved_while_the_question_stands_is_not_overwritten(
    suite: SimulatorSuite, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "portfolio.yaml"
    path.write_text("version: 1\nsites: []\n", encoding="utf-8")

    def saves_then_agrees(_: str) -> bool:
        path.write_text("version: 1\nsites: []\n# just saved\n", encoding="utf-8")
        return True

    screen = Console(file=io.StringIO(), width=200)
    assert run_discover(screen, ask=saves_then_agrees) == NOTHING
    assert "changed in the meantime" in " ".join(capsys.readouterr().err.split())
    assert path.read_text(encoding="utf-8").endswith("# just saved\n")


def test_the_file_is_written_before_a_reader_of_the_diff_can_go_away(
    suite: SimulatorSuite, tmp_path: Path
) -> None:
    class Head(io.StringIO):
        """A pipe whose reader has seen enough after ten lines."""

        def write(self, text: str) -> int:
            if self.getvalue().count("\n") >= 10:
                raise BrokenPipeError
            return super().write(text)

    with pytest.raises((BrokenPipeError, SystemExit)):
        run_discover(Console(file=Head(), width=200), yes=True)
    assert len(load_portfolio(tmp_path / "portfolio.yaml").devices) == size_of(suite)


def test_a_vendor_that_refuses_the_login_stops_no_other(
    suite: SimulatorSuite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BELIMO_PASSWORD", "hunter2-wrong")
    code, screen = discover(yes=True)
    assert code == INCOMPLETE
    assert "belimo: not read: belimo token" in screen
    assert "hunter2-wrong" not in screen
    portfolio = load_portfolio(tmp_path / "portfolio.yaml")
    found = {device.vendor for device in portfolio.devices.values()}
    assert found == suite_vendors(suite) - {"belimo"}
    monkeypatch.setenv("BELIMO_PASSWORD", suite.environment()["BELIMO_PASSWORD"])
    assert discover(yes=True)[0] == OK
    assert len(load_portfolio(tmp_path / "portfolio.yaml").devices) == size_of(suite)


def test_without_credentials_nothing_is_written(
    suite: SimulatorSuite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, spec in sources().items():
        for field in spec.login:
            monkeypatch.delenv(f"{name}_{field}".upper(), raising=False)
    code, screen = discover(yes=True)
    assert code == NOTHING
    assert "no vendor has credentials" in screen
    assert not (tmp_path / "portfolio.yaml").exists()

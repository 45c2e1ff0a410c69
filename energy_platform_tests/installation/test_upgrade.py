"""Code and settings that change under a running process are noticed; touched files are not."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from energy_platform.installation.upgrade import LoadedCode, restart_needed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def package(tmp_path: Path) -> Path:
    package = tmp_path / "code"
    (package / "transforms").mkdir(parents=True)
    (package / "transforms" / "rules.py").write_text("ENERGY_RULES = 1\n", encoding="utf-8")
    (tmp_path / ".env").write_text("SOCOMEC_RPS=5\n", encoding="utf-8")
    return package


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda p: (p / "transforms/rules.py").write_text("ENERGY_RULES = 2\n"), "rules.py"),
        (lambda p: (p / "transforms/rules.py").unlink(), "rules.py"),
        (lambda p: (p / "new.py").write_text(""), "new.py"),
        (lambda p: (p.parent / ".env").write_text("SOCOMEC_RPS=6\n"), ".env"),
        (lambda p: (p.parent / ".env").unlink(), ".env"),
    ],
)
def test_what_changed_is_named(package: Path, change: Callable[[Path], object], named: str) -> None:
    loaded = LoadedCode(package, env_file=package.parent / ".env")
    assert loaded.changed() == ""
    change(package)
    assert loaded.changed().endswith(named)


def test_a_touched_file_and_a_comment_are_no_change(package: Path) -> None:
    loaded = LoadedCode(package, env_file=package.parent / ".env")
    os.utime(package / "transforms/rules.py", (1, 1))
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "rules.py").write_text("", encoding="utf-8")
    (package.parent / ".env").write_text("# five a second\nSOCOMEC_RPS=5\n", encoding="utf-8")
    assert loaded.changed() == ""


def test_code_put_back_needs_no_restart(package: Path) -> None:
    loaded = LoadedCode(package, env_file=package.parent / ".env")
    rules = package / "transforms/rules.py"
    rules.write_text("ENERGY_RULES = 2\n", encoding="utf-8")
    assert loaded.changed()
    rules.write_text("ENERGY_RULES = 1\n", encoding="utf-8")
    assert loaded.changed() == ""


def test_a_process_just_loaded_needs_no_restart() -> None:
    assert restart_needed() == ""

"""The env file as people and their editors write it."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy_platform.installation.env_file import (
    EnvFileError,
    env_file,
    read_env_file,
    write_env_file,
)
from energy_platform.settings import PlatformSettings, Settings, SettingsError
from energy_platform.sources.socomec.settings import SocomecSettings

if TYPE_CHECKING:
    from pathlib import Path

PREFIXES = ("SOCOMEC_", "BELIMO_", "SKYCENTRICS_", "WATTICS_", "ENERGY_PLATFORM_")


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith(PREFIXES):
            monkeypatch.delenv(name)


def password() -> str | None:
    secret = SocomecSettings().password
    return None if secret is None else secret.get_secret_value()


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("SOCOMEC_PASSWORD=a${b}c", "a${b}c"),
        ('SOCOMEC_PASSWORD="a${b}c"', "a${b}c"),
        ("SOCOMEC_PASSWORD='a${HOME}c'", "a${HOME}c"),
        ("SOCOMEC_PASSWORD=$HOME", "$HOME"),
        ("SOCOMEC_PASSWORD=${HOME:-x}", "${HOME:-x}"),
        ("SOCOMEC_PASSWORD=a\\nb", "a\\nb"),
        ("SOCOMEC_PASSWORD=a#b", "a#b"),
        ("SOCOMEC_PASSWORD='a #b'", "a #b"),
        ("SOCOMEC_PASSWORD=a=b%20", "a=b%20"),
        ("SOCOMEC_PASSWORD = spaced ", "spaced"),
        ("export SOCOMEC_PASSWORD=exported", "exported"),
        ("socomec_password=small", "small"),
        ("\ufeffSOCOMEC_PASSWORD=marked", "marked"),
        ("# first\r\nSOCOMEC_PASSWORD=windows\r\n", "windows"),
        ("SOCOMEC_PASSWORD=first\nSOCOMEC_PASSWORD=last", "last"),
        ("SOCOMEC_PASSWORD=", None),
    ],
)
def test_a_value_arrives_as_written(tmp_path: Path, line: str, value: str | None) -> None:
    (tmp_path / ".env").write_bytes(line.encode())
    assert password() == value


def test_the_environment_comes_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("SOCOMEC_PASSWORD=file\n", encoding="utf-8")
    monkeypatch.setenv("SOCOMEC_PASSWORD", "environment")
    assert password() == "environment"


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), min_size=1))
def test_what_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("env") / "settings.env"
    write_env_file(path, {"A": text, "B": "after"})
    assert read_env_file(path).values == {"A": text, "B": "after"}
    assert path.stat().st_mode & 0o077 == 0


def test_lines_that_cannot_be_read_are_found_with_their_numbers(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / ".env").write_text(
        "\n# a comment\nSOCOMEC PASSWORD=x\nSOCOMEC_USERNAME=me\n\nBELIMO_PASSWORD='open\n",
        encoding="utf-8",
    )
    read = env_file()
    assert [(one.line, one.lost) for one in read.problems] == [(3, True), (6, True)]
    with caplog.at_level(logging.DEBUG):
        assert vars(Settings.load().sources["socomec"])["username"] == "me"
    assert not caplog.records


def test_a_value_cut_by_a_comment_and_a_name_that_stands_twice_are_pointed_out(
    tmp_path: Path,
) -> None:
    (tmp_path / ".env").write_text("A=x #y\nB='x #y'\nA=z\nC=x  # why\n", encoding="utf-8")
    said = [(one.line, one.message) for one in env_file().problems]
    assert [line for line, _ in said] == [1, 3, 4]
    assert "begins a comment" in said[0][1]
    assert "stands in line 1 already" in said[1][1]
    assert "y" not in said[0][1].split("comment")[0].replace("why", "")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"A=1\nSOCOMEC_PASSWORD=caf\xe9\n", "line 2: not UTF-8"),
        ("A=1".encode("utf-16"), "UTF-16"),
    ],
)
def test_a_file_that_is_no_utf8_text_is_one_sentence(
    tmp_path: Path, content: bytes, said: str
) -> None:
    (tmp_path / ".env").write_bytes(content)
    with pytest.raises(SettingsError, match=said) as caught:
        Settings.load()
    assert len(str(caught.value).splitlines()) == 1


def test_a_folder_in_its_place_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()
    with pytest.raises(SettingsError, match="is a folder"):
        Settings.load()


def test_a_named_file_has_to_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENERGY_PLATFORM_ENV_FILE", "other.env")
    with pytest.raises(EnvFileError, match=r"other\.env, which does not exist"):
        env_file()


def test_a_process_elsewhere_reads_the_file_of_the_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text(
        "SOCOMEC_PASSWORD=file\nENERGY_PLATFORM_DATA_DIR=lake\n"
        "ENERGY_PLATFORM_LEDGER_URL=sqlite:///ledger.db\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("ENERGY_PLATFORM_HOME", str(tmp_path))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    settings = PlatformSettings()
    assert password() == "file"
    assert settings.data_dir == tmp_path / "lake"
    assert settings.portfolio == tmp_path / "portfolio.yaml"
    assert settings.ledger_url is not None
    assert settings.ledger_url.get_secret_value() == f"sqlite:///{tmp_path}/ledger.db"


def test_a_file_that_others_can_read_is_said(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.touch(mode=0o600)
    assert env_file().mode_problem() is None
    path.chmod(0o640)
    assert "0640" in str(env_file().mode_problem())


@pytest.mark.parametrize(
    ("name", "value"),
    [("WATTICS_CREDENTIALS", "{oops-s3cret"), ("WATTICS_SUCCESS_CODES", "200,201")],
)
def test_json_that_is_none_is_one_line_without_the_value(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        Settings.load()
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"{name}: expected JSON")
    assert "oops" not in line
    assert caught.value.__cause__ is None


def test_a_section_alone_never_shows_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCOMEC_PASSWORD", "s3cret")
    monkeypatch.setenv("SOCOMEC_API_URL", "http://somewhere.example/")
    with pytest.raises(SettingsError, match=r"SOCOMEC_API_URL: plain http") as caught:
        SocomecSettings()
    assert "s3cret" not in str(caught.value)
    assert caught.value.__suppress_context__

"""Variables written into ``.env`` are read back as they were typed, by their owner alone."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from energy_platform.installation.env_file import EnvFileError, read_env_file
from energy_platform.installation.env_writer import add_variables

if TYPE_CHECKING:
    from pathlib import Path

PASSWORDS = st.text(
    st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=30
)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(password=PASSWORDS)
def test_any_password_of_one_line_is_read_back_as_it_was_typed(
    tmp_path: Path, password: str
) -> None:
    path = tmp_path / ".env"
    add_variables(path, {"ACME_PASSWORD": password, "ACME_USER": "a@b.example"})
    read = read_env_file(path)
    assert read.values == {"ACME_PASSWORD": password, "ACME_USER": "a@b.example"}
    assert not [one for one in read.problems if one.lost]


def test_what_stood_in_the_file_stays_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("# mine\nexport ACME_PASSWORD = old\nOTHER=1\n#ACME_PASSWORD=shown\n")
    path.chmod(0o644)
    add_variables(path, {"ACME_PASSWORD": "new one"})
    assert path.read_text() == "# mine\nOTHER=1\n#ACME_PASSWORD=shown\nACME_PASSWORD='new one'\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_cannot_be_written_changes_nothing_and_is_not_shown(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("OTHER=1\n")
    with pytest.raises(EnvFileError, match="ACME_PASSWORD cannot be written") as refused:
        add_variables(path, {"ACME_PASSWORD": "secret\udcff"})
    assert "secret" not in str(refused.value)
    assert path.read_text() == "OTHER=1\n"
    assert [one.name for one in tmp_path.iterdir()] == [".env"]

"""The tools that people read with, each as a process of its own that stays open.

JDBC and Node are brought by Maven and npm from wherever the machine's own settings say, once, in
pinned versions.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

PROGRAMS: Final = Path(__file__).parent / "programs"

CACHE: Final = Path(os.environ.get("READERS_CACHE", Path(__file__).parents[2] / ".cache/readers"))
"""Where drivers stay between runs; ``READERS_CACHE`` names another folder."""

JDBC: Final = "org.duckdb:duckdb_jdbc:1.5.5.1"
JDBC_SHA256: Final = "22343dd258db1b0b51d37afc776c8dff5b19282829fa5b47f7d5d6fe02b3377a"
NODE_CLIENT: Final = "@duckdb/node-api@1.5.5-r.5"
OLD_CLIENT: Final = "1.1.3"
"""An old version of DuckDB's Python client that has wheels for every Python of the platform: what
BI tools bring along is often a year or two behind."""

COPY: Final = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy"

CLI_END: Final = "END"
"""What the command line prints after an answer, since it says nothing where there is none."""


class UnavailableError(RuntimeError):
    """A tool cannot be had on this machine; the message says what is missing."""


@dataclass(frozen=True)
class Tool:
    """A program that can be kept open.

    Attributes:
        name: Its name.
        command: The command that answers queries on a database, given that and the marts' folder.
    """

    name: str
    command: Callable[[Path, Path, Sequence[str]], list[str]]

    def open(self, database: Path, *, marts: Path, queries: Sequence[str]) -> OpenTool:
        """Start the program; it opens the database once.

        Raises:
            UnavailableError: It cannot be had on this machine.
        """
        return OpenTool(self, self.command(database, marts, queries), queries=queries)


class OpenTool:
    """A tool that was started and stays open until it is closed."""

    def __init__(self, tool: Tool, command: list[str], *, queries: Sequence[str]) -> None:
        self.name = tool.name
        self._is_cli = tool.name == "cli"
        text = "".join(f"{query};\n" for query in queries) + f".print {CLI_END}\n"
        self._question = text if self._is_cli else "?\n"
        self._process = subprocess.Popen(  # noqa: S603 (programs of this folder)
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def ask(self) -> str:
        """Return the answer to the queries: values separated by commas, or ``error: …``.

        Raises:
            RuntimeError: The program ended.
        """
        to, answers = self._process.stdin, self._process.stdout
        assert to is not None
        assert answers is not None
        try:
            to.write(self._question)
            to.flush()
        except BrokenPipeError:
            raise RuntimeError(f"{self.name} ended: {answers.read()}") from None
        lines: list[str] = []
        while line := answers.readline():
            if line.strip() == CLI_END:
                break
            lines.append(line.strip())
            if not self._is_cli:
                break
        if not line:
            raise RuntimeError(f"{self.name} ended: {' '.join(lines)}")
        if any("Error" in one for one in lines):
            return "error: " + " ".join(lines).removeprefix("error: ")
        return ",".join(lines)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()


def _python(tool: str) -> Callable[[Path, Path, Sequence[str]], list[str]]:
    program = str(PROGRAMS / "python_reader.py")
    return lambda database, marts, queries: [
        sys.executable,
        program,
        tool,
        str(database),
        str(marts),
        *queries,
    ]


def _old(database: Path, marts: Path, queries: Sequence[str]) -> list[str]:
    folder = old_client()
    start = f"import sys, runpy; sys.path.insert(0, {str(folder)!r}); sys.argv = sys.argv[1:]; "
    start += "runpy.run_path(sys.argv[0], run_name='__main__')"
    program = str(PROGRAMS / "python_reader.py")
    return [sys.executable, "-c", start, program, "duckdb", str(database), str(marts), *queries]


def _cli(database: Path, _: Path, __: Sequence[str]) -> list[str]:
    program = Path(sys.executable).with_name("duckdb")
    if not program.exists():
        raise UnavailableError("needs the Python package duckdb-cli: make setup")
    return [str(program), "-readonly", "-csv", "-noheader", str(database)]


def _jdbc(database: Path, _: Path, queries: Sequence[str]) -> list[str]:
    java, jar = shutil.which("java"), jdbc_driver()
    if java is None:
        raise UnavailableError("needs Java 17 or newer on the PATH")
    # A driver of 80 MB with a native library needs no more than this of the machine.
    options = ["-Xmx256m", "-cp", str(jar)]
    return [java, *options, str(PROGRAMS / "Reader.java"), str(database), *queries]


def _node(database: Path, _: Path, queries: Sequence[str]) -> list[str]:
    node, folder = shutil.which("node"), node_client()
    if node is None:
        raise UnavailableError("needs Node 20 or newer on the PATH")
    return [node, str(PROGRAMS / "reader.mjs"), str(folder), str(database), *queries]


def jdbc_driver() -> Path:
    """Return the JDBC driver's jar, brought by Maven when it is not there.

    Raises:
        UnavailableError: Maven is missing, or the driver cannot be had.
    """
    _, artifact, version = JDBC.split(":")
    jar = _cache() / f"{artifact}-{version}.jar"
    if not jar.exists():
        arguments = ["--batch-mode", "--quiet", COPY, f"-Dartifact={JDBC}"]
        _bring("mvn", [*arguments, f"-DoutputDirectory={CACHE}"], what=JDBC)
    if hashlib.sha256(jar.read_bytes()).hexdigest() != JDBC_SHA256:
        jar.unlink()
        raise UnavailableError(f"{JDBC}: not the file whose digest is known; removed")
    return jar


def node_client() -> Path:
    """Return the folder of the Node client, brought by npm when it is not there.

    Raises:
        UnavailableError: npm is missing, or the client cannot be had.
    """
    folder = _cache() / NODE_CLIENT.rpartition("@")[2]
    if not (folder / "node_modules" / "@duckdb" / "node-api" / "package.json").exists():
        options = ["--no-fund", "--no-audit", "--no-package-lock", "--ignore-scripts"]
        _bring("npm", ["install", *options, f"--prefix={folder}", NODE_CLIENT], what=NODE_CLIENT)
    return folder


def old_client() -> Path:
    """Return the folder of an old DuckDB client, brought by pip when it is not there.

    Raises:
        UnavailableError: pip is missing, or the client cannot be had.
    """
    folder = _cache() / f"duckdb-{OLD_CLIENT}"
    if not (folder / "duckdb" / "__init__.py").exists():
        what = f"duckdb=={OLD_CLIENT}"
        arguments = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _bring(sys.executable, [*arguments, "--no-deps", f"--target={folder}", what], what=what)
    return folder


def _cache() -> Path:
    CACHE.mkdir(parents=True, exist_ok=True)
    (CACHE / ".gitignore").write_text("*\n", encoding="utf-8")
    return CACHE


def _bring(program: str, arguments: Sequence[str], *, what: str) -> None:
    path = shutil.which(program)
    if path is None:
        raise UnavailableError(f"needs {program} on the PATH to bring {what}")
    said = subprocess.run(  # noqa: S603 (pinned artifacts of this file)
        [path, *arguments], capture_output=True, text=True, check=False
    )
    if said.returncode:
        last = (said.stdout + said.stderr).strip().splitlines()[-1:]
        raise UnavailableError(f"{program} could not bring {what}: {' '.join(last)}")


IN_SETUP: Final = (
    Tool("cli", _cli),
    Tool("duckdb", _python("duckdb")),
    Tool("pandas", _python("pandas")),
    Tool("sqlalchemy", _python("sqlalchemy")),
    Tool("polars", _python("polars")),
    Tool("pyarrow", _python("pyarrow")),
)
"""Tools that the Python packages of ``make setup`` bring."""

BROUGHT: Final = (Tool("jdbc", _jdbc), Tool("node", _node), Tool("duckdb-1.1", _old))
"""Tools that are downloaded: what Power BI, DBeaver and Metabase read through, what Evidence and
Grafana plug-ins read through, and an old client."""

TOOLS: Final = (*IN_SETUP, *BROUGHT)

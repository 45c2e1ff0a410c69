"""Carries out a Containerfile without a container engine: its own steps, in folders as roots.

Each stage is a folder with a root file system; ``RUN`` is a shell in it. The base image is replaced
by what it is made of, Debian's packages. An instruction that is not known is an error: nothing of a
recipe is passed over.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass, field
from string import Template
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

_DESCRIBES: Final = frozenset({"LABEL", "VOLUME", "STOPSIGNAL"})
"""Instructions that are kept with the image and do nothing while it is built."""


class Instruction(NamedTuple):
    """One instruction: its word in capitals, and the rest as it stands."""

    word: str
    rest: str


@dataclass
class Image:
    """What a stage came to.

    Attributes:
        root: Its root file system.
        environment: Variables of what runs in it.
        described: What was said of it by instruction: user, working directory, commands.
    """

    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    described: dict[str, str] = field(default_factory=dict)

    def command(self, name: str) -> list[str]:
        """Return an instruction's command, written as a JSON list."""
        words: list[str] = json.loads(self.described[name])
        return words

    def health_command(self) -> list[str]:
        """Return the command of ``HEALTHCHECK``."""
        words: list[str] = json.loads(self.described["HEALTHCHECK"].partition(" CMD ")[2])
        return words


def parse(text: str) -> Iterator[Instruction]:
    """Yield the instructions of a Containerfile."""
    whole = re.sub(r"\\\n", " ", "\n".join(one for one in text.splitlines() if one[:1] != "#"))
    for line in whole.splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(" ")
            yield Instruction(word.upper(), rest.strip())


def build(
    folder: Path,
    *,
    work: Path,
    base: Callable[[str, Path], None],
    arguments: Mapping[str, str],
    say: Callable[[str], None],
) -> Image:
    """Carry out ``Containerfile`` of a folder; return the last stage.

    Args:
        folder: The build context.
        work: Where the stages' roots are made.
        base: Fills an empty folder with the root file system that an image of a name stands for.
        arguments: Values of ``ARG``.
        say: Told each step.

    Raises:
        ValueError: An instruction is not known.
        subprocess.CalledProcessError: A step failed.
    """
    stages: dict[str, Image] = {}
    current: Image | None = None
    given: dict[str, str] = {}
    for word, rest in parse((folder / "Containerfile").read_text(encoding="utf-8")):
        say(f"{word} {rest[:100]}")
        if word == "FROM":
            name, _, alias = rest.partition(" AS ")
            current = _stage(name, work / (alias or "last"), stages=stages, base=base)
            stages[alias or "last"] = current
            continue
        if current is None:
            raise ValueError(f"{word} before FROM")
        values = {**given, **current.environment}
        if word == "ENV":
            pairs = dict(one.split("=", 1) for one in shlex.split(rest))
            current.environment |= {k: Template(v).substitute(values) for k, v in pairs.items()}
        elif word == "ARG":
            name, _, default = rest.partition("=")
            given[name] = arguments.get(name, default)
        elif word == "RUN":
            in_root(current.root, ["/bin/sh", "-c", rest], {**_PATH, **values})
        elif word == "COPY":
            _copy(rest, folder=folder, to=current.root, stages=stages)
        elif word in {"USER", "WORKDIR", "HEALTHCHECK", "ENTRYPOINT", "CMD"} | _DESCRIBES:
            is_command = word in {"HEALTHCHECK", "ENTRYPOINT", "CMD"}
            current.described[word] = rest if is_command else Template(rest).substitute(values)
        else:
            raise ValueError(f"an instruction that is not known: {word}")
    if current is None:
        raise ValueError("no FROM")
    return current


AUTHORITIES: Final = "/etc/ssl/certs/ca-certificates.crt"
"""Whom Debian trusts."""

_HANDED_ON: Final = ("PIP_CERT", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
"""What an engine hands on to a build as well, when it is told to."""

_PATH: Final = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive"}


def in_root(root: Path, command: list[str], environment: Mapping[str, str]) -> None:
    """Run a command as root in a root file system, with a ``/proc`` and ``/dev`` of its own.

    It trusts whom this machine trusts: a company's own authority may stand before the registry.

    Raises:
        subprocess.CalledProcessError: It failed.
    """
    inside = (
        'mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && '
        f'{{ [ ! -e "$0{AUTHORITIES}" ] || mount --bind {AUTHORITIES} "$0{AUTHORITIES}"; }} && '
        'exec chroot "$0" "$@"'
    )
    given = {name: os.environ[name] for name in _HANDED_ON if name in os.environ}
    subprocess.run(  # noqa: S603 - our own words
        [
            *("unshare", "--mount", "--pid", "--fork", "--propagation", "private"),
            *("/bin/sh", "-c", inside, str(root), *command),
        ],
        env={**environment, **given},
        check=True,
    )


def _stage(
    name: str, root: Path, *, stages: Mapping[str, Image], base: Callable[[str, Path], None]
) -> Image:
    if name in stages:
        before = stages[name]
        subprocess.run(["cp", "-a", before.root, root], check=True)  # noqa: S603, S607
        return Image(root, dict(before.environment), dict(before.described))
    root.mkdir(parents=True)
    base(name, root)
    return Image(root)


def _copy(rest: str, *, folder: Path, to: Path, stages: Mapping[str, Image]) -> None:
    words = shlex.split(rest)
    source = folder
    if words[0].startswith("--from="):
        source = stages[words.pop(0).removeprefix("--from=")].root
    *patterns, place = words
    target = to / place.lstrip("/")
    for pattern in patterns:
        found = sorted(source.glob(pattern.lstrip("/")))
        if not found:
            raise ValueError(f"COPY {pattern}: there is none in {source}")
        for one in found:
            if one.is_dir():
                subprocess.run(["cp", "-a", one, target], check=True)  # noqa: S603, S607
            else:
                target.mkdir(parents=True, exist_ok=True)
                shutil.copy(one, target)

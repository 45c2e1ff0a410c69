"""How a logger's files are to be read, as ``mapping.yaml`` beside them says it.

Here belong the shape of a mapping and its loading; every error names the file and the line. What
a mapping leaves out is recognised in each file (``layout``, ``numbers``, ``stamps``) or refused.
"""

from __future__ import annotations

import codecs
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from energy_platform.lake.digests import digest_of
from energy_platform.portfolio.text import compose, read_yaml
from energy_platform.portfolio.values import Duration, Text, Whole, shown
from energy_platform.schemas import Kind, Quantity  # noqa: TC001 - pydantic reads them
from energy_platform.sources.files.errors import MappingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

MAPPING_FILE: Final = "mapping.yaml"
"""Name of a logger's mapping, in the logger's own folder."""

LARGEST_BYTES: Final = 1_000_000
"""Size of a mapping that is read: some ten thousand columns."""

_OFFSET: Final = re.compile(r"(?:UTC|GMT)?([+-])(\d{1,2})(?::?(\d{2}))?")
_MOST_OFFSET_MIN: Final = 14 * 60
"""No clock on Earth is further from UTC (Kiribati)."""


def offset_of(zone: str) -> timedelta | None:
    """Return the offset of a zone that is written as one; None for the name of a zone.

    Example:
        >>> offset_of("+01:00"), offset_of("UTC-5"), offset_of("Europe/Paris")
        (datetime.timedelta(seconds=3600), datetime.timedelta(days=-1, seconds=68400), None)
    """
    match = _OFFSET.fullmatch(zone.strip())
    if match is None:
        return None
    minutes = int(match[2]) * 60 + int(match[3] or 0)
    return timedelta(minutes=-minutes if match[1] == "-" else minutes)


def _clock(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        # YAML reads the offset +01 as a number.
        value = f"{value:+d}"
    if not isinstance(value, str):
        return value
    name = value.strip()
    offset = offset_of(name)
    if offset is not None:
        if abs(offset) > timedelta(minutes=_MOST_OFFSET_MIN):
            raise ValueError(f"{name!r} is further from UTC than any clock")
        return name
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(
            f"{name!r} is not a time zone such as Europe/Paris, nor an offset such as +01:00"
        ) from error
    return name


Clock = Annotated[str, BeforeValidator(_clock)]
"""An IANA zone, or a fixed offset: many loggers keep winter time all year."""


def _encoding(name: str) -> str:
    try:
        return codecs.lookup(name).name
    except LookupError:
        raise ValueError(f"{name!r} is not an encoding such as utf-8, utf-16 or cp1252") from None


Delimiter = Literal[";", ",", "\t", "|"]
DELIMITER_NAMES: Final = {"semicolon": ";", "comma": ",", "tab": "\t", "pipe": "|", "\\t": "\t"}
Separator = Literal[".", " ", "'", ",", "none"]
"""What may stand between thousands."""


def _list(value: object) -> object:
    return [value] if isinstance(value, str) else value


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PointMapping(_Entry):
    """What one column, or one point of a long file, is.

    Attributes:
        point: Key of the point in the portfolio; the column's own name where it is left out.
        unit: Unit of the numbers; else the one in the column's name or the file's unit column.
        kind: Cumulative register, increment, gauge or state.
        width: Length of an increment's period.
        stamp: Which end of its period an increment is stamped at.
        quantity: What is measured; else ``discover`` proposes it.
        name: Name to show.
    """

    point: Text | None = None
    unit: Text | None = None
    kind: Kind | None = None
    width: Duration | None = None
    stamp: Literal["start", "end"] | None = None
    quantity: Quantity | None = None
    name: str | None = None

    @model_validator(mode="after")
    def _is_an_increment(self) -> Self:
        if self.kind == "increment" and self.width is None:
            raise ValueError("an increment needs the width of its period, such as width: 15m")
        if self.kind != "increment" and (self.width is not None or self.stamp is not None):
            raise ValueError("width and stamp belong to kind: increment")
        return self


class Mapping(_Entry):
    """How the files of one logger are read; all of it may be left out.

    Attributes:
        name: Name to show of the logger.
        files: Patterns of file names in the inbox itself that are this logger's, for a mapping
            that lies there as ``<logger>.yaml``.
        timezone: Clock of stamps that say no offset: an IANA zone or a fixed offset.
        layout: ``wide`` has a column per point, ``long`` a line per point and instant.
        encoding: Of the text; recognised between UTF-8, UTF-16 and cp1252.
        delimiter: Between cells; recognised.
        decimal: Decimal sign; recognised where the numbers leave no doubt.
        thousands: Between thousands; recognised with the decimal sign.
        header_row: Line of the column names, counted from 1; 0 for a file without.
        header: Names of the columns of a file without a line of names.
        sheet: Of a workbook; its first one with data.
        time_column: Column of the instant, or those of date and time.
        time_format: Its format as ``strptime`` has it; ``epoch``, ``epoch_ms`` or ``excel`` for
            numbers.
        day_first: Whether 01/02 is the first of February; recognised where the days tell.
        point_column: Of a long file.
        value_column: Of a long file.
        unit_column: Of a long file.
        missing: Further texts that stand for no value.
        points: By column name, or by the point's name in a long file. Where there are any, only
            these are read.
        every: Time between two samples of the logger. Where it is said, days of which no file
            came are missing; without it nobody can know.
    """

    name: str | None = None
    files: Annotated[tuple[Text, ...], BeforeValidator(_list)] = ()
    timezone: Clock | None = None
    layout: Literal["wide", "long"] | None = None
    encoding: Annotated[str, AfterValidator(_encoding)] | None = None
    delimiter: (
        Annotated[
            Delimiter,
            BeforeValidator(lambda v: DELIMITER_NAMES.get(v, v) if isinstance(v, str) else v),
        ]
        | None
    ) = None
    decimal: Literal[".", ","] | None = None
    thousands: Separator | None = None
    header_row: Annotated[Whole, Field(ge=0)] | None = None
    header: tuple[Text, ...] = ()
    sheet: Text | None = None
    time_column: Annotated[tuple[Text, ...], BeforeValidator(_list), Field(max_length=2)] = ()
    time_format: Text | None = None
    day_first: bool | None = None
    point_column: Text | None = None
    value_column: Text | None = None
    unit_column: Text | None = None
    missing: tuple[str, ...] = ()
    points: dict[str, PointMapping] = Field(default_factory=dict)
    every: Duration | None = None

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if self.decimal is not None and self.decimal == self.thousands:
            raise ValueError("decimal and thousands cannot be the same sign")
        if self.decimal == "," and self.delimiter == ",":
            raise ValueError("a decimal comma needs another delimiter than a comma")
        if self.header and self.header_row:
            raise ValueError("header names the columns of files without a line of names")
        if self.layout == "wide" and (self.point_column or self.value_column):
            raise ValueError("point_column and value_column belong to layout: long")
        keys = [self.key_of(name) for name in self.points]
        if twice := sorted({key for key in keys if keys.count(key) > 1}):
            raise ValueError(f"two columns cannot be one point: {', '.join(twice)}")
        return self

    def key_of(self, column: str) -> str:
        """Return the key of the point that a column holds."""
        point = self.points.get(column)
        return column if point is None or point.point is None else point.point

    @property
    def fingerprint(self) -> str:
        """Return a digest of all that decides what is read of a file."""
        said = self.model_dump_json(exclude={"name", "files", "every"})
        return digest_of(said, size=8)


def load_mapping(path: Path) -> Mapping:
    """Read and check a mapping file.

    Raises:
        MappingError: It cannot be read or breaks a rule; one line per problem, with its line.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_BYTES + 1)
        if len(data) > LARGEST_BYTES:
            raise MappingError(f"{path}: is larger than a megabyte; is it a mapping?")
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise MappingError(f"{path}:{line}: is not UTF-8 text: {error.reason}") from error
    except OSError as error:
        raise MappingError(f"{path}: cannot be read: {error.strerror or error}") from error
    return parse_mapping(text, name=str(path))


def parse_mapping(text: str, *, name: str = MAPPING_FILE) -> Mapping:
    """Check a mapping's text.

    Args:
        text: YAML; an empty one leaves everything to be recognised.
        name: What to call it in errors.

    Raises:
        MappingError: One line per problem, each with ``name:line``.

    Example:
        >>> parse_mapping("timezone: Europe/Paris").timezone
        'Europe/Paris'
    """
    try:
        document = read_yaml(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise MappingError(f"{name}:{line}: not valid YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise MappingError(f"{name}: not valid YAML: {error}") from error
    if document.repeated:
        key = document.repeated[0]
        raise MappingError(f"{name}:{key.start_mark.line + 1}: {key.value!r} is there twice")
    content = {} if document.content is None else document.content
    if not isinstance(content, dict):
        raise MappingError(f"{name}:1: expected keys such as timezone, decimal or points")
    try:
        return Mapping.model_validate(content)
    except ValidationError as error:
        lines = dict(_lines(compose(text), ()))
        raise MappingError(
            "\n".join(
                f"{name}:{_line_of(lines, detail['loc'])}: {_message(dict(detail))}"
                for detail in error.errors()
            )
        ) from error


def _lines(node: yaml.Node | None, place: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            below = (*place, str(key.value))
            yield below, key.start_mark.line + 1
            yield from _lines(value, below)


def _line_of(lines: dict[tuple[str, ...], int], place: Sequence[str | int]) -> int:
    known = tuple(str(part) for part in place)
    while known and known not in lines:
        known = known[:-1]
    return lines.get(known, 1)


def _message(detail: dict[str, Any]) -> str:
    """Say what is wrong with an entry in one sentence."""
    place = [str(part) for part in detail["loc"]]
    if detail["type"] == "extra_forbidden":
        model: type[BaseModel] = PointMapping if place[:1] == ["points"] else Mapping
        words = f"there is no such key; one of {', '.join(model.model_fields)}"
    elif detail["type"] == "literal_error":
        words = f"expected {detail['ctx']['expected']}"
    else:
        words = str(detail["msg"]).removeprefix("Value error, ")
    came = shown(detail["input"])
    path = ".".join(part for part in place if part not in {"literal", "tuple"})
    return (f"{path}: " if path else "") + words + (f" (came: {came})" if came else "")

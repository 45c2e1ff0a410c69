"""The practical limit of a pull: http.client, msgspec and polars, written by hand for one API.

No token renewal, no retry, no check, nothing kept when it fails: what is left is the wire, the JSON
and the Parquet file. Run by ``benchmarks.pull`` with the task as JSON on standard input.
"""

from __future__ import annotations

# Loaded by http.client when first used; nobody's imports are measured.
import encodings.idna  # noqa: F401
import http.client
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import msgspec
import polars as pl

from benchmarks.pull_task import Task, measured, pages

if TYPE_CHECKING:
    from collections.abc import Iterator


class Point(msgspec.Struct, gc=False):
    """One datapoint."""

    at: str
    value: float | None = None


class Series(msgspec.Struct, rename="camel"):
    """The datapoints of one series."""

    device_uuid: str
    item_type: str
    item_index: str
    service_id: str
    data: list[Point]
    data_type: str | None = None


class Answer(msgspec.Struct):
    """One page."""

    series: list[Series]


def pull(task: Task) -> None:
    """Log in, read every page, write one file."""
    place = urlsplit(task.token_url)
    login = http.client.HTTPConnection(str(place.hostname), place.port or 80)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    login.request("POST", place.path, urlencode(task.login), form)
    token = msgspec.json.decode(login.getresponse().read())["access_token"]
    frames = list(frames_of(task, token))
    keys = ["device_uuid", "item_type", "item_index", "service_id", "at"]
    pl.concat(frames).sort(keys).write_parquet(task.target, compression="zstd")


def frames_of(task: Task, token: str) -> Iterator[pl.DataFrame]:
    """Read one page after the other over one connection."""
    api = urlsplit(task.url)
    connection = http.client.HTTPConnection(str(api.hostname), api.port or 80)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    decoder = msgspec.json.Decoder(Answer)
    for body in pages(task):
        connection.request("PUT", api.path, msgspec.json.encode(body), headers)
        answer = decoder.decode(connection.getresponse().read())
        yield frame_of(answer)


def frame_of(answer: Answer) -> pl.DataFrame:
    """Lay a page out in columns."""
    lengths = pl.Series([len(one.data) for one in answer.series], dtype=pl.UInt32)

    def repeated(name: str, values: list[Any]) -> pl.Series:
        return pl.select(pl.Series(name, values, dtype=pl.String).repeat_by(lengths).explode())[
            name
        ]

    return pl.DataFrame(
        [
            repeated("device_uuid", [one.device_uuid for one in answer.series]),
            repeated("item_type", [one.item_type for one in answer.series]),
            repeated("item_index", [one.item_index for one in answer.series]),
            repeated("service_id", [one.service_id for one in answer.series]),
            repeated("data_type", [one.data_type for one in answer.series]),
            pl.Series(
                "at", [point.at for one in answer.series for point in one.data]
            ).str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="us", time_zone="UTC"),
            pl.Series("value", [p.value for one in answer.series for p in one.data], pl.Float64),
        ]
    )


if __name__ == "__main__":
    measured(pull)

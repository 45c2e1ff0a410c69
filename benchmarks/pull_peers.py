"""The same pull with the usual tools: pandas with requests, dlt with its REST client.

Runs in an environment of its own (``benchmarks/requirements.lock``), by ``benchmarks.pull``.
"""

from __future__ import annotations

import os
import sys
import tempfile
from datetime import datetime
from typing import TYPE_CHECKING, Any

import dlt
import pandas as pd
import pyarrow as pa
import requests
from dlt.sources.helpers.rest_client import RESTClient
from dlt.sources.helpers.rest_client.auth import BearerTokenAuth
from dlt.sources.helpers.rest_client.paginators import SinglePagePaginator

from benchmarks.pull_task import Task, measured, pages

if TYPE_CHECKING:
    from collections.abc import Iterator

KEYS = ("deviceUuid", "itemType", "itemIndex", "serviceId", "dataType")


def token(task: Task) -> str:
    """Log in."""
    answer = requests.post(task.token_url, data=task.login, timeout=60)
    answer.raise_for_status()
    return str(answer.json()["access_token"])


def with_pandas(task: Task) -> None:
    """One session, one frame a page, one file at the end."""
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {token(task)}"
    frames = []
    for body in pages(task):
        answer = session.put(task.url, json=body, timeout=60)
        answer.raise_for_status()
        frames.append(pd.json_normalize(answer.json()["series"], "data", list(KEYS)))
    day = pd.concat(frames, ignore_index=True)
    day["at"] = pd.to_datetime(day["at"], format="%Y-%m-%dT%H:%M:%SZ", utc=True)
    day.sort_values([*KEYS[:4], "at"]).to_parquet(task.target, compression="zstd")


def answers(task: Task) -> Iterator[Any]:
    """Pages as dlt's REST client yields them."""
    client = RESTClient(base_url=task.url, auth=BearerTokenAuth(token(task)))
    for body in pages(task):
        yield from client.paginate(
            "", method="PUT", json=body, data_selector="series", paginator=SinglePagePaginator()
        )


def with_dlt_nested(task: Task) -> None:
    """Dlt's way: hand over what came, it unnests the points into a table of their own."""
    run_dlt(task, lambda: (list(page) for page in answers(task)))


def with_dlt_arrow(task: Task) -> None:
    """Dlt's quick way: Arrow tables, made from the pages by hand."""
    run_dlt(task, lambda: (arrow_of(list(page)) for page in answers(task)))


def arrow_of(series: list[dict[str, Any]]) -> Any:
    """Lay a page out as an Arrow table."""
    columns: dict[str, list[Any]] = {key: [] for key in (*KEYS, "at", "value")}
    for one in series:
        points = one["data"]
        for key in KEYS:
            columns[key] += [one[key]] * len(points)
        columns["at"] += [datetime.fromisoformat(point["at"]) for point in points]
        columns["value"] += [point["value"] for point in points]
    return pa.table(columns)


def run_dlt(task: Task, rows: Any) -> None:
    """Extract, normalize and load into Parquet files."""
    with tempfile.TemporaryDirectory() as work:
        pipeline = dlt.pipeline(
            "pull",
            destination=dlt.destinations.filesystem(bucket_url=f"file://{task.target}"),
            dataset_name="raw",
            pipelines_dir=work,
        )
        resource = dlt.resource(rows, name="datapoints", write_disposition="replace")
        pipeline.run(resource, loader_file_format="parquet").raise_on_failed_jobs()


CONTESTANTS = {"pandas": with_pandas, "dlt nested": with_dlt_nested, "dlt arrow": with_dlt_arrow}

if __name__ == "__main__":
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    os.environ["RUNTIME__LOG_LEVEL"] = "CRITICAL"
    measured(CONTESTANTS[sys.argv[1]])

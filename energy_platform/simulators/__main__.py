"""``python -m energy_platform.simulators``: all four vendors on loopback until stopped."""

from __future__ import annotations

import argparse
import sys
from datetime import datetime
from pathlib import Path
from typing import Final

from energy_platform.simulators.serve import ServeOptions, serve
from energy_platform.simulators.suite import server_names
from energy_platform.simulators.world import Bulk

_BULK: Final = ("DEVICES", "SERVICES", "SECONDS")


def _instant(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError("expected an instant with its zone: 2026-01-01T00:00:00Z")
    return moment


def _bulk(text: str) -> Bulk:
    parts = text.split("x")
    if len(parts) != len(_BULK) or not all(part.isdigit() and int(part) for part in parts):
        raise argparse.ArgumentTypeError(f"expected {'x'.join(_BULK)}, such as 5000x1x900")
    devices, services, period_s = map(int, parts)
    return Bulk(devices, services=services, period_s=period_s)


def _port(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    if name not in server_names() or not number.isdigit():
        raise argparse.ArgumentTypeError(
            f"expected NAME=PORT with one of {', '.join(server_names())}"
        )
    return name, int(number)


def main(arguments: list[str] | None = None) -> int:
    """Read the command line and serve; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m energy_platform.simulators")
    parser.add_argument("--seed", type=int, default=7, help="seed of the world")
    parser.add_argument(
        "--faults", action="append", default=[], help="VENDOR:FAULT, such as acme:http_503=0.1"
    )
    parser.add_argument(
        "--event", action="append", default=[], help="JSON object with the names of world.Event"
    )
    parser.add_argument("--now", type=_instant, help="stop the world's clock at this instant")
    parser.add_argument(
        "--bulk", type=_bulk, help="extra meters for benchmarks: " + "x".join(_BULK)
    )
    parser.add_argument("--port", type=_port, action="append", default=[], help="NAME=PORT")
    parser.add_argument(
        "--history",
        action="store_true",
        help="accounts that may be without a history call have it",
    )
    parser.add_argument(
        "--record-dir", type=Path, help="folder of the files that keep received packets"
    )
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    parser.add_argument(
        "--until-stdin-closes", action="store_true", help="stop when standard input ends"
    )
    given = parser.parse_args(arguments)
    options = ServeOptions(
        seed=given.seed,
        faults=tuple(given.faults),
        bulk=given.bulk,
        events=tuple(given.event),
        now=given.now,
        ports=dict(given.port),
        history=given.history,
        record_dir=given.record_dir,
        as_json=given.json,
        until_stdin_closes=given.until_stdin_closes,
    )
    try:
        serve(options)
    except OSError as error:
        sys.stderr.write(f"simulators: {error.strerror or error}\n")
        return 2
    except (ValueError, KeyError) as error:
        sys.stderr.write(f"simulators: {error.args[0]}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

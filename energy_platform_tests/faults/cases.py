"""Every fault the simulators declare, where it occurs, and what may come of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from energy_platform.schemas import Vendor

Expected = Literal["same bytes", "no file", "either", "as said", "partial", "poll missed"]
"""What may become of the day.

``same bytes``: the file of a faultless run; ``no file``: none, and an error that says what to do;
``either``: one of the two; ``as said``: the vendor's data itself was different, the file holds
what it said, and the next reading puts it right or reports it; ``partial``: the file holds what
came, says what is missing, is not closed, and the next reading makes it whole; ``poll missed``: a
poll was refused and says so, the file lacks what only that poll could have seen.
"""


class Case(NamedTuple):
    """One row of the matrix: faults as the simulators read them, separated by blanks."""

    vendor: Vendor
    faults: str
    expected: Expected


TIMEOUT_S: Final = 0.5
"""Seconds that the client waits here: a loaded machine answers within, a slow vendor does not."""

HEALING: Final = (
    *("http_408", "http_425", "http_429", "http_500", "http_501", "http_502", "http_503"),
    *("http_504", "slow", "never", "cut_body", "cut_connection", "html", "broken_json"),
    "empty_body",
)
"""General faults that are over when they are tried again."""

LASTING: Final = ("http_400", "http_403", "http_404", "http_413", "http_414", "redirect")
"""General faults that asking again does not heal."""

HISTORY: Final[dict[Vendor, str]] = {
    "socomec": "datapoints",
    "belimo": "/data/history",
    "skycentrics": "b=",
}
"""What the address of the call for a day's data contains."""

WITH_IDENTITY: Final[tuple[Vendor, ...]] = ("socomec", "belimo")

PAUSES: Final = (":retry_after=0.2", ":retry_after=date", ":retry_after=soon", ":retry_after=-5")
"""``Retry-After`` in seconds, as a date, unreadable, and in the past."""


def _fault(name: str, when: str = "") -> str:
    late = f":seconds={2 * TIMEOUT_S:g}" if name.endswith("slow") else ""
    return f"{name}{when}{late}"


def _general(vendor: Vendor) -> Iterator[Case]:
    history = f":path={HISTORY[vendor]}"
    # The second request reads the inventory, a later one the day.
    later = 7 if vendor == "skycentrics" else 12
    # Polls that landed are a part of the day that history alone does not cost.
    without: Expected = "partial" if vendor == "skycentrics" else "no file"
    for name in HEALING:
        once = "either" if vendor == "skycentrics" and name == "http_501" else "same bytes"
        yield Case(vendor, _fault(name, f"=@2+{later}"), once)  # type: ignore[arg-type]
        yield Case(vendor, _fault(name, history), without)
    for name in LASTING:
        yield Case(vendor, f"{name}=@2", "poll missed" if vendor == "skycentrics" else "no file")
        yield Case(vendor, f"{name}=1{history}", "either")
        yield Case(vendor, f"{name}{history}", without)
    for pause in PAUSES:
        yield Case(vendor, f"http_429=@2+{later}{pause}", "same bytes")
    yield Case(vendor, f"http_503=@2+{later}:retry_after=0.2", "same bytes")
    # Renewed and repeated once where there is a token, refused where each request is signed.
    renewed: Expected = "same bytes" if vendor in WITH_IDENTITY else "no file"
    yield Case(vendor, f"http_401=@2+{later}", renewed)
    yield Case(vendor, f"http_401{history}", "no file")
    yield Case(vendor, "http_401=0.1", "either")
    yield Case(vendor, "http_500=0.2 cut_body=0.1 html=0.1", "either")
    yield Case(vendor, "slow:seconds=0.02", "same bytes")


def _identity(vendor: Vendor) -> Iterator[Case]:
    for name in HEALING:
        yield Case(vendor, _fault(f"identity_{name}", "=1"), "same bytes")
        yield Case(
            vendor, f"expire_token_after=5 {_fault(f'identity_{name}', '=@2')}", "same bytes"
        )
        yield Case(vendor, _fault(f"identity_{name}"), "no file")
    for name in (*LASTING, "http_401"):
        yield Case(vendor, f"identity_{name}", "no file")
    yield Case(vendor, "identity_http_429=1:retry_after=0.2", "same bytes")
    yield Case(vendor, "expire_token_after=3", "same bytes")
    yield Case(vendor, "expire_token_after=3 refuse_refresh=1", "same bytes")
    yield Case(vendor, "expire_token_after=3 refuse_refresh", "same bytes")
    yield Case(vendor, "expire_token_after=3 identity_cut_body=@2+4", "same bytes")
    yield Case(vendor, "expire_token_after=0", "no file")
    yield Case(vendor, "refuse_login", "no file")
    yield Case(vendor, "expire_token_after=5 refuse_refresh refuse_login=@2", "no file")


SOCOMEC: Final[tuple[tuple[str, Expected], ...]] = (
    ("no_rights", "no file"),
    ("page_drift=1", "same bytes"),
    ("page_drift", "either"),
    ("repeated_page=1", "same bytes"),
    ("repeated_page", "either"),
    ("endless_pages", "either"),
    ("wrong_total=1", "same bytes"),
    ("wrong_total", "either"),
    *((f"truncate={most}", "same bytes") for most in (1000, 1024, 2500, 1440, 999, 500, 100)),
    *((f"truncate_series={most}", "same bytes") for most in (200, 100, 31)),
    *((f"truncate_newest={most}", "same bytes") for most in (200, 100, 31)),
    ("thin_out=2", "same bytes"),
    ("thin_out=10", "same bytes"),
    ("series_left_out=2", "same bytes"),
    ("series_left_out=@1+3", "same bytes"),
    ("series_left_out", "partial"),
    ("odd_rows", "same bytes"),
    ("odd_rows=3", "same bytes"),
    *((f"device_refused={status}", "partial") for status in (400, 403, 404, 500)),
    ("late_points=2", "as said"),
    ("clock_skew:seconds=7200", "same bytes"),
    ("too_large=500", "same bytes"),
    ("too_slow=500", "same bytes"),
    ("too_large=0", "no file"),
    ("null_value", "as said"),
    ("mixed_types", "as said"),
    ("extra_keys", "same bytes"),
)

BELIMO: Final[tuple[tuple[str, Expected], ...]] = (
    ("no_rights", "no file"),
    ("rate_limit=40", "either"),
    ("rate_limit=40:retry_after=0.5", "same bytes"),
    ("page_drift=1", "same bytes"),
    ("page_drift", "either"),
    ("repeated_page=1", "same bytes"),
    ("repeated_page", "no file"),
    ("repeated_page:path=/data/history", "same bytes"),
    ("page_drift:path=/data/history", "same bytes"),
    ("endless_pages", "either"),
    ("wrong_total=1", "same bytes"),
    ("wrong_total", "no file"),
    ("wrong_total:path=/data/history", "same bytes"),
    ("truncate=200", "same bytes"),
    ("truncate=7", "same bytes"),
    ("capped_total=100", "same bytes"),
    ("short_pages=100", "same bytes"),
    ("short_pages=1 capped_total=1:path=/devices?", "same bytes"),
    ("capped_total=50 short_pages=50", "same bytes"),
    ("no_total", "same bytes"),
    ("no_total short_pages=70", "same bytes"),
    ("left_out_series=1", "same bytes"),
    ("left_out_series=@1+9", "same bytes"),
    ("left_out_series", "as said"),
    ("odd_rows", "as said"),
    ("refuse_device=1", "partial"),
    ("late_points=2", "as said"),
    ("clock_skew:seconds=7200", "same bytes"),
    ("clamp_limit", "same bytes"),
    ("null_value", "as said"),
    ("mixed_types", "as said"),
    ("extra_keys", "same bytes"),
)

SKYCENTRICS: Final[tuple[tuple[str, Expected], ...]] = (
    ("check_date", "no file"),
    ("gzip_ignored", "same bytes"),
    ("null_data", "as said"),
    ("boolean_data", "as said"),
    ("text_data", "as said"),
    ("unknown_key", "same bytes"),
    ("time_back", "as said"),
    ("time_zero", "as said"),
    ("time_future", "as said"),
    ("no_sensor_time", "as said"),
    ("word_repair", "as said"),
    ("truncate=3", "same bytes"),
    ("truncate=1", "same bytes"),
    ("odd_sensors", "as said"),
    ("odd_records", "same bytes"),
    ("nan_data", "as said"),
    ("left_out_gateway", "no file"),
)


def cases(vendor: Vendor) -> list[Case]:
    """All rows of a vendor."""
    own = {"socomec": SOCOMEC, "belimo": BELIMO, "skycentrics": SKYCENTRICS}[vendor]
    identity = _identity(vendor) if vendor in WITH_IDENTITY else ()
    return [*_general(vendor), *identity, *(Case(vendor, *one) for one in own)]


def declared(names: frozenset[str], vendor: Vendor) -> frozenset[str]:
    """Which of the names a simulator declares no case of the vendor switches on."""
    tested = {
        fault.partition("=")[0].partition(":")[0]
        for case in cases(vendor)
        for fault in case.faults.split()
    }
    return names - tested


SWITCHES: Final = frozenset(
    {
        *("expire_token_after", "no_rights", "endless_pages", "truncate", "late_points"),
        *("truncate_series", "truncate_newest", "thin_out"),
        *("clock_skew", "too_large", "too_slow", "rate_limit", "clamp_limit"),
        *("capped_total", "short_pages", "refuse_device"),
    }
)
"""Faults that are a state of the simulator: it does not count when they occur."""


def occurs_once(case: Case) -> bool:
    """Whether the simulator must have counted an occurrence; those at random may have none."""
    named = [fault.partition("=")[0].partition(":")[0] for fault in case.faults.split()]
    return "=0." not in case.faults and not SWITCHES & set(named)

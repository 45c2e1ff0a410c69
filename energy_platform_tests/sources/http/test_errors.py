"""Errors of sources keep all they say when they are copied or pickled."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING, Any

import pytest

from energy_platform.destinations.base import RedirectedError
from energy_platform.sources.http.errors import (
    AuthenticationError,
    ContractError,
    PermanentError,
    TransientError,
    VendorError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

ABOUT: dict[str, Any] = {
    "vendor": "acme",
    "endpoint": "things",
    "advice": "Run it again later",
    "day": "2026-03-02",
    "subject": "SN1",
    "status": 503,
    "code": "busy",
}


def transient() -> TransientError:
    error = TransientError("it is busy", kind="status", retry_after_s=7.5, **ABOUT)
    error.exhausted = True
    return error


def pickled(error: VendorError) -> VendorError:
    came: VendorError = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    return came


@pytest.mark.parametrize("passed_on", [copy.copy, pickled])
@pytest.mark.parametrize(
    "error",
    [
        transient(),
        *(
            kind("it is refused", **ABOUT)
            for kind in (
                VendorError,
                PermanentError,
                AuthenticationError,
                ContractError,
                RedirectedError,
            )
        ),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_passed_on_to_another_process_still_says_everything(
    error: VendorError, passed_on: Callable[[VendorError], VendorError]
) -> None:
    came = passed_on(error)
    assert type(came) is type(error)
    assert str(came) == str(error)
    assert came.args == error.args
    assert vars(came) == vars(error)


def test_naming_the_day_in_a_copy_leaves_the_first_error_alone() -> None:
    error = transient()
    copied = copy.copy(error)
    copied.day = "2026-03-09"
    assert "day 2026-03-02" in str(error)
    assert "day 2026-03-09" in str(copied)

"""Every fault of the Belimo Cloud, one by one: the day is whole, or absent with a reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from energy_platform_tests.faults.cases import Case, cases, occurs_once

if TYPE_CHECKING:
    from energy_platform_tests.faults.harness import FaultHarness

pytestmark = pytest.mark.long


@pytest.mark.parametrize("case", cases("belimo"), ids=lambda case: case.faults)
def test_under_a_fault_the_day_is_whole_or_absent_with_a_reason(
    harness: FaultHarness, case: Case
) -> None:
    result = harness.judge(case.vendor, case.faults)
    assert result.fits(case.expected), f"{result.verdict}: {result.remark}"
    assert result.occurred or not occurs_once(case), "the fault never occurred: nothing was tested"

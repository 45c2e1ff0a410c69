"""Why a day's figure is what it is: the chain from raw rows to the energy of a local day."""

from energy_platform.explain.chain import (
    CarriedReading,
    Contribution,
    ExplainError,
    Explanation,
    RawRow,
    Sample,
    Step,
    explain,
)

__all__ = [
    "CarriedReading",
    "Contribution",
    "ExplainError",
    "Explanation",
    "RawRow",
    "Sample",
    "Step",
    "explain",
]

"""Why a day's figure is what it is: the chain from raw rows to the energy of a local day."""

from energy_platform.explain.chain import (
    Contribution,
    ExplainError,
    Explanation,
    Held,
    Said,
    Sample,
    Step,
    explain,
)

__all__ = [
    "Contribution",
    "ExplainError",
    "Explanation",
    "Held",
    "Said",
    "Sample",
    "Step",
    "explain",
]

"""Why a day's figure is what it is: the chain from raw rows to the amount of a local day."""

from energy_platform.explain.chain import ExplainError, explain
from energy_platform.explain.explanation import (
    CarriedReading,
    Contribution,
    Explanation,
    RawRow,
    Sample,
    Step,
)
from energy_platform.explain.said import (
    SaidFigure,
    Saying,
    describe_said,
    parse_as_of,
    said_of,
)

__all__ = [
    "CarriedReading",
    "Contribution",
    "ExplainError",
    "Explanation",
    "RawRow",
    "SaidFigure",
    "Sample",
    "Saying",
    "Step",
    "describe_said",
    "explain",
    "parse_as_of",
    "said_of",
]

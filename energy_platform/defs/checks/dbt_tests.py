"""What a dbt test expects, in words, for the list of checks."""

from collections.abc import Mapping
from typing import Any


def described_test(test: Mapping[str, Any]) -> str:
    """Return what a test of the manifest expects of its table; it blocks publication otherwise.

    Args:
        test: The test's node in the manifest.

    Example:
        >>> described_test({"name": "kwh_is_known", "column_name": "kwh",
        ...     "test_metadata": {"name": "not_null", "kwargs": {}}})
        '`kwh` is never null.'
    """
    if said := str(test.get("description") or "").strip():
        return said
    generic = test.get("test_metadata")
    if generic is None:
        return f"{str(test['name']).replace('_', ' ').capitalize()}: holds for every row."
    wanted = generic.get("kwargs", {})
    column = test.get("column_name")
    columns = ", ".join(f"`{one}`" for one in wanted.get("columns", ()))
    known = {
        "not_null": f"`{column}` is never null.",
        "unique": f"No two rows have the same `{column}`.",
        "unique_rows": f"No two rows have the same {columns}.",
        "complete": f"None of these is ever null: {columns}.",
        "accepted_values": f"`{column}` is one of {', '.join(map(str, wanted.get('values', ())))}.",
        "relationships": f"Each `{column}` is a `{wanted.get('field')}` of its parent table.",
    }
    if (rule := known.get(generic["name"])) is not None:
        return rule
    bounds = ", ".join(
        f"{name.replace('_', ' ')} {value}"
        for name, value in wanted.items()
        if name not in {"model", "column_name"}
    )
    about = f"`{column}`: " if column else ""
    return f"{about}{generic['name'].replace('_', ' ')}" + (f" ({bounds})." if bounds else ".")

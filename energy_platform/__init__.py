"""Building energy data from vendor clouds to Parquet, DuckDB and who bills or shows it."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("energy-platform")
except PackageNotFoundError:  # running from a source tree that was never installed
    __version__ = "0.0.0"

"""Where bytes rest: the Parquet lake and the published DuckDB file."""

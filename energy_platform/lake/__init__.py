"""The lake: one Parquet file for each table and UTC day, and the catalogue of them."""

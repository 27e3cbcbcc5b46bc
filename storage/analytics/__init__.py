"""Read-only SQL over the catalogue, on DuckDB beside the server or on Trino: the same views and the same queries."""

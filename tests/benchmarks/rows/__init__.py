"""The rows of the benchmark, by subject."""

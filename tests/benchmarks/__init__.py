"""Benchmarks: ratios of two costs measured in the same run, printed by `make bench`."""

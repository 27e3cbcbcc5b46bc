"""Unit tests of processes."""

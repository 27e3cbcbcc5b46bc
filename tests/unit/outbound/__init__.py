"""Unit tests of outbound."""

"""Unit tests of specification."""

"""Tests of the server; docs/testing.md says what each folder is for."""

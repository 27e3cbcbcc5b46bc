"""Tests of the console without a browser: its pages, their headers, and what a release has of it."""

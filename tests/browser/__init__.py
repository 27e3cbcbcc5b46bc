"""Tests in a real Chromium: what a person sees and hears."""

"""Deleted flows and sources that can be restored until their grace period ends (F13)."""

"""Summaries of the timelines of flows: how much there is in each part of a timerange, for flows of any length (F20)."""

"""Retention: segments and flows that delete themselves by tags on their flow (F18; TMO-07, TMO-08)."""

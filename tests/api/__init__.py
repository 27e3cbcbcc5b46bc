"""What this server chose where the standard is silent, and what it adds, over HTTP."""

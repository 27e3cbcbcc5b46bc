"""What must hold when things go wrong: killed processes, racing writers, stores that fail."""

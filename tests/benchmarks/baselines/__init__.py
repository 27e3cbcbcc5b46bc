"""What the server is compared with: servers that do the same work, and nothing else."""

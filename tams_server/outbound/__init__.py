"""What the server sends by itself (webhook deliveries, downloads for copies), and where it may go (HOOK-POST-08)."""

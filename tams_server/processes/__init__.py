"""The processes of a server: gunicorn's master and its HTTP processes, and the background worker."""

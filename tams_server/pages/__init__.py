"""Pages outside the API: health, API documentation and metrics. They need no credentials."""

"""The pages that are no operation of TAMS: health, API documentation and metrics."""

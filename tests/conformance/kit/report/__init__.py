"""The report of a run of the kit, by behaviour, as JSON and as an HTML page."""

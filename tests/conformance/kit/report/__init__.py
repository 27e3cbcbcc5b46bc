"""What a run of the kit found, by behaviour: as JUnit XML, JSON, and a page to look at."""

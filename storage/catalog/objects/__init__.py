"""Media objects: allocation, references, instances, get_urls, copies and the removal of their bytes."""

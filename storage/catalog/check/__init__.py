"""The consistency check: what the catalogue records, compared with itself and with the stored bytes."""

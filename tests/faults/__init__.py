"""Tests with faults: killed processes, concurrent writers, store outages, misbehaving receivers."""

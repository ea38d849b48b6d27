"""Ingest: new images are looked at, quarantined or added to a data set. What is there already stays where it is."""

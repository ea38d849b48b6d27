"""Data sets: fetching archives, preparing shards and a manifest, and the sample set that the project draws."""

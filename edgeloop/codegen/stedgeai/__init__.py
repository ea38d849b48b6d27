"""ST Edge AI Core: found, run, and its outputs of every known version read into one record."""

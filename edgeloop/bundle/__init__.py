"""A finished variant as files that stand by themselves: what belongs to it, where it came from, and whether it is still what was signed."""

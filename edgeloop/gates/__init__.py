"""Gates: what a variant must keep to become champion, judged from the records of one version."""

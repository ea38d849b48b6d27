"""`python -m edgeloop` is the same as `edgeloop`."""

from edgeloop.cli import main

raise SystemExit(main())

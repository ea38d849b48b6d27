"""The provenance of records that no test looks at: without git and host, which take time to ask."""

from edgeloop.records import Provenance

MADE = Provenance(
    time_utc="",
    command="",
    git_commit=None,
    git_dirty=None,
    host="",
    cpu="",
    cpus=1,
    tools={},
    params={},
    data_revision=None,
    duration_s=0,
)

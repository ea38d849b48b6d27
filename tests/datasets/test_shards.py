"""Shards are plain, deterministic tar files that a manifest's offsets point into."""

import tarfile
from pathlib import Path

from datasets_in_miniature import noise

from edgeloop.datasets.manifest import ShardReader
from edgeloop.datasets.shards import ShardWriter

CONTENTS = [noise(size, seed=size) for size in (1, 511, 512, 513, 5000, 0, 3000)]


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    with ShardWriter(tmp_path, shard_bytes=6000) as writer:
        places = [writer.add(content) for content in CONTENTS]
    with ShardReader(tmp_path) as reader:
        assert [reader.read(place.shard, place.offset, place.length) for place in places] == CONTENTS
    assert writer.shards == len(list(tmp_path.iterdir())) == 3
    assert writer.total_bytes == sum(path.stat().st_size for path in tmp_path.iterdir())


def test_a_shard_is_a_tar_with_plain_names(tmp_path: Path) -> None:
    with ShardWriter(tmp_path, shard_bytes=6000) as writer:
        for content in CONTENTS:
            writer.add(content)
    found = {}
    for path in sorted(tmp_path.iterdir()):
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                file = archive.extractfile(member)
                assert file is not None
                found[member.name] = file.read()
    assert found == {f"{index:08d}.jpg": content for index, content in enumerate(CONTENTS)}


def test_no_shard_is_larger_than_the_limit_unless_one_image_is(tmp_path: Path) -> None:
    with ShardWriter(tmp_path, shard_bytes=4608) as writer:
        for content in CONTENTS:
            writer.add(content)
    sizes = [path.stat().st_size for path in sorted(tmp_path.iterdir())]
    assert [size for size in sizes if size > 4608] == [512 + 5120 + 1024]

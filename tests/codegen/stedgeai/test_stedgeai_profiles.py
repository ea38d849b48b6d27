"""Neural-ART profiles are checked before the tool is started."""

import json
from pathlib import Path

import pytest

from edgeloop.codegen.stedgeai.profiles import check_pools, check_profile
from edgeloop.errors import InputError

POOL = {
    "name": "npuRAM3",
    "fname": "AXISRAM3",
    "prop": {"rights": "ACC_WRITE"},
    "offset": {"value": "0x34200000", "magnitude": "BYTES"},
    "size": {"value": "448", "magnitude": "KBYTES"},
}


@pytest.fixture
def profiles(tmp_path: Path) -> Path:
    """A folder with my.json, whose profile `default` names pools/board.mpool."""
    (tmp_path / "pools").mkdir()
    (tmp_path / "pools" / "board.mpool").write_text(json.dumps({"memory": {"mempools": [POOL]}}), encoding="utf-8")
    profile = {"memory_pool": "./pools/board.mpool", "options": "-O3"}
    (tmp_path / "my.json").write_text(json.dumps({"Globals": {}, "Profiles": {"default": profile}}), encoding="utf-8")
    return tmp_path


def test_a_profile_of_a_file(profiles: Path) -> None:
    assert check_profile("default@my.json", profiles) == f"default@{profiles / 'my.json'}"
    assert check_pools(profiles / "pools" / "board.mpool") == ["npuRAM3"]


def test_a_profile_of_the_tools_own_file() -> None:
    assert check_profile("default", Path("/")) == "default"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "needs a Neural-ART profile"),
        ("", "stm32n6-cpu"),
        ("default@none.json", "no profile file"),
        ("defalt@my.json", "did you mean 'default'"),
    ],
)
def test_what_is_not_there_is_said(profiles: Path, text: str | None, words: str) -> None:
    with pytest.raises(InputError, match=words):
        check_profile(text, profiles)


def test_memory_pools_that_are_not_there(profiles: Path) -> None:
    (profiles / "pools" / "board.mpool").unlink()
    with pytest.raises(InputError, match=r"board\.mpool, which is no file"):
        check_profile("default@my.json", profiles)


@pytest.mark.parametrize("key", ["name", "offset", "size", "prop"])
def test_a_pool_without_a_field(profiles: Path, key: str) -> None:
    broken = {name: value for name, value in POOL.items() if name != key}
    (profiles / "pools" / "board.mpool").write_text(json.dumps({"memory": {"mempools": [broken]}}), encoding="utf-8")
    with pytest.raises(InputError, match=key) as caught:
        check_profile("default@my.json", profiles)
    assert "Correct the profile" in caught.value.remedy


def test_a_profile_with_comments(profiles: Path) -> None:
    (profiles / "my.json").write_text('{"Profiles": {} // mine\n}', encoding="utf-8")
    with pytest.raises(InputError, match="is no JSON"):
        check_profile("default@my.json", profiles)


def test_a_size_in_an_unknown_magnitude(profiles: Path) -> None:
    broken = POOL | {"size": {"value": "1", "magnitude": "PAGES"}}
    (profiles / "pools" / "board.mpool").write_text(json.dumps({"memory": {"mempools": [broken]}}), encoding="utf-8")
    with pytest.raises(InputError, match=r"mempools\[0\]\.size"):
        check_profile("default@my.json", profiles)

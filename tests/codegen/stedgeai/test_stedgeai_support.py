"""No single version of ST's tool generates for all targets: the one that can is taken, or the pair is refused before anything runs."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import stedgeai_standin
from matrix import first_is_short

from edgeloop.codegen.generate import Options, generate_file
from edgeloop.codegen.stedgeai.locate import find_tool
from edgeloop.codegen.stedgeai.support import ANY, SUPPORT, fits, untested
from edgeloop.codegen.stedgeai.targets import TOOL_TARGETS
from edgeloop.codegen.stedgeai.versions import Version, find_version
from edgeloop.codegen.targets import TARGETS
from edgeloop.doctor.machine import Machine
from edgeloop.doctor.tools import stedgeai_versions
from edgeloop.errors import StedgeaiMissing

pytest_plugins = ("stedgeai_machine",)
pytestmark = pytest.mark.usefixtures("bare_machine")

SideBySide = Callable[..., Path]
OLD, LAST_FOR_MP2, FIRST_WITHOUT, LATER = "1.0.0-19899", "2.2.0-20266", "3.0.0-20426", "4.0.1-20581"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SideBySide:
    """Versions side by side, as installers put them; the variable names the one that came last."""

    def put(*versions: str) -> Path:
        root = tmp_path / "STEdgeAI"
        for version in versions:
            stedgeai_standin.install(root / version[:3], {"version": f"{version} abcdef012"})
        monkeypatch.setenv("STEDGEAI_CORE_DIR", str(root / versions[-1][:3]))
        return root

    return put


def test_the_table_speaks_of_targets_that_there_are() -> None:
    assert set(SUPPORT) <= set(TOOL_TARGETS) <= set(TARGETS)


@pytest.mark.parametrize(
    ("target", "fitting", "unfit"),
    [
        ("stm32mp2", [OLD, "2.1.0", LAST_FOR_MP2], [FIRST_WITHOUT, LATER, "4.1.0"]),
        ("stm32n6", ["2.0.0-20049", LAST_FOR_MP2, LATER, "5.0.0"], [OLD]),
        ("stm32h7p", ["4.1.0"], [LAST_FOR_MP2, LATER]),
        ("stm32u3", ["4.0.0"], [FIRST_WITHOUT]),
        ("stm32h7", [OLD, LATER], []),
    ],
)
def test_which_version_generates_for_which_target(target: str, fitting: list[str], unfit: list[str]) -> None:
    assert [one for one in fitting + unfit if fits(_version(one), target)] == fitting


def test_a_version_number_does_not_run_in_one_line() -> None:
    """stm32ai 8 is older than Core 1.0, whatever the numbers say."""
    version = find_version("Neural Network Tools for STM32AI v1.7.0 (STM.ai v8.0.0-19389)")
    assert version is not None
    assert not any(fits(version, target) for target in [None, *TOOL_TARGETS])


def test_a_version_that_nobody_tested_is_a_warning() -> None:
    assert untested(_version(LATER)) == []
    (warning,) = untested(_version("5.1.0-30000"))
    assert "5.1.0-30000 was not tested" in warning


@pytest.mark.parametrize(
    ("target", "taken"), first_is_short([("stm32mp2", LAST_FOR_MP2), ("stm32n6", LATER), ("stm32h7", LATER), ("stm32u3", LATER)])
)
def test_the_one_that_can_is_taken(installed: SideBySide, target: str, taken: str) -> None:
    """The installer's variable names 4.0; the MP2 gets the 2.2 that stands beside it."""
    installed(FIRST_WITHOUT, LAST_FOR_MP2, LATER)
    assert str(find_tool(target=target).version) == taken


def test_the_record_says_that_another_one_came_first(installed: SideBySide, miniatures: Path, tmp_path: Path) -> None:
    root = installed(LAST_FOR_MP2, LATER)
    record = generate_file(miniatures / "per_tensor.tflite", tmp_path / "code", Options("stm32mp2", "stedgeai"))
    assert record.backend.version == LAST_FOR_MP2
    assert "4.0.1-20581" in record.note
    assert f"comes first here, and generates nothing for stm32mp2: {LAST_FOR_MP2} was taken" in record.note
    assert _calls(root / "4.0") == [["--version"]]


def test_an_impossible_pair_is_refused_with_the_version_that_can(installed: SideBySide, miniatures: Path, tmp_path: Path) -> None:
    root = installed(FIRST_WITHOUT, LATER)
    for target, words in (("stm32mp2", r"\(\.nb\) for the STM32MP2 .* 2\.2 or earlier"), ("stm32h7p", r"STM32H7P .* 4\.1 or later")):
        with pytest.raises(StedgeaiMissing, match=f"{words}, and here is .*4\\.0\\.1.* and .*3\\.0\\.0") as caught:
            generate_file(miniatures / "int8.tflite", tmp_path / "code", Options(target, profile="default" if "h7" in target else None))
        assert f"Install ST Edge AI Core {SUPPORT[target].wanted} beside" in caught.value.remedy
    assert _calls(root / "3.0") == _calls(root / "4.0") == [["--version"]], "nothing ran, and each was asked once"
    assert not list(tmp_path.glob("code*"))


def test_one_that_is_named_is_taken_or_refused(installed: SideBySide) -> None:
    root = installed(LAST_FOR_MP2, FIRST_WITHOUT, LATER)
    assert str(find_tool(Path("3.0"), "stm32n6").version) == FIRST_WITHOUT
    assert str(find_tool(Path("2.2.0"), "stm32mp2").version) == LAST_FOR_MP2
    for named in (Path("4.0"), root / "4.0"):
        with pytest.raises(StedgeaiMissing, match=r"2\.2 or earlier, and here is ST Edge AI Core 4\.0\.1") as caught:
            find_tool(named, "stm32mp2")
        assert str(root / "2.2") in caught.value.remedy
    with pytest.raises(StedgeaiMissing, match=r"No ST Edge AI Core 4\.1 is installed here: .*4\.0\.1"):
        find_tool(Path("4.1"))


def test_doctor_lists_every_version_with_what_it_generates_for(installed: SideBySide, tmp_path: Path) -> None:
    root = installed(LAST_FOR_MP2, LATER)
    said = stedgeai_versions(Machine(start=tmp_path))
    assert said is not None
    newer, older = said.split("; ")
    assert newer.startswith(f"{LATER} ({root / '4.0'}") and newer.endswith("also for stm32n6, stm32u3")
    assert older.startswith(f"{LAST_FOR_MP2} ({root / '2.2'}") and older.endswith("also for stm32mp2, stm32n6")


def test_what_is_older_than_the_core_is_refused_with_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stedgeai_standin.install(tmp_path / "old", {"banner": "Neural Network Tools for STM32AI v1.7.0 (STM.ai v8.0.0-19389)"})
    monkeypatch.setenv("STEDGEAI_CORE_DIR", str(tmp_path / "old"))
    with pytest.raises(StedgeaiMissing, match=rf"{ANY.what} .* 1\.0 or later, and here is stm32ai 8\.0\.0-19389"):
        find_tool()


def _version(number: str) -> Version:
    version = find_version(f"ST Edge AI Core v{number}")
    assert version is not None
    return version


def _calls(root: Path) -> list[list[str]]:
    lines = (root / "Utilities" / "linux" / "calls.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["arguments"] for line in lines]

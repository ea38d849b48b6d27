"""The tool is found where it may be, in a fixed order, and a place that was named on purpose is never passed over."""

from collections.abc import Callable
from pathlib import Path

import pytest
import stedgeai_standin

from edgeloop.codegen.stedgeai.locate import PACKS, Tool, find_tool, is_installed
from edgeloop.codegen.stedgeai.versions import Version
from edgeloop.errors import StedgeaiMissing, StedgeaiTimeout

pytest_plugins = ("stedgeai_machine",)
pytestmark = pytest.mark.usefixtures("bare_machine")

Install = Callable[..., Path]


def test_nothing_is_installed() -> None:
    assert not is_installed()
    with pytest.raises(StedgeaiMissing, match="not installed") as caught:
        find_tool()
    assert "STEDGEAI_CORE_DIR" in caught.value.remedy


def test_the_order_of_places(tmp_path: Path, bare_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each place that comes earlier wins over those that were set up before it."""
    for version in ("9.1.0", "10.2.0", "10.1.0"):
        stedgeai_standin.install(bare_machine / PACKS / version, {"version": f"{version}-1 abcdef"})
    assert str(find_tool().version) == "10.2.0-1"
    stedgeai_standin.install(tmp_path / "on path", {"version": "2.1.0-2 abcdef"})
    monkeypatch.setenv("PATH", f"{tmp_path / 'on path' / 'Utilities' / 'linux'}:/usr/bin:/bin")
    assert str(find_tool().version) == "2.1.0-2"
    stedgeai_standin.install(tmp_path / "root", {"version": "2.2.0-3 abcdef"})
    monkeypatch.setenv("STEDGEAI_CORE_DIR", str(tmp_path / "root"))
    assert str(find_tool().version) == "2.2.0-3"
    explicit = stedgeai_standin.install(tmp_path / "other", {"version": "4.0.0-4 abcdef"})
    assert str(find_tool(explicit).version) == "4.0.0-4"
    assert str(find_tool(tmp_path / "other").version) == "4.0.0-4"


def test_a_folder_with_one_root_for_each_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for version in ("2.2", "4.0", "3.0"):
        stedgeai_standin.install(tmp_path / "STEdgeAI" / version, {"version": f"{version}.0-1 abcdef"})
    monkeypatch.setenv("STEDGEAI_CORE_DIR", str(tmp_path / "STEdgeAI"))
    assert str(find_tool().version) == "4.0.0-1"


def test_a_named_place_without_a_tool_is_an_error_although_another_has_one(
    tmp_path: Path, bare_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stedgeai_standin.install(bare_machine / PACKS / "10.2.0")
    assert is_installed()
    with pytest.raises(StedgeaiMissing, match="nowhere"):
        find_tool(tmp_path / "nowhere")
    monkeypatch.setenv("STEDGEAI_CORE_DIR", str(tmp_path / "old install"))
    with pytest.raises(StedgeaiMissing, match=r"STEDGEAI_CORE_DIR is .*old install"):
        find_tool()


def test_version_and_components(install: Install) -> None:
    install(version="4.0.1-20581 7ed50de05", components={"ISPU": "2.0.1-RC2", "STM32CubeAI": "12.0.1-RC2"})
    tool = find_tool()
    assert (str(tool.version), tool.components) == ("4.0.1-20581", {"ISPU": "2.0.1-RC2", "STM32CubeAI": "12.0.1-RC2"})


def test_another_program_of_that_name(install: Install) -> None:
    install(banner="a shell function called stedgeai 1.2", components={})
    with pytest.raises(StedgeaiMissing, match="does not tell its version"):
        find_tool()


def test_a_question_of_the_first_start_ends_by_itself(install: Install) -> None:
    """Standard input is closed: a tool that asks sees its end."""
    install(prompt="give up")
    with pytest.raises(StedgeaiMissing, match="Do you agree"):
        find_tool()


def test_a_question_that_waits_for_ever_ends_at_the_deadline(install: Install) -> None:
    install(prompt="insist")
    with pytest.raises(StedgeaiTimeout, match=r"Do you agree") as caught:
        find_tool(deadline_s=1.0)
    assert "by hand" in caught.value.remedy
    # Its log is not kept, so it is not named.
    assert "log" not in caught.value.remedy


def test_the_build_for_apple_silicon_is_started_as_such() -> None:
    version = Version(2, 2, 0)
    assert Tool(Path("/p/Utilities/macarm/stedgeai"), version).command == ["arch", "-arm64", "/p/Utilities/macarm/stedgeai"]
    assert Tool(Path("/p/Utilities/linux/stedgeai"), version).command == ["/p/Utilities/linux/stedgeai"]

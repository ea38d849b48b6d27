"""`edgeloop boards add`: the boards that are attached get entries of lab.yaml, whose comments and other entries stay."""

from pathlib import Path

import pytest
from fake_usb import FakeUsb

from edgeloop.boards.lab.add import Wanted, add_boards
from edgeloop.boards.lab.config import load_lab
from edgeloop.boards.lab.find import find
from edgeloop.boards.lab.kinds import kinds
from edgeloop.cli import main
from edgeloop.errors import BoardAbsent, ConfigError, InputError
from edgeloop.workspace import Workspace

ROOT = Path(__file__).resolve().parents[3]
SERIAL = "003900393137510C39383538"
OTHER = "066DFF485550755187121840"


@pytest.fixture
def usb(tmp_path: Path) -> FakeUsb:
    machine = FakeUsb(tmp_path / "root")
    machine.plug("usb1", "1d6b:0002", "0000:00:14.0", name="xHCI Host Controller")
    return machine


@pytest.fixture
def lab(workspace: Workspace) -> Workspace:
    """A project with the lab.yaml that edgeloop comes with."""
    workspace.lab.write_bytes((ROOT / "lab.yaml").read_bytes())
    return workspace


def h747(usb: FakeUsb, serial: str = SERIAL, place: str = "1-1", port: str = "ttyACM0") -> None:
    usb.plug(place, "0483:374e", serial, (port,), disk="DIS_H747XI")


def added_lines(lab: Workspace) -> list[str]:
    """What is new in the file; all that was in it must still be there, in its order."""
    before = (ROOT / "lab.yaml").read_text(encoding="utf-8").splitlines()
    after = lab.lab.read_text(encoding="utf-8").splitlines()
    new = [line for line in after if line not in before]
    assert [line for line in after if line not in new] == before
    return new


def test_one_board_needs_no_more_than_its_kind(lab: Workspace, usb: FakeUsb) -> None:
    h747(usb)
    (board,) = add_boards(lab, Wanted(), usb.root)
    assert added_lines(lab) == ["  h747: {kind: stm32h747i-disco}"]
    assert board.in_words().startswith("lab.yaml has now: h747: {kind: stm32h747i-disco}\n  STM32 STLink 0483:374e at USB place 1-1")
    assert find(load_lab(lab).board("h747"), lab.root, usb.root).probe == SERIAL


def test_several_are_told_apart_by_their_probes(lab: Workspace, usb: FakeUsb) -> None:
    h747(usb)
    usb.plug("1-2", "0483:374b", OTHER, ("ttyACM1",), disk="NODE_F767ZI")
    assert [board.name for board in add_boards(lab, Wanted(), usb.root)] == ["h747", "f767"]
    assert added_lines(lab) == [
        f'  h747: {{kind: stm32h747i-disco, find: {{probe: "{SERIAL}"}}}}',
        f'  f767: {{kind: nucleo-f767zi, find: {{probe: "{OTHER}"}}}}',
    ]
    for name, serial in (("h747", SERIAL), ("f767", OTHER)):
        assert find(load_lab(lab).board(name), lab.root, usb.root).probe == serial


def test_what_is_in_lab_yaml_already_is_said_and_not_written_again(lab: Workspace, usb: FakeUsb) -> None:
    h747(usb)
    add_boards(lab, Wanted(), usb.root)
    text = lab.lab.read_bytes()
    (board,) = add_boards(lab, Wanted(), usb.root)
    assert (board.name, board.written, lab.lab.read_bytes()) == ("h747", None, text)
    assert board.in_words().startswith("lab.yaml has it already: h747")


def test_a_second_board_leaves_the_first_ones_short_entry_right(lab: Workspace, usb: FakeUsb) -> None:
    h747(usb)
    add_boards(lab, Wanted(), usb.root)
    usb.plug("1-2", "0483:374b", OTHER, ("ttyACM1",), disk="NODE_F767ZI")
    first, second = add_boards(lab, Wanted(), usb.root)
    assert (first.written, second.written) == (None, f'f767: {{kind: nucleo-f767zi, find: {{probe: "{OTHER}"}}}}')
    assert find(load_lab(lab).board("h747"), lab.root, usb.root).probe == SERIAL


def test_two_of_a_kind_where_nothing_says_which_is_the_old_one(lab: Workspace, usb: FakeUsb) -> None:
    usb.plug("1-1", "0483:374e", SERIAL, ("ttyACM0",), disk="NODE_H743ZI")
    add_boards(lab, Wanted(), usb.root)
    usb.plug("1-2", "0483:374e", OTHER, ("ttyACM1",), disk="NOD_H743ZI")
    text = lab.lab.read_bytes()
    with pytest.raises(InputError, match=rf"(?s)h743 of lab.yaml has no `find`.*Give it one.*{SERIAL}.*{OTHER}"):
        add_boards(lab, Wanted(), usb.root)
    assert lab.lab.read_bytes() == text


def test_a_second_of_a_kind_has_the_next_name(lab: Workspace, usb: FakeUsb) -> None:
    usb.plug("1-1", "0483:374e", SERIAL, ("ttyACM0",), disk="NODE_H743ZI")
    usb.plug("1-2", "0483:374e", OTHER, ("ttyACM1",), disk="NOD_H743ZI")
    assert [board.name for board in add_boards(lab, Wanted(), usb.root)] == ["h743", "h743-2"]


def test_name_kind_and_probe_can_be_given(lab: Workspace, usb: FakeUsb) -> None:
    usb.plug("1-1", "0483:3754", SERIAL, ("ttyACM0",))
    usb.plug("1-2", "0483:3754", OTHER, ("ttyACM1",))
    (board,) = add_boards(lab, Wanted("desk", "stm32n6570-dk", OTHER), usb.root)
    assert board.written == f'desk: {{kind: stm32n6570-dk, find: {{probe: "{OTHER}"}}}}'
    assert load_lab(lab).board("desk").entry.find.probe == OTHER


@pytest.mark.parametrize(
    ("wanted", "error", "said"),
    [
        (Wanted(name="virtual-H7"), InputError, "lab.yaml has a board 'virtual-H7' already"),
        (Wanted(name="my board"), InputError, "'my board' cannot be a board's name"),
        (Wanted(kind="stm32h747i-disko"), InputError, "(?s)no kind 'stm32h747i-disko'.*did you mean 'stm32h747i-disco'"),
        (Wanted(kind="stm32mp257f-dk"), InputError, "no kind 'stm32mp257f-dk' of boards with a debug probe"),
        (Wanted(probe="0050"), BoardAbsent, rf"(?s)serial number 0050 is attached.*Attached probes: .*{SERIAL}"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_written(
    lab: Workspace, usb: FakeUsb, wanted: Wanted, error: type[Exception], said: str
) -> None:
    h747(usb)
    with pytest.raises(error, match=said):
        add_boards(lab, wanted, usb.root)
    assert added_lines(lab) == []


def test_another_labs_board_is_not_the_one_that_is_attached_here(workspace: Workspace, usb: FakeUsb) -> None:
    workspace.lab.write_text("boards:\n  far: {kind: stm32h747i-disco, lab: lab1}\n", encoding="utf-8")
    h747(usb)
    assert [board.name for board in add_boards(workspace, Wanted(), usb.root)] == ["h747"]


def test_a_name_is_that_of_one_board(lab: Workspace, usb: FakeUsb) -> None:
    h747(usb)
    usb.plug("1-2", "0483:374b", OTHER, ("ttyACM1",), disk="NODE_F767ZI")
    with pytest.raises(InputError, match=r"(?s)2 boards are to be added, and a name or a kind is that of one: .*--probe SERIAL"):
        add_boards(lab, Wanted(name="mine"), usb.root)


def test_nothing_attached(lab: Workspace, usb: FakeUsb, tmp_path: Path) -> None:
    with pytest.raises(BoardAbsent, match=r"(?s)No debug probe is attached.*check the cable"):
        add_boards(lab, Wanted(), usb.root)
    with pytest.raises(BoardAbsent, match="shows no USB at all"):
        add_boards(lab, Wanted(), tmp_path / "no machine")
    assert added_lines(lab) == []


def test_a_board_that_its_disk_does_not_tell(lab: Workspace, usb: FakeUsb) -> None:
    usb.plug("1-1", "0483:374b", SERIAL, ("ttyACM0",), disk="NODE_L152RE")
    with pytest.raises(
        InputError, match=r"(?s)does not tell which board it is: .*NODE_L152RE.*boards add --kind KIND. Kinds: .*stm32h747i-disco"
    ):
        add_boards(lab, Wanted(), usb.root)
    usb.plug("1-2", "0483:374b", OTHER, ("ttyACM1",), disk="NODE_F767ZI")
    unknown, known = add_boards(lab, Wanted(), usb.root)
    assert known.written and added_lines(lab) == [f"  {known.written}"]
    assert unknown.in_words().startswith(
        f"not written, because its ST-LINK does not tell which board it is: edgeloop boards add --probe {SERIAL}"
    )


def test_without_a_lab_yaml_one_is_made(workspace: Workspace, usb: FakeUsb) -> None:
    workspace.lab.unlink(missing_ok=True)
    h747(usb)
    add_boards(workspace, Wanted(), usb.root)
    assert list(load_lab(workspace).boards) == ["virtual-h7", "virtual-f4", "host", "h747"]


def test_a_lab_yaml_that_cannot_be_read_stays_as_it_is(workspace: Workspace, usb: FakeUsb) -> None:
    workspace.lab.write_text("boards:\n  h7: {kint: stm32h747i-disco}\n", encoding="utf-8")
    h747(usb)
    with pytest.raises(ConfigError, match="did you mean 'kind'"):
        add_boards(workspace, Wanted(), usb.root)
    assert workspace.lab.read_text(encoding="utf-8") == "boards:\n  h7: {kint: stm32h747i-disco}\n"


def test_line_ends_of_windows_stay(workspace: Workspace, usb: FakeUsb) -> None:
    workspace.lab.write_bytes(b"# mine\r\nboards:\r\n  host: {kind: host}  # here\r\n")
    h747(usb)
    add_boards(workspace, Wanted(), usb.root)
    assert workspace.lab.read_bytes() == b"# mine\r\nboards:\r\n  host: {kind: host}  # here\r\n  h747: {kind: stm32h747i-disco}\r\n"


def test_no_label_is_that_of_two_kinds() -> None:
    labels = [label for kind in kinds().values() for label in kind.disks]
    assert len(labels) == len(set(labels)) and all(len(label) <= 11 for label in labels)


def test_the_command(lab: Workspace, usb: FakeUsb, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from edgeloop.boards.lab.usb import usb_devices

    h747(usb)
    for module in ("add", "find"):
        monkeypatch.setattr(f"edgeloop.boards.lab.{module}.usb_devices", lambda _root: usb_devices(usb.root))
    monkeypatch.chdir(lab.root)
    assert main(["boards", "add", "mine"]) == 0
    assert capsys.readouterr().out.startswith("lab.yaml has now: mine: {kind: stm32h747i-disco}")
    assert main(["boards", "--json", "out", "add"]) == 1

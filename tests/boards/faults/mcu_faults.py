"""Faults of microcontroller boards, injected into lab.yaml, its commands, the serial line, the flashed program, and this machine."""

import os
import subprocess
from pathlib import Path

import pytest
from fake_usb import FakeUsb
from fault_desk import Desk, Fault, python

from edgeloop.boards.lab.config import load_lab
from edgeloop.boards.lab.find import find
from edgeloop.boards.lab.usb import usb_devices
from edgeloop.boards.lock import hold
from edgeloop.boards.lockfiles import VARIABLE
from edgeloop.errors import (
    BoardAbsent,
    BoardBusy,
    BoardError,
    BoardSilent,
    DiskError,
    FlashError,
    InputError,
    ModelError,
    ProtocolError,
    WrongOutputs,
)

FROM_THE_FIRST_RUN = "after=12"
"""So many answers are connection and verification."""
PROBE = "0483:374e"


def command(desk: Desk, which: str, text: str, **settings: object) -> None:
    """The build or flash command is this program, which gets the ELF's path."""
    desk.mcu(**{which: [python(text, "{elf}", **settings)]})


def line(desk: Desk, *faults: str) -> None:
    """The serial line of the board, from when it is flashed."""
    desk.bench.faults = list(faults)
    desk.mcu()


def unplug(desk: Desk) -> None:
    desk.mcu()
    desk.bench.unplug()


def unplug_in_the_middle(desk: Desk) -> None:
    line(desk, f"slow:{FROM_THE_FIRST_RUN}:times=0:seconds=0.3")
    desk.soon(lambda: desk.bench.state == "connected" and bool(desk.bench.flashed), desk.bench.unplug)


def usb(desk: Desk, *serials: str) -> None:
    """Other debug probes are attached to this machine."""
    machine = FakeUsb(desk.scratch / "machine")
    for number, serial in enumerate(serials):
        machine.plug(f"1-{number + 1}", PROBE, serial, ("ttyACM0", "ttyACM1")[number : number + 1])
    (machine.root / "sys").mkdir(parents=True, exist_ok=True)
    desk.patch.setattr("edgeloop.boards.lab.find.usb_devices", lambda _root: usb_devices(machine.root))


def probe_absent(desk: Desk) -> None:
    usb(desk, "0049")
    desk.mcu(find={"probe": "0050"})


def twins(desk: Desk) -> None:
    usb(desk, "0049", "0050")
    desk.mcu(find={"usb": PROBE})


def program(desk: Desk, name: str, **settings: object) -> None:
    """A flash tool of another name."""
    desk.mcu(flash=[{"run": [name, "{elf}"], **settings}])


def broken_program(desk: Desk) -> None:
    tool = desk.scratch / "STM32_Programmer_CLI"
    tool.write_bytes(b"\x7fELF")
    tool.chmod(0o755)
    program(desk, str(tool))


def other_firmware(desk: Desk) -> None:
    desk.mcu()
    desk.bench.runs_elf = desk.other_firmware


def virtual_firmware(desk: Desk) -> None:
    text = "import sys; from pathlib import Path; from edgeloop.boards.virtual import parts; "
    text += "from edgeloop.firmware import build; build.build_firmware(Path(sys.argv[1]), parts.find_part('stm32h747'), Path(sys.argv[2]))"
    desk.mcu(build=[python(text, "{generated}", "{elf}")])


def lying_tool(desk: Desk) -> None:
    command(desk, "flash", "print('Start operation achieved successfully')", expect="achieved successfully")


def power_switch_fails(desk: Desk) -> None:
    desk.bench.mute_until_switched = True
    desk.mcu(power_cycle=[python("raise SystemExit('relay: no such device')")])


def held(desk: Desk) -> None:
    desk.mcu()
    desk.patch.setattr("edgeloop.boards.benchmark.WAIT_S", 0.5)
    key = find(load_lab(desk.workspace).board("h747"), desk.workspace.root).key
    desk.stack.enter_context(hold(key, "another run", 1.0))


def no_place_for_locks(desk: Desk) -> None:
    desk.mcu()
    (desk.scratch / "file").touch()
    desk.patch.setenv(VARIABLE, str(desk.scratch / "file"))
    desk.stack.callback(desk.patch.setenv, VARIABLE, str(desk.scratch / "locks"))


def damaged_model(desk: Desk) -> None:
    desk.mcu()
    (desk.variant.quantized / "per_channel.tflite").write_bytes(b"\x1c\x00\x00\x00TFL3" + bytes(100))


def not_quantized(desk: Desk) -> None:
    desk.mcu()
    (desk.variant.quantized / "per_channel.tflite").unlink()


def not_prepared(desk: Desk) -> None:
    desk.mcu()
    desk.workspace.dataset("sample").manifest.unlink()


def file_system(desk: Desk, folder: Path, options: str) -> None:
    """Another file system in the folder's place, until the end."""
    folder.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, timeout=30, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"no file system can be mounted: {mounted.stderr.decode().strip()}")
    desk.stack.callback(subprocess.run, ["umount", "-l", str(folder)], timeout=30, check=True)


def disk_full(desk: Desk) -> None:
    desk.mcu()
    file_system(desk, desk.workspace.board("h747"), "size=16k")


def records_read_only(desk: Desk) -> None:
    desk.mcu()
    # What lies below the mounted one would come back with its end.
    desk.record("mcu").unlink()
    file_system(desk, desk.record("mcu").parent, "ro")


def records_full(desk: Desk) -> None:
    desk.mcu()
    desk.record("mcu").unlink()
    folder = desk.record("mcu").parent
    file_system(desk, folder, "size=4k")
    # The one page that there is, is taken.
    (folder / "other").write_bytes(bytes(4096))


def endless_output(desk: Desk) -> None:
    command(desk, "flash", "import sys\nwhile True: print('Mass erase ' * 20, flush=True)", deadline_s=1)


def hang_with_server(desk: Desk) -> None:
    text = "import subprocess, sys, time\n"
    text += "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)\ntime.sleep(600)"
    command(desk, "flash", text, deadline_s=1)


BROKEN = (ProtocolError, BoardSilent)
RUN = FROM_THE_FIRST_RUN
HANG = "import time; time.sleep(600)"
MCU_FAULTS = [
    # Where is it?
    Fault("unplugged", "mcu", BoardAbsent, "refuses connections", unplug),
    Fault("no such port", "mcu", BoardAbsent, "There is no port /dev/ttyACM99", lambda d: d.mcu(find={"port": "/dev/ttyACM99"})),
    Fault("no serial port", "mcu", BoardAbsent, "is no serial port", lambda d: d.mcu(find={"port": os.devnull + "/../zero/.."})),
    Fault("probe absent", "mcu", BoardAbsent, "0050", probe_absent),
    Fault("twin boards", "mcu", BoardAbsent, "(?s)0049.*0050", twins),
    Fault("held by another run", "mcu", BoardBusy, "another run", held),
    Fault("no place for locks", "mcu", BoardError, "lock", no_place_for_locks),
    # Building
    Fault("build fails", "mcu", FlashError, "region FLASH overflowed", lambda d: command(d, "build", "exit('region FLASH overflowed')")),
    Fault("build hangs", "mcu", FlashError, "not done after 1", lambda d: command(d, "build", HANG, deadline_s=1)),
    Fault("build makes nothing", "mcu", FlashError, "`build` did not make", lambda d: command(d, "build", "pass")),
    Fault("build makes another", "mcu", FlashError, "does not hold the signature", lambda d: command(
        d, "build", "import sys; open(sys.argv[1], 'wb').write(b'an older one')")),
    Fault("build tool missing", "mcu", FlashError, "arm-none-cc is not there", lambda d: d.mcu(build=[{"run": ["arm-none-cc"]}])),
    Fault("model too large", "mcu", ModelError, "KiB of RAM for its activations, and h747 .* has 2 KiB", lambda d: d.mcu(
        memory={"ram_kib": 1, "external_ram_kib": 1})),
    Fault("model damaged", "mcu", (ModelError, InputError), "tflite", damaged_model),
    Fault("not quantized", "mcu", InputError, "not quantized", not_quantized),
    Fault("data not prepared", "mcu", InputError, "manifest|prepare", not_prepared),
    # Flashing
    Fault("no flash command", "mcu", FlashError, "has no flash command", lambda d: d.mcu(flash=[])),
    Fault("flash fails", "mcu", FlashError, "(?s)exit code 3.*no target", lambda d: command(
        d, "flash", "print('Error: no target'); raise SystemExit(3)")),
    Fault("flash hangs", "mcu", FlashError, "not done after 1", hang_with_server),
    Fault("flash prompts", "mcu", FlashError, "(?s)licence.*EOFError", lambda d: command(d, "flash", "input('Accept the licence? ')")),
    Fault("flash says nothing of success", "mcu", FlashError, "did not say 'done'", lambda d: command(d, "flash", "pass", expect="done")),
    Fault("flash is killed", "mcu", FlashError, "exit code 137", lambda d: command(d, "flash", "import os; os.kill(os.getpid(), 9)")),
    Fault("flash writes without end", "mcu", FlashError, "not done after 1", endless_output),
    Fault("flash tool missing", "mcu", FlashError, "STM32_Programmer_CLI is not there", lambda d: program(d, "STM32_Programmer_CLI")),
    Fault("flash tool broken", "mcu", FlashError, "Exec format error", broken_program),
    Fault("flash folder missing", "mcu", FlashError, "does not exist", lambda d: program(d, "true", folder="/nowhere")),
    Fault("flash wants what was not built", "mcu", FlashError, "`build` did not make", lambda d: d.mcu(flash=[{"run": ["true", "{hex}"]}])),
    Fault("flash lies", "mcu", BROKEN, "neither version", lying_tool),
    Fault("power switch fails", "mcu", FlashError, "relay: no such device", power_switch_fails),
    # Is it the one that was meant?
    Fault("wrong firmware", "mcu", BoardError, "another model than the one that was flashed .*0x00112233445566ff", other_firmware),
    Fault("wrong network", "mcu", BoardError, "another model than the one that was flashed", lambda d: line(d, "wrong-network")),
    Fault("wrong device", "mcu", BoardError, "device id 0x450; a STM32F769I", lambda d: d.mcu(kind="stm32f769i-disco")),
    Fault("wrong clock", "mcu", BoardError, "400 MHz, not at 480 MHz", lambda d: d.mcu(clock_mhz=480)),
    Fault("a virtual device", "mcu", BoardError, "(?s)says that it is virtual.*--board virtual-h7", virtual_firmware, 120),
    Fault("another version", "mcu", (*BROKEN, BoardError), "board", lambda d: d.mcu(protocol="3.2")),
    # The line
    Fault("silent from the start", "mcu", BROKEN, "neither version", lambda d: line(d, "silence:times=0"), 60),
    Fault("silent in the middle", "mcu", BROKEN, "sent 0 of 1 bytes", lambda d: line(d, f"silence:{RUN}:times=0")),
    Fault("noise", "mcu", (*BROKEN, BoardError), "board", lambda d: line(d, f"garbage:{RUN}:times=0")),
    Fault("packets cut", "mcu", BROKEN, "board", lambda d: line(d, f"truncated:{RUN}:times=0")),
    Fault("packets doubled", "mcu", BROKEN, "board", lambda d: line(d, f"duplicated:{RUN}:times=0")),
    Fault("other request's answers", "mcu", BROKEN, "board", lambda d: line(d, f"wrong-reqid:{RUN}:times=0")),
    Fault("slow answers", "mcu", BROKEN, "board", lambda d: line(d, f"slow:{RUN}:times=0:seconds=30"), 60),
    Fault("resets itself", "mcu", BROKEN, "board", lambda d: line(d, f"reset:{RUN}:times=0"), 60),
    Fault("unplugged in the middle", "mcu", BoardError, "connection to the board .* is lost|cannot be opened", unplug_in_the_middle),
    Fault("one wrong output", "mcu", WrongOutputs, "other outputs .* 1 of 2 images", lambda d: line(d, "wrong-output:times=1")),
    # This machine
    Fault("disk full", "mcu", DiskError, "the disk has no room", disk_full),
    Fault("records read-only", "mcu", DiskError, "it is read-only", records_read_only),
    Fault("records' disk full", "mcu", DiskError, "the disk has no room", records_full),
]  # fmt: skip

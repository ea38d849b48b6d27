"""What a board of the lab says that it is, asked under its lock."""

from contextlib import closing
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from edgeloop.boards.lab.config import LabBoard
from edgeloop.boards.lab.find import Found, find
from edgeloop.boards.lock import Watcher, hold

WAIT_S = 30.0


class Identification(BaseModel):
    """The answer of one board."""

    model_config = ConfigDict(frozen=True)

    name: str
    kind: str
    address: str
    says: dict[str, str]
    """What it reports of itself, by subject."""


def identify(
    board: LabBoard, project: Path, wait_s: float = WAIT_S, watcher: Watcher | None = None, root: Path = Path("/")
) -> Identification:
    """Talk to the board.

    Raises:
        BoardAbsent: it is not attached.
        BoardBusy: somebody else has held it for `wait_s`.
        BoardError: it does not answer as its kind does.
    """
    found = find(board, project, root)
    with hold(found.key, f"edgeloop boards identify {board.name}", wait_s, watcher):
        says = _asked(board, found)
    return Identification(name=board.name, kind=board.entry.kind, address=found.address, says=says)


def _asked(board: LabBoard, found: Found) -> dict[str, str]:
    if board.kind.driver == "stm32msg":
        return _serial(board, found)
    if board.kind.driver == "virtual":
        return _virtual(board)
    return _linux(board) if board.kind.driver == "mpu" else _host()


def _host() -> dict[str, str]:
    from edgeloop.boards.host import HostBoard

    identity = HostBoard().identify()
    return {"device": identity.device, "runtime": identity.runtime, "clock": identity.clock}


def _serial(board: LabBoard, found: Found) -> dict[str, str]:
    from edgeloop.boards.lab.connect import check_part, connect

    with connect(board, found) as client:
        system, networks = client.system(), client.networks()
        check_part(board, system)
        says = {
            "device id": f"0x{system.device_id:x}",
            "clock": f"{system.clock_hz / 1e6:g} MHz (bus {system.bus_clock_hz / 1e6:g} MHz)",
            "protocol": client.version,
        }
        if found.probe:
            says["probe"] = found.probe
        for network in networks:
            made = f"{network.runtime_description}, tool {network.tool_version}, compiled {network.compiled}"
            says[f"model '{network.name}'"] = f"{network.signature}, {network.macs} MACs, {made}"
    return says


def _linux(board: LabBoard) -> dict[str, str]:
    from edgeloop.boards.lab.connect import linux_settings
    from edgeloop.boards.mpu.driver import MpuBoard

    with closing(MpuBoard(linux_settings(board))) as device:
        identity = device.identify()
    return {"device": identity.device, "runtime": identity.runtime, "clock": identity.clock}


def _virtual(board: LabBoard) -> dict[str, str]:
    """An emulated board runs only while it has a model; what it will be is known all the same."""
    from importlib.metadata import version

    from edgeloop.boards.virtual.parts import find_part

    part = find_part(board.kind.part or "")
    memories = ", ".join(f"{region.name} {region.size // 1024} KiB" for region in part.regions)
    return {
        "part": part.title,
        "device id": f"0x{part.device_id:x}",
        "clock": f"{part.clock_hz / 1e6:g} MHz, assumed: one instruction a cycle",
        "memories": memories,
        "emulator": f"unicorn {version('unicorn')}",
    }


def render(identification: Identification) -> str:
    """Lines for people."""
    width = max(map(len, identification.says), default=0)
    head = f"{identification.name} ({identification.kind}) {identification.address}".rstrip()
    return "\n".join([head, *(f"  {subject:<{width}}  {text}" for subject, text in identification.says.items())])

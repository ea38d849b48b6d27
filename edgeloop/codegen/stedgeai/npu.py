"""What a log or report says of the STM32N6's NPU: its compiler, the use of the memory pools, and the epochs."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from edgeloop.codegen.stedgeai.numbers import rounding_bytes, size_bytes
from edgeloop.codegen.stedgeai.source import EXTERNAL_FROM, Pools
from edgeloop.codegen.stedgeai.text import missing
from edgeloop.records import Epochs, MemoryPool

_SHARE = r"\(\s*[\d.]+ % used\)"


def _size(name: str) -> str:
    """The pattern of a figure with its unit."""
    return rf"(?P<{name}>[\d.]+)\s+(?P<{name}_unit>B|kB|MB)"


_POOL = re.compile(
    rf"^\s*(?P<name>\w+)\s+\[(?P<start>0x[0-9A-Fa-f]+) - (?P<end>0x[0-9A-Fa-f]+)\]:\s+{_size('used')}\s+/\s+{_size('room')}"
    rf"\s+{_SHARE}\s+--\s+weights:\s+{_size('weights')}\s+{_SHARE}\s+activations:\s+{_size('activations')}"
)
_POOLS_TOTAL = re.compile(rf"^\s*Total:\s+{_size('used')}\s+--\s+weights:\s+{_size('weights')}\s+activations:\s+{_size('activations')}")
_TOTAL_2 = re.compile(r"^\s*Total number of epochs: (\d+) of which (\d+) implemented in software")
_TOTAL_4 = re.compile(r"^\s*Total number of epochs\s+(\d+)\s*$")
_PART_4 = re.compile(r"^\s*>> (pure software|hybrid|pure hardware)\b.*?\s(\d+)\s*(?:\(implemented .*)?$")
_EPOCH_2 = re.compile(r"^\s*epoch \d+\s+(\S+)")
_EPOCH_4 = re.compile(r"^\s*\|\s*epoch(?:_\d+|s\s+\d+ -> \d+)\s*\|\s*([^|\s][^|]*?)\s*\|")
_NO_CONTROLLER = re.compile(r"\(implemented in 0 epoch controller blobs")
_HYBRID = "??"
"""What version 2 prints for an epoch of both, NODE_SW_HW in its c_info file."""
_KNOWN = ("HW", "SW", "EC", _HYBRID)
_COMPILER = re.compile(r"^\s*Compiler version: (\S+)")
_ARGUMENTS = re.compile(r"^\s*Compiler arguments:\s+(.*)$")


@dataclass(frozen=True)
class Npu:
    """What is stated; empty parts are not."""

    compiler: str | None
    options: str | None
    pools: Pools | None
    epochs: Epochs | None


def find_npu(lines: Sequence[str], where: str) -> Npu | None:
    """What the lines say of the NPU; None where it is not used.

    Raises:
        StedgeaiUnreadable: the epochs that are listed are not as many as are stated, or the pools do not hold what they do in all.
    """
    compiler = [found[1] for line in lines if (found := _COMPILER.match(line))]
    arguments = [found[1].strip() for line in lines if (found := _ARGUMENTS.match(line))]
    pools = _pools(lines, where)
    if not compiler and pools is None:
        return None
    return Npu(compiler[0] if compiler else None, arguments[0] if arguments else None, pools, _epochs(lines, where))


def _pools(lines: Sequence[str], where: str) -> Pools | None:
    """The lines of "Memory usage information", each pool once (a log may repeat them), which add up to its last line."""
    found = {match["name"]: match for line in lines if (match := _POOL.match(line))}
    if not found:
        return None
    total = next((match for line in lines if (match := _POOLS_TOTAL.match(line))), None)
    if total is None:
        raise missing("the sum of the use of the memory pools", where)
    for part in ("weights", "activations"):
        _check_sum(part, [_amount(match, part) for match in found.values()], _amount(total, part), where)
    return Pools([_pool(match) for match in found.values()], pools_rounded=any(match["used_unit"] != "B" for match in found.values()))


def _amount(found: re.Match[str], part: str) -> tuple[str, str]:
    return found[part], found[f"{part}_unit"]


def _pool(found: re.Match[str]) -> MemoryPool:
    """A pool in bytes, as far as three decimals of KiB or MiB tell; one that ends where it starts is disabled."""
    start, end = int(found["start"], 16), int(found["end"], 16)
    return MemoryPool(
        name=found["name"],
        internal=start < EXTERNAL_FROM,
        weight_bytes=size_bytes(*_amount(found, "weights")),
        activation_ram_bytes=size_bytes(*_amount(found, "activations")),
        address=start,
        size_bytes=end - start,
    )


def _check_sum(part: str, sizes: Sequence[tuple[str, str]], total: tuple[str, str], where: str) -> None:
    """The pools hold what they do in all, as far as the decimals of each tell."""
    listed, stated = sum(size_bytes(*size) for size in sizes), size_bytes(*total)
    if abs(listed - stated) > sum(rounding_bytes(unit) for _, unit in (*sizes, total)):
        raise missing(f"a part of the use of the memory pools ({listed} bytes of {part} are listed, {stated} stated in all)", where)


def _epochs(lines: Sequence[str], where: str) -> Epochs | None:
    for number, line in enumerate(lines):
        older, newer = _TOTAL_2.match(line), _TOTAL_4.match(line)
        if older:
            return _older_epochs(int(older[1]), int(older[2]), _kinds(lines[number + 1 :]), where)
        if newer:
            return _newer_epochs(int(newer[1]), lines[number + 1 :], where)
    return None


def _older_epochs(total: int, software: int, kinds: dict[str, int], where: str) -> Epochs:
    """The epochs of version 2: a list of all epochs below the sums."""
    listed = sum(kinds.values())
    if listed != total:
        raise missing(f"the list of all {total} epochs ({listed} are listed)", where)
    if kinds.get("SW", 0) != software:
        raise missing(f"the list of all {software} software epochs ({kinds.get('SW', 0)} are listed)", where)
    return Epochs(
        total=total,
        software=software,
        hybrid=kinds.get(_HYBRID, 0),
        hardware=kinds.get("HW", 0),
        controller=kinds.get("EC", 0),
        unknown={kind: count for kind, count in kinds.items() if kind not in _KNOWN},
    )


def _newer_epochs(total: int, lines: Sequence[str], where: str) -> Epochs:
    """Since version 3: sums, and a table in which the controller's epochs are ranges of identifiers that have gaps."""
    parts = {found[1]: int(found[2]) for line in lines[:5] if (found := _PART_4.match(line))}
    for part in ("pure software", "hybrid", "pure hardware"):
        if part not in parts:
            raise missing(f"the number of {part} epochs", where)
    if sum(parts.values()) != total:
        raise missing(f"the number of all epochs ({total}, but the parts are {sum(parts.values())})", where)
    kinds = _kinds(lines)
    if not kinds:
        alone = parts["pure hardware"] if any(_NO_CONTROLLER.search(line) for line in lines[:5]) else None
        controller = None if alone is None else 0
        return Epochs(total=total, software=parts["pure software"], hybrid=parts["hybrid"], hardware=alone, controller=controller)
    software, hybrid, hardware = (kinds.get(kind, 0) for kind in ("SW", "Hybrid", "HW"))
    unknown = {kind: count for kind, count in kinds.items() if kind not in ("HW", "SW", "EC", "Hybrid")}
    # The controller's are not counted by their ranges, but are what is left. An epoch of an unknown type is in one of the three sums.
    controller = total - software - hybrid - hardware - sum(unknown.values())
    lacking = (parts["pure software"] - software, parts["hybrid"] - hybrid, parts["pure hardware"] - hardware)
    unexplained = lacking[0] + lacking[1] > sum(unknown.values()) or (controller and "EC" not in kinds)
    if min(*lacking, controller) < 0 or unexplained:
        raise missing(f"the list of all {total} epochs ({', '.join(f'{count} {kind}' for kind, count in kinds.items())} are listed)", where)
    return Epochs(total=total, software=software, hybrid=hybrid, hardware=hardware, controller=controller, unknown=unknown)


def _kinds(lines: Sequence[str]) -> dict[str, int]:
    """How many epochs of each kind are listed one by one, up to the next section; the dashes around `-SW-` are no part of it."""
    kinds: dict[str, int] = {}
    for line in lines:
        found = _EPOCH_2.match(line) or _EPOCH_4.match(line)
        if found:
            kind = found[1].strip("-")
            kinds[kind] = kinds.get(kind, 0) + 1
        elif line.lstrip().startswith(("Requested memory", "=====")) and kinds:
            break
    return kinds

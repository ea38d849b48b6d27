"""The farm's answers: the state of a benchmark, and the result of one that is done, as the record states it.

ST's own client takes the layers of the internal flash for those of the external one, and the other way round; this one does not.
"""

import datetime as dt
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from edgeloop.boards.cloud.options import Family
from edgeloop.boards.mcu.driver import code_of
from edgeloop.codegen.stedgeai.c_info import read_c_info
from edgeloop.codegen.stedgeai.cloud.options import NPU
from edgeloop.codegen.stedgeai.cloud.wire import UPDATE
from edgeloop.codegen.stedgeai.record import make_record
from edgeloop.codegen.stedgeai.timing import Timing, read_timing
from edgeloop.errors import FarmError, StedgeaiUnreadable
from edgeloop.records import CodegenRecord, EngineShares, FarmLayer, FarmMemory, provenance

QUEUED = ("waiting_for_build", "in_queue")
WORKING = ("generating_sources", "copying_sources", "loading_sources", "building", "flashing", "validation")
DONE, ERROR = "done", "error"
STATES = (*QUEUED, *WORKING, DONE)
"""As the farm names them, in order."""
SUM_TOLERANCE = 0.015
"""Of shares that are rounded each."""
_CLOCK = re.compile(r"@(\d+)(?:/\d+)?MHz")


class _Told(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class Mapping(_Told):
    """Where weights and activations lie."""

    external_ram: bool | None = Field(None, alias="useExternalRam")
    external_flash: bool | None = Field(None, alias="useExternalFlash")
    in_internal_flash: list[str] | None = Field(None, alias="layersInInternalFlash")
    in_external_flash: list[str] | None = Field(None, alias="layersInExternalFlash")

    def record(self) -> FarmMemory:
        return FarmMemory(
            uses_external_ram=self.external_ram,
            uses_external_flash=self.external_flash,
            layers_in_internal_flash=self.in_internal_flash or [],
            layers_in_external_flash=self.in_external_flash or [],
        )


class Status(_Told):
    """What became of a benchmark."""

    state: str
    message: Any = None
    board: str | None = None
    place: Any = Field(None, alias="queuePosition")
    """In the queue; no description of the service names such a field, so that this one may never be there."""
    benchmark: dict[str, Any] | None = None
    mapping: Mapping | None = Field(None, alias="memoryMapping")

    @property
    def is_queued(self) -> bool:
        return self.state.lower() in QUEUED

    def in_words(self) -> str:
        """As a person reads it."""
        place = f", place {self.place} in its queue" if isinstance(self.place, int) and self.is_queued else ""
        return self.state.lower().replace("_", " ") + place


class _Times(_Told):
    duration_ms: float = Field(gt=0)
    npu_percent: float | None = None
    gpu_percent: float | None = None
    cpu_percent: float | None = None


class _Tool(_Told):
    name: str
    major: str | int
    minor: str | int
    micro: str | int

    def __str__(self) -> str:
        return f"{self.name} {self.major}.{self.minor}.{self.micro}"


class LinuxResult(_Told):
    """Of a board with Linux. Shares are fractions from 0 to 1, though they are called percents."""

    board: str | None = None
    times: _Times = Field(alias="exec_time")
    model_size: float | str | None = None
    ram_peak: float | str | None = None
    date: str | int | float | None = None
    tool: _Tool = Field(alias="tool_version")


@dataclass(frozen=True)
class _Result:
    """The answer of a benchmark that is done, and what it is about."""

    status: Status
    host: str
    family: Family
    asked: dict[str, Any]

    def fields(self) -> dict[str, Any]:
        """The fields of a FarmMeasurement that the answer gives."""
        if self.status.benchmark is None:
            raise self._unknown("it holds no `benchmark`")
        memory = (self.status.mapping or Mapping.model_validate({})).record()
        own = self._linux(self.status.benchmark) if self.family.mpu else self._microcontroller(self.status.benchmark)
        return {"memory": memory, **own}

    def _microcontroller(self, told: dict[str, Any]) -> dict[str, Any]:
        info = told.get("info")
        if not isinstance(info, dict):
            raise self._unknown("it holds no `benchmark.info`")
        try:
            timing, code = read_timing(info, "the farm's answer"), _codegen(info, self.family)
        except StedgeaiUnreadable as error:
            raise self._unknown(error.what) from None
        device, latency_ms = timing.device, timing.duration_ms
        if device is not None and not device.startswith("stm32"):
            raise self._unknown(f"it tells times of {device}, which is no board")
        if not latency_ms or latency_ms <= 0:
            raise self._unknown("it tells no time of an inference")
        return {
            "latency_ms": latency_ms,
            "cycles": timing.cycles or [],
            "device": device,
            "clock_hz": _clock_hz(timing),
            "engine": "NPU" if self.family.target == NPU else "CPU",
            "cores": None,
            "tool": f"ST Edge AI Core {code.backend.version or '(version not told)'}",
            "measured": timing.generated,
            "code": code_of(code),
            "pools": code.pools,
            "note": code.note,
            "layers": [FarmLayer(name=one.name, duration_ms=one.duration_ms, macs=one.macs) for one in timing.layers],
            "shares": None,
            "no_shares": "",
            "model_size": None,
            "ram_peak": None,
            "validation": code.validation,
        }

    def _linux(self, told: dict[str, Any]) -> dict[str, Any]:
        try:
            found = LinuxResult.model_validate(told)
        except ValueError as error:
            raise self._unknown(str(error).replace("\n", " ")) from None
        shares, no_shares = _shares(found)
        return {
            "latency_ms": found.times.duration_ms,
            "cycles": [],
            "device": found.board,
            "clock_hz": None,
            "engine": "CPU" if self.asked["engine"] == "cpu" else "NPU and GPU",
            "cores": self.asked["nbCores"],
            "tool": str(found.tool),
            "measured": None if found.date is None else str(found.date),
            "code": None,
            "pools": None,
            "note": "",
            "layers": [],
            "shares": shares,
            "no_shares": no_shares,
            "model_size": found.model_size,
            "ram_peak": found.ram_peak,
            "validation": None,
        }

    def _unknown(self, what: str) -> FarmError:
        return FarmError(f"{self.host} says that the benchmark is done, and answers what edgeloop does not know: {what}.", UPDATE)


def result_fields(status: Status, host: str, kind: Family, asked: dict[str, Any]) -> dict[str, Any]:
    """The fields of a FarmMeasurement that the answer of a benchmark gives; `asked` are its options.

    Raises:
        FarmError: it is not of the known form, or tells no time of a board.
    """
    return _Result(status, host, kind, asked).fields()


def _codegen(info: dict[str, Any], kind: Family) -> CodegenRecord:
    source = read_c_info(info, "the farm's answer")
    record = make_record([source], provenance(Path.cwd(), {}, [], dt.datetime.now(dt.UTC)))
    return record if record.target else record.model_copy(update={"target": kind.target})


def _clock_hz(timing: Timing) -> int | None:
    found = _CLOCK.search(timing.device or "")
    return int(found[1]) * 1_000_000 if found else None


def _shares(found: LinuxResult) -> tuple[EngineShares | None, str]:
    npu, gpu, cpu = found.times.npu_percent, found.times.gpu_percent, found.times.cpu_percent
    if npu is None or gpu is None or cpu is None:
        return None, "the farm tells no shares"
    if min(npu, gpu, cpu) < 0 or abs(npu + gpu + cpu - 1) > SUM_TOLERANCE:
        return None, f"the shares that the farm tells add up to {npu + gpu + cpu:g}, not to 1"
    percents = {f"{name}_percent": round(100 * share, 3) for name, share in (("npu", npu), ("gpu", gpu), ("cpu", cpu))}
    return EngineShares(**percents, tool_inference_ms=found.times.duration_ms, tool_peak_ram_mb=None, source="ST's farm"), ""

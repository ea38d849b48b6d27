"""The records: small typed JSON files that each state one result with its provenance. Cards are made from nothing else.

Units are in the names. What was not measured is `null`, never 0. *Measured on hardware*, *emulated* and *estimated*
are different types; no field takes one for another.
"""

from edgeloop.records.base import Part, Provenance, Record
from edgeloop.records.benchmarks import (
    BenchmarkRecord,
    ComparedOutputs,
    CpuFrequency,
    EmulatedBenchmarkRecord,
    EmulatedLayer,
    EngineShares,
    ExecutedInstructions,
    HostBenchmark,
    LinuxMachine,
    MeasuredLatency,
    MpuBenchmarkRecord,
    MpuMeasurement,
    MpuModelBenchmark,
)
from edgeloop.records.card import CardRecord
from edgeloop.records.codegen import (
    CodegenBackend,
    CodegenLayer,
    CodegenRecord,
    CompiledSize,
    Epochs,
    MemoryPool,
    ToolRun,
    ToolValidation,
    ValidationOutput,
)
from edgeloop.records.data import (
    FetchRecord,
    IngestRecord,
    Outside,
    PrepareRecord,
    QuarantinedFile,
    RuleResult,
    SplitCounts,
    ValidateRecord,
)
from edgeloop.records.mcu import McuBenchmarkRecord, McuCode, McuDevice, McuFirmware
from edgeloop.records.models import (
    Accuracy,
    ClassResult,
    EvaluateRecord,
    FormatResult,
    PhaseResult,
    QuantizeRecord,
    StartingWeights,
    TfliteModel,
    TrainRecord,
)
from edgeloop.records.provenance import cpu_model, provenance

__all__ = [
    "Accuracy",
    "BenchmarkRecord",
    "CardRecord",
    "ClassResult",
    "CodegenBackend",
    "CodegenLayer",
    "CodegenRecord",
    "ComparedOutputs",
    "CompiledSize",
    "CpuFrequency",
    "EmulatedBenchmarkRecord",
    "EmulatedLayer",
    "EngineShares",
    "Epochs",
    "EvaluateRecord",
    "ExecutedInstructions",
    "FetchRecord",
    "FormatResult",
    "HostBenchmark",
    "IngestRecord",
    "LinuxMachine",
    "McuBenchmarkRecord",
    "McuCode",
    "McuDevice",
    "McuFirmware",
    "MeasuredLatency",
    "MemoryPool",
    "MpuBenchmarkRecord",
    "MpuMeasurement",
    "MpuModelBenchmark",
    "Outside",
    "Part",
    "PhaseResult",
    "PrepareRecord",
    "Provenance",
    "QuantizeRecord",
    "QuarantinedFile",
    "Record",
    "RuleResult",
    "SplitCounts",
    "StartingWeights",
    "TfliteModel",
    "ToolRun",
    "ToolValidation",
    "TrainRecord",
    "ValidateRecord",
    "ValidationOutput",
    "cpu_model",
    "provenance",
]

"""A variant's records, history, predictions and pictures with plausible values, written as the steps write them."""

import hashlib
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from PIL import Image

from edgeloop.confidence import calibration_error
from edgeloop.config import Params, load_params
from edgeloop.datasets.manifest import SCHEMA, write_manifest
from edgeloop.files import sha256_file
from edgeloop.records import (
    Accuracy,
    ClassResult,
    CodegenBackend,
    CodegenLayer,
    CodegenRecord,
    CompiledSize,
    Confidence,
    EmulatedBenchmark,
    EmulatedLayer,
    EvaluateRecord,
    ExecutedInstructions,
    FetchRecord,
    FitResult,
    FormatResult,
    LinuxMachine,
    McuCode,
    McuFirmware,
    MeasuredBenchmark,
    MeasuredLatency,
    Outside,
    PhaseResult,
    PrepareRecord,
    Provenance,
    QuantizeRecord,
    RuleResult,
    SplitCounts,
    StartingWeights,
    TfliteModel,
    TrainRecord,
    ValidateRecord,
)
from edgeloop.workspace import DatasetPaths, VariantPaths, Workspace

FORMATS = ("float", "int8 per-channel", "int8 per-tensor")
MODEL = b"as it was trained"
MODEL_SHA = hashlib.sha256(MODEL).hexdigest()
CONVERSION = {
    "applied": ["bias correction"],
    "why": "agrees on 9 images more than plain conversion, on 1 less",
    "judged_on": "val",
    "judged_images": 50,
    "trials": [{"applied": [], "agreement": 0.82, "sqnr_db": 12.5}, {"applied": ["bias correction"], "agreement": 0.98, "sqnr_db": 21.5}],
    "layers": [{"layer": "conv_pw_3", "operator": "CONV_2D", "sqnr_db": 17.25}, {"layer": "conv1", "operator": "CONV_2D", "sqnr_db": 40.0}],
}

LAYERS = [
    ("quantize_0", None, 0),
    ("conv_1", 1.25, 919_616),
    *((f"dw_conv_{number}", 0.1 + 0.01 * number, 14_400) for number in range(2, 28)),
]
"""Name, time in ms, and multiply-accumulates."""


@dataclass
class Story:
    """What the records of one variant say; every field may be set before `write`."""

    variant: str = "sample-fdmobilenet_0.25-96"
    classes: list[str] = field(default_factory=lambda: ["bell", "daisy", "pansy", "sunflower", "tulip"])
    test_per_class: int = 24
    accuracy: float = 0.9
    upstream: bool = False
    note: str = "drawn by edgeloop"
    origin: str = "drawn"
    start: StartingWeights = field(
        default_factory=lambda: StartingWeights(kind="scratch", origin="scratch", sha256=None, license=None, layers_loaded=0)
    )
    git_dirty: bool = False
    benchmark: bool = True
    generated: bool = False
    """Whether code was generated, and has run on a virtual board."""
    equal_outputs: int = 16
    same_class: int = 63
    linux_board: Literal["stm32mp", "linux"] | None = None
    """What a Linux board that ran the models is."""
    mcu_board: Literal["h7", "n6"] | None = None
    """A microcontroller board that ran the int8 model."""
    drift: float = 0.0
    """Of the microcontroller's windows."""
    quarantined: dict[str, int] = field(default_factory=dict)
    outside: Outside | None = None
    broken_rules: list[RuleResult] = field(default_factory=list)
    phases: list[str] = field(default_factory=lambda: ["scratch"])
    model_bytes: int = 600
    seed: int = 5

    def write(self, workspace: Workspace) -> Params:
        """Write everything that `card` reads; returns the workspace's parameters."""
        params = load_params(workspace)
        chosen = params.variant(self.variant)
        dataset = workspace.dataset(chosen.dataset)
        paths = chosen.paths(workspace)
        Writer(self, dataset, paths, chosen.dataset, chosen.network, chosen.resolution).write()
        return params


@dataclass
class Writer:
    story: Story
    dataset: DatasetPaths
    paths: VariantPaths
    name: str
    network: str
    resolution: int | str

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.story.seed)
        classes = self.story.classes
        self.truth = np.repeat(np.arange(len(classes)), self.story.test_per_class)
        self.guesses = {name: self._guess(drop) for name, drop in zip(FORMATS, (0.0, 0.005, 0.02), strict=True)}
        self.scores = {name: self.random.uniform(0.4, 1.0, len(self.truth)).astype(np.float32) for name in FORMATS}
        self.models = {name: (f"{name} {self.story.seed} " * self.story.model_bytes)[: self.story.model_bytes].encode() for name in FORMATS}
        self.shas = {name: hashlib.sha256(content).hexdigest() for name, content in self.models.items()}

    def write(self) -> None:
        self.paths.quantized.mkdir(parents=True, exist_ok=True)
        self._pictures()
        self.revision = sha256_file(self.dataset.manifest)
        self._prepare().write(self.dataset.prepare_record)
        self._validate().write(self.dataset.validate_record)
        self._train().write(self.paths.train_record)
        self._quantize().write(self.paths.quantize_record)
        self._evaluate().write(self.paths.evaluate_record)
        if self.story.benchmark:
            self._host().write(self.paths.benchmark_record("host"))
        if self.story.generated:
            self._generate().write(self.paths.generate_record)
            self._emulated().write(self.paths.benchmark_record("virtual-h7"))
        if self.story.linux_board:
            self._linux_board(self.story.linux_board).write(self.paths.benchmark_record("mp2"))
        if self.story.mcu_board:
            self._mcu_board(self.story.mcu_board).write(self.paths.benchmark_record("desk"))
        self._history().to_csv(self.paths.history, index=False)
        self._predictions().to_parquet(self.paths.predictions)
        self.paths.model.parent.mkdir(exist_ok=True)
        self.paths.model.write_bytes(MODEL)
        for name, content in self.models.items():
            (self.paths.quantized / f"{prefix(name)}.tflite").write_bytes(content)
        (self.paths.quantized / "preprocessing.json").write_text("{}")

    def _provenance(self, step: str) -> Provenance:
        return Provenance(
            time_utc="2026-03-02T10:20:30+00:00",
            command=f"edgeloop {step} {self.story.variant}",
            git_commit="0123456789abcdef0123456789abcdef01234567",
            git_dirty=self.story.git_dirty,
            host="a-host",
            cpu="Some CPU @ 2.50GHz",
            cpus=2,
            tools={"edgeloop": "0.1.0", "python": "3.12.4", "tensorflow": "2.21.0"},
            params={},
            data_revision=self.revision,
            duration_s=12.3,
        )

    def _guess(self, drop: float) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
        """Predictions: mostly right, else mostly the next class."""
        count, classes = len(self.truth), len(self.story.classes)
        step = np.where(self.random.random(count) < 0.6, 1, self.random.integers(1, classes, count))
        wrong = self.random.random(count) > self.story.accuracy - drop
        return np.asarray(np.where(wrong, (self.truth + step) % classes, self.truth), np.int64)

    def _prepare(self) -> PrepareRecord:
        story = self.story
        fetch = FetchRecord(
            dataset=self.name,
            origin=story.origin,
            bytes=12_345_678,
            sha256="cd" * 32,
            upstream=story.upstream,
            note=story.note,
            provenance=self._provenance("fetch"),
        )
        shares = {"train": 3.6, "val": 0.4, "test": 1.0}
        per_split = {name: round(share * story.test_per_class) for name, share in shares.items()}
        splits = {
            name: SplitCounts(images=count * len(story.classes), per_class=dict.fromkeys(story.classes, count))
            for name, count in per_split.items()
        }
        images = sum(split.images for split in splits.values())
        return PrepareRecord(
            dataset=self.name,
            archive=fetch,
            manifest_sha256=self.revision,
            classes=story.classes,
            members=images + 1 + sum(story.quarantined.values()),
            images=images,
            quarantined=story.quarantined,
            outside_class_folders=["LICENSE.txt"],
            outside=story.outside,
            split_rule="stratified, seed 127",
            splits=splits,
            duplicate_groups=2,
            shards=1,
            shard_bytes=1234,
            provenance=self._provenance("prepare"),
        )

    def _validate(self) -> ValidateRecord:
        good = RuleResult(
            name="class_count",
            description="the classes are those declared",
            severity="error",
            holds=True,
            observed=float(len(self.story.classes)),
            expected=str(len(self.story.classes)),
            failed_rows=0,
        )
        return ValidateRecord(
            dataset=self.name,
            manifest_sha256=self.revision,
            previous_manifest_sha256=None,
            accepted=True,
            results=[good, *self.story.broken_rules],
            provenance=self._provenance("validate"),
        )

    def _train(self) -> TrainRecord:
        results = [
            PhaseResult(mode=mode, epochs_planned=40, epochs_run=30, best_val_accuracy=self.story.accuracy, images_per_s=410.0)
            for mode in self.story.phases
        ]
        return TrainRecord(
            dataset=self.name,
            network=self.network,
            resolution=self.resolution,
            classes=self.story.classes,
            start=self.story.start,
            model_sha256=MODEL_SHA,
            parameters=129_000,
            parameters_folded=125_477,
            macs=3_990_528,
            fits=[
                FitResult(
                    purpose="train",
                    train_images=430,
                    held_images=50,
                    phases=results,
                    epoch=27,
                    held_accuracy=Accuracy(value=self.story.accuracy, n=50, ci95=wilson(self.story.accuracy, 50)),
                    resumed=1,
                )
            ],
            learned_from=["train"],
            confidence=Confidence(
                temperature=0.8,
                n=50,
                calibration_error_before=0.09,
                calibration_error_after=0.031,
                log_loss_before=0.5,
                log_loss_after=0.45,
            ),
            provenance=self._provenance("train"),
        )

    def _quantize(self) -> QuantizeRecord:
        sizes = dict(zip(FORMATS, (501_908, 131_400, 131_400), strict=True))
        models = [
            TfliteModel.model_validate(
                {"format": name, "file": f"{prefix(name)}.tflite", "sha256": self.shas[name], "bytes": size + 9_000, "weight_bytes": size}
                | ({} if name == "float" else {"conversion": CONVERSION})
            )
            for name, size in sizes.items()
        ]
        return QuantizeRecord(
            dataset=self.name,
            network=self.network,
            resolution=self.resolution,
            model_sha256=MODEL_SHA,
            calibration_images=200,
            calibration_per_class=dict.fromkeys(self.story.classes, 200 // len(self.story.classes)),
            calibration_sha256="ef" * 32,
            models=models,
            provenance=self._provenance("quantize"),
        )

    def _evaluate(self) -> EvaluateRecord:
        return EvaluateRecord(
            dataset=self.name,
            network=self.network,
            resolution=self.resolution,
            split="test",
            classes=self.story.classes,
            resize="area",
            formats=[self._format(name) for name in FORMATS],
            provenance=self._provenance("evaluate"),
        )

    def _format(self, name: str) -> FormatResult:
        classes, guess = self.story.classes, self.guesses[name]
        confusion = np.zeros((len(classes), len(classes)), int)
        np.add.at(confusion, (self.truth, guess), 1)
        right = np.diag(confusion)
        predicted = confusion.sum(axis=0)
        per_class = [
            ClassResult(
                label=label,
                n=self.story.test_per_class,
                recall=float(right[place] / self.story.test_per_class),
                precision=float(right[place] / predicted[place]) if predicted[place] else None,
            )
            for place, label in enumerate(classes)
        ]
        value, n = float((guess == self.truth).mean()), len(self.truth)
        top1 = Accuracy(value=value, n=n, ci95=wilson(value, n))
        top5 = Accuracy(value=min(1.0, value + 0.05), n=n, ci95=wilson(min(1.0, value + 0.05), n)) if len(classes) > 10 else None
        agreement = None if name == "float" else float((guess == self.guesses["float"]).mean())
        return FormatResult.model_validate(
            {
                "format": name,
                "sha256": self.shas[name],
                "top1": top1,
                "top5": top5,
                "calibration_error": calibration_error(self.scores[name].astype(np.float64), guess == self.truth),
                "agreement_with_float": agreement,
                "per_class": per_class,
                "confusion": confusion.tolist(),
            }
        )

    def _measured(self, **fields: Any) -> MeasuredBenchmark:
        """What a board measured; `models` are made by `measurement`."""
        empty = dict.fromkeys(("target", "microcontroller", "machine"))
        named = {
            "dataset": self.name,
            "network": self.network,
            "resolution": self.resolution,
            "pixels": "images of the split test of sample",
        }
        return MeasuredBenchmark.model_validate({**empty, **named, "provenance": self._provenance("benchmark"), **fields})

    def _measurement(self, name: str, median: float, **fields: Any) -> dict[str, Any]:
        compared: dict[str, Any] = {"reference": "the host", "images": 64, "equal_outputs": 60, "max_difference": 0.0117}
        return {
            "format": name,
            "model_sha256": self.shas[name],
            "file": "tflite",
            "file_sha256": self.shas[name],
            "runtime": "LiteRT 2.1.0",
            "engine": "CPU",
            "threads": 1,
            "latency": latency(median),
            "images_median_ms": median,
            "compared": compared | {"same_class": self.story.same_class, "agrees": self.story.same_class > 57},
            "accuracy": {"value": 0.9375, "n": 64, "ci95": (0.85, 0.98)},
            **fields,
        }

    def _host(self) -> MeasuredBenchmark:
        medians = {"float": 1.234, "int8 per-channel": 0.612, "int8 per-tensor": 0.598}
        models = [self._measurement(name, median) for name, median in medians.items()]
        return self._measured(board="host", board_kind="host", device="Some CPU @ 2.50GHz", models=models)

    def _linux_board(self, target: Literal["stm32mp", "linux"]) -> MeasuredBenchmark:
        shares = {"npu_percent": 92.98, "gpu_percent": 7.02, "cpu_percent": 0.0, "tool_inference_ms": None, "tool_peak_ram_mb": None}
        clock = {"policy": "policy0", "governor": "ondemand", "minimum_khz": 0, "maximum_khz": 1}
        told = {
            "runtime": "stai_mpu 6.1.1",
            "engine": "OpenVX on the NPU",
            "threads": None,
            "cpu_frequencies": [clock | {"before_khz": 400_000, "after_khz": 1_500_000}],
            "shares": {**shares, "source": "a-tool"} if target == "stm32mp" else None,
            "no_shares": "" if target == "stm32mp" else "a-tool is not on the board",
        }
        known: dict[str, Any] = {"host": "mp2", "compatible": [], "architecture": "aarch64", "kernel": "Linux 6.6", "python": "3.12"}
        return self._measured(
            board="mp2",
            board_kind="any-linux",
            target="MPU" if target == "stm32mp" else None,
            device="A board (2 x Cortex-A35, aarch64)",
            machine={**dict.fromkeys(LinuxMachine.model_fields), **known, "x_linux_ai": "v6.1.1"},
            models=[self._measurement("int8 per-tensor", 3.217, **told)],
        )

    def _mcu_board(self, series: Literal["h7", "n6"]) -> MeasuredBenchmark:
        is_npu = series == "n6"
        kind, title, clock_mhz = ("stm32n6570-dk", "STM32N6570-DK", 800) if is_npu else ("stm32h747i-disco", "STM32H747I-DISCO", 400)
        board: dict[str, Any] = {
            "name": "desk",
            "kind": kind,
            "title": title,
            "serial": "0039",
            "address": "/dev/ttyACM0",
            "baud": 115_200,
            "device_id": 0x486 if is_npu else 0x450,
            "clock_hz": clock_mhz * 1_000_000,
            "bus_clock_hz": 200_000_000,
            "protocol": "3.1",
        }
        code: dict[str, Any] = dict.fromkeys(McuCode.model_fields) | {
            "target": "stm32n6" if is_npu else "stm32h7",
            "backend": "stedgeai",
            "backend_version": "4.0.1",
            "components": {"STM32CubeAI": "12.0.1-RC2"},
            "profile": "default" if is_npu else None,
            "activation_ram_bytes": 51_200,
            "weight_bytes": 131_072,
            **(
                {"internal_ram_bytes": 98_304, "external_ram_bytes": 0}
                if is_npu
                else {"runtime_ram_bytes": 2_048, "code_flash_bytes": 40_960}
            ),
        }
        firmware: dict[str, Any] = dict.fromkeys(McuFirmware.model_fields, "unknown") | {
            "sha256": None,
            "build": [],
            "flash": [["a-tool"]],
            "compiled": "May  6 2026 21:44:56",
            "signature_checked": False,
            "activation_ram_bytes": 1,
            "weight_bytes": 2,
            "flash_bytes": None if is_npu else 262_144,
            "ram_bytes": None if is_npu else 65_536,
        }
        layers = [{"name": name, "position": place, "time_ms": time, "macs": macs} for place, (name, time, macs) in enumerate(LAYERS)]
        times = {"runs": 5, "clock": "a counter", "layers": layers}
        told = {
            "code": code,
            "firmware": firmware,
            "layer_times": None if is_npu else times,
            "no_layer_times": "it does not" * is_npu,
            "stack_bytes": 1_024,
            "protocol_errors": 2,
            "retries": 1,
            "file": "firmware",
        }
        timed = latency(4.321, self.story.drift)
        return self._measured(
            board="desk",
            board_kind=kind,
            target="MCU",
            device=f"{title}, {clock_mhz} MHz",
            microcontroller=board,
            models=[self._measurement("int8 per-channel", 4.321, **(told | {"latency": timed}))],
        )

    def _generate(self) -> CodegenRecord:
        sha256 = self.shas["int8 per-channel"]
        self.paths.generated.mkdir(parents=True, exist_ok=True)
        (self.paths.generated / "network.h").write_text(f'#define NETWORK_SIGNATURE "0x{sha256[:16]}" /* of the model */\n')
        (self.paths.generated / "plan.svg").write_text(
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0h9v9z"/></svg>'
        )
        return CodegenRecord(
            dataset=self.name,
            network=self.network,
            resolution=self.resolution,
            backend=CodegenBackend(name="portable", version="0.1.0"),
            target="stm32h7",
            cpu="cortex-m7",
            note="",
            model_sha256=sha256,
            name="network",
            stream_input=False,
            macs=3_848_448,
            weight_bytes=131_400,
            activation_ram_bytes=50_552,
            runtime_ram_bytes=0,
            code_flash_bytes=21_860,
            compiled=CompiledSize(compiler="a-compiler 1.2", flags=["-O2"], cpu="cortex-m7", code_bytes=20_000, constant_bytes=1_860),
            pools=None,
            layers=[
                CodegenLayer(name=name, type="CONV_2D", position=place, output_shape=[8, 8, 4], macs=macs, weight_bytes=512)
                for place, (name, _, macs) in enumerate(LAYERS)
            ],
            provenance=self._provenance("generate"),
        )

    def _emulated(self) -> EmulatedBenchmark:
        layers = [("quantize_0", None, 0), ("conv_1", 919_616, 131_072), ("<b>|layer", 7, None)]
        return EmulatedBenchmark(
            dataset=self.name,
            network=self.network,
            resolution=self.resolution,
            board="virtual-h7",
            part="STM32H747XI, Cortex-M7",
            model_sha256=self.shas["int8 per-channel"],
            pixels="images of the split test of sample",
            images=16,
            equal_outputs=self.story.equal_outputs,
            max_difference=0.0 if self.story.equal_outputs == 16 else 0.125,
            output_type="float32",
            instructions=ExecutedInstructions(min=6_354_366, median=6_354_644, max=6_354_962),
            assumption="15.9 ms at 400 MHz, assumed 1 instruction per cycle",
            layers=[
                EmulatedLayer(name=name, type="0x103", position=place, instructions=count, macs=macs)
                for place, (name, count, macs) in enumerate(layers)
            ],
            macs=3_848_448,
            activation_ram_bytes=50_552,
            weight_bytes=131_400,
            code_flash_bytes=21_860,
            firmware_flash_bytes=176_336,
            firmware_ram_bytes=64_472,
            compiler="a-compiler 1.2",
            emulator="an-emulator 2.1",
            runtime="VIRTUAL stm32h747 at 400 MHz, assumed 1 instruction per cycle",
            protocol="3.1",
            protocol_errors=0,
            retries=0,
            provenance=self._provenance("benchmark"),
        )

    def _history(self) -> pd.DataFrame:
        rows = []
        for phase, mode in enumerate(self.story.phases):
            for epoch in range(30):
                grown = 1 - np.exp(-(epoch + 1 + 30 * phase) / 12)
                noise = float(self.random.normal(0, 0.01))
                losses, accuracies = (1.6 - 1.3 * grown, 1.6 - 1.2 * grown + noise), (0.92 * grown, 0.9 * grown - noise)
                rows.append(("train", phase, mode, epoch, losses[0], accuracies[0], losses[1], accuracies[1], 0.004))
        names = ["fit", "phase", "mode", "epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "learning_rate"]
        return pd.DataFrame(rows, columns=names)

    def _paths_of_test(self) -> list[str]:
        return [f"archive/{self.story.classes[label]}/{place:05}.jpg" for place, label in enumerate(self.truth)]

    def _predictions(self) -> pd.DataFrame:
        labels = np.array(self.story.classes)
        columns: dict[str, object] = {"path": self._paths_of_test(), "label": labels[self.truth]}
        for name in FORMATS:
            columns[f"{prefix(name)}_class"] = labels[self.guesses[name]]
            columns[f"{prefix(name)}_score"] = self.scores[name]
        return pd.DataFrame(columns)

    def _pictures(self) -> None:
        """One shard with a small picture for each test image, and its manifest."""
        folder = self.dataset.images
        folder.mkdir(parents=True, exist_ok=True)
        rows: list[dict[str, object]] = []
        with (folder / "shards-00000.tar").open("wb") as shard:
            for path, label in zip(self._paths_of_test(), self.truth, strict=True):
                content = picture(int(label), len(self.story.classes), self.random)
                rows.append(
                    dict.fromkeys(SCHEMA.names)
                    | {
                        "path": path,
                        "label": self.story.classes[label],
                        "split": "test",
                        "width": 40,
                        "height": 32,
                        "shard": "shards-00000.tar",
                        "offset": shard.tell(),
                        "length": len(content),
                    }
                )
                shard.write(content)
        write_manifest(pd.DataFrame(rows, columns=SCHEMA.names), self.dataset.manifest)


def picture(label: int, classes: int, random: np.random.Generator) -> bytes:
    """A PNG of 40x32 pixels in a colour of its class."""
    hue = int(255 * label / classes)
    pixels = np.full((32, 40, 3), (hue, 200, 220), np.uint8)
    pixels[8:24, 10:30, 1] = random.integers(60, 200)
    encoded = io.BytesIO()
    Image.fromarray(pixels, "HSV").convert("RGB").save(encoded, "PNG")
    return encoded.getvalue()


def prefix(name: str) -> str:
    """A format as files and columns are named by it."""
    return name.removeprefix("int8 ").replace("-", "_")


def latency(median: float, drift: float = 0.0) -> MeasuredLatency:
    """`drift`: from the first window to the last, as a share."""
    return MeasuredLatency(
        median_ms=median,
        mad_ms=0.011,
        min_ms=median - 0.05,
        max_ms=median + 0.4,
        window_medians_ms=[median * (1 + drift * (window - 3) / 6) for window in range(7)],
        runs=350,
        warmup_runs=20,
        coefficient_of_variation=0.003,
        stable=not drift,
        clock="perf_counter",
    )


def wilson(share: float, n: int) -> tuple[float, float]:
    """The 95 % Wilson interval."""
    z = 1.959964
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * (share * (1 - share) / n + z * z / (4 * n * n)) ** 0.5
    return middle - half, middle + half


def card_folder(workspace: Workspace, params: Params, variant: str) -> Path:
    chosen = params.variant(variant)
    return chosen.paths(workspace).card

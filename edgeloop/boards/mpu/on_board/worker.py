"""The second program on the board: it loads a model into the runtime that is there, and times single inferences.

It talks with its keeper in frames. What a runtime prints goes to its log and never between the frames. A reply with `error`
is one that the host reports in words; a crash of the runtime is seen by the keeper.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, Tuple

from .keeper import Header, read_frame, write_frame

TICK_S = 1.0
"""How often a long run says that it is alive, between two inferences."""
ENGINES = {
    0: "TFLite on the CPU",
    1: "TFLite on the NPU",
    2: "ONNX Runtime on the CPU",
    3: "ONNX Runtime on the NPU",
    4: "OpenVX on the NPU",
}
"""Backend numbers of stai_mpu."""
DTYPES = ("uint8", "int8", "float16", "float32")

Reply = Tuple[Header, bytes]


class Refused(Exception):
    """What was asked for cannot be done, and why."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(code, text)
        self.reply = {"error": code, "text": text}


class StaiMpu:
    """ST's stai_mpu: picks its backend by the model's suffix."""

    module = "stai_mpu"
    suffixes = (".tflite", ".onnx", ".nb")
    threads: int | None = None
    """Its own choice, which it does not tell."""

    def __init__(self, module: Any, path: str, options: Header) -> None:
        self._network = module.stai_mpu_network(model_path=path, use_hw_acceleration=options["acceleration"])
        self.inputs = [self._tensor(info) for info in self._network.get_input_infos()]
        self.outputs = [self._tensor(info) for info in self._network.get_output_infos()]
        engine = self._network.get_backend_engine()
        self.engine = ENGINES.get(getattr(engine, "value", engine), str(engine))

    def set_input(self, values: Any) -> None:
        self._network.set_input(0, values)

    def invoke(self) -> None:
        self._network.run()

    def output(self) -> Any:
        return self._network.get_output(0)

    def _tensor(self, info: Any) -> Header:
        scale, zero_point = info.get_scale(), info.get_zero_point()
        if "dynamic" in str(info.get_qtype()).lower():
            scale, zero_point = 2.0 ** -info.get_fixed_point_pos(), 0
        return tensor(info.get_name(), info.get_shape(), info.get_dtype(), scale or 0.0, zero_point or 0)


class Lite:
    """A TensorFlow Lite interpreter on the CPU."""

    suffixes = (".tflite",)
    engine = "CPU"

    def __init__(self, module: Any, path: str, options: Header) -> None:
        self._interpreter = module.Interpreter(model_path=path, num_threads=options["threads"])
        self._interpreter.allocate_tensors()
        inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        self.inputs = [tensor(found["name"], found["shape"], found["dtype"], *found["quantization"]) for found in inputs]
        self.outputs = [tensor(found["name"], found["shape"], found["dtype"], *found["quantization"]) for found in outputs]
        self._input, self._output = inputs[0]["index"], outputs[0]["index"]
        self.threads = options["threads"]

    def set_input(self, values: Any) -> None:
        self._interpreter.set_tensor(self._input, values)

    def invoke(self) -> None:
        self._interpreter.invoke()

    def output(self) -> Any:
        return self._interpreter.get_tensor(self._output)


class TfliteRuntime(Lite):
    """TensorFlow's small package, as X-LINUX-AI and others install it."""

    module = "tflite_runtime.interpreter"


class LiteRt(Lite):
    """Google's LiteRT, the same under its new name."""

    module = "ai_edge_litert.interpreter"


RUNTIMES: dict[str, Any] = {"stai_mpu": StaiMpu, "tflite_runtime": TfliteRuntime, "ai_edge_litert": LiteRt}
"""In the order in which they are taken."""


class Worker:
    """The loaded runtime, the model and its inputs."""

    def __init__(self) -> None:
        self._model: Any = None
        self._inputs: list[Any] = []

    def answer(self, stream: BinaryIO, header: Header, payload: bytes) -> None:
        """Do one operation and write its reply."""
        try:
            if header["op"] == "runtime":
                name, _ = choose(header["runtime"], header["suffix"])
                write_frame(stream, {"runtime": name, "version": version_of(name), "numpy": load_numpy().__version__})
            elif header["op"] == "load":
                write_frame(stream, self._load(header))
            elif header["op"] == "inputs":
                write_frame(stream, self._take_inputs(header, payload))
            else:
                write_frame(stream, *self._run(stream, header["order"]))
        except Refused as refused:
            write_frame(stream, refused.reply)

    def _load(self, header: Header) -> Header:
        path = Path(header["model"]).absolute()
        numpy = load_numpy()
        name, module = choose(header["runtime"], path.suffix)
        try:
            model = self._model = RUNTIMES[name](module, str(path), header)
        except (RuntimeError, ValueError, OSError, MemoryError) as error:
            raise Refused("model", f"{name} refuses the model: {error}") from error
        return {
            "runtime": name,
            "version": version_of(name),
            "engine": model.engine,
            "threads": model.threads,
            "numpy": numpy.__version__,
            "inputs": model.inputs,
            "outputs": model.outputs,
        }

    def _take_inputs(self, header: Header, payload: bytes) -> Header:
        """Take inputs (n, ...), behind those that are there unless `anew`."""
        values = load_numpy().frombuffer(payload, header["dtype"]).reshape(header["shape"])
        self._inputs = ([] if header["anew"] else self._inputs) + [value[None] for value in values]
        return {"inputs": len(self._inputs)}

    def _run(self, stream: BinaryIO, order: list[int]) -> Reply:
        """Run the inputs of the given places one by one; only the inference itself is timed."""
        numpy = load_numpy()
        outputs, latencies_ns = [], []
        said = time.monotonic()
        for place in order:
            self._model.set_input(self._inputs[place])
            latencies_ns.append(self._invoke())
            outputs.append(numpy.array(self._model.output()).reshape(-1))
            if time.monotonic() - said > TICK_S:
                said = time.monotonic()
                write_frame(stream, {"event": "tick", "done": len(outputs)})
        values = numpy.stack(outputs)
        return {"latencies_ns": latencies_ns, "shape": list(values.shape), "dtype": values.dtype.name}, values.tobytes()

    def _invoke(self) -> int:
        """One inference; its time in nanoseconds."""
        begin = time.perf_counter_ns()
        try:
            self._model.invoke()
        except (RuntimeError, ValueError) as error:
            raise Refused("model", f"the model does not run: {error}") from error
        return time.perf_counter_ns() - begin


def choose(wished: str | None, suffix: str) -> tuple[str, Any]:
    """The (name, module) of the runtime: the wished one, or the first that is installed and takes such files.

    One that is installed but does not load is refused rather than passed over in silence.
    """
    names = [wished] if wished else [name for name, runtime in RUNTIMES.items() if suffix in runtime.suffixes]
    for name in names:
        try:
            return name, importlib.import_module(RUNTIMES[name].module)
        except ModuleNotFoundError as error:
            if (error.name or "").split(".")[0] != name:
                refuse_broken(name, error)
        except (ImportError, OSError, RuntimeError, AttributeError) as error:
            refuse_broken(name, error)
    raise Refused("no-runtime", f"{sys.executable} has no {' and no '.join(names)}")


def refuse_broken(name: str, error: Exception) -> NoReturn:
    """Say that a runtime is there but of no use."""
    raise Refused("runtime-broken", f"{name} is installed but does not load: {error}") from error


def load_numpy() -> Any:
    """NumPy, with words where the board has none."""
    try:
        return importlib.import_module("numpy")
    except ImportError as error:
        raise Refused("no-runtime", f"{sys.executable} has no usable NumPy: {error}") from error


def version_of(name: str) -> str | None:
    """The runtime's version: as its distribution states it, else as the module does; None when neither does."""
    metadata = importlib.import_module("importlib.metadata")
    try:
        return str(metadata.version(name.replace("_", "-")))
    except ImportError:  # not installed as a distribution: so it is in some boards' images
        version = getattr(sys.modules[name], "__version__", None)
        return str(version) if version else None


def tensor(name: Any, shape: Any, dtype: Any, scale: float, zero_point: int) -> Header:
    """A tensor's description; `scale` is 0 for one that is not quantized."""
    sizes = [int(size) for size in shape]
    return {"name": str(name), "shape": sizes, "dtype": dtype_name(dtype), "scale": float(scale), "zero_point": int(zero_point)}


def dtype_name(dtype: Any) -> str:
    """`uint8` for NumPy's type, for its name, and for an enumeration that is named so."""
    text = str(getattr(dtype, "name", None) or getattr(dtype, "__name__", None) or dtype)
    for name in DTYPES:  # uint8 comes before int8, which it contains
        if name in text.lower():
            return name
    raise Refused("model", f"the model has a tensor of the type {text}")


def main() -> None:
    """Answer the keeper until it is gone."""
    given, taken = os.fdopen(os.dup(1), "wb"), os.fdopen(os.dup(0), "rb")
    os.dup2(2, 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    worker = Worker()
    while True:
        frame = read_frame(taken)
        if frame is None:
            return
        worker.answer(given, *frame)


if __name__ == "__main__":
    main()

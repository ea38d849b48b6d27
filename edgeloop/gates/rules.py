"""The rules of `gates` that one version is judged by alone: accuracy, memory, boards, validation."""

from collections.abc import Callable, Iterator

from edgeloop.cards.memory import is_npu
from edgeloop.config import Gates
from edgeloop.gates.facts import EVALUATE, GENERATE, VALIDATE, Facts, benchmark_name
from edgeloop.records import Accuracy, Check, CodegenRecord, EmulatedBenchmark, FarmMeasurement, Measurement
from edgeloop.tflite.formats import DEPLOYED

KIB = 1024


def checks(gates: Gates, facts: Facts) -> Iterator[Check]:
    """Each rule that is stated, judged."""
    rules: list[tuple[object, Callable[[Gates, Facts], Iterator[Check]]]] = [
        (gates.top1_at_least, _top1),
        (gates.drop_at_most, _drop),
        (gates.ram_kib_at_most, _ram),
        (gates.flash_kib_at_most, _flash),
        (gates.latency_ms_at_most, _latencies),
        (gates.agreement_at_least, _agreement),
        (gates.unstable == "refused", _stability),
        (gates.warnings == "refused", _warnings),
    ]
    for stated, rule in rules:
        if stated is not None and stated is not False:
            yield from rule(gates, facts)


def _top1(gates: Gates, facts: Facts) -> Iterator[Check]:
    limit, top1 = gates.top1_at_least or 0.0, facts.deployed.top1
    said = f"{_share(top1)}, at least {100 * limit:g} % wanted"
    yield facts.check("top1_at_least", EVALUATE, limit, top1.value, top1.value >= limit, said)


def _drop(gates: Gates, facts: Facts) -> Iterator[Check]:
    limit = gates.drop_at_most if gates.drop_at_most is not None else 1.0
    before, after = facts.format("float").top1, facts.deployed.top1
    # In images: a difference of two fractions has noise in its last digit.
    lost = round(before.value * before.n) - round(after.value * after.n)
    drop = lost / after.n
    said = f"{100 * drop:.2f} points from float to {DEPLOYED} (n = {after.n}), at most {100 * limit:g} allowed"
    yield facts.check("drop_at_most", EVALUATE, limit, drop, drop <= limit, said)


def _ram(gates: Gates, facts: Facts) -> Iterator[Check]:
    yield _size(facts, "ram_kib_at_most", gates.ram_kib_at_most or 0.0, "RAM", ram_bytes)


def _flash(gates: Gates, facts: Facts) -> Iterator[Check]:
    yield _size(facts, "flash_kib_at_most", gates.flash_kib_at_most or 0.0, "flash", flash_bytes)


def _size(facts: Facts, rule: str, limit: float, what: str, measure: Callable[[CodegenRecord], int | None]) -> Check:
    code = facts.codegen
    size = None if code is None or code.model_sha256 != facts.deployed.sha256 else measure(code)
    if code is None or size is None:
        why = "no code was generated" if code is None else "the record of the generated code does not state all of it for this model"
        return facts.check(rule, GENERATE if code else None, limit, None, "not known", f"{what}: {why}")
    kib = size / KIB
    rounded = ", as the tool rounds it" if code.rounded else ""
    said = f"{kib:.2f} KiB of {what} on {code.target}{rounded}, at most {limit:g} KiB allowed"
    return facts.check(rule, GENERATE, limit, kib, kib <= limit, said)


def ram_bytes(code: CodegenRecord) -> int | None:
    """Activations, inputs and outputs, and the runtime's; with an NPU what lies on and off the chip. None where a part is not known."""
    if is_npu(code):
        return _sum(code.internal_ram_bytes, code.external_ram_bytes)
    return _sum(code.activation_ram_bytes, code.io_ram_bytes or 0, code.runtime_ram_bytes)


def flash_bytes(code: CodegenRecord) -> int | None:
    """Weights, and code as compiled. None where one is not known."""
    return _sum(code.weight_bytes, code.code_flash_bytes)


def _sum(*parts: int | None) -> int | None:
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None


def _latencies(gates: Gates, facts: Facts) -> Iterator[Check]:
    for board, limit in gates.latency_ms_at_most.items():
        rule, record, model = f"latency_ms_at_most.{board}", facts.benchmark(board), facts.int8_on(board)
        if model is None:
            emulated = isinstance(record, EmulatedBenchmark)
            why = "it is emulated: it has no latency" if emulated else "no benchmark of this version's int8 model"
            yield facts.check(rule, benchmark_name(board) if record else None, limit, None, "not known", f"{board}: {why}")
            continue
        found = model.latency_ms if isinstance(model, FarmMeasurement) else model.latency.median_ms
        how = "as the farm tells it" if isinstance(model, FarmMeasurement) else f"median of {model.latency.runs} runs"
        said = f"{found:.3f} ms on {board} ({model.format}, {how}), at most {limit:g} ms allowed"
        yield facts.check(rule, benchmark_name(board), limit, found, found <= limit, said)


def _agreement(gates: Gates, facts: Facts) -> Iterator[Check]:
    limit, rule = gates.agreement_at_least or 0.0, "agreement_at_least"
    absent = [board for board in facts.boards if facts.benchmark(board) is None]
    found = sorted(facts.agreements(), key=lambda one: one[1] / one[2])
    if absent or not found:
        why = f"no benchmark of this version on {', '.join(absent)}" if absent else "none of its boards compares outputs with the host's"
        yield facts.check(rule, None, limit, None, "not known", why)
        return
    board, same, images = found[0]
    silent = [name for name in facts.boards if name not in {one[0] for one in found}]
    more = f"; not compared on {', '.join(silent)}" if silent else ""
    said = f"lowest on {board}: {same} of {images} images as on the host, at least {100 * limit:g} % wanted{more}"
    yield facts.check(rule, benchmark_name(board), limit, same / images, same / images >= limit, said)


def _stability(_: Gates, facts: Facts) -> Iterator[Check]:
    for board in facts.boards:
        rule, record, model = f"unstable.{board}", facts.benchmark(board), facts.int8_on(board)
        if record is None:
            yield facts.check(rule, None, "refused", None, "not known", f"{board}: no benchmark of this version")
        elif isinstance(model, Measurement):
            reasons = model.latency.unstable
            said = f"{board}: {'; '.join(reasons) or 'stable'}"
            yield facts.check(rule, benchmark_name(board), "refused", "unstable" if reasons else "stable", not reasons, said)
        else:
            why = (
                "how its runs spread is not told, so that it is not judged" if isinstance(model, FarmMeasurement) else "no time is measured"
            )
            yield facts.check(rule, benchmark_name(board), "refused", None, "passes", f"{board}: {why}")


def _warnings(_: Gates, facts: Facts) -> Iterator[Check]:
    broken = [result for result in facts.validate.results if not result.holds]
    said = f"the validation of {facts.validate.dataset}: " + (", ".join(result.name for result in broken) or "every rule holds")
    yield facts.check("warnings", VALIDATE, "refused", float(len(broken)), not broken, said)


def _share(accuracy: Accuracy) -> str:
    low, high = (100 * bound for bound in accuracy.ci95)
    return f"int8 top-1 {100 * accuracy.value:.2f} % (n = {accuracy.n}, 95 % {low:.2f} to {high:.2f})"

"""From single timings to a latency with its spread."""

from collections.abc import Callable, Sequence
from statistics import fmean, median, stdev

from edgeloop.config import Benchmark
from edgeloop.progress import Advance
from edgeloop.records import MeasuredLatency

STABLE_VARIATION = 0.01
"""Largest coefficient of variation, and largest drift, of window medians that count as stable."""
NS_PER_MS = 1e6


Watch = Callable[[int, str], None]
"""Told, between two windows, how many inferences are done and their median latency in words."""


def measure(time_runs: Callable[[int], Sequence[int]], settings: Benchmark, clock: str, watch: Watch | None = None) -> MeasuredLatency:
    """Warm up, then time `settings.windows` windows of `settings.runs_per_window` inferences.

    `time_runs(n)` runs n inferences and gives their latencies in nanoseconds.
    """
    time_runs(settings.warmup_runs)
    if watch is not None:
        watch(settings.warmup_runs, "warming up")
    windows: list[Sequence[int]] = []
    for _ in range(settings.windows):
        windows.append(time_runs(settings.runs_per_window))
        if watch is not None:
            watch(settings.runs_per_window, f"median {median(windows[-1]) / NS_PER_MS:.3f} ms")
    return summarise(windows, settings.warmup_runs, clock)


def timed_runs(settings: Benchmark) -> int:
    """How many inferences `measure` runs."""
    return settings.warmup_runs + settings.windows * settings.runs_per_window


def named(model: str, advance: Advance) -> Watch:
    """Show the progress of measuring that model."""
    return lambda runs, latency: advance(runs, f"{model} {latency}")


def summarise(windows_ns: Sequence[Sequence[int]], warmup_runs: int, clock: str) -> MeasuredLatency:
    """Median, median absolute deviation, minimum and maximum over all runs; stability over the windows' medians."""
    runs = [latency for window in windows_ns for latency in window]
    medians = [median(window) for window in windows_ns]
    centre, variation = median(runs), stdev(medians) / fmean(medians)
    return MeasuredLatency(
        median_ms=centre / NS_PER_MS,
        mad_ms=median(abs(latency - centre) for latency in runs) / NS_PER_MS,
        min_ms=min(runs) / NS_PER_MS,
        max_ms=max(runs) / NS_PER_MS,
        window_medians_ms=[value / NS_PER_MS for value in medians],
        runs=len(runs),
        warmup_runs=warmup_runs,
        coefficient_of_variation=variation,
        stable=variation <= STABLE_VARIATION and abs(drift(medians)) <= STABLE_VARIATION,
        clock=clock,
    )


def drift(medians: Sequence[float]) -> float:
    """How far the window medians rise from first to last, as a share of their mean.

    By the median of the slopes of all pairs (Theil and Sen), so that one disturbed window is no drift.
    """
    last = len(medians) - 1
    slopes = [(medians[right] - medians[left]) / (right - left) for left in range(last) for right in range(left + 1, last + 1)]
    return median(slopes) * last / fmean(medians)

"""From single timings to a latency with its spread."""

from collections.abc import Callable, Sequence
from statistics import fmean, median, stdev

from edgeloop.config import Benchmark
from edgeloop.records import MeasuredLatency

NS_PER_MS = 1e6


def measure(time_runs: Callable[[int], Sequence[int]], settings: Benchmark, clock: str) -> MeasuredLatency:
    """Warm up, then time `settings.windows` windows of `settings.runs_per_window` inferences.

    `time_runs(n)` runs n inferences and gives their latencies in nanoseconds.
    """
    time_runs(settings.warmup_runs)
    windows = [time_runs(settings.runs_per_window) for _ in range(settings.windows)]
    return summarise(windows, settings.warmup_runs, clock)


def timed_runs(settings: Benchmark) -> int:
    """How many inferences `measure` runs."""
    return settings.warmup_runs + settings.windows * settings.runs_per_window


def summarise(windows_ns: Sequence[Sequence[int]], warmup_runs: int, clock: str) -> MeasuredLatency:
    """Median, median absolute deviation, minimum and maximum over all runs; stability over the windows' medians."""
    runs = [latency for window in windows_ns for latency in window]
    medians = [median(window) for window in windows_ns]
    centre = median(runs)
    latency = MeasuredLatency(
        median_ms=centre / NS_PER_MS,
        mad_ms=median(abs(latency - centre) for latency in runs) / NS_PER_MS,
        min_ms=min(runs) / NS_PER_MS,
        max_ms=max(runs) / NS_PER_MS,
        window_medians_ms=[value / NS_PER_MS for value in medians],
        runs=len(runs),
        warmup_runs=warmup_runs,
        coefficient_of_variation=stdev(medians) / fmean(medians),
        stable=True,
        clock=clock,
    )
    return latency.model_copy(update={"stable": not latency.unstable})

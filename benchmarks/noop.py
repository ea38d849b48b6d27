"""CPU seconds of a `dvc repro` that has nothing to do, with all data sets prepared: the goal is under 5.

Run it in a project whose data sets are prepared, e.g. after `dvc repro prepare`. The baseline is `dvc --version`, the price
of starting DVC at all.
"""

import resource
import subprocess
import sys

GOAL_CPU_S = 5.0


def cpu_seconds(*arguments: str) -> tuple[float, str]:
    """CPU seconds of one DVC command and its children, and its output."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-m", "dvc", *arguments], capture_output=True, text=True, timeout=600, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout


def main() -> int:
    """Measure; returns 1 when the goal is missed."""
    target = sys.argv[1:] or ["prepare"]
    baseline = min(cpu_seconds("--version")[0] for _ in range(3))
    runs = [cpu_seconds("repro", *target) for _ in range(3)]
    if any("up to date" not in output for _, output in runs):
        print("dvc repro had something to do: run it to the end first")
        return 1
    spent = min(seconds for seconds, _ in runs)
    print(f"dvc --version        {baseline:.2f} CPU-s")
    print(f"dvc repro {' '.join(target)}: {spent:.2f} CPU-s, {spent / baseline:.1f} times that; goal under {GOAL_CPU_S:.0f}")
    return int(spent >= GOAL_CPU_S)


if __name__ == "__main__":
    raise SystemExit(main())

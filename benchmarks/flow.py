"""What the flow `retrain` costs, and how well it packs its stages, with stand-ins for the steps that sleep for a known time.

    python benchmarks/flow.py matrix      12 variants on 6 boards: makespan against the lower bound and the bare commands
    python benchmarks/flow.py idle        some 150 stages, all up to date: the whole process of `edgeloop run`
    python benchmarks/flow.py wait        what flow and server take of a core while trainings run that tell of their progress
    python benchmarks/flow.py stage       what one stage takes over its command: in a Python of its own, and in a fork as the flow runs it

The project's own dvc.yaml, real DVC, a real Prefect server. Bare are the commands that the flow runs, `dvc repro -s STAGE`, without
it: in processes started by the same scheduler at the same slots; and, to see what DVC takes, those of the stages themselves. The
lower bound of a schedule is the greatest of: all work over the slots, the work of one board, the longest chain. It is given by the
stages' times, as the flow saw them (`dvc repro -s` of each), and by the stand-ins' own, which nothing on this machine can reach.
"""

import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil
from ruamel.yaml import YAML

from edgeloop.config import Variant, load_params
from edgeloop.console import program
from edgeloop.graph import refresh
from edgeloop.workspace import DatasetPaths, VariantPaths, Workspace
from flows.api import Server
from flows.commands import Start, environment, ignore, run
from flows.pipeline import PlannedStage, read_plan
from flows.schedule import startable
from flows.server import client_environment, prefect_server
from flows.stage import outcome_of, stage_arguments, stage_command
from flows.supervisor import supervised, supervised_stage

ROOT = Path(__file__).resolve().parent.parent
NETWORKS = ("fdmobilenet_0.25", "fdmobilenet_0.5", "fdmobilenet_0.75")
SECONDS = {
    "fetch": 0.5,
    "prepare": 1.0,
    "validate": 0.5,
    "train": 4.0,
    "quantize": 1.5,
    "generate": 1.0,
    "evaluate": 2.0,
    "benchmark": 3.0,
    "card": 0.5,
}
"""By step; what is measured on hardware takes much longer, so that the flow's cost weighs less."""
GOAL_MAKESPAN, GOAL_FIXED_S, GOAL_STAGE_S, GOAL_IDLE_S = 1.15, 5.0, 0.3, 8.0
GOAL_OVERHEAD_S = 0.7
GOAL_WAIT_CORES = 0.05
EVENT_EVERY_S = 3
LIMIT_S = 3000
PAGE = 100


@dataclass(frozen=True)
class Project:
    """A project with stand-ins, and the environment that its commands need."""

    root: Path
    env: dict[str, str]
    targets: list[str]


def make(folder: Path, datasets: list[str], resolutions: list[int], boards: list[str], seconds: dict[str, float]) -> Project:
    """A project of datasets x networks x resolutions x boards whose steps sleep for so long and write small files."""
    params = YAML(typ="safe").load(ROOT / "params.yaml")
    params["datasets"] = {name: params["datasets"][name] for name in datasets}
    rows = {"networks": NETWORKS, "resolutions": resolutions, "boards": boards}
    params |= {"build": datasets, "sets": {}, "variants": dict.fromkeys(datasets, rows)}
    (folder / "params.yaml").write_text(json.dumps(params, indent=1), encoding="utf-8")
    (folder / "lab.yaml").write_text(json.dumps({"boards": {board: {"kind": "virtual-h7"} for board in boards}}), encoding="utf-8")
    shutil.copy(ROOT / ".gitignore", folder / ".gitignore")
    stages = (ROOT / "dvc.yaml").read_text(encoding="utf-8")
    # By its path, because the flow puts its own environment's programs first.
    (folder / "dvc.yaml").write_text(stages.replace("cmd: edgeloop ", "cmd: bin/edgeloop "), encoding="utf-8")
    shutil.copytree(ROOT / "models" / "backbones", folder / "models" / "backbones")
    refresh(Workspace(folder))
    variants = load_params(Workspace(folder)).variants
    _write_steps(Workspace(folder), datasets, variants, seconds)
    own_env = {"DVC_SITE_CACHE_DIR": str(folder / ".site"), "DVC_NO_ANALYTICS": "1", "PYTHONPATH": str(ROOT)}
    env = os.environ | own_env
    for argv in (["git", "init", "--quiet"], [sys.executable, "-m", "dvc", "init", "--quiet"]):
        subprocess.run(argv, cwd=folder, env=env, check=True, timeout=60)
    return Project(folder, env, [f"card@{name}" for name in variants])


def _write_steps(
    workspace: Workspace,
    datasets: list[str],
    variants: dict[str, Variant],
    seconds: dict[str, float],
) -> None:
    """`bin/edgeloop`, and a small script for each stage's command."""
    for name in datasets:
        data = workspace.dataset(name)
        for step, files in _dataset_files(data).items():
            _write_step(workspace.root, f"{step}@{name}", seconds[step], files)
    for name, variant in variants.items():
        paths = variant.paths(workspace)
        for step, files in _variant_files(paths).items():
            _write_step(workspace.root, f"{step}@{name}", seconds[step], files)
        for board in variant.boards:
            _write_step(workspace.root, f"benchmark@{name}-{board}", seconds["benchmark"], [paths.benchmark_record(board)], board)
    _write_step(workspace.root, "--check", 0.0, [])  # of the stage `graph`
    program = workspace.root / "bin" / "edgeloop"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\nset -eu\n. "./steps/$2"\n', encoding="utf-8")
    program.chmod(0o755)


def _write_step(root: Path, name: str, seconds: float, files: list[Path], board: str | None = None) -> None:
    lines = [f"exec 9>'steps/{board}.lock'; flock -n 9 || {{ echo 'the board {board} is held twice' >&2; exit 1; }}"] if board else []
    lines.append(f"sleep {seconds}")
    lines += [f"mkdir -p '{file.parent}'; echo '{name} {file.name}' > '{file}'" for file in files]
    script = root / "steps" / name
    script.parent.mkdir(exist_ok=True)
    script.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _dataset_files(data: DatasetPaths) -> dict[str, list[Path]]:
    return {
        "fetch": [data.archive, data.fetch_record, data.additions / "00000.json"],
        "prepare": [data.manifest, data.images / "shards-00000.tar", data.prepare_record],
        "validate": [data.accepted, data.validate_record, data.report, data.baseline],
    }


def _variant_files(paths: VariantPaths) -> dict[str, list[Path]]:
    return {
        "train": [paths.model, paths.preprocessing, paths.train_record, paths.history],
        "quantize": [paths.quantized / "per_channel.tflite", paths.quantize_record],
        "generate": [paths.generated / "network.c", paths.generate_record],
        "evaluate": [paths.predictions, paths.metrics, paths.evaluate_record],
        "card": [paths.card / "README.md", paths.card / "index.html", paths.card_record],
    }


def lower_bound(plan: list[PlannedStage], took: dict[str, float], slots: int) -> float:
    """Seconds that no schedule can beat: work over slots, each board's work, the longest chain; `took` is by stage, in seconds."""
    need = {stage.address: slots if stage.slots is None else min(stage.slots, slots) for stage in plan}
    work = sum(took[one] * need[one] for one in need) / slots
    boards = {stage.board: 0.0 for stage in plan if stage.board}
    chains: dict[str, float] = {}
    for stage in plan:
        chains[stage.address] = took[stage.address] + max((chains[one] for one in stage.upstream), default=0.0)
        if stage.board:
            boards[stage.board] += took[stage.address]
    return max(work, *boards.values(), *chains.values())


def by_hand(address: str) -> list[str]:
    """`dvc repro` of one stage."""
    return [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", "--single-item", address]


def bare(project: Project, plan: list[PlannedStage], commands: dict[str, list[str]], slots: int) -> float:
    """Seconds of commands alone, one a stage, started by the flow's own scheduler."""
    outcomes: dict[str, str] = {}
    running: dict[Future[None], str] = {}

    def run(address: str) -> None:
        quiet = subprocess.DEVNULL
        subprocess.run(commands[address], cwd=project.root, env=project.env, check=True, timeout=LIMIT_S, stdout=quiet)

    begun = time.monotonic()
    with ThreadPoolExecutor(slots + 1) as pool:
        while len(outcomes) < len(plan):
            for stage in startable(plan, outcomes, set(running.values()), slots):
                running[pool.submit(run, stage.address)] = stage.address
            for done in wait(running, return_when=FIRST_COMPLETED).done:
                done.result()
                outcomes[running.pop(done)] = "ran"
    return time.monotonic() - begun


def commands_of(project: Project) -> dict[str, list[str]]:
    """The command of every stage."""
    from dvc.repo import Repo

    with Repo(str(project.root)) as repo:
        stages = {stage.name: str(stage.cmd) for stage in repo.index.stages if hasattr(stage, "name")}
    return {name: ["env", f"DVC_STAGE={name}", "sh", "-c", command] for name, command in stages.items()}


def stage_times(server: dict[str, str]) -> dict[str, float]:
    """Seconds of each stage's task run, from Prefect's server."""
    times: dict[str, float] = {}
    while True:
        wanted = {"limit": PAGE, "offset": len(times), "sort": "ID_DESC"}
        page = Server(server["PREFECT_API_URL"]).post("/task_runs/filter", wanted)
        times |= {str(run["name"]): float(run["total_run_time"]) for run in page}
        if len(page) < PAGE:
            return times


def flow(project: Project, server: dict[str, str], slots: int) -> tuple[float, str]:
    """Wall seconds of the whole process of `edgeloop run`, and what it printed."""
    argv = [sys.executable, "-m", "edgeloop", "run", "all", "all", "all", "--slots", str(slots)]
    begun = time.monotonic()
    done = subprocess.run(argv, cwd=project.root, env=project.env | server, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    took = time.monotonic() - begun
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return took, done.stdout


def clean(project: Project, dvc: bool = False) -> None:
    """As if nothing had been built; with `dvc` DVC does not know of it, either."""
    for folder in (project.root / "data", *(project.root / "models" / name for name in ("sample", "flowers"))):
        shutil.rmtree(folder, ignore_errors=True)
    if dvc:
        (project.root / "dvc.lock").unlink()
        shutil.rmtree(project.root / ".dvc" / "cache")


def matrix(folder: Path, server: dict[str, str], slots: int, scale: float) -> bool:
    """12 variants on 6 boards."""
    seconds = {step: scale * one for step, one in SECONDS.items()}
    project = make(folder, ["sample"], [96, 128, 160, 224], [f"board{number}" for number in range(6)], seconds)
    plan = read_plan(project.root, project.targets)
    steps = bare(project, plan, commands_of(project), slots)
    clean(project)
    alone = bare(project, plan, {stage.address: by_hand(stage.address) for stage in plan}, slots)
    clean(project, dvc=True)
    took, said = flow(project, server, slots)
    if said.count("       ran  ") != len(plan):
        raise SystemExit(f"not every stage ran:\n{said}")
    bound = lower_bound(plan, stage_times(server), slots)
    slept = lower_bound(plan, {stage.address: seconds.get(stage.address.partition("@")[0], 0.0) for stage in plan}, slots)
    cost, allowed = took - alone, GOAL_FIXED_S + GOAL_STAGE_S * len(plan)
    print(f"{len(plan)} stages, {slots} slots: flow {took:.1f} s")
    print(f"  lower bound given by the stages' times {bound:.1f} s: ratio {took / bound:.3f} (goal {GOAL_MAKESPAN})")
    print(f"  lower bound given by the stand-ins' times {slept:.1f} s: ratio {took / slept:.3f}")
    print(f"  bare `dvc repro -s` {alone:.1f} s: the flow costs {cost:.1f} s, {cost / len(plan):.2f} s a stage (goal {allowed:.1f} s)")
    print(f"  the stages' own commands {steps:.1f} s: DVC and flow together cost {(took - steps) / len(plan):.2f} s a stage")
    return took / bound <= GOAL_MAKESPAN and cost <= allowed


def idle(folder: Path, server: dict[str, str]) -> bool:
    """Some 150 stages that are up to date."""
    nothing = dict.fromkeys(SECONDS, 0.0)
    project = make(folder, ["sample", "flowers"], [96, 128], [f"board{number}" for number in range(7)], nothing)
    subprocess.run([sys.executable, "-m", "dvc", "repro", "--quiet"], cwd=folder, env=project.env, check=True, timeout=LIMIT_S)
    runs = [flow(project, server, 2) for _ in range(3)]
    stages = [len(re.findall(r"^up to date  ", said, re.M)) for _, said in runs]
    planned = len(read_plan(project.root, project.targets))
    if set(stages) != {planned}:
        raise SystemExit(f"not all of {planned} stages were up to date: {stages}\n{runs[0][1]}")
    took = sorted(seconds for seconds, _ in runs)
    print(f"{planned} stages up to date: {', '.join(f'{one:.1f}' for one in took)} s (goal {GOAL_IDLE_S:.0f} s)")
    return took[1] <= GOAL_IDLE_S


def wait_for(folder: Path, server: dict[str, str], serves: Iterable[psutil.Process], scale: float) -> bool:
    """Three trainings at once that take nothing themselves, and tell of their progress as real ones do: every three seconds."""
    project = make(folder, ["sample"], [96], ["board0"], dict.fromkeys(SECONDS, 0.0))
    turns, took = round(20 * scale), {}
    for name in ("without", "with"):
        if name == "with":
            for script in (project.root / "steps").glob("train@*"):
                _tell_of_progress(script, turns)
            clean(project, dvc=True)
        before = _cpu_s(serves)
        took[name] = (*flow_cpu_s(project, server, len(NETWORKS)), _cpu_s(serves) - before)
    wall, of_flow, of_server = (longer - shorter for longer, shorter in zip(took["with"], took["without"], strict=True))
    print(f"{wall:.0f} s of waiting, in cores: the flow {of_flow / wall:.3f} (goal {GOAL_WAIT_CORES}), the server {of_server / wall:.3f}")
    return of_flow / wall <= GOAL_WAIT_CORES


def _tell_of_progress(script: Path, turns: int) -> None:
    event = '{"kind": "progress", "what": "select", "done": %d, "total": ' + str(turns) + ', "text": "%d epochs"}'
    loop = f"for i in $(seq {turns}); do printf '{event}\\n' $i $i > \"$EDGELOOP_EVENTS\"; sleep {EVENT_EVERY_S}; done"
    script.write_text(f"{loop}\n{script.read_text(encoding='utf-8')}", encoding="utf-8")


def flow_cpu_s(project: Project, server: dict[str, str], slots: int) -> tuple[float, float]:
    """Wall seconds of `edgeloop run`, and CPU seconds of it and all that it started."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    took, _ = flow(project, server, slots)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _cpu_s(processes: Iterable[psutil.Process]) -> float:
    return sum((times.user + times.system for times in (process.cpu_times() for process in processes)), start=0.0)


def stage(folder: Path) -> bool:
    """Stages whose commands take no time."""
    project = make(folder, ["sample"], [96, 128, 160, 224], ["board0"], dict.fromkeys(SECONDS, 0.0))
    os.environ.update(project.env)
    plan = [one.address for one in read_plan(project.root, project.targets)]
    ways: dict[str, tuple[Callable[[str], list[str]], Start]] = {
        "in a Python of its own": (stage_command, supervised),
        "in a fork": (stage_arguments, supervised_stage),
    }
    took: dict[str, list[float]] = {way: [] for way in ways}
    for number, address in enumerate(plan):
        way = list(ways)[number % len(ways)]  # in turn, so that both meet the same stages and the same load
        argv, start = ways[way]
        begun = time.monotonic()
        done = run(argv(address), project.root, environment(), ignore, lambda: False, ignore, start)
        took[way].append(time.monotonic() - begun)
        if outcome_of(done, address) != "ran":
            raise SystemExit(f"{address} did not run")
    for way, seconds in took.items():
        print(f"{way}: median {median(seconds):.2f} s, {min(seconds):.2f} to {max(seconds):.2f} s, {len(seconds)} stages")
    return median(took["in a fork"]) <= GOAL_OVERHEAD_S


def main() -> int:
    """Measure; returns 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["matrix", "idle", "wait", "stage"])
    parser.add_argument("--slots", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--scale", type=float, default=1.0, help="of the stand-ins' times")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        own, folder = Workspace(Path(name) / "services"), Path(name) / "project"
        folder.mkdir()
        if options.what == "stage":
            return 0 if stage(folder) else 1
        own.root.mkdir()
        service = prefect_server(own)
        try:
            running = service.up()
            server = dict(client_environment(own, running))
            if options.what == "wait":
                leader = psutil.Process(running.identity.pid)
                met = wait_for(folder, server, [leader, *leader.children(recursive=True)], options.scale)
            else:
                met = idle(folder, server) if options.what == "idle" else matrix(folder, server, options.slots, options.scale)
        finally:
            service.down()
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(program(main))

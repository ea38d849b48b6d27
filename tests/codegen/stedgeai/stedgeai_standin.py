"""A stand-in for ST Edge AI Core: a program that behaves like the tool, as a scenario file beside it says.

It is started as the tool is, by its path and arguments; nothing of the tool is in it. A scenario is a JSON object:

version, components   what --version tells
progress              lines of progress bar between any two lines of the log
measured              whether a compiler was there
prompt                a question of the first start: `give up` ends when standard input is closed, `insist` waits on
hang_s                seconds of silence, with a child process that does the same (its number goes to the file child.pid beside it)
error, status         the last words, and the exit status
signal                ends itself by that signal in the middle
omit, cut             files that are not written, or only by half
own_folder            writes the binary of the STM32MP2 to the folder that such builds take by default, whatever --output says
no_npu                forgets --st-neural-art, as if it had not been there
background_s          leaves a child process behind
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import stedgeai_samples as samples

SCENARIO = "scenario.json"


def install(root: Path, scenario: dict[str, Any] | None = None) -> Path:
    """Put the stand-in where the tool lies in an installation at `root`; returns the program."""
    program = root / "Utilities" / "linux" / "stedgeai"
    program.parent.mkdir(parents=True, exist_ok=True)
    tool = f'"{sys.executable}" "{Path(__file__).resolve()}" "{program.parent}"'
    shared = Path(samples.__file__).resolve().parent
    program.write_text(f'#!/bin/sh\nPYTHONPATH="{shared}" exec {tool} "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    (program.parent / SCENARIO).write_text(json.dumps(scenario or {}), encoding="utf-8")
    return program


def main(home: Path, arguments: list[str]) -> int:
    """Behave as the scenario says; returns the exit status."""
    scenario = json.loads((home / SCENARIO).read_text(encoding="utf-8"))
    with (home / "calls.jsonl").open("a", encoding="utf-8") as calls:
        calls.write(json.dumps({"arguments": arguments, "cwd": str(Path.cwd())}) + "\n")
    if "prompt" in scenario:
        _ask(scenario["prompt"])
    if arguments == ["--version"]:
        return _tell_version(scenario)
    options = _parse(arguments)
    _work(home, scenario, options, arguments)
    if "error" in scenario:
        sys.stderr.write(scenario["error"] + "\n")
    return int(scenario.get("status", 0))


def _ask(manner: str) -> None:
    sys.stdout.write("Do you agree to share statistics of use? [y/n] ")
    sys.stdout.flush()
    answer = sys.stdin.readline()
    if not answer and manner == "give up":
        sys.exit(1)
    while not answer:
        time.sleep(0.1)


def _tell_version(scenario: dict[str, Any]) -> int:
    say(scenario.get("banner") or f"ST Edge AI Core v{_version(scenario)}")
    for name, version in scenario.get("components", {"STM32CubeAI": "10.2.0"}).items():
        say(f"   {name} {version}")
    return 0


def _version(scenario: dict[str, Any]) -> str:
    return str(scenario.get("version", samples.Layout().version))


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("step", choices=("generate", "analyze", "validate"))
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--target", required=True)
    for name in ("type", "st-neural-art"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--name", default="network")
    parser.add_argument("--workspace", type=Path, default=Path("st_ai_ws"))
    parser.add_argument("--output", type=Path, default=Path("st_ai_output"))
    return parser.parse_args(arguments)


def _work(home: Path, scenario: dict[str, Any], options: argparse.Namespace, arguments: list[str]) -> None:
    say(f"ST Edge AI Core v{_version(scenario)}")
    if not options.model.is_file():
        sys.exit(f"E010(InvalidModelError): no such file {options.model}")
    if "hang_s" in scenario or "background_s" in scenario:
        seconds = scenario.get("hang_s", scenario.get("background_s"))
        child = subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({seconds})"])
        (home / "child.pid").write_text(str(child.pid), encoding="utf-8")
    if "hang_s" in scenario:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        say("Analysing the model...")
        time.sleep(scenario["hang_s"])
    layout = samples.Layout(
        version=_version(scenario),
        target=options.target,
        npu=options.st_neural_art is not None and not scenario.get("no_npu"),
        measured=scenario.get("measured", True),
        name=options.name,
        command=" ".join(arguments),
    )
    for line in samples.console(layout, options.step).splitlines():
        say(line)
        for number in range(scenario.get("progress", 0)):
            sys.stdout.write(f"\rPASS:  {number:2}%|####1     | {number}/99 [00:0{number % 10}<00:00, 21.46it/s]\n\n")
    if "signal" in scenario:
        sys.stdout.flush()
        os.kill(os.getpid(), scenario["signal"])
    if not scenario.get("status"):
        _write(scenario, layout, options)


def _write(scenario: dict[str, Any], layout: samples.Layout, options: argparse.Namespace) -> None:
    """Write the files of the step to the output folder; those of `omit` not, those of `cut` by half."""
    output = Path("stm32ai_output") if scenario.get("own_folder") else options.output
    output.mkdir(parents=True, exist_ok=True)
    for name, content in _files(layout, options).items():
        if name in scenario.get("omit", []):
            continue
        whole = content if isinstance(content, bytes) else content.encode()
        (output / name).write_bytes(whole[: len(whole) // 2] if name in scenario.get("cut", []) else whole)


def _files(layout: samples.Layout, options: argparse.Namespace) -> dict[str, str | bytes]:
    name = layout.name
    if layout.target.startswith("stm32mp2"):
        return {f"{options.model.stem}.nb": b"VPMN" + bytes(996)}
    both: dict[str, str | bytes] = {
        f"{name}_{options.step}_report.txt": samples.report(layout, options.step),
        f"{name}_c_info.json": json.dumps(samples.c_info(layout), indent=2),
    }
    if options.step == "analyze":
        return both
    weights: dict[str, str | bytes] = (
        {f"{name}_atonbuf.xSPI2.raw": bytes(samples.WEIGHTS)} if layout.npu else {f"{name}_data.c": "/* weights */\n"}
    )
    return both | {f"{name}.c": "/* code */\n", f"{name}.h": "/* interface */\n"} | weights


def say(line: str) -> None:
    """A line on standard output, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))

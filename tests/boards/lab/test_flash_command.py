"""Flash commands: no shell, a closed standard input, a deadline, the output kept, the board locked until all is over."""

import os
import shlex
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from forks import children, wait_for

from edgeloop.boards.lab.command import Command, run_commands
from edgeloop.boards.lock import hold, occupancy
from edgeloop.errors import FlashError

KEY = "probe 1"


def tool(text: str, **settings: object) -> Command:
    """A flash tool that is this Python program."""
    return Command.model_validate({"run": [sys.executable, "-c", text.replace("{", "{{").replace("}", "}}")], **settings})


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "flash.log"


def test_parts_are_filled_in_and_nothing_is_seen_by_a_shell(tmp_path: Path, log: Path) -> None:
    evil = "a b; touch evil $(touch evil) `touch evil` {board}"
    show = Command(run=[sys.executable, "-c", "import sys; print(sys.argv[1:])", "-d", "{elf}", "sn={probe}", "{{}}"])
    run_commands([show], {"elf": evil, "probe": "0049", "board": "x"}, log)
    assert log.read_text(encoding="utf-8").splitlines()[-1] == str(["-d", evil, "sn=0049", "{}"])
    assert not (tmp_path / "evil").exists()


def test_a_part_that_is_not_there_is_named() -> None:
    with pytest.raises(FlashError, match=r"needs \{hex\}, the firmware as an Intel HEX file"):
        run_commands([tool("pass"), Command(run=["true", "{hex}"])], {"elf": "a"}, Path(os.devnull))


def test_a_failure_says_the_last_lines_and_where_all_of_them_are(log: Path) -> None:
    failing = "print('\\n'.join(f'line {n}' for n in range(100))); import sys; sys.stderr.write('Error: no ST-LINK\\n'); sys.exit(3)"
    with pytest.raises(FlashError) as failed:
        run_commands([tool(failing)], {}, log)
    text = str(failed.value)
    assert "failed with exit code 3" in text
    assert "Error: no ST-LINK" in text
    assert "line 99" in text
    assert "line 80" not in text
    assert str(log) in text
    assert "line 0\n" in log.read_text(encoding="utf-8")


def test_a_failure_ends_the_sequence(log: Path, tmp_path: Path) -> None:
    with pytest.raises(FlashError):
        run_commands([tool("raise SystemExit(1)"), tool(f"open({str(tmp_path / 'ran')!r}, 'w')")], {}, log)
    assert not (tmp_path / "ran").exists()


def test_a_tool_that_hangs_is_ended_with_all_that_it_started(log: Path, tmp_path: Path) -> None:
    """Also a server that it put into a session of its own, as gdb servers are."""
    pids = tmp_path / "pids"
    hang = (
        "import os, subprocess, sys, time\n"
        "server = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)\n"
        f"open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{server.pid}}')\n"
        "print('Memory Programming ...', flush=True)\n"
        "time.sleep(600)"
    )
    begin = time.monotonic()
    with pytest.raises(FlashError, match=r"(?s)was not done after 2 s and was ended.*Memory Programming"):
        run_commands([tool(hang, deadline_s=2)], {}, log)
    assert time.monotonic() - begin < 10
    assert all(gone(int(pid)) for pid in pids.read_text(encoding="utf-8").split())


def test_a_tool_that_ignores_the_signal_is_killed(log: Path) -> None:
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    begin = time.monotonic()
    with pytest.raises(FlashError, match="was not done"):
        run_commands([tool(deaf, deadline_s=1)], {}, log)
    assert time.monotonic() - begin < 12


def test_what_a_tool_must_say_is_looked_for(log: Path) -> None:
    run_commands([tool("print('Start operation achieved successfully')", expect="achieved successfully")], {}, log)
    with pytest.raises(FlashError, match=r"(?s)ended well but did not say 'achieved successfully'.*Warning: nothing done"):
        run_commands([tool("print('Warning: nothing done')", expect="achieved successfully")], {}, log)


def test_what_the_command_before_said_does_not_count(log: Path) -> None:
    with pytest.raises(FlashError, match="did not say"):
        run_commands([tool("print('done')"), tool("pass", expect="done")], {}, log)


def test_it_runs_in_the_folder_that_is_named_and_modules_there_do_no_harm(log: Path, tmp_path: Path) -> None:
    folder = tmp_path / "firmware with spaces"
    folder.mkdir()
    (folder / "subprocess.py").write_text("raise SystemExit('a trap')", encoding="utf-8")
    run_commands([Command(run=["pwd"], folder="{generated}")], {"generated": str(folder)}, log)
    assert log.read_text(encoding="utf-8").splitlines()[-1] == str(folder)
    with pytest.raises(FlashError, match="does not exist"):
        run_commands([Command(run=["pwd"], folder="{generated}/x")], {"generated": str(folder)}, log)


def test_when_the_starter_is_killed_the_tool_ends_and_the_board_is_locked_until_then(log: Path, tmp_path: Path) -> None:
    """The moment between the holder's end and the tool's: nobody else may talk to the board in it."""
    pid_file, ended = tmp_path / "pid", tmp_path / "ended"
    slow_to_end = (
        "import os, signal, sys, time\n"
        f"def end(*_):\n    time.sleep(0.2)\n    open({str(ended)!r}, 'w').write(str(time.monotonic()))\n    sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)\n"
        f"open({str(pid_file)!r}, 'w').write(str(os.getpid()))\n"
        "time.sleep(600)"
    )

    with children() as start:
        holder = start(partial(flash_under_lock, tool(slow_to_end), log))
        pid = int(wait_for(pid_file))
        holder.kill()
        with hold(KEY, "the next", wait_s=20):
            assert float(wait_for(ended, 0.1)) <= time.monotonic()
            assert gone(pid)


def test_tools_are_ended_at_any_moment_of_their_starters_end(log: Path, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    note = f"import os, time\nopen({str(pids)!r}, 'a').write(f'{{os.getpid()}} ')\ntime.sleep(600)"
    for number in range(8):
        with children() as start:
            holder = start(partial(flash_under_lock, tool(note), log))
            time.sleep(0.06 * number)
            holder.kill()
        with hold(KEY, "the next", wait_s=20):
            pass
        assert not occupancy(KEY).held
    started = pids.read_text(encoding="utf-8").split() if pids.exists() else []
    assert all(gone(int(pid)) for pid in started)


def flash_under_lock(command: Command, log: Path) -> None:
    with hold(KEY, "flash", 20) as held:
        run_commands([command], {}, log, held)


def gone(pid: int, deadline_s: float = 5.0) -> bool:
    deadline = time.monotonic() + deadline_s
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


def test_the_log_shows_the_command_as_it_could_be_typed(log: Path) -> None:
    run_commands([Command(run=["echo", "{elf}"])], {"elf": "a b"}, log)
    assert log.read_text(encoding="utf-8").splitlines()[0] == "$ " + shlex.join(["echo", "a b"])

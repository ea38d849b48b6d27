"""What provokes each fault that `edgeloop doctor` knows: one thing broken on a healthy machine, for real where that can be."""

import base64
import datetime as dt
import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from bench_machine import GIB, Bench

from edgeloop.boards.lab import tools
from edgeloop.boards.lab.usb import UsbDevice
from edgeloop.boards.lock import hold, occupancy
from edgeloop.codegen import toolchain
from edgeloop.doctor import services
from edgeloop.services.processes import Identity, identify

NOBODY = 65534
SERIAL = "003900393137510C39383538"
H7 = f'h7: {{kind: stm32h747i-disco, find: {{probe: "{SERIAL}"}}, flash: [{{run: [git]}}]}}'
Case = Callable[[Bench], None]
CASES: dict[str, tuple[Case, tuple[str, ...]]] = {}
"""By fault: what provokes it, and which other faults that brings with it."""


def provokes(fault: str, *also: str) -> Callable[[Case], Case]:
    def register(case: Case) -> Case:
        assert fault not in CASES
        CASES[fault] = case, also
        return case

    return register


# Python and this program


@provokes("python-version")
def _(bench: Bench) -> None:
    bench.overrides["python"] = (3, 14, 0)


@provokes("package-missing")
def _(bench: Bench) -> None:
    bench.versions["pyserial"] = None


@provokes("package-not-as-locked")
def _(bench: Bench) -> None:
    bench.write(bench.project / "constraints.txt", "numpy==2.1.0 \\\n    --hash=sha256:00\nzipp==3 ; python_version < '3'\npandas==0.140\n")


@provokes("fastapi-too-new")
def _(bench: Bench) -> None:
    bench.versions["fastapi"] = "0.155.1"


@provokes("sqlalchemy-too-new")
def _(bench: Bench) -> None:
    bench.versions["sqlalchemy"] = "2.1.9"


@provokes("command-missing")
def _(bench: Bench) -> None:
    (bench.bin / "edgeloop").unlink()


@provokes("command-of-another-environment")
def _(bench: Bench) -> None:
    other = bench.folder / "other"
    bench.bin.rename(other)
    bench.bin.mkdir()
    for name in ("python", "weed"):
        bench.program(name, "exit 0")
    bench.environment["PATH"] = str(other)


# The machine


@provokes("disk-full")
def _(bench: Bench) -> None:
    bench.overrides["free_bytes"] = lambda _: GIB // 10


@provokes("disk-low")
def _(bench: Bench) -> None:
    bench.overrides["free_bytes"] = lambda _: 2 * GIB


@provokes("memory-low")
def _(bench: Bench) -> None:
    bench.write(bench.root / "proc/meminfo", "MemTotal: 4000000 kB\nMemAvailable: 900000 kB\n")


@provokes("clock-wrong")
def _(bench: Bench) -> None:
    bench.overrides["now"] = dt.datetime(1970, 1, 1, 0, 3, tzinfo=dt.UTC)


@provokes("project-read-only")
def _(bench: Bench) -> None:
    bench.write(bench.project / ".edgeloop", "a file in its place")


@provokes("cache-read-only")
def _(bench: Bench) -> None:
    bench.environment["XDG_CACHE_HOME"] = "/proc/sys"


@provokes("cpu-powersave")
def _(bench: Bench) -> None:
    bench.write(bench.root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n")


# The project


@provokes("git-missing")
def _(bench: Bench) -> None:
    (bench.bin / "git").unlink()


@provokes("not-a-repository")
def _(bench: Bench) -> None:
    (bench.project / ".git").rename(bench.folder / "elsewhere")


@provokes("git-foreign-owner")
def _(bench: Bench) -> None:
    if os.geteuid() != 0:
        pytest.skip("gives a folder away, which only root can")
    for path in (bench.project, bench.project / ".git"):
        os.chown(path, NOBODY, NOBODY)


@provokes("params-invalid")
def _(bench: Bench) -> None:
    params = bench.project / "params.yaml"
    bench.write(params, params.read_text(encoding="utf-8").replace("quantize:", "quantise:"))


@provokes("override-without-variant")
def _(bench: Bench) -> None:
    params, declared = bench.project / "params.yaml", "    train: {}\n"
    text = params.read_text(encoding="utf-8")
    assert declared in text
    stated = "    train: {overrides: [{network: st_fdmobilenet_v1, resolution: 160, set: {seed: 1}}]}\n"
    bench.write(params, text.replace(declared, stated, 1))


@provokes("graph-behind")
def _(bench: Bench) -> None:
    params = bench.project / "params.yaml"
    bench.write(params, params.read_text(encoding="utf-8").replace("build: [sample]", "build: [flowers]"))


@provokes("lab-invalid")
def _(bench: Bench) -> None:
    bench.lab("h7: {kind: stm32h747i-disco, find: {prob: a}}")


@provokes("dvc-missing")
def _(bench: Bench) -> None:
    (bench.bin / "dvc").unlink()


@provokes("dvc-not-set-up")
def _(bench: Bench) -> None:
    (bench.project / ".dvc/config").unlink()


def dvc_lock(bench: Bench, pid: int) -> None:
    holder = {"pid": pid, "cmd": "dvc repro train@x"}
    bench.write(bench.project / ".dvc/tmp/rwlock", json.dumps({"write": {"/a": holder}, "read": {"/b": [holder]}}))


@provokes("dvc-lock-left")
def _(bench: Bench) -> None:
    dvc_lock(bench, 4000)


@provokes("dvc-lock-of-a-stranger")
def _(bench: Bench) -> None:
    dvc_lock(bench, 4000)
    bench.process(4000, "firefox", "/usr/bin/firefox")


@provokes("dvc-lock-damaged")
def _(bench: Bench) -> None:
    bench.write(bench.project / ".dvc/tmp/rwlock", '{"write": {"/a": ')


# Services


def service(bench: Bench, pid: int, port: int) -> None:
    identity = identify(pid) or Identity(pid, 1, "another boot")
    content = {"name": "store", "pid": pid, "start_ticks": identity.start_ticks, "boot_id": identity.boot_id, "ports": {"S3": port}}
    content |= {"address": f"http://127.0.0.1:{port}", "log": "x", "started_utc": "2026-11-23T10:00:00+00:00", "notes": [], "ready": True}
    bench.write(bench.project / ".edgeloop/services/store.json", json.dumps(content))


@provokes("service-gone")
def _(bench: Bench) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    service(bench, gone.pid, bench.closed_port())


@provokes("service-silent")
def _(bench: Bench) -> None:
    service(bench, os.getpid(), bench.closed_port())


@provokes("port-taken")
def _(bench: Bench) -> None:
    del bench.environment["EDGELOOP_PORTS"]
    bench.patch.setattr(services, "PREFERRED", {bench.listen(): "Prefect's server"})


@provokes("prefect-address-dead")
def _(bench: Bench) -> None:
    bench.environment["PREFECT_API_URL"] = f"http://127.0.0.1:{bench.closed_port()}/api"


@provokes("proxy-catches-loopback")
def _(bench: Bench) -> None:
    bench.environment |= {"http_proxy": "http://proxy.example:3128", "no_proxy": "example.org"}


@provokes("store-program-missing")
def _(bench: Bench) -> None:
    (bench.bin / "weed").unlink()


@provokes("no-credentials")
def _(bench: Bench) -> None:
    params = bench.project / "params.yaml"
    bench.write(params, params.read_text(encoding="utf-8").replace("endpoint: local", 'endpoint: ""'))


# Compilers and ST's tools


@provokes("arm-compiler-missing", "host-compiler-missing")
def _(bench: Bench) -> None:
    bench.patch.setattr(toolchain, "find_spec", lambda _: None)


@provokes("host-compiler-missing")
def _(bench: Bench) -> None:
    """A compiler for Arm alone."""
    CASES["arm-compiler-missing"][0](bench)
    bench.program("arm-none-eabi-gcc", "echo 'arm-none-eabi-gcc (x) 12.2.1'; echo 'Free Software Foundation, Inc.'")


@provokes("arm-compiler-unusable")
def _(bench: Bench) -> None:
    bench.environment["EDGELOOP_ARM_CC"] = str(bench.program("no-compiler", "echo I am a teapot"))


@provokes("host-compiler-unusable")
def _(bench: Bench) -> None:
    bench.environment["EDGELOOP_HOST_CC"] = "/nowhere/cc"


@provokes("arm-gcc-missing")
def _(bench: Bench) -> None:
    (bench.bin / "arm-none-eabi-gcc").unlink()


@provokes("stedgeai-folder-wrong")
def _(bench: Bench) -> None:
    bench.environment["STEDGEAI_CORE_DIR"] = str(bench.home)


def n6(bench: Bench) -> None:
    bench.plug("1-1", "0483:3754", SERIAL, ("ttyACM0",))
    bench.lab(f'n6: {{kind: stm32n6570-dk, find: {{probe: "{SERIAL}"}}, flash: [{{run: [git]}}]}}')


@provokes("stedgeai-missing", "boot-switches")
def _(bench: Bench) -> None:
    n6(bench)


@provokes("stedgeai-silent")
def _(bench: Bench) -> None:
    """A prompt on the first run, which waits although nobody can answer."""
    bench.program("stedgeai", "echo 'Do you accept the licence? [y/N]'; exec /bin/sleep 60")


@provokes("stedgeai-too-old")
def _(bench: Bench) -> None:
    bench.program("stedgeai", "echo 'Neural Network Tools for STM32AI v1.7.0 (STM.ai v8.0.0-19389)'")


@provokes("stedgeai-unfit", "boot-switches")
def _(bench: Bench) -> None:
    n6(bench)
    bench.program("stedgeai", "echo 'ST Edge AI Core v1.0.0-19899'")


@provokes("stedgeai-untested")
def _(bench: Bench) -> None:
    bench.program("stedgeai", "echo 'ST Edge AI Core v5.0.0-30000 0123456789'")


@provokes("flash-program-missing")
def _(bench: Bench) -> None:
    bench.plug("1-1", "0483:374e", SERIAL, ("ttyACM0",))
    bench.lab(H7.replace("[git]", "[STM32_Programmer_CLI, -c, port=swd]"))


@provokes("flash-file-missing")
def _(bench: Bench) -> None:
    bench.plug("1-1", "0483:374e", SERIAL, ("ttyACM0",))
    bench.lab(H7.replace("[git]", "[git, -el, /opt/loaders/MT25TL01G.stldr, '{elf}']"))


@provokes("no-flash-command", "boot-switches")
def _(bench: Bench) -> None:
    bench.plug("1-1", "0483:374e", SERIAL, ("ttyACM0",))
    bench.program("stedgeai", "echo 'ST Edge AI Core v4.0.1-20581 7ed50de05'")
    bench.lab(f'n6: {{kind: stm32n6570-dk, find: {{probe: "{SERIAL}"}}}}')


@provokes("no-flash-tool")
def _(bench: Bench) -> None:
    bench.patch.setattr(tools, "OWN_PROGRAMS", bench.bin)
    bench.plug("1-1", "0483:374e", SERIAL, ("ttyACM0",))
    bench.lab("h7: {kind: stm32h747i-disco}")


# USB, probes and serial ports


@provokes("no-usb", "board-absent")
def _(bench: Bench) -> None:
    (bench.root / "sys/bus/usb/devices").rmdir()
    bench.lab(H7)


@provokes("board-absent")
def _(bench: Bench) -> None:
    bench.lab(H7)
    bench.plug("1-1", "0483:374e", "066D", ("ttyACM0",))


@provokes("twins")
def _(bench: Bench) -> None:
    bench.plug("1-1", "0483:374b", None, ("ttyACM0",))
    bench.plug("1-2", "0483:374b", None, ("ttyACM1",))


@provokes("same-device")
def _(bench: Bench) -> None:
    bench.plug("1-1", "0483:374e", SERIAL, ("ttyACM0",))
    bench.lab(H7, "h8: {kind: stm32h747i-disco, find: {usb: '0483:374e'}, flash: [{run: [git]}]}")


@provokes("unstable-port-name", "board-absent")
def _(bench: Bench) -> None:
    bench.lab("h7: {kind: stm32h747i-disco, find: {port: /dev/ttyACM77}, flash: [{run: [git]}]}")


@provokes("probe-in-boot-loader")
def _(bench: Bench) -> None:
    bench.plug("1-1", "0483:374d", None)


@provokes("part-in-boot-loader")
def _(bench: Bench) -> None:
    bench.plug("1-1", "0483:df11", "3056")


@provokes("probe-without-port")
def _(bench: Bench) -> None:
    bench.plug("1-1", "0483:374e", SERIAL)


@provokes("probe-without-uart")
def _(bench: Bench) -> None:
    bench.plug("1-1", "0483:3748", SERIAL)


def unprivileged(bench: Bench, port_mode: int) -> UsbDevice:
    """A probe whose port belongs to root and the group 20, seen by a user without rights."""
    if os.geteuid() != 0:
        pytest.skip("makes a device file and becomes another user, which only root can")
    bench.unprivileged = True
    bench.lab(H7)
    device = bench.plug("1-1", "0483:374e", SERIAL, ("ttyACM0",))
    port = device.ports[0].device
    port.unlink()
    os.mknod(port, 0o20600, os.makedev(1, 3))
    port.chmod(port_mode)
    os.chown(port, 0, 20)
    device.node.chmod(0o666)
    return device


@provokes("port-permission")
def _(bench: Bench) -> None:
    unprivileged(bench, 0o660)


@provokes("group-not-active")
def _(bench: Bench) -> None:
    unprivileged(bench, 0o660)
    bench.write(bench.root / "etc/group", "root:x:0:\ndialout:x:20:somebody,nobody\n")


@provokes("probe-permission")
def _(bench: Bench) -> None:
    unprivileged(bench, 0o666).node.chmod(0o664)


@provokes("port-in-use")
def _(bench: Bench) -> None:
    device = bench.plug("1-1", "0483:374e", SERIAL, ("ttyACM0",))
    bench.lab(H7)
    bench.process(4711, "minicom", "minicom -D /dev/ttyACM0", opens=(device.ports[0].device,))


@provokes("modem-manager")
def _(bench: Bench) -> None:
    bench.plug("1-1", "0483:374e", SERIAL, ("ttyACM0",))
    bench.process(600, "ModemManager")


@provokes("brltty")
def _(bench: Bench) -> None:
    bench.plug("1-1", "10c4:ea60", "0001", ("ttyUSB0",))
    bench.process(600, "brltty")


@provokes("boot-switches")
def _(bench: Bench) -> None:
    n6(bench)
    bench.program("stedgeai", "echo 'ST Edge AI Core v2.2.0-20266 2adc00962'")


# Locks of boards


@provokes("locks-unusable")
def _(bench: Bench) -> None:
    bench.write(bench.locks, "a file in its place")


@provokes("lock-left-behind")
def _(bench: Bench) -> None:
    with hold("host", "a flash tool", 0) as held:
        left = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[held.descriptor])
    bench.stack.callback(left.communicate, b"\n")
    (bench.root / "proc").rename(bench.root / "no proc")
    (bench.root / "proc").symlink_to("/proc")


@provokes("holder-stopped")
def _(bench: Bench) -> None:
    """As with Ctrl-Z in a benchmark's terminal."""
    program = "import time\nfrom edgeloop.boards.lock import hold\nwith hold('host', 'a benchmark', 5):\n    time.sleep(60)"
    holder = subprocess.Popen([sys.executable, "-c", program])
    bench.stack.callback(holder.wait)
    bench.stack.callback(holder.kill)
    deadline = time.monotonic() + 30
    while (seen := occupancy("host")).holder is None:
        assert time.monotonic() < deadline
    holder.send_signal(signal.SIGSTOP)
    bench.process(seen.holder.pid, "python")
    status = Path(f"/proc/{holder.pid}/status")
    while "State:\tT" not in (text := status.read_text(encoding="utf-8")):
        assert time.monotonic() < deadline
    bench.write(bench.root / f"proc/{holder.pid}/status", text)


# Boards over the network


def over_ssh(bench: Bench, host: str, port: int, settings: str = "") -> None:
    """A board whose host key is known, with a key to show to it."""
    bench.lab(f"mp2: {{kind: stm32mp257f-dk, find: {{ssh: {{host: {host}, port: {port}{settings}}}}}}}")
    bench.write(bench.home / ".ssh/id_ed25519", "a key")
    name = f"[{host}]:{port}".encode()
    salt = b"salt"
    hashed = "|".join(base64.b64encode(part).decode() for part in (salt, hmac.new(salt, name, hashlib.sha1).digest()))
    bench.write(bench.home / ".ssh/known_hosts", f"other ssh-ed25519 AAAA\n|1|{hashed} ssh-ed25519 AAAA\n")
    # ST's tool is needed for such a board.
    bench.program("stedgeai", "echo 'ST Edge AI Core v2.2.0-20266 2adc00962'")


@provokes("host-unknown")
def _(bench: Bench) -> None:
    over_ssh(bench, "no-such-board.invalid", 2222)


@provokes("host-silent")
def _(bench: Bench) -> None:
    over_ssh(bench, *bench.silent_address())


@provokes("connection-refused")
def _(bench: Bench) -> None:
    port = bench.closed_port()
    bench.lab(f'h7: {{kind: stm32h747i-disco, find: {{port: "rfc2217://127.0.0.1:{port}"}}, flash: [{{run: [git]}}]}}')


@provokes("not-ssh")
def _(bench: Bench) -> None:
    over_ssh(bench, "127.0.0.1", bench.listen(b"220 mail server\r\n"))


@provokes("ssh-host-key-unknown")
def _(bench: Bench) -> None:
    over_ssh(bench, "127.0.0.1", bench.listen(b"SSH-2.0-dropbear\r\n"))
    bench.write(bench.home / ".ssh/known_hosts", "127.0.0.1 ssh-ed25519 AAAA\n")


@provokes("ssh-key-missing")
def _(bench: Bench) -> None:
    over_ssh(bench, "127.0.0.1", bench.listen(b"SSH-2.0-dropbear\r\n"), ", key: ~/.ssh/lab")


@provokes("ssh-key-readable-by-others")
def _(bench: Bench) -> None:
    over_ssh(bench, "127.0.0.1", bench.listen(b"SSH-2.0-dropbear\r\n"), ", key: ~/.ssh/lab")
    bench.write(bench.home / ".ssh/lab", "a key").chmod(0o644)


@provokes("farm-account-missing")
def _(bench: Bench) -> None:
    bench.lab("far: {kind: st-cloud, board: STM32N6570-DK}")
    bench.environment["EDGELOOP_ST_TOKENS"] = str(bench.home / "no.json")


@provokes("farm-tokens-readable-by-others")
def _(bench: Bench) -> None:
    bench.lab("far: {kind: st-cloud, board: STM32N6570-DK}")
    bench.environment["EDGELOOP_ST_TOKENS"] = str(bench.home / "tokens.json")
    bench.write(bench.home / "tokens.json", "{}").chmod(0o644)


@provokes("ssh-no-key")
def _(bench: Bench) -> None:
    over_ssh(bench, "127.0.0.1", bench.listen(b"SSH-2.0-dropbear\r\n"))
    (bench.home / ".ssh/id_ed25519").unlink()


@provokes("ssh-agent-gone")
def _(bench: Bench) -> None:
    over_ssh(bench, "127.0.0.1", bench.listen(b"SSH-2.0-dropbear\r\n"))
    bench.environment["SSH_AUTH_SOCK"] = str(bench.home / "agent")


@provokes("check-failed")
def _(bench: Bench) -> None:
    """Something that no check foresees."""
    bench.write(bench.root / "proc/meminfo", "MemAvailable: plenty\n")

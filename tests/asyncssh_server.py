"""asyncssh's server with a real shell, for machines without OpenSSH's: `asyncssh_server.py FOLDER PORT ENVIRONMENT`."""

import asyncio
import json
import os
import sys
from pathlib import Path

import asyncssh


async def serve(folder: Path, port: int, environment: dict[str, str]) -> None:
    """Let in who holds the key, and run commands in a shell as sshd does."""

    async def run(process: asyncssh.SSHServerProcess[bytes]) -> None:
        pipe = asyncio.subprocess.PIPE
        command = ["/bin/sh", "-c", process.command or "exit 1"]
        everything = {**os.environ, **environment}
        child = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe, env=everything, start_new_session=True)
        assert child.stdin and child.stdout and child.stderr
        await process.redirect(stdin=child.stdin, stdout=child.stdout, stderr=child.stderr)
        code = await child.wait()
        await process.stdout.drain()
        process.exit(code if code >= 0 else 128 - code)

    await asyncssh.listen(
        "127.0.0.1",
        port,
        server_host_keys=[str(folder / "host_key")],
        authorized_client_keys=str(folder / "authorized_keys"),
        process_factory=run,
        encoding=None,
    )
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3])))

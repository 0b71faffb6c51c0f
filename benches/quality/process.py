"""Child processes that are measured, and always end."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path


class Failed(Exception):
    """A command ended with an error, or did not end in its time."""


@dataclass(frozen=True)
class Run:
    """What a command printed and cost."""

    stdout: str
    stderr: str
    wall_s: float
    cpu_s: float
    peak_rss_mib: float


def run(command: list[str], timeout_s: float, env: dict[str, str] | None = None, cwd: Path | None = None) -> Run:
    """Runs a command to its end. CPU time and peak memory are those of the process and of the children it waited for.

    Raises `Failed` when it ends with another code than 0, or is killed for taking longer than `timeout_s`.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start = time.monotonic()
        try:
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=env, cwd=cwd)
        except OSError as error:
            raise Failed(f"{command[0]} does not start: {error.strerror}") from error
        late = threading.Event()

        def end() -> None:
            late.set()
            os.kill(child.pid, signal.SIGKILL)

        timer = threading.Timer(timeout_s, end)
        timer.start()
        try:
            # wait4 and not Popen.wait: it tells what this one child used.
            _, status, usage = os.wait4(child.pid, 0)
        except BaseException:
            child.kill()
            raise
        finally:
            timer.cancel()
        child.returncode = os.waitstatus_to_exitcode(status)
        wall_s = time.monotonic() - start
        out.seek(0)
        err.seek(0)
        stdout, stderr = out.read().decode(errors="replace"), err.read().decode(errors="replace")
    if child.returncode != 0:
        why = f"took longer than {timeout_s:.0f} s" if late.is_set() else f"ended with code {child.returncode}"
        raise Failed(f"`{' '.join(command)}` {why}:\n{(stderr or stdout).strip()[-2000:]}")
    return Run(stdout, stderr, wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)

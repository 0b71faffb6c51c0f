"""Child processes that are measured, and always end."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

# Seconds between two looks at a process.
LOOK_S = 0.01


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


def run(command: list[str], timeout_s: float, env: dict[str, str] | None = None) -> Run:
    """Runs a command to its end.

    CPU time is that of the process and of the children it waited for, peak memory that of the process alone. Raises
    `Failed` when it ends with another code than 0, or is killed for taking longer than `timeout_s`.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start = time.monotonic()
        try:
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=env)
        except OSError as error:
            raise Failed(f"{command[0]} does not start: {error.strerror}") from error
        peak_kib, late = 0, False
        try:
            # wait4 and not Popen.wait: it tells what this one child used.
            while (ended := os.wait4(child.pid, os.WNOHANG))[0] == 0:
                peak_kib = max(peak_kib, high_water_kib(child.pid))
                if not late and time.monotonic() - start > timeout_s:
                    late = True
                    # Not child.kill(), which may wait for the child itself and lose what it used.
                    os.kill(child.pid, signal.SIGKILL)
                time.sleep(LOOK_S)
        except BaseException:
            child.kill()
            child.wait()
            raise
        _, status, usage = ended
        wall_s = time.monotonic() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        stdout, stderr = out.read().decode(errors="replace"), err.read().decode(errors="replace")
    if child.returncode != 0:
        why = f"took longer than {timeout_s:.0f} s" if late else f"ended with code {child.returncode}"
        raise Failed(f"`{' '.join(command)}` {why}:\n{(stderr or stdout).strip()[-2000:]}")
    return Run(stdout, stderr, wall_s, usage.ru_utime + usage.ru_stime, peak_kib / 1024)


def high_water_kib(pid: int) -> int:
    """A running process's peak resident memory. Unlike `ru_maxrss`, it does not begin with that of who started it."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")), 0)

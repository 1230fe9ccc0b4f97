"""Run the suite's scripts in fresh processes, and tell what they and the server have seen."""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from comparing.charts import Request
from slow_server import flag_code
from support import interrupts
from support.measures import FILE_VARIABLE

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Run:
    """One run of a script: seconds, bytes, and the requests it made, if a server told."""

    elapsed: float
    peak_memory: int | None
    requests: list[Request] = field(default_factory=list)


class RunError(Exception):
    """A script has not come to its end; the message is what it said on stderr."""


def run_script(command: list[str], server_log: Path | None = None) -> Run:
    """Run a script with its arguments in a folder of its own.

    Raise RunError if it fails, interrupts.StoppedError if this program has to stop.
    """
    interrupts.check()
    seen_before = server_log.stat().st_size if server_log else 0
    with tempfile.TemporaryDirectory() as folder:
        measures = Path(folder, 'measures.json')
        script, *args = command
        with (
            subprocess.Popen(
                [sys.executable, str(ROOT / script), *args],
                env=os.environ | {FILE_VARIABLE: str(measures)},
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            ) as process,
            interrupts.ended(process.terminate),
        ):
            _, stderr = process.communicate()
        if not measures.exists():
            raise RunError(f'{stderr.strip()}\n(exit status {process.returncode})')
        run = Run(**json.loads(measures.read_text()))
    if server_log:
        run.requests = read_log(server_log, seen_before)
    return run


def read_log(server_log: Path, position: int) -> list[Request]:
    """Return what a server has logged from a position on; times count from the first start."""
    with server_log.open('rb') as log:
        log.seek(position)
        entries = [json.loads(line) for line in log]
    begin = min((entry['start'] for entry in entries), default=0)
    return [
        Request(
            flag_code(entry['path']), entry['start'] - begin, entry['end'] - begin, entry['delay']
        )
        for entry in entries
    ]

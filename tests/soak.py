#!/usr/bin/env python3
"""Interrupt all scripts at random moments; tell whether they end in time and in good order.

    $ python3 tests/soak.py --runs 200
    script                  server    runs  interrupted  slowest  status  stderr   tally
    flags.py                fast        10            3    0.02s       0       0       0
    ...

The last three columns count what must not happen: an end other than by the signal, anything but
one line on stderr, and a report that differs from the files, from the number of codes, or from
what bar and lines have told. The moments begin when a script has taken over signals, which takes
the /proc of Linux to see.
"""

import argparse
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack, suppress
from itertools import cycle, islice, product
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from support import servers  # noqa: E402

FLAGS = ['flags.py', 'flags_threadpool.py', 'flags_processpool.py', 'flags_asyncio.py']
FLAGS2 = ['flags2_sequential.py', 'flags2_threadpool.py', 'flags2_asyncio.py']
ALONE = ['primes.py', 'proc_pool.py', 'procs.py', 'demo_executor_map.py']
SERVERS = {
    'fast': ['--max-delay=0'],
    'slow': ['--max-delay=2'],
    'failing': ['--max-delay=2', '--error-rate=.2'],
}
LATEST = {'fast': 0.3, 'slow': 1.2, 'failing': 1.2, 'none': 1.2}  # moment, in seconds
METHODS = ['fork', 'spawn', 'forkserver']
SIGNALS = [signal.SIGINT, signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
CODES = 676
PATIENCE = 60.0  # seconds until a run is given up


class Run(NamedTuple):
    """How a run ended: seconds from the signal on, and what was wrong with it."""

    interrupted: bool
    seconds: float
    status: bool
    traceback: bool
    tally: bool


def takes_signals(pid: int) -> bool:
    """Tell whether a process has a handler for SIGTERM."""
    status = Path(f'/proc/{pid}/status').read_text()
    (mask,) = re.findall(r'SigCgt:\s*(\w+)', status)
    return bool(int(mask, 16) & 1 << signal.SIGTERM - 1)


def interrupted_run(
    script: str, url: str, latest: float, folder: Path, rng: random.Random, method: str
) -> Run:
    """Run a script in a folder; interrupt it with its children, as a terminal does, maybe twice."""
    verbose = rng.choice([['-v'], []])
    options = ['-e', '-m', str(rng.choice([30, 676])), *verbose] if script in FLAGS2 else []
    server = ['-s', url] if script not in ALONE else []
    signum = rng.choice(SIGNALS)
    with subprocess.Popen(
        [sys.executable, ROOT / 'tests/start_method.py', method, ROOT / script, *options, *server],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            while process.poll() is None and not takes_signals(process.pid):
                time.sleep(0.001)
            time.sleep(rng.uniform(0, latest))
            running = process.poll() is None
            start = time.monotonic()
            if running:
                os.killpg(process.pid, signum)
            if running and rng.choice([True, False]):
                time.sleep(rng.uniform(0, 0.1))
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, rng.choice(SIGNALS))
            stdout, stderr = process.communicate(timeout=PATIENCE)
            seconds = time.monotonic() - start
        finally:
            process.kill()
    right = {-signum} if running else {0}
    if re.search(r'\d\.\d\ds\n\Z', stdout) and 'cancelled' not in stdout:
        right.add(0)  # it had said its last word, and was just leaving
    expected = r'\d+%\|' + (r'|HTTP error 418' if script in FLAGS2 else '')
    lines = [line for line in stderr.splitlines() if line and not re.search(expected, line)]
    faults = (
        process.returncode not in right,
        lines not in ([], [f'{script}: interrupted']),
        script in FLAGS2 and not adds_up(stdout, stderr, len(list(folder.glob('downloaded/*')))),
    )
    if any(faults):
        print(script, *options, signum.name, process.returncode, stdout[-300:], stderr, flush=True)
    return Run(running, seconds if running else 0, *faults)


def adds_up(stdout: str, stderr: str, files: int) -> bool:
    """Tell whether a report fits the files, the codes, and what bar and lines have told."""
    lines, _, report = stdout.partition('-' * 20)
    if not report:  # it was interrupted before it began
        return not files
    counts = {
        word: int(number) for number, word in re.findall(r'^(\d+) .*?(\w+?)s?\.$', report, re.M)
    }
    ended = CODES - counts.get('cancelled', 0)
    told = {'downloaded': r'^.. OK$', 'found': r'^.. not found', 'error': r'^.. error'}
    return (
        sum(counts.values()) == CODES
        and counts['downloaded'] == files
        and all(
            counts.get(word, 0) >= len(re.findall(pattern, lines, re.M))
            for word, pattern in told.items()
        )
        and ended >= max(map(int, re.findall(rf' (\d+)/{CODES} ', stderr)), default=0)
    )


def main() -> None:
    """Print a row for each script and server."""
    parser = argparse.ArgumentParser(description='Interrupt all scripts at random moments.')
    parser.add_argument('--runs', type=int, default=200)
    parser.add_argument('--method', choices=METHODS, default=METHODS[0], help='of processes')
    parser.add_argument('--seed', type=int, default=time.time_ns() % 100_000)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    for number in SIGNALS:
        signal.signal(number, signal.default_int_handler)  # in a background job they are ignored
    pairs = [*product(FLAGS + FLAGS2, ['fast', 'slow']), *product(FLAGS2, ['failing'])]
    pairs += product(ALONE, ['none'])
    runs: dict[tuple[str, str], list[Run]] = defaultdict(list)
    with ExitStack() as stack:
        urls = {
            name: stack.enter_context(servers.private_server(*options))
            for name, options in SERVERS.items()
        }
        for script, server in islice(cycle(pairs), args.runs):
            with tempfile.TemporaryDirectory() as folder:
                run = interrupted_run(
                    script, urls.get(server, ''), LATEST[server], Path(folder), rng, args.method
                )
            runs[script, server].append(run)
    print(f'Python {sys.version.split()[0]}, {args.method}, seed {args.seed}')
    print(f'{"script":24}{"server":8}{"runs":>6}{"interrupted":>13}{"slowest":>9}', end='')
    print(f'{"status":>8}{"stderr":>8}{"tally":>8}')
    wrong = 0
    for (script, server), rows in runs.items():
        interrupted, seconds, *faults = zip(*rows, strict=True)
        wrong += sum(map(sum, faults))
        print(
            f'{script:24}{server:8}{len(rows):6}{sum(interrupted):13}{max(seconds):8.2f}s'
            + ''.join(f'{sum(fault):8}' for fault in faults)
        )
    sys.exit(wrong > 0)


if __name__ == '__main__':
    main()

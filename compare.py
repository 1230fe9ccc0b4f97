#!/usr/bin/env python3
"""Time the variants of a script side by side, and show what makes the difference.

    $ python3 compare.py --timeline
    $ python3 compare.py flags2 -a --scan 1 5 30 100
    $ python3 compare.py primes --plot primes.png

The scripts run in fresh processes and in turns, so that whatever slows the machine down for
a while hits all alike. They report their own times; the server tells what it saw.
"""

import argparse
import json
import platform
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from tqdm import tqdm

import flags2_common
import slow_server
from comparing import charts
from comparing.report import Entry, print_report, rows
from comparing.runs import RunError, run_script
from support import clients, interrupts, processes, servers
from support.console import complain, fail
from support.executors import OPENERS
from support.files import write_whole

FLAGS = ['flags.py', 'flags_threadpool.py', 'flags_processpool.py', 'flags_asyncio.py']
FLAGS2_CONCURRENT = ['flags2_threadpool.py', 'flags2_asyncio.py']
FLAGS2 = ['flags2_sequential.py', *FLAGS2_CONCURRENT]
CDN_DELAY = (0.24, 0.48)  # seconds: on average .36, as from the book's server
GRACE = 1.2  # seconds until the scripts, which have less, have ended after a signal
PICTURES = ('.png', '.svg')


def main() -> None:
    """Run the scripts; then show, and save, what the command line asks for."""
    args = process_args()
    try:
        with interrupts.handled(GRACE), server_with_log(args) as (server_args, log):
            measure(args.entries, args.runs, server_args, log)
    except (OSError, servers.ServerError) as exc:
        fail(clients.describe(exc))
    finally:
        report(args, [entry for entry in args.entries if entry.runs or entry.failure])
    if any(entry.failure for entry in args.entries):
        sys.exit(1)


@contextmanager
def server_with_log(args: argparse.Namespace) -> Iterator[tuple[list[str], Path | None]]:
    """Yield the arguments that make scripts use a server, and its log if it writes one."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, 'requests.log')
        if args.server:
            with servers.running(args.server, f'--log={log}') as url:
                yield ['-s', url], log if log.exists() else None
        elif args.delay:
            low, high = args.delay
            options = (f'--min-delay={low}', f'--max-delay={high}', f'--log={log}')
            with servers.private_server(*options) as url:
                yield ['-s', url], log
        else:
            yield [], None


def measure(entries: list[Entry], runs: int, server_args: list[str], log: Path | None) -> None:
    """Run each entry's script so many times, all in turns; a failure ends its turns."""
    turns = [(entry, number) for number in range(1, runs + 1) for entry in entries]
    with tqdm(turns, leave=False, disable=None) as bar:
        for entry, number in bar:
            bar.set_description(f'{entry.name}, run {number} of {runs}')
            if entry.failure:
                continue
            try:
                entry.runs.append(run_script([*entry.command, *server_args], log))
            except RunError as exc:
                entry.failure = str(exc)


def report(args: argparse.Namespace, entries: list[Entry]) -> None:
    """Print and save what is there to tell."""
    for entry in entries:
        if entry.failure:
            complain(f'{entry.name} failed:\n{entry.failure}')
    if not entries:
        return
    try:
        with interrupts.handled():
            print_report(entries, args.timeline)
            save(args, entries)
    except OSError as exc:
        fail(clients.describe(exc))


def save(args: argparse.Namespace, entries: list[Entry]) -> None:
    """Write the files that the command line asks for."""
    if args.markdown:
        write_whole(args.markdown, charts.markdown(rows(entries)).encode())
    if args.json:
        facts = {
            'python': platform.python_version(),
            'httpx': version('httpx'),
            'platform': platform.platform(),
            'options': sys.argv[1:],
            'scripts': [asdict(entry) for entry in entries],
        }
        write_whole(args.json, json.dumps(facts, indent=2).encode())
    if args.plot:
        from comparing import plots

        write_whole(args.plot, plots.picture(entries, args.plot.suffix))


def process_args() -> argparse.Namespace:
    """Return what to run and what to show; exit with status 2 if that makes no sense."""
    argv = sys.argv[1:]
    if not argv or argv[0] not in ('flags', 'flags2', 'primes', '-h', '--help'):
        argv = ['flags', *argv]
    parser = argument_parser()
    args, others = parser.parse_known_args(argv)
    if others and args.entries_for is not flags2_entries:
        parser.error(f'unrecognized arguments: {" ".join(others)}')
    if args.plot and args.plot.suffix not in PICTURES:
        parser.error(f'a plot is written as one of {", ".join(PICTURES)}, not as {args.plot}')
    if args.plot and not find_spec('matplotlib'):
        fail("plots need matplotlib: pip install '.[plot]'")
    if args.delay and args.delay[0] > args.delay[1]:
        parser.error(f'--delay: {args.delay[0]:g} exceeds {args.delay[1]:g}')
    args.entries = args.entries_for(args, others)
    return args


def argument_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line, with a parser for each of the subcommands."""
    parser = argparse.ArgumentParser(description='Time the variants of a script side by side.')
    commands = parser.add_subparsers(title='what to compare (default: flags)')

    def add_command(name: str, text: str, runs: int) -> argparse.ArgumentParser:
        command = commands.add_parser(name, description=text, help=text, allow_abbrev=False)
        add_common_options(command, runs)
        return command

    flags = add_command('flags', 'the flags series on a server with delays', runs=3)
    add_server_options(flags)
    flags.set_defaults(entries_for=flags_entries)

    flags2 = add_command('flags2', 'the flags2 series; takes its options, too', runs=3)
    add_server_options(flags2)
    flags2.add_argument(
        '--scan', nargs='+', type=flags2_common.positive, metavar='N', help='try each as -m'
    )
    flags2.set_defaults(entries_for=flags2_entries)

    primes = add_command('primes', 'proc_pool.py with each executor, and procs.py', runs=1)
    processes.add_workers_argument(primes)
    primes.add_argument('--dask', action='store_true', help='try a cluster on this machine, too')
    primes.set_defaults(entries_for=primes_entries, server=None, delay=None)
    return parser


def add_common_options(parser: argparse.ArgumentParser, runs: int) -> None:
    """Let the user choose how many runs there are, so many by default, and what shows them."""
    add = parser.add_argument
    positive = flags2_common.positive
    add('-n', '--runs', metavar='N', type=positive, default=runs, help=f'of each (default: {runs})')
    add('--timeline', action='store_true', help='show each request of the last runs')
    add('--plot', metavar='FILE', type=file_path, help='draw a picture: .png or .svg')
    add('--json', metavar='FILE', type=file_path, help='write all measures')
    add('--markdown', metavar='FILE', type=file_path, help='write the table')


def file_path(text: str) -> Path:
    """Return the path of a file to write: a type for argparse."""
    path = Path(text)
    if path.is_dir():
        raise argparse.ArgumentTypeError(f'{text!r} is a directory')
    return path


def add_server_options(parser: argparse.ArgumentParser) -> None:
    """Let the user choose a server, or the delays of a private one."""
    group = parser.add_mutually_exclusive_group()
    servers.add_server_option(group, default=None)
    group.add_argument(
        '--delay',
        nargs=2,
        type=slow_server.seconds,
        default=CDN_DELAY,
        metavar=('MIN', 'MAX'),
        help='of a private server, in seconds (default: {:g} {:g})'.format(*CDN_DELAY),
    )


def flags_entries(args: argparse.Namespace, _others: list[str]) -> list[Entry]:
    """Return the scripts of the flags series."""
    return [Entry(script, [script]) for script in FLAGS]


def flags2_entries(args: argparse.Namespace, others: list[str]) -> list[Entry]:
    """Return the scripts of the flags2 series with their options, or the -m to scan."""
    flags2_common.process_args(1, others)  # ends the program if they make no sense
    if not args.scan:
        return [Entry(script, [script, *others]) for script in FLAGS2]
    return [
        Entry(f'{script} -m {concurrent}', [script, *others, '-m', str(concurrent)], concurrent)
        for script in FLAGS2_CONCURRENT
        for concurrent in args.scan
    ]


def primes_entries(args: argparse.Namespace, _others: list[str]) -> list[Entry]:
    """Return proc_pool.py with each executor that this Python offers, and procs.py."""
    others = [kind for kind in OPENERS if kind != 'serial' and (args.dask or kind != 'dask')]
    workers = [str(args.workers)] if args.workers else []
    return [
        *(Entry(kind, ['proc_pool.py', '-x', kind, *workers]) for kind in ['serial', *others]),
        Entry('procs.py', ['procs.py', *workers]),
    ]


if __name__ == '__main__':
    main()

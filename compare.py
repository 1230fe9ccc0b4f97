#!/usr/bin/env python3
"""Time the variants of a script side by side, and show what makes the difference.

    $ python3 compare.py --timeline
    $ python3 compare.py flags2 -a --scan 1 5 30 100
    $ python3 compare.py primes --plot primes.png

The scripts run in fresh processes and in turns, so that whatever slows the machine down for
a while hits all alike. Times are those that the scripts print; the server tells what it saw.
"""

import argparse
import importlib
import json
import os
import shutil
import sys
import textwrap
from contextlib import suppress

from tqdm import tqdm

import flags2_common
import slow_server
from comparing.entries import Entry
from comparing.files import measures, writable_file, write_file
from comparing.page import html_page, page_data
from comparing.report import busy_note, markdown, report, rows
from comparing.runs import RunError, run_script
from comparing.server import Server, chosen_server
from comparing.timelines import timelines
from comparing.trace import trace
from pools.kinds import KINDS
from support import interrupts
from support.arguments import add_workers_argument, positive, seconds
from support.console import complain, discard_unwritable_output, fail, plural
from support.exits import orderly_exit
from support.servers import add_server_option

FLAGS = ['flags.py', 'flags_threadpool.py', 'flags_processpool.py', 'flags_asyncio.py']
FLAGS2_CONCURRENT = ['flags2_threadpool.py', 'flags2_asyncio.py']
FLAGS2 = ['flags2_sequential.py', *FLAGS2_CONCURRENT]
BAR_FORMAT = '{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}]'
CDN_DELAY = (0.24, 0.48)  # seconds: on average .36, as from the book's server
GRACE = 4.0  # seconds from a signal to the end: scripts take up to one, a report with a plot more
PICTURES = ('.png', '.svg')
TEMPLATE = slow_server.PAGE


def main() -> None:
    """Run the scripts; then show, and save, what the command line asks for."""
    try:
        args = process_args()
    finally:
        discard_unwritable_output()  # if nobody reads the help
    with orderly_exit(grace=GRACE):
        interrupts.hold(measure)
        if args.plot:
            load_plots()
        try:
            with chosen_server(args.server, args.delay) as server:
                measure(args, server)
        finally:
            show(args, [entry for entry in args.entries if entry.runs or entry.failure])
    if any(entry.failure for entry in args.entries):
        sys.exit(1)


def load_plots() -> None:
    """Import what draws, which takes a while; fail if it is not installed."""
    os.environ['MPLBACKEND'] = 'agg'  # no window is opened, whatever is set there
    try:
        importlib.import_module('comparing.plots')
    except ImportError:
        fail("--plot needs matplotlib: pip install '.[compare]'")


def measure(args: argparse.Namespace, server: Server) -> None:
    """Run all scripts in turns; one that fails gets no more of them."""
    turns = [(entry, number) for number in range(1, args.runs + 1) for entry in args.entries]
    with tqdm(turns, leave=False, disable=None, bar_format=BAR_FORMAT) as bar:
        for entry, number in bar:
            bar.set_description(f'{entry.name}, run {number} of {args.runs}')
            if entry.failure:
                continue
            before = server.state()
            try:
                run = run_script([*entry.command, *server.args])
            except RunError as exc:
                entry.failure = str(exc)
                continue
            run.requests = server.requests_since(before)
            entry.runs.append(run)


def show(args: argparse.Namespace, entries: list[Entry]) -> None:
    """Write the files that the command line asks for, and print what is there to tell."""
    for entry in entries:
        if entry.failure:
            complain(f'{entry.name} failed:\n{entry.failure}')
        elif entry.errors:
            told = [run.first_error for run in entry.runs if run.first_error]
            example = f', such as {told[0]}' if told else ''
            complain(f'{entry.name}: {plural(entry.errors, "error")}{example}')
    if not entries:
        return
    try:
        save(args, entries)
    finally:
        if sys.stdout:  # it may be closed
            lines = [*report(entries), *(timelines(entries) if args.timeline else [])]
            if args.note:
                lines += ['', *textwrap.wrap(args.note, shutil.get_terminal_size().columns)]
            print('\n'.join(lines), flush=True)


def save(args: argparse.Namespace, entries: list[Entry]) -> None:
    """Write the files that the command line asks for."""
    if args.markdown:
        write_file(args.markdown, markdown(rows(entries)).encode())
    if args.json:
        write_file(args.json, json.dumps(measures(entries, args.note), indent=2).encode())
    if args.html:
        template = TEMPLATE.read_text('utf-8')
        write_file(args.html, html_page(template, page_data(entries)).encode())
    if args.plot:
        from comparing.plots import picture

        write_file(args.plot, picture(entries, args.plot.suffix))
    if args.trace:
        complete = [entry for entry in entries if entry.has_timeline]
        write_file(args.trace, json.dumps(trace(complete)).encode())


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
    if args.delay and args.delay[0] > args.delay[1]:
        parser.error(f'--delay: {args.delay[0]:g} exceeds {args.delay[1]:g}')
    args.entries = args.entries_for(args, others)
    args.note = ''
    with suppress(AttributeError, OSError):  # Windows does not tell, nor do some containers
        args.note = busy_note(os.getloadavg()[0], os.cpu_count() or 1)
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
    flags2.add_argument('--scan', nargs='+', type=positive, metavar='N', help='try each as -m')
    flags2.set_defaults(entries_for=flags2_entries)

    primes = add_command('primes', 'proc_pool.py with each executor, and procs.py', runs=1)
    add_workers_argument(primes)
    primes.add_argument('--dask', action='store_true', help='try a cluster on this machine, too')
    primes.set_defaults(entries_for=primes_entries, server=None, delay=None)
    return parser


def add_common_options(parser: argparse.ArgumentParser, runs: int) -> None:
    """Add the options for the number of runs and for the ways to show them."""
    add = parser.add_argument
    add('-n', '--runs', metavar='N', type=positive, default=runs, help=f'of each (default: {runs})')
    add('--timeline', action='store_true', help='show each request or call of the last runs')
    add('--plot', metavar='FILE', type=writable_file, help='draw a picture: .png or .svg')
    add('--html', metavar='FILE', type=writable_file, help='write a page that shows them')
    add('--trace', metavar='FILE', type=writable_file, help='write events for ui.perfetto.dev')
    add('--json', metavar='FILE', type=writable_file, help='write all measures')
    add('--markdown', metavar='FILE', type=writable_file, help='write the table')


def add_server_options(parser: argparse.ArgumentParser) -> None:
    """Let the user choose a server, or the delays of a private one."""
    group = parser.add_mutually_exclusive_group()
    add_server_option(group, default=None)
    group.add_argument(
        '--delay',
        nargs=2,
        type=seconds,
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
    others = [kind for kind in KINDS if kind not in ('serial', 'dask')]
    others += ['dask'] if args.dask else []
    workers = [str(args.workers)] if args.workers else []
    return [
        primes_entry('serial', 'prime_pools.py', '-x', 'serial'),
        primes_entry('process', 'proc_pool.py', *workers),
        *(primes_entry(kind, 'prime_pools.py', '-x', kind, *workers) for kind in others),
        primes_entry('procs.py', 'procs.py', *workers),
    ]


def primes_entry(name: str, *command: str) -> Entry:
    """Return a script that checks numbers, recorded where that can be done."""
    is_recorded = name != 'interpreter'  # these import what they need by themselves
    recorder = ['comparing/recorded.py', 'primes.is_prime'] if is_recorded else []
    return Entry(name, [*recorder, *command])


if __name__ == '__main__':
    main()

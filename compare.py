#!/usr/bin/env python3
"""Time the variants of a script side by side, and show what makes the difference.

    $ python3 compare.py --timeline
    $ python3 compare.py flags2 -a --scan 1 5 30 100
    $ python3 compare.py primes --plot primes.png
    $ python3 compare.py flags.py ~/flags_trio.py 'curl -sZ {url}/br/br.gif {url}/cn/cn.gif'

They run in fresh processes and in turns, so that whatever slows the machine down for a while hits
all alike. Times are those that scripts print, and the server tells what it saw; if one prints none,
its time is that from its first request to its last answer.

Words that end in .py are scripts, which get -s and the server's URL, and find this project's
modules. Quoted words with {url} in them are commands of any kind, which no shell reads.
"""

import argparse
import importlib
import os
import shutil
import sys
import textwrap
from collections.abc import Callable
from contextlib import suppress
from types import ModuleType

from tqdm import tqdm

import flags2_common
import slow_server
from comparing import commands
from comparing.commands import FLAGS, FLAGS2, FLAGS2_CONCURRENT, Command
from comparing.conclusions import busy_note, conclusion
from comparing.entries import Entry
from comparing.files import csv_table, measures, writable_file, write_file
from comparing.page import html_page, page_data
from comparing.report import markdown, report, rows
from comparing.runs import RunError, run_command
from comparing.server import Server, chosen_server
from comparing.timelines import timelines
from support.arguments import add_workers_argument, natural, positive, seconds
from support.console import complain, discard_unwritable_output, fail, plural
from support.exits import orderly_exit
from support.servers import add_server_option

BAR_FORMAT = '{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}{postfix}]'
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
        if args.plot:
            plots()
        try:
            with chosen_server(args.server, args.delay) as server:
                measure(args, server)
        finally:
            show(args, [entry for entry in args.entries if entry.runs or entry.failure])
    if any(entry.failure for entry in args.entries):
        sys.exit(1)


def plots() -> ModuleType:
    """Return what draws, which takes a while to import; fail if it is not installed."""
    os.environ['MPLBACKEND'] = 'agg'  # no window is opened, whatever is set there
    try:
        return importlib.import_module('comparing.plots')
    except ImportError:
        fail("--plot needs matplotlib: pip install '.[compare]'")


def measure(args: argparse.Namespace, server: Server) -> None:
    """Run all commands in turns, first to warm up; one that fails gets no more of them."""
    numbers = range(1 - args.warmup, args.runs + 1)
    turns = [(entry, number) for number in numbers for entry in args.entries]
    with tqdm(turns, leave=False, disable=None, bar_format=BAR_FORMAT) as bar:
        for entry, number in bar:
            which = f'run {number} of {args.runs}' if number > 0 else 'warm-up'
            bar.set_description(f'{entry.name}, {which}')
            if entry.failure:
                continue
            before = server.state()
            try:
                run = run_command(entry.command, server.url, args.ignore_failure)
                run.requests = server.requests_since(before)
                run.take_time(server.hint)
            except RunError as exc:
                entry.failure = str(exc)
                continue
            if number > 0:
                entry.runs.append(run)
            if number == args.runs:
                bar.set_postfix_str(f'{entry.name}: {entry.median:.2f} s')


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
    written: list[str] = []
    try:
        save(args, entries, written)
    finally:
        if sys.stdout:  # it may be closed
            lines = [*report(entries), *(timelines(entries) if args.timeline else [])]
            files = f'Written: {", ".join(written)}' if written else ''
            for text in filter(None, [conclusion(entries), args.note, files]):
                lines += ['', *textwrap.wrap(text, shutil.get_terminal_size().columns)]
            print('\n'.join(lines), flush=True)


def save(args: argparse.Namespace, entries: list[Entry], written: list[str]) -> None:
    """Write the files that the command line asks for, and note which are there."""
    contents: dict[str, Callable[[], bytes]] = {
        'markdown': lambda: markdown(rows(entries)).encode(),
        'csv': lambda: csv_table(entries).encode(),
        'json': lambda: measures(entries, args.note).encode(),
        'html': lambda: html_page(TEMPLATE.read_text('utf-8'), page_data(entries)).encode(),
        'plot': lambda: plots().picture(entries, args.plot.suffix),
    }
    for name, content in contents.items():
        if path := getattr(args, name):
            write_file(path, content())
            written.append(str(path))


def process_args() -> argparse.Namespace:
    """Return what to run and what to show; exit with status 2 if that makes no sense."""
    argv = sys.argv[1:]
    if not argv or argv[0] not in ('flags', 'flags2', 'primes', 'map', '-h', '--help'):
        argv = ['flags', *argv]
    parser = argument_parser()
    args, others = parser.parse_known_args(argv)
    if args.plot and args.plot.suffix not in PICTURES:
        parser.error(f'a plot is written as one of {", ".join(PICTURES)}, not as {args.plot}')
    if args.delay and args.delay[0] > args.delay[1]:
        parser.error(f'--delay: {args.delay[0]:g} exceeds {args.delay[1]:g}')
    try:
        own = commands.named(list(filter(commands.is_command, others)), args.name)
        words = [word for word in others if not commands.is_command(word)]
        args.entries = args.entries_for(args, own, words)
    except ValueError as exc:
        parser.error(str(exc))
    args.note = ''
    with suppress(AttributeError, OSError):  # Windows does not tell, nor do some containers
        args.note = busy_note(os.getloadavg()[0], os.cpu_count() or 1)
    return args


def argument_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line, with a parser for each of the subcommands."""
    title, _, more = (__doc__ or '').partition('\n\n')
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=title, epilog=more, formatter_class=raw)
    subparsers = parser.add_subparsers(title='what to compare (default: flags)')
    add_common_options(parser, runs=3)  # to be shown, as a subcommand follows in any case

    def add_command(name: str, text: str, runs: int) -> argparse.ArgumentParser:
        command = subparsers.add_parser(name, description=text, help=text, allow_abbrev=False)
        add_common_options(command, runs)
        return command

    flags = add_command('flags', 'the flags series on a server with delays', runs=3)
    add_server_options(flags)
    flags.set_defaults(entries_for=flags_entries)

    flags2 = add_command('flags2', 'the flags2 series; takes its options, too', runs=3)
    add_server_options(flags2)
    flags2.add_argument('--scan', nargs='+', type=positive, metavar='N', help='try each as -m')
    flags2.set_defaults(entries_for=flags2_entries)

    text = 'proc_pool.py with each executor, and procs.py; takes a number of workers, too'
    primes = add_command('primes', text, runs=1)
    primes.add_argument('--dask', action='store_true', help='try a cluster on this machine, too')
    primes.set_defaults(entries_for=primes_entries, server=None, delay=None)

    demo = add_command('map', 'the calls of demo_executor_map.py, as a timeline', runs=1)
    demo.set_defaults(entries_for=map_entries, server=None, delay=None, timeline=True)
    return parser


def add_common_options(parser: argparse.ArgumentParser, runs: int) -> None:
    """Add the options for the number of runs and for the ways to show them."""
    add = parser.add_argument
    add('-n', '--runs', metavar='N', type=positive, default=runs, help=f'of each (default: {runs})')
    add('-w', '--warmup', metavar='N', type=natural, default=0, help='uncounted ones before')
    add('-i', '--ignore-failure', action='store_true', help='accept any exit status')
    add('--name', action='append', default=[], help='for the next SCRIPT or COMMAND')
    add('--timeline', action='store_true', help='show each request or call of the last runs')
    add('--plot', metavar='FILE', type=writable_file, help='draw a picture: .png or .svg')
    add('--html', metavar='FILE', type=writable_file, help='write a page that shows them')
    add('--json', metavar='FILE', type=writable_file, help='write all measures')
    add('--csv', metavar='FILE', type=writable_file, help='write a line of figures for each')
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


def flags_entries(_args: argparse.Namespace, own: list[Command], words: list[str]) -> list[Entry]:
    """Return the scripts of the flags series, or what is named instead."""
    if words:
        raise ValueError(f'unrecognized arguments: {" ".join(words)}')
    return commands.downloads(own or commands.ours(FLAGS))


def flags2_entries(args: argparse.Namespace, own: list[Command], words: list[str]) -> list[Entry]:
    """Return the scripts of the flags2 series, or what is named instead, with their options."""
    flags2_common.process_args(1, words)  # ends the program if they make no sense
    scripts = FLAGS2_CONCURRENT if args.scan else FLAGS2
    return commands.downloads(own or commands.ours(scripts), words, args.scan or [])


def primes_entries(args: argparse.Namespace, own: list[Command], words: list[str]) -> list[Entry]:
    """Return each executor that this Python offers, and procs.py, or what is named instead."""
    parser = argparse.ArgumentParser(prog='compare.py primes')
    add_workers_argument(parser)
    workers = parser.parse_args(words).workers
    return commands.checks(own, [str(workers)] if workers else [], args.dask)


def map_entries(_args: argparse.Namespace, own: list[Command], words: list[str]) -> list[Entry]:
    """Return the demonstration of map, in place of which nothing can be named."""
    if own or words:
        raise ValueError('map takes no scripts')
    return commands.demo()


if __name__ == '__main__':
    main()

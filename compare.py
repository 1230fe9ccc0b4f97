#!/usr/bin/env python3
"""Time the variants of a script side by side, and show why their times differ.

    $ python3 compare.py --timeline
    $ python3 compare.py flags2 -a --scan 1 5 30 100
    $ python3 compare.py primes --html primes.html
    $ python3 compare.py flags.py flags_asyncio.py 'curl -sZ {url}/br/br.gif {url}/cn/cn.gif'

The first word may be flags (the default), flags2 with its options and codes, or primes with a
number of workers. To compare your own, name them: a SCRIPT ends in .py, and a quoted COMMAND has
{url} where it takes the server's URL; a SCRIPT without {url} gets it by -s. They run in the current
folder, the project's own scripts in temporary ones. Each run is a new process, and all commands
take turns. A time is the one that the last line of output ends with. If there is none, or it cannot
be true, it is measured from the first request to the last answer.
"""

import argparse
import importlib
import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from itertools import takewhile
from types import ModuleType

from tqdm import tqdm

import flags2_common
from comparing import commands, files
from comparing.entries import Entry
from comparing.printed import RunError
from comparing.report import report, rows
from comparing.runs import run_command
from comparing.texts import fit
from comparing.timelines import timelines
from serving.page import page
from support import servers
from support.arguments import add_workers_argument, positive
from support.console import complain, discard_unwritable_output, fail, plural
from support.exits import orderly_exit

BAR_FORMAT = '{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}{postfix}]'
GRACE = 4.0  # seconds from a signal to the end: a script takes up to one, a plot more
HINT = '; it was called with -s and the URL: to pass the URL in another way, write {url} there'
SERIES = ['flags', 'flags2', 'primes']


def main() -> None:
    """Run the commands; then show and save what the command line asks for."""
    try:
        args = process_args()
    finally:
        discard_unwritable_output()  # the reader of the help may have left
    with orderly_exit(grace=GRACE):
        if args.plot:
            plots()
        try:
            with chosen_server(args) as url:
                measure(args, url)
        finally:
            show(args, [entry for entry in args.entries if entry.runs or entry.failure])
    if any(entry.failure for entry in args.entries):
        sys.exit(1)


def plots() -> ModuleType:
    """Return the module that draws, which is slow to import; fail if matplotlib is missing."""
    os.environ['MPLBACKEND'] = 'agg'  # opens no window
    try:
        return importlib.import_module('comparing.plots')
    except ImportError:
        fail("--plot needs matplotlib: pip install '.[compare]'")


def chosen_server(args: argparse.Namespace) -> AbstractContextManager[str]:
    """Return a context manager that yields the URL of the server, or '' if none is needed."""
    if args.series == 'primes':
        return nullcontext('')
    if args.server:
        return servers.running(args.server)
    shortest, longest = args.delay or commands.CDN_DELAY
    return servers.private_server(f'--min-delay={shortest}', f'--max-delay={longest}')


def measure(args: argparse.Namespace, url: str) -> None:
    """Run all commands in turn, warm-up runs first; a command that fails is not run again."""
    numbers = range(1 - args.warmup, args.runs + 1)
    turns = [(entry, number) for number in numbers for entry in args.entries]
    with tqdm(turns, leave=False, disable=None, bar_format=BAR_FORMAT) as bar:
        for entry, number in bar:
            which = f'run {number} of {args.runs}' if number > 0 else 'warm-up'
            bar.set_description(f'{entry.name}, {which}')
            if entry.failure:
                continue
            try:
                options = (entry.here, entry.computes, args.ignore_failure)
                run = run_command(entry.command, url, *options)
            except RunError as exc:
                why, said = exc.args
                hint = HINT if entry.here and '-s {url}' in ' '.join(entry.command) else ''
                entry.failure = f'{said}({which}: {why}{hint})'
                continue
            except KeyboardInterrupt as exc:
                bar.close()
                complain(f'{entry.name} was interrupted in {which}\n{"".join(exc.args)}'.rstrip())
                raise
            if number > 0:
                entry.runs.append(run)
            if number == args.runs:
                bar.set_postfix_str(f'{entry.name}: {entry.median:.2f} s')


def show(args: argparse.Namespace, entries: list[Entry]) -> None:
    """Write the files that the command line asks for, and print the report."""
    for entry in entries:
        if entry.failure:
            complain(f'{entry.name} failed:\n{entry.failure}')
        elif entry.errors:
            told = [run.first_error for run in entry.runs if run.first_error]
            example = f', such as {told[0]}' if told else ''
            complain(f'{entry.name}: {plural(entry.errors, "error")}{example}')
    if not entries:
        return
    contents: dict[str, Callable[[], str | bytes]] = {
        'markdown': lambda: files.markdown(rows(entries)),
        'csv': lambda: files.csv_table(entries),
        'json': lambda: files.measures(entries),
        'html': lambda: page(files.page_data(entries)),
        'plot': lambda: plots().picture(entries, args.plot.suffix),
    }
    try:
        for name, content in contents.items():
            if path := getattr(args, name):
                files.write(path, content())
    finally:
        if sys.stdout and files.STDOUT not in vars(args).values():  # stdout may be closed
            lines = [*report(entries), *(timelines(entries) if args.timeline else [])]
            print(fit('\n'.join(lines)), flush=True)


def process_args() -> argparse.Namespace:
    """Return what to run and what to show; exit with status 2 if the command line is wrong."""
    parser = commands.argument_parser(__doc__ or '')
    args, words = parser.parse_known_args()
    numbers = list(takewhile(str.isdecimal, args.scan))
    words += args.scan[len(numbers) :]  # argparse takes the words after them for numbers
    args.series = next((word for word in words if word in SERIES), 'flags')
    args.runs = args.runs or (1 if args.series == 'primes' else 3)
    wrong = {
        'a plot is a .png or .svg file': args.plot and args.plot.suffix not in ('.png', '.svg'),
        '--delay: MIN must not exceed MAX': args.delay and args.delay[0] > args.delay[1],
        '--scan takes numbers': args.scan and not numbers,
        '--scan goes with flags2': args.scan and args.series != 'flags2',
        '--dask goes with primes': args.dask and args.series != 'primes',
        'primes needs no server': (args.server or args.delay) and args.series == 'primes',
    }
    for told in filter(wrong.get, wrong):
        parser.error(told)
    try:
        args.scan = [positive(number) for number in numbers]
        args.entries = entries_of(args, [word for word in words if word not in SERIES])
    except (ValueError, argparse.ArgumentTypeError) as exc:
        parser.error(str(exc))
    return args


def entries_of(args: argparse.Namespace, words: list[str]) -> list[Entry]:
    """Return the commands that are named, or those of a series; raise ValueError if wrong."""
    own = commands.named(list(filter(commands.is_command, words)), args.name)
    options = [word for word in words if not commands.is_command(word)]
    if args.series == 'flags2':
        flags2_common.process_args(1, options)  # exits if they are wrong
        scripts = commands.FLAGS2[bool(args.scan) :]  # the sequential one cannot be scanned
        return commands.downloads(own or commands.ours(scripts), options, args.scan)
    if args.series == 'primes':
        parser = argparse.ArgumentParser(prog='compare.py primes')
        add_workers_argument(parser)
        workers = parser.parse_args(options).workers
        return commands.checks(own, [str(workers)] if workers else [], args.dask)
    if options:
        raise ValueError(f'unrecognized arguments: {" ".join(options)} (a COMMAND has {{url}})')
    return commands.downloads(own or commands.ours(commands.FLAGS))


if __name__ == '__main__':
    main()

#!/usr/bin/env python3
"""Time the variants of a script side by side, and show what makes the difference.

    $ python3 compare.py --timeline
    $ python3 compare.py flags2 -a --scan 1 5 30 100
    $ python3 compare.py primes --html primes.html
    $ python3 compare.py flags.py ~/flags_trio.py 'curl -sZ {url}/br/br.gif {url}/cn/cn.gif'

The first word may be flags, which needs not be said, or flags2 or primes, for the scripts of
these series, with their options; or map, for demo_executor_map.py. Words that end in .py are
scripts in place of ours, which get -s and the server's URL, and find this project's modules.
Quoted words with {url} in them are commands of any kind, which no shell reads.

They run in fresh processes and in turns, so that whatever slows the machine down for a while hits
all alike. Times are those that scripts print, and the server tells what it saw; if one prints none,
its time is that from its first request to its last answer.
"""

import argparse
import importlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import ModuleType

from tqdm import tqdm

import flags2_common
from comparing import commands
from comparing.entries import Entry
from comparing.page import page_data
from comparing.report import report
from comparing.runs import RunError, run_command
from serving.page import page
from support import interrupts, servers
from support.arguments import positive, seconds, worker_count
from support.console import complain, discard_unwritable_output, fail, plural, reason
from support.exits import orderly_exit

CDN_DELAY = [0.24, 0.48]  # seconds: on average .36, as from the book's server
GRACE = 4.0  # seconds from a signal to the end: scripts take up to one, a report with a plot more
SERIES = ['flags', 'flags2', 'primes', 'map']


def main() -> None:
    """Run the scripts; then show, and save, what the command line asks for."""
    try:
        args = process_args()
    finally:
        discard_unwritable_output()  # if nobody reads the help
    with orderly_exit(grace=GRACE):
        interrupts.hold(measure)
        if args.plot:
            plots()
        try:
            with chosen_server(args) as url:
                measure(args.entries, args.runs, url)
        finally:
            show(args, [entry for entry in args.entries if entry.runs or entry.failure])
    if any(entry.failure for entry in args.entries):
        sys.exit(1)


@contextmanager
def chosen_server(args: argparse.Namespace) -> Iterator[str]:
    """Context manager: yield the URL of the server to download from, or '' if there is none."""
    if args.series in ('primes', 'map'):
        yield ''
    elif args.server:
        with servers.running(args.server) as url:
            yield url
    else:
        shortest, longest = args.delay
        with servers.private_server(f'--min-delay={shortest}', f'--max-delay={longest}') as url:
            yield url


def measure(entries: list[Entry], runs: int, url: str) -> None:
    """Run all commands in turns; one that fails gets no more of them."""
    turns = [(entry, number) for number in range(1, runs + 1) for entry in entries]
    with tqdm(
        turns, leave=False, disable=None, bar_format='{l_bar}{bar}| {n_fmt}/{total_fmt}'
    ) as bar:
        for entry, number in bar:
            bar.set_description(f'{entry.name}, run {number} of {runs}')
            if not entry.failure:
                try:
                    entry.runs.append(run_command(entry.command, url, entry.function))
                except RunError as exc:
                    entry.failure = str(exc)


def show(args: argparse.Namespace, entries: list[Entry]) -> None:
    """Print what there is to tell, and write the files that the command line asks for."""
    for entry in entries:
        if entry.failure:
            complain(f'{entry.name} failed:\n{entry.failure}')
        elif errors := max(run.errors for run in entry.runs):
            example = next((run.first_error for run in entry.runs if run.first_error), 'unknown')
            complain(f'{entry.name}: {plural(errors, "error")}, such as {example}')
    if not entries:
        return
    try:
        save(args, entries)
    finally:
        if sys.stdout:  # it may be closed
            text, encoding = (
                '\n'.join(report(entries, args.timeline)),
                sys.stdout.encoding or 'utf-8',
            )
            print(text.encode(encoding, 'replace').decode(encoding), flush=True)


def save(args: argparse.Namespace, entries: list[Entry]) -> None:
    """Write the files that the command line asks for, to whatever their paths lead to."""
    facts = {'options': sys.argv[1:], 'scripts': [asdict(entry) for entry in entries]}
    contents: list[tuple[Path | None, Callable[[], bytes]]] = [
        (args.json, lambda: json.dumps(facts, indent=2).encode()),
        (args.html, lambda: page(page_data(entries)).encode()),
        (args.plot, lambda: plots().picture(entries, args.plot.suffix)),
    ]
    for path, content in contents:
        if path:
            try:
                path.write_bytes(content())
            except OSError as exc:
                exc.filename = str(path)
                raise


def plots() -> ModuleType:
    """Return what draws, which takes a while to import; fail if it is not installed."""
    os.environ['MPLBACKEND'] = 'agg'  # no window is opened, whatever is set there
    try:
        return importlib.import_module('comparing.plots')
    except ImportError:
        fail("--plot needs matplotlib: pip install '.[compare]'")


def process_args() -> argparse.Namespace:
    """Return what to run and what to show; exit with status 2 if that makes no sense."""
    parser = argument_parser()
    args, words = parser.parse_known_args()
    args.series = words.pop(0) if words and words[0] in SERIES else 'flags'
    args.runs = args.runs or (1 if args.series in ('primes', 'map') else 3)
    args.timeline |= args.series == 'map'
    if args.delay[0] > args.delay[1]:
        parser.error(f'--delay: {args.delay[0]:g} exceeds {args.delay[1]:g}')
    if args.plot and args.plot.suffix not in ('.png', '.svg'):
        parser.error(f'a plot is written as .png or .svg, not as {args.plot}')
    try:
        args.entries = entries_of(args, words)
    except (ValueError, argparse.ArgumentTypeError) as exc:
        parser.error(str(exc))
    return args


def entries_of(args: argparse.Namespace, words: list[str]) -> list[Entry]:
    """Return what is named, or what a series has; raise ValueError if that makes no sense."""
    texts = list(filter(commands.is_command, words))
    options = [word for word in words if word not in texts]
    if args.scan and args.series != 'flags2':
        raise ValueError('--scan goes with flags2')
    if args.series == 'flags2':
        flags2_common.process_args(1, options)  # ends the program if they make no sense
        ours = commands.FLAGS2[bool(args.scan) :]  # one at a time is not to be scanned
        return commands.downloads(texts or ours, options, args.scan)
    if args.series == 'primes' and len(options) < 2:
        workers = [str(worker_count(option)) for option in options]
        return commands.checks(texts, workers, args.dask)
    if options or (texts and args.series == 'map'):
        raise ValueError(f'unrecognized arguments: {" ".join(words)}')
    return commands.demo() if args.series == 'map' else commands.downloads(texts or commands.FLAGS)


def writable_file(text: str) -> Path:
    """Argparse type: a file that can be written. It is left as it is."""
    path = Path(text)
    try:
        exists = path.exists()
        if not path.is_fifo():  # whose reader would take this for all there is
            path.open('ab').close()
        if not exists:
            path.resolve().unlink()
    except OSError as exc:
        raise argparse.ArgumentTypeError(reason(exc)) from exc
    return path


def argument_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    title, _, more = (__doc__ or '').partition('\n\n')
    raw = argparse.RawDescriptionHelpFormatter
    usage = '%(prog)s [flags | flags2 | primes | map] [SCRIPT | COMMAND ...] [options]'
    parser = argparse.ArgumentParser(
        usage=usage, description=title, epilog=more, formatter_class=raw, allow_abbrev=False
    )
    add = parser.add_argument
    add(
        '-n', '--runs', metavar='N', type=positive, help='of each (default: 3; 1 of primes and map)'
    )
    add(
        '--timeline',
        action='store_true',
        help='show each request or call of the runs in the middle',
    )
    add('--html', metavar='FILE', type=writable_file, help='write a page that shows them')
    add('--plot', metavar='FILE', type=writable_file, help='draw a picture: .png or .svg')
    add('--json', metavar='FILE', type=writable_file, help='write all measures')
    add('--scan', nargs='+', type=positive, default=[], metavar='N', help='flags2: each as -m')
    add('--dask', action='store_true', help='primes: try a cluster on this machine, too')
    group = parser.add_mutually_exclusive_group()
    servers.add_server_option(group, default=None)
    delay = 'of a private server, in seconds (default: {:g} {:g})'.format(*CDN_DELAY)
    metavar = ('MIN', 'MAX')
    group.add_argument(
        '--delay', nargs=2, type=seconds, default=CDN_DELAY, metavar=metavar, help=delay
    )
    return parser


if __name__ == '__main__':
    main()

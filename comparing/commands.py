"""The command line of compare.py, and the commands to compare: the project's and yours."""

import argparse
import os
import re
import shlex
import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from comparing.entries import Entry
from comparing.files import writable_file
from comparing.runs import ROOT
from comparing.texts import shortened
from support import servers
from support.arguments import natural, positive, seconds
from support.console import printable

USAGE = '%(prog)s [flags | flags2 | primes] [SCRIPT | COMMAND ...] [options]'
CDN_DELAY = (0.24, 0.48)  # seconds: .36 on average, like the server of the book
FLAGS = ['flags.py', 'flags_threadpool.py', 'flags_processpool.py', 'flags_asyncio.py']
FLAGS2 = ['flags2_sequential.py', 'flags2_threadpool.py', 'flags2_asyncio.py']
OTHERS = ['flags_threadpool_futures.py', 'proc_pool.py', 'prime_pools.py', 'procs.py']
MAX_NAME = 40  # columns


def argument_parser(description: str) -> argparse.ArgumentParser:
    """Return the parser of the options; it leaves all other words to the caller."""
    title, _, more = description.partition('\n\n')
    parser = argparse.ArgumentParser(usage=USAGE, description=title, epilog=more)
    parser.formatter_class, parser.allow_abbrev = argparse.RawDescriptionHelpFormatter, False
    add = parser.add_argument
    add('-n', '--runs', metavar='N', type=positive, help='runs per command (default: 3; primes: 1)')
    add('-w', '--warmup', metavar='N', type=natural, default=0, help='warm-up runs, not counted')
    add('-i', '--ignore-failure', action='store_true', help='accept any exit status')
    add('--name', action='append', default=[], help='name to show for the next SCRIPT or COMMAND')
    add('--scan', nargs='+', metavar='N', default=[], help='flags2: try each N as -m, or as {m}')
    add('--dask', action='store_true', help='for primes: add a dask cluster on this machine')
    group = parser.add_mutually_exclusive_group()
    servers.add_server_option(group, default=None)
    what = 'delays of a private server in seconds (default: {:g} {:g})'.format(*CDN_DELAY)
    group.add_argument('--delay', nargs=2, type=seconds, metavar=('MIN', 'MAX'), help=what)
    file: Any = {'metavar': 'FILE', 'type': writable_file}
    add('--timeline', action='store_true', help='show each request or call as text')
    add('--plot', **file, help='draw a picture, a .png or .svg file')
    add('--html', **file, help='write a page that shows the runs')
    add('--json', **file, help='write all measurements')
    add('--csv', **file, help='write a line of figures per command')
    add('--markdown', **file, help='write the table; - stands for stdout')
    return parser


def is_command(word: str) -> bool:
    """Return whether a word is a script, maybe with arguments, or a command with {url}."""
    return '{url}' in word or bool(re.search(r'\.py(?![\w.])', word))


def ours(scripts: Sequence[str]) -> list[Entry]:
    """Return entries for scripts of this project."""
    return named([str(ROOT / script) for script in scripts], scripts)


def named(texts: Sequence[str], names: Sequence[str]) -> list[Entry]:
    """Return entries for commands, the first ones named; raise ValueError if one cannot be run."""
    if len(names) > len(texts):
        raise ValueError(f'--name: {len(names)} names for {len(texts)} scripts or commands')
    seen: Counter[str] = Counter()
    entries = []
    for name, text in zip([*names, *texts[len(names) :]], texts, strict=True):
        short = shortened(printable(name), MAX_NAME)
        seen[short] += 1
        entries.append(command(short + f' ({seen[short]})' * (seen[short] > 1), text))
    return entries


def command(name: str, text: str) -> Entry:
    """Return an entry for a command, to be run without a shell; raise ValueError if it cannot be.

    This Python runs scripts, which are in the current folder or in this project.
    """
    plain = text.replace('\\', r'\\') if os.name == 'nt' else text  # it separates folders there
    try:
        program, *others = [text] if script_path(text) else shlex.split(plain)
    except ValueError as exc:
        raise ValueError(f'{text}: {exc}') from exc
    if path := script_path(program):
        is_ours = Path(path).resolve() in [ROOT / name for name in FLAGS + FLAGS2 + OTHERS]
        return Entry(name, [sys.executable, path, *others], here=not is_ours, is_script=True)
    found = None if program.endswith('.py') else shutil.which(program)
    if not found:
        raise ValueError(f'no such script or program: {text}')
    return Entry(name, [found, *others], here=True)


def script_path(text: str) -> str:
    """Return the full path of a script in the current folder or this project; '' if none."""
    for folder in (Path.cwd(), ROOT):
        with suppress(OSError, RuntimeError, ValueError):  # too long, or no home
            path = folder / Path(text).expanduser()
            if text.endswith('.py') and path.is_file():
                return str(path)
    return ''


def downloads(
    commands: Iterable[Entry], options: Sequence[str] = (), scan: Sequence[int] = ()
) -> list[Entry]:
    """Return entries for commands that download, each once or with every number of a scan.

    Scripts without {url} and {m} get -s and -m. Raise ValueError if a command cannot be scanned.
    """
    entries = []
    for each in commands:
        text, words = ' '.join(each.command), each.command
        if scan and '{m}' not in text and not each.is_script:
            raise ValueError(f'--scan: {each.name} has no {{m}}')
        if '{m}' in text and not scan:
            raise ValueError(f'{each.name}: {{m}} goes with --scan')
        if each.is_script:
            words += [*options, *([] if '{url}' in text else ['-s', '{url}'])]
            words += ['-m', '{m}'] if scan and '{m}' not in text else []
        for m in scan:
            filled = [word.replace('{m}', str(m)) for word in words]
            name = f'{each.name} -m {m}'
            entries.append(replace(each, name=name, command=filled, concurrency=m, runs=[]))
        entries += [] if scan else [each]
    return entries


def checks(own: Sequence[Entry], workers: Sequence[str], with_dask: bool) -> list[Entry]:
    """Return entries for commands that check primes: your scripts, or all executors."""
    kinds = ['thread'] + ['interpreter'] * (sys.version_info >= (3, 14)) + ['dask'] * with_dask
    scripts = {
        'serial': ['prime_pools.py', '-x', 'serial'],
        'process': ['proc_pool.py', *workers],
        **{kind: ['prime_pools.py', '-x', kind, *workers] for kind in kinds},
        'procs.py': ['procs.py', *workers],
    }
    for each in own:
        each.command += workers
        each.computes = True
    return list(own) or [
        Entry(name, [sys.executable, str(ROOT / script), *options], computes=True)
        for name, (script, *options) in scripts.items()
    ]

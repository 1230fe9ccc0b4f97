"""What can be compared: the variants of this project, and any script or command of a reader."""

import os
import shlex
import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from comparing.entries import Entry
from comparing.runs import ROOT
from pools.kinds import KINDS
from support.console import printable

FLAGS = ['flags.py', 'flags_threadpool.py', 'flags_processpool.py', 'flags_asyncio.py']
FLAGS2_CONCURRENT = ['flags2_threadpool.py', 'flags2_asyncio.py']
FLAGS2 = ['flags2_sequential.py', *FLAGS2_CONCURRENT]
RECORDER = str(ROOT / 'comparing/recorded.py')
LEAST_NAME = 30  # characters of a name that are shown on any terminal


class Command(NamedTuple):
    """What to call a script or another command, and how to run it."""

    name: str
    words: list[str]
    is_script: bool = True


def is_command(word: str) -> bool:
    """Tell whether a word is a script, maybe with arguments, or a command with {url} in it."""
    return '{url}' in word or word.endswith('.py') or word.partition(' ')[0].endswith('.py')


def ours(scripts: Sequence[str]) -> list[Command]:
    """Return scripts of this project."""
    return named([str(ROOT / script) for script in scripts], scripts)


def named(texts: Sequence[str], names: Sequence[str]) -> list[Command]:
    """Return commands, the first of which have names; raise ValueError if one cannot be run."""
    if len(names) > len(texts):
        raise ValueError(f'--name: {len(names)} names for {len(texts)} scripts or commands')
    most = max(shutil.get_terminal_size().columns // 2, LEAST_NAME)
    shown = unique([printable(name) for name in [*names, *texts[len(names) :]]], most)
    return [command(name, text) for name, text in zip(shown, texts, strict=True)]


def unique(names: Iterable[str], width: int) -> Iterator[str]:
    """Yield the names, shortened in the middle to a width; equal ones get numbers.

    >>> list(unique(['flags.py', 'long_name.py', 'long_file.py', 'flags.py'], 8))
    ['flags.py', 'long….py', 'long….py (2)', 'flags.py (2)']
    """
    left, right = width // 2, (width - 1) // 2  # of the sign in the middle
    seen: Counter[str] = Counter()
    for name in names:
        short = name if len(name) <= width else f'{name[:left]}…{name[-right:]}'
        seen[short] += 1
        yield short if seen[short] == 1 else f'{short} ({seen[short]})'


def command(name: str, text: str) -> Command:
    """Return a command, files among its words by their full paths; no shell takes part.

    A script, which is here or else in this project, is run by this Python. Raise ValueError if
    there is no such script or program.
    """
    plain = text.replace('\\', r'\\') if os.name == 'nt' else text  # which separates folders there
    try:
        words = [text] if script_path(text) else shlex.split(plain)
    except ValueError as exc:
        raise ValueError(f'{text}: {exc}') from exc
    program, *others = (file_path(word, Path.cwd()) or word for word in words)
    if path := script_path(program):
        return Command(name, [sys.executable, path, *others])
    found = None if program.endswith('.py') else shutil.which(program)
    if not found:
        raise ValueError(f'no such script or program: {text}')
    return Command(name, [str(Path(found).absolute()), *others], is_script=False)


def script_path(text: str) -> str:
    """Return the full path of a script that is here or in this project; '' if there is none."""
    return file_path(text, Path.cwd(), ROOT) if text.endswith('.py') else ''


def file_path(text: str, *folders: Path) -> str:
    """Return the full path of a file that is in one of the folders; '' if there is none."""
    for folder in folders:
        with suppress(OSError, RuntimeError, ValueError):  # it is too long, or there is no home
            path = folder / Path(text).expanduser()
            if path.is_file():
                return str(path)
    return ''


def downloads(
    commands: Iterable[Command], options: Sequence[str] = (), scan: Sequence[int] = ()
) -> list[Entry]:
    """Return what downloads, once or with each number of a scan.

    Where a script has no {url} and no {m}, it gets -s and -m. Raise ValueError if a command
    cannot be scanned.
    """
    entries = []
    for name, words, is_script in commands:
        text = ' '.join(words)
        added = [*options, *([] if '{url}' in text else ['-s', '{url}'])] if is_script else []
        if scan and '{m}' not in text:
            if not is_script:
                raise ValueError(f'--scan: {name} has no {{m}}')
            added += ['-m', '{m}']
        entries += [
            Entry(f'{name} -m {m}', [word.replace('{m}', str(m)) for word in words + added], m)
            for m in scan
        ] or [Entry(name, words + added)]
    return entries


def checks(own: Sequence[Command], workers: Sequence[str], with_dask: bool) -> list[Entry]:
    """Return what checks numbers, recorded where that can be done: each executor, or scripts.

    Raise ValueError if one of these is no script.
    """
    if commands := [name for name, _, is_script in own if not is_script]:
        raise ValueError(f'primes takes scripts, not {commands[0]}')
    kinds = [kind for kind in KINDS if kind not in ('serial', 'dask')] + ['dask'] * with_dask
    pools = {kind: ['prime_pools.py', '-x', kind, *workers] for kind in kinds}
    scripts = {name: [*words[1:], *workers] for name, words, _ in own} or {
        'serial': ['prime_pools.py', '-x', 'serial'],
        'process': ['proc_pool.py', *workers],
        **pools,
        'procs.py': ['procs.py', *workers],
    }
    entries = []
    for name, (script, *others) in scripts.items():
        is_hidden = name == 'interpreter' and not own  # these import what they need by themselves
        recorder = [] if is_hidden else [RECORDER, 'primes.is_prime']
        entries.append(Entry(name, [sys.executable, *recorder, str(ROOT / script), *others]))
    return entries


def demo() -> list[Entry]:
    """Return demo_executor_map.py, recorded."""
    script = 'demo_executor_map.py'
    function = 'demo_executor_map.loiter'
    return [Entry(script, [sys.executable, RECORDER, function, str(ROOT / script)])]

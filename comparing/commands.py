"""What can be compared: the variants of this project, and any script or command of a reader."""

import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from comparing.entries import Entry
from comparing.runs import ROOT
from pools.kinds import KINDS
from support.console import printable

FLAGS = ['flags.py', 'flags_threadpool.py', 'flags_processpool.py', 'flags_asyncio.py']
FLAGS2 = ['flags2_sequential.py', 'flags2_threadpool.py', 'flags2_asyncio.py']
MAX_NAME = 40  # characters


def is_command(word: str) -> bool:
    """Tell whether a word is a script, maybe with arguments, or a command with {url} in it."""
    return '{url}' in word or word.partition(' ')[0].endswith('.py') or word.endswith('.py')


def name_of(text: str) -> str:
    """Return what to call a command in a table, shortened in the middle."""
    name, half = printable(text), MAX_NAME // 2
    return name if len(name) <= MAX_NAME else f'{name[:half]}...{name[3 - half :]}'


def words_of(text: str) -> list[str]:
    """Return the words of a command, files by their full paths; no shell takes part.

    A script, which is here or else in this project, is run by this Python. Raise ValueError if
    there is no such script or program.
    """
    is_script = text.endswith('.py') and file_path(text)
    plain = text.replace('\\', r'\\') if os.name == 'nt' else text  # which separates folders there
    program, *others = [text] if is_script else shlex.split(plain)
    arguments = [file_path(word, Path.cwd()) or word for word in others]
    if program.endswith('.py') and (path := file_path(program)):
        return [sys.executable, path, *arguments]
    found = None if program.endswith('.py') else shutil.which(program)
    if not found:
        raise ValueError(f'no such script or program: {text}')
    return [str(Path(found).absolute()), *arguments]


def file_path(text: str, *folders: Path) -> str:
    """Return the full path of a file that is here or in this project; '' if there is none."""
    for folder in folders or (Path.cwd(), ROOT):
        with suppress(OSError, RuntimeError, ValueError):  # it is too long, or there is no home
            path = folder / Path(text).expanduser()
            if path.is_file():
                return str(path)
    return ''


def downloads(
    texts: Sequence[str], options: Sequence[str] = (), scan: Sequence[int] = ()
) -> list[Entry]:
    """Return what downloads, once or with each number of a scan.

    Where a script has no {url} and no {m}, it gets -s and -m.
    """
    entries = []
    for text in texts:
        name, words = name_of(text), words_of(text)
        if words[0] == sys.executable:
            words += [*options, *(['-s', '{url}'] if '{url}' not in text else [])]
            words += ['-m', '{m}'] if scan and '{m}' not in text else []
        elif scan and '{m}' not in text:
            raise ValueError(f'--scan: {text} has no {{m}}')
        entries += [
            Entry(f'{name} -m {m}', [word.replace('{m}', str(m)) for word in words], m)
            for m in scan
        ] or [Entry(name, words)]
    return entries


def checks(texts: Sequence[str], workers: Sequence[str], with_dask: bool) -> list[Entry]:
    """Return what checks numbers: each executor that this Python has, or scripts."""
    kinds = [kind for kind in KINDS if kind not in ('serial', 'dask')] + ['dask'] * with_dask
    ours = {
        'serial': ['prime_pools.py', '-x', 'serial'],
        'process': ['proc_pool.py', *workers],
        **{kind: ['prime_pools.py', '-x', kind, *workers] for kind in kinds},
        'procs.py': ['procs.py', *workers],
    }
    chosen = {name_of(text): [*words_of(text), *workers] for text in texts} or {
        name: [*words_of(script), *options] for name, (script, *options) in ours.items()
    }
    return [Entry(name, words, function='primes.is_prime') for name, words in chosen.items()]


def demo() -> list[Entry]:
    """Return demo_executor_map.py, as a module, whose function can be recorded."""
    code = 'import demo_executor_map; demo_executor_map.main()'
    command = [sys.executable, '-c', code]
    return [Entry('demo_executor_map.py', command, function='demo_executor_map.loiter')]

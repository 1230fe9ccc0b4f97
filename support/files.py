"""Atomic writes, and the limit of open files."""

import os
import sys
import threading
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

from support import interrupts, signals

OFTEN_ALLOWED = (10240, 4096, 1024)  # open files; macOS refuses "unlimited"
LONGEST_WRITE = 60.0  # seconds

saved_files: list[Path] = []  # in this run; the report of an interrupted run counts them


def save(path: Path, content: bytes) -> None:
    """Write a file atomically: under another name, which is then changed; raise OSError on failure.

    Make the folder if it is missing, as in a notebook where no script has run.
    """
    remove_left_parts(path.parent)
    partial = path.with_name(f'.{path.name}.{os.getpid()}.{threading.get_ident()}')
    signals.unfinished.add(partial)
    with signals.blocked():
        try:
            write(partial, content)
            with interrupts.uninterrupted():
                partial.replace(path)
                saved_files.append(path)
        except BaseException as exc:
            with suppress(OSError):  # it may not exist
                partial.unlink()
            if isinstance(exc, OSError):
                exc.filename = str(path)  # instead of the partial file
            raise
        finally:
            signals.unfinished.discard(partial)


def write(path: Path, content: bytes) -> None:
    """Write a file, and make its folder if there is none."""
    try:
        path.write_bytes(content)
    except FileNotFoundError:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)


@cache
def remove_left_parts(folder: Path) -> None:
    """Remove partial files of processes that were killed while they wrote, as by SIGQUIT."""
    for partial in folder.glob('.*.[0-9]*.[0-9]*'):
        with suppress(OSError):  # another script may remove it first
            if time.time() - partial.stat().st_mtime > LONGEST_WRITE:
                partial.unlink()


def raise_file_limit() -> int:
    """Raise the limit of open files, which includes connections, to the maximum; return it."""
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return sys.maxsize
    unlimited = resource.RLIM_INFINITY
    limit, hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in (hard_limit, *OFTEN_ALLOWED):
        if limit != unlimited and (wanted == unlimited or wanted > limit):
            with suppress(OSError, ValueError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard_limit))
                limit = wanted
    return sys.maxsize if limit == unlimited else limit

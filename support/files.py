"""Files that appear whole or not at all, and how many may be open."""

import os
import sys
import threading
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

from support import interrupts, signals

OFTEN_ALLOWED = (10240, 4096, 1024)  # open files, where "unlimited" is refused, as on macOS
LONGEST_WRITE = 60.0  # seconds

saved: list[Path] = []  # by this run, for the report of one that is interrupted


def save(path: Path, content: bytes) -> None:
    """Write a file beside path, then rename it; raise OSError if that cannot be done.

    The folder is made if there is none, as in a notebook where no script has run.
    """
    remove_left_parts(path.parent)
    partial = path.with_name(f'.{path.name}.{os.getpid()}.{threading.get_ident()}')
    signals.unfinished.add(partial)
    with signals.blocked():
        try:
            write(partial, content)
            with interrupts.whole():
                partial.replace(path)
                saved.append(path)
        except BaseException as exc:
            with suppress(OSError):  # it may never have existed
                partial.unlink()
            if isinstance(exc, OSError):
                exc.filename = str(path)  # not the name of the partial file
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
    """Remove partial files of processes that were killed, as by SIGQUIT, while they wrote."""
    for partial in folder.glob('.*.[0-9]*.[0-9]*'):
        with suppress(OSError):  # another script may remove it, too
            if time.time() - partial.stat().st_mtime > LONGEST_WRITE:
                partial.unlink()


def raise_file_limit() -> int:
    """Allow as many open files, which connections are too, as the system permits; return it."""
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

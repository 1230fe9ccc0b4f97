"""Files that appear whole or not at all, and how many may be open."""

import os
import sys
import threading
from contextlib import suppress
from pathlib import Path

from support import interrupts

OFTEN_ALLOWED = (10240, 4096, 1024)  # open files, where "unlimited" is refused, as on macOS


def save(path: Path, content: bytes) -> None:
    """Write a file beside path, then rename it; raise OSError if that cannot be done."""
    partial = path.with_name(f'.{path.name}.{os.getpid()}.{threading.get_ident()}')
    with interrupts.blocked():
        try:
            partial.write_bytes(content)
            partial.replace(path)
        except OSError as exc:
            exc.filename = str(path)  # not the name of the partial file
            raise
        finally:
            with suppress(OSError):  # it may never have existed
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

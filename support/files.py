"""Files that appear whole or not at all."""

import os
import threading
from contextlib import suppress
from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Write content beside path, then rename it; raise OSError if that cannot be done."""
    partial = path.with_name(f'.{path.name}.{os.getpid()}.{threading.get_ident()}')
    try:
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as exc:
        exc.filename = str(path)  # the user has not heard of the other one
        raise
    finally:
        with suppress(OSError):  # it may never have come into being
            partial.unlink()

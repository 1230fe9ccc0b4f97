"""The files that keep a comparison, which may as well be links, pipes or devices."""

import argparse
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx

from comparing.entries import Entry
from support.console import reason


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


def write_file(path: Path, content: bytes) -> None:
    """Write to whatever path leads to; raise OSError if that fails.

    What is there is not replaced by a new file: it would have other permissions, and be no pipe.
    """
    try:
        path.write_bytes(content)
    except OSError as exc:
        exc.filename = str(path)
        raise


def measures(entries: Sequence[Entry], note: str) -> dict[str, Any]:
    """Return all measures, where they come from, and maybe why not to trust them."""
    return {
        'python': platform.python_version(),
        'httpx': httpx.__version__,
        'platform': platform.platform(),
        'options': sys.argv[1:],
        'note': note,
        'scripts': [asdict(entry) for entry in entries],
    }

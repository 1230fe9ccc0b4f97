"""What compare.py shows and starts, as its tests look at it."""

import json
import re
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from conftest import members

PNG = b'\x89PNG\r\n\x1a\n'
CAN_PLOT = find_spec('matplotlib') is not None  # it takes a while to follow a new Python
needs_matplotlib = pytest.mark.skipif(not CAN_PLOT, reason='matplotlib is missing')
PLOT = ['--plot', 'c.png'] if CAN_PLOT else []


def rows(output: str) -> dict[str, list[str]]:
    """Return the cells of the table by the names in the first column."""
    table = output.partition('\n\n')[0].splitlines()
    return {row[0]: row[1:] for row in (re.split(r'  +', line) for line in table)}


def scripts_of(process: subprocess.Popen[str], words: str) -> list[int]:
    """Return the numbers of the processes in a script's session that it has started with words."""
    return [pid for pid, args in members(process.pid).items() if words in args]


def page_runs(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the runs in a page by their labels."""
    (data,) = re.findall(r'id="runs">(.*?)</script>', (folder / 'c.html').read_text('utf-8'))
    return {run['label']: run for run in json.loads(data)}

"""The page that shows runs: as slow_server.py serves it, or with runs in it, from compare.py."""

import json
import re
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().with_name('browser')
NO_RUNS = '<script type="application/json" id="runs">null</script>'


def page(runs: list[dict[str, Any]] | None = None) -> str:
    """Return the page in one file, with these runs in it, or for a server to be asked for some.

    A run has a label and requests, and maybe figures: elapsed and limit in seconds, the most
    requests in flight, and a speed_up as text. Those that are missing, the page works out. A
    request has lane, code, start, end, delay and status, and maybe the URL of a picture. In a run
    with work: True these are calls of workers, with a share of a CPU, or kind 'held' while a
    result waits for an earlier one; lanes are the names of the workers, from top to bottom.
    """
    text = (FOLDER / 'index.html').read_text('utf-8')
    for name in re.findall(r'/\* (\w+\.\w+) \*/', text):
        text = text.replace(f'/* {name} */', (FOLDER / name).read_text('utf-8'))
    data = json.dumps(runs, allow_nan=False).replace('<', r'\u003c')  # no end tag, no comment
    return text.replace(NO_RUNS, NO_RUNS.replace('null', data))

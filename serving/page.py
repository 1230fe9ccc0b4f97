"""The page that shows runs: live, from slow_server.py, or with saved runs, from compare.py."""

import json
import re
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().with_name('browser')
NO_RUNS = '<script type="application/json" id="runs">null</script>'


def page(runs: list[dict[str, Any]] | None = None) -> str:
    """Return the page as one file: with these runs, or, without any, for a server of requests.

    A run has a label and requests, and maybe figures: elapsed and limit in seconds, the most
    requests in flight, and speed_up as text. The page computes missing ones. A request has lane,
    code, start, end, delay and status, and maybe the URL of a picture. In a run with work: True,
    the requests are calls of workers, with a share of a CPU, or waiting results, with kind 'held';
    lanes are the names of the workers from top to bottom.
    """
    text = (FOLDER / 'index.html').read_text('utf-8')
    for name in re.findall(r'/\* (\w+\.\w+) \*/', text):
        text = text.replace(f'/* {name} */', (FOLDER / name).read_text('utf-8'))
    data = json.dumps(runs, allow_nan=False).replace('<', r'\u003c')  # no end tag, no comment
    return text.replace(NO_RUNS, NO_RUNS.replace('null', data))

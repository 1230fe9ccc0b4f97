"""Runs as a page of HTML that opens from disk: slow_server.html with their data in it.

A run is a dict:

- label: its name;
- requests: a list, see below;
- elapsed: the seconds that the script itself has printed (may be missing or None);
- lanes: the names of its rows, from top to bottom (may be missing, then each lane gets a row,
  in order of appearance);
- work: True if it computes instead of downloading (may be missing); so do all runs of the page.

A request is a dict as well:

- lane: its row, such as a connection or the name of a worker;
- code: what to write on its bar;
- start, end: seconds, on a clock that may begin anywhere;
- delay: the seconds for which the server has waited;
- status: of the response;
- picture: the URL of an image, such as data:image/gif;base64,... (may be missing).

In a run that computes, a request is the check of a number by a worker. It has lane, code, start
and end as above, neither delay nor status, and one of these:

- share: CPU time divided by the time from start to end, 0 to 1; the bar is filled that far;
- kind: 'held' for a result that is ready at the start, but waits in map for an earlier one until
  the end. It is in a lane of its own, best the last.
"""

import json
from typing import Any

PLACEHOLDER = '<script type="application/json" id="runs">null</script>'


def html_page(template: str, data: list[dict[str, Any]]) -> str:
    """Return slow_server.html, which template is, as a page that shows these runs.

    >>> request = {'lane': 1, 'code': 'BR', 'start': 0.0, 'end': 1.5, 'delay': 1.4, 'status': 200}
    >>> download = {'label': 'flags.py', 'requests': [request], 'elapsed': 1.6}
    >>> check = {'lane': 'thread 1', 'code': '4444444444444423 P', 'start': 0.0, 'end': 1.5}
    >>> held = {'lane': 'map', 'code': check['code'], 'start': 1.5, 'end': 2.0, 'kind': 'held'}
    >>> work = {
    ...     'label': 'proc_pool.py',
    ...     'work': True,
    ...     'lanes': ['thread 1', 'map'],
    ...     'requests': [check | {'share': 0.51}, held],
    ... }
    >>> '"label": "flags.py"' in html_page(PLACEHOLDER, [download, work])
    True
    """
    if template.count(PLACEHOLDER) != 1:
        raise ValueError('the template has no single place for the runs')
    text = json.dumps(data, allow_nan=False).replace('<', r'\u003c')  # no end tag, no comment
    return template.replace(PLACEHOLDER, PLACEHOLDER.replace('null', text))

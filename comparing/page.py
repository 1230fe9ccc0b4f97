"""Runs as a page of HTML that opens from disk: watch.html with their data in it."""

import json
from typing import Any

PLACEHOLDER = '<script type="application/json" id="runs">null</script>'


def html_page(template: str, data: list[dict[str, Any]]) -> str:
    """Return watch.html, which template is, as a page that shows these runs.

    A run is a label and its requests. Their times are seconds, on a clock that may begin
    anywhere; a lane is a connection. A request may have a picture, the URL of an image.

    >>> run = {
    ...     'label': 'flags.py',
    ...     'requests': [
    ...         {'lane': 1, 'code': 'BR', 'start': 0.0, 'end': 1.5, 'delay': 1.4, 'status': 200}
    ...     ],
    ... }
    >>> '"label": "flags.py"' in html_page(PLACEHOLDER, [run])
    True
    """
    if template.count(PLACEHOLDER) != 1:
        raise ValueError('the template has no single place for the runs')
    text = json.dumps(data, allow_nan=False).replace('<', r'\u003c')  # no end tag, no comment
    return template.replace(PLACEHOLDER, PLACEHOLDER.replace('null', text))

"""The command line of the flags series, and one line for what ends its downloads."""

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from support import clients, servers
from support.arguments import parse
from support.console import fail, reason
from support.exits import orderly_exit, say_interrupted
from support.sessions import at_prompt, changed


@contextmanager
def command_line(script: dict[str, Any]) -> Iterator[None]:
    """Context manager: set a script's BASE_URL to what -s says; tell errors in one line.

    A listing may have imported that name, and new processes find it in the environment.
    """
    description = (sys.modules['__main__'].__doc__ or '').partition('\n')[0]
    parser = argparse.ArgumentParser(description=description)
    servers.add_server_option(parser, script['BASE_URL'])
    server = parse(parser).server
    with (
        orderly_exit(say_interrupted_below_codes),
        servers.running(server) as url,
        changed(vars(sys.modules['__main__']), BASE_URL=url),
        changed(script, BASE_URL=url),
        changed(os.environ, FLAGS_URL=url),
    ):
        clients.prepare(url)
        try:
            yield
        except BaseException as exc:
            print(flush=True)  # after the codes
            error = exc.exceptions[0] if isinstance(exc, ExceptionGroup) else exc
            if not isinstance(error, httpx.HTTPError) or 'dev' in sys._xoptions:
                raise
            is_remote = url == servers.SERVERS['REMOTE'] and not at_prompt()
            offline = is_remote and isinstance(error, httpx.TransportError)
            fail(describe(error) + ('; try -s LOCAL' if offline else ''))


def say_interrupted_below_codes() -> None:
    """Say that downloads were interrupted, on a line of its own."""
    print(flush=True)
    say_interrupted()


def describe(exc: httpx.HTTPError) -> str:
    """Return one line that says what went wrong, and with which URL."""
    what = reason(exc)
    if isinstance(exc, httpx.HTTPStatusError):
        what = f'HTTP error {exc.response.status_code} - {exc.response.reason_phrase}'
    return f'{what}: {exc.request.url}'

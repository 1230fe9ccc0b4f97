"""The command line of the flags series, and one line for what ends its downloads."""

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import responses
from typing import Any, TextIO

import httpx

from support import clients, interrupts, servers
from support.arguments import parse
from support.console import description, fail
from support.exits import orderly_exit, say_interrupted
from support.sessions import at_prompt, changed


@contextmanager
def command_line(script: dict[str, Any]) -> Iterator[None]:
    """Context manager: set a script's BASE_URL to what -s says; report errors on one line.

    A listing may have imported that name, and new processes find it in the environment.
    """
    title = (sys.modules['__main__'].__doc__ or '').partition('\n')[0]
    parser = argparse.ArgumentParser(description=title)
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
            if not interrupts.run.stop_signal:
                print(flush=True)  # after the codes
            error = exc.exceptions[0] if isinstance(exc, ExceptionGroup) else exc
            if not isinstance(error, httpx.HTTPError) or 'dev' in sys._xoptions:
                raise
            fail(describe(error, url))


def say_interrupted_below_codes(stdout: TextIO) -> None:
    """Say that downloads were interrupted, on a line of its own."""
    with suppress(OSError):  # nobody may read it
        print(file=stdout, flush=True)
    say_interrupted()


def describe(exc: httpx.HTTPError, base_url: str) -> str:
    """Return one line that says what went wrong, with which URL, and what may help."""
    what, hint = description(exc), ''
    is_remote = base_url == servers.SERVERS['REMOTE']
    if isinstance(exc, httpx.HTTPStatusError):
        status = exc.response.status_code
        what = f'HTTP error {status} - {responses.get(status, "of no known kind")}'
        if status == httpx.codes.NOT_FOUND and not is_remote:
            hint = f'; {servers.NO_FLAGS}'
    elif isinstance(exc, httpx.TransportError) and is_remote and not at_prompt():
        hint = '; try -s LOCAL'
    return f'{what}: {exc.request.url}{hint}'

"""The command line of the flags series, and one line for what ends its downloads."""

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from support import clients, interrupts, servers
from support.console import complain, fail, reason
from support.exits import orderly_exit


@contextmanager
def command_line() -> Iterator[None]:
    """Context manager: set BASE_URL to the server that -s names; tell errors in one line."""
    description = (sys.modules['__main__'].__doc__ or '').partition('\n')[0]
    parser = argparse.ArgumentParser(description=description)
    servers.add_server_option(parser, default='REMOTE')
    server = parser.parse_args().server
    with orderly_exit(), servers.running(server) as url:
        set_base_url(url)
        clients.prepare(url)
        interrupts.set_last_words(complain_below_codes)
        try:
            yield
        except BaseException as exc:
            print(flush=True)  # after the codes
            error = exc.exceptions[0] if isinstance(exc, ExceptionGroup) else exc
            if not isinstance(error, httpx.HTTPError) or 'dev' in sys._xoptions:
                raise
            offline = server == 'REMOTE' and isinstance(error, httpx.TransportError)
            fail(describe(error) + ('; try -s LOCAL' if offline else ''))


def set_base_url(url: str) -> None:
    """Let url be BASE_URL: of flags.py, of a listing that has imported it, and of new processes."""
    for name in ('flags', '__main__'):
        if module := sys.modules.get(name):
            vars(module)['BASE_URL'] = url
    os.environ['FLAGS_URL'] = url  # where flags.py finds it when a process imports it anew


def complain_below_codes() -> None:
    """Say that downloads were interrupted, on a line of its own."""
    print(flush=True)
    complain('interrupted')


def describe(exc: httpx.HTTPError) -> str:
    """Return one line that says what went wrong, and with which URL."""
    what = reason(exc)
    if isinstance(exc, httpx.HTTPStatusError):
        what = f'HTTP error {exc.response.status_code} - {exc.response.reason_phrase}'
    return f'{what}: {exc.request.url}'

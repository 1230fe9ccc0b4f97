"""The command line of the flags series, and one line for what ends its downloads."""

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx

from support import clients, servers
from support.arguments import parse
from support.console import fail, reason
from support.exits import orderly_exit, say_interrupted
from support.sessions import at_prompt, changed


@contextmanager
def command_line(default: str) -> Iterator[None]:
    """Context manager: set BASE_URL to the server that -s names; tell errors in one line."""
    description = (sys.modules['__main__'].__doc__ or '').partition('\n')[0]
    parser = argparse.ArgumentParser(description=description)
    servers.add_server_option(parser, default)
    server = parse(parser).server
    with orderly_exit(say_interrupted_below_codes), servers.running(server) as url, base_url(url):
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


@contextmanager
def base_url(url: str) -> Iterator[None]:
    """Context manager: let url be BASE_URL in flags.py, and in a listing that has imported it.

    Processes that import flags.py anew find it in the environment.
    """
    before = os.environ.get('FLAGS_URL')
    os.environ['FLAGS_URL'] = url
    try:
        with ExitStack() as stack:
            for name in {'flags', '__main__'} & set(sys.modules):
                stack.enter_context(changed(sys.modules[name], BASE_URL=url))
            yield
    finally:
        del os.environ['FLAGS_URL']
        os.environ.update({} if before is None else {'FLAGS_URL': before})


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

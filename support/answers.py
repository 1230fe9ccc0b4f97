"""Which responses are believed: in time, not too large, and for a flag a whole GIF."""

import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from support.console import printable, system_error

MAX_SIZE = 10_000_000  # bytes
MAX_TIME = 10.0  # seconds from the headers of a response to the end of its body
# The last block of data is empty, then comes the trailer; padding or a comment may follow
GIF_END = re.compile(rb'\0;[\0\s]*((!\xfe|<!--).*)?\Z', re.DOTALL)
NO_ADDRESS = (httpx.InvalidURL, UnicodeError, OverflowError, ExceptionGroup)

missing_urls: list[str] = []  # answered by 404 in this run, for the report if it is interrupted


class BoundedBody(httpx.SyncByteStream, httpx.AsyncByteStream):
    """The body of a response, which raises an httpx.RequestError if it is too large or too slow."""

    def __init__(self, stream: Any) -> None:
        """Wrap the stream of a response whose headers have just come."""
        self.stream, self.size, self.start = stream, 0, time.monotonic()

    def check(self, chunk: bytes) -> bytes:
        """Return a chunk, if it is within the bounds."""
        self.size += len(chunk)
        if self.size > MAX_SIZE:
            raise httpx.DecodingError(f'more than {MAX_SIZE:,} bytes')
        if time.monotonic() - self.start > MAX_TIME:
            raise httpx.ReadTimeout('timed out')
        return chunk

    def __iter__(self) -> Iterator[bytes]:
        """Yield the chunks of a thread's response."""
        return map(self.check, self.stream)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the chunks of a coroutine's response."""
        async for chunk in self.stream:
            yield self.check(chunk)

    def close(self) -> None:
        """Release the connection of a thread."""
        self.stream.close()

    async def aclose(self) -> None:
        """Release the connection of a coroutine."""
        await self.stream.aclose()


def checked(url: str, response: httpx.Response) -> httpx.Response:
    """Return the response; raise httpx.DecodingError if url is that of a flag, and this is none.

    A server that answers everything may send a login page instead, or an application.
    """
    response.extensions['reason_phrase'] = printable(response.reason_phrase).encode()
    if response.status_code == httpx.codes.NOT_FOUND:
        missing_urls.append(url)
    is_flag = response.is_success and response.is_closed and url.partition('?')[0].endswith('.gif')
    if is_flag and (flaw := flaw_of_gif(response)):
        raise httpx.DecodingError(f'not a GIF ({flaw})', request=response.request)
    return response


def flaw_of_gif(response: httpx.Response) -> str:
    """Return what a successful response is instead of a whole GIF, or '' if it is one."""
    if response.status_code != httpx.codes.OK:
        return f'{response.status_code} {response.reason_phrase}'
    if not response.content:
        return 'empty'
    if not response.content.startswith((b'GIF87a', b'GIF89a')):
        return str(response.headers.get('Content-Type', 'no type')).partition(';')[0]
    return '' if GIF_END.search(response.content) else 'cut short'


@contextmanager
def plain_errors(url: str, variable: str) -> Iterator[None]:
    """Context manager: let errors be httpx.RequestError, about url, in the system's words.

    The words stand in the error itself, as a process cannot pass on its cause. So does the variable
    of the environment that names a proxy, if there is one.
    """
    try:
        yield
    except (httpx.RequestError, *NO_ADDRESS, OSError) as exc:
        error = exc.exceptions[0] if isinstance(exc, ExceptionGroup) else exc
        words = system_error(error) or str(error).rstrip('.') or 'timed out'
        asked = httpx.Request('GET', url)
        if (failed := getattr(exc, 'request', asked)).url != asked.url:
            words += f' at {failed.url}'  # where a redirect has led
        if variable:
            words += f' via {variable}'
        kind = type(exc) if isinstance(exc, httpx.RequestError) else httpx.ConnectError
        raise kind(words, request=asked) from exc

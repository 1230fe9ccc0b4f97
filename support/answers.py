"""Which responses are believed: in time, not too large, and for a flag a whole GIF."""

import time

import httpx

from support.console import printable

MAX_SIZE = 10_000_000  # bytes
MAX_TIME = 10.0  # seconds from a request to the last part of its response
GIF_SIGNATURES = (b'GIF87a', b'GIF89a')
GIF_TRAILER = b';'

not_found: list[str] = []  # URLs, for the report of a run that is interrupted


def check_progress(body: bytearray, start: float) -> None:
    """Raise httpx.DecodingError if a body is too large, httpx.ReadTimeout if it trickles.

    The request was sent at start, as of time.monotonic().
    """
    if len(body) > MAX_SIZE:
        raise httpx.DecodingError(f'more than {MAX_SIZE:,} bytes')
    if time.monotonic() - start > MAX_TIME:
        raise httpx.ReadTimeout('')


def with_body(response: httpx.Response, body: bytearray) -> httpx.Response:
    """Return the response, whose body has come, with a reason that terminals can show.

    Nobody has asked for a packed body, and there is no telling how large it would become.
    """
    coding = response.headers.pop('content-encoding', '')
    response.extensions['coding'] = coding.lower()
    response.stream = httpx.ByteStream(bytes(body))
    response.extensions['reason_phrase'] = printable(response.reason_phrase).encode()
    return response


def checked(url: httpx.URL | str, response: httpx.Response) -> httpx.Response:
    """Return a response; raise httpx.DecodingError if it should be a flag, and is none.

    A server that answers everything may send a login page instead, or an application.
    """
    if response.status_code == httpx.codes.NOT_FOUND:
        not_found.append(str(url))
    is_flag = response.is_success and str(url).partition('?')[0].endswith('.gif')
    if is_flag and (flaw := flaw_of_gif(response)):
        raise httpx.DecodingError(f'not a GIF ({flaw})', request=response.request)
    return response


def flaw_of_gif(response: httpx.Response) -> str:
    """Return what a successful response is instead of a whole GIF, or '' if it is one."""
    if response.status_code != httpx.codes.OK:
        return f'{response.status_code} {response.reason_phrase}'
    if not response.content.startswith(GIF_SIGNATURES):
        media_type = response.headers.get('content-type', 'no type').partition(';')[0]
        kind = response.extensions['coding'] or media_type
        return kind if response.content else 'empty'
    return '' if response.content.endswith(GIF_TRAILER) else 'cut short'

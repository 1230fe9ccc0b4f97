"""What servers may answer, and what the clients for threads and for coroutines make of it."""

import asyncio
import gzip
import multiprocessing
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import PATIENCE, RunScript, Server, command, flag_url, needs_posix, started
from endings import complaints, counts
from raw_server import (
    FLAG,
    GIF,
    HALF,
    KEPT,
    answer,
    converse,
    misbehaving,
    raw_server,
    response,
)

from comparing.runs import family, resident
from support import answers, clients
from support.console import description

MEMORY = 100_000_000  # bytes: twice as much as a script takes

Get = Callable[..., httpx.Response]


def get_in_thread(url: str, **options: Any) -> httpx.Response:
    """Do what the scripts with threads do."""
    return clients.get(url, follow_redirects=True, **options).raise_for_status()


def get_in_coroutine(url: str, **options: Any) -> httpx.Response:
    """Do what the scripts with coroutines do."""

    async def get() -> httpx.Response:
        async with clients.AsyncClient() as client:
            return await client.get(url, follow_redirects=True, **options)

    return asyncio.run(get()).raise_for_status()


GETS = [get_in_thread, get_in_coroutine]


CLIENTS = pytest.mark.parametrize('get', GETS, ids=['thread', 'coroutine'])


def outcome(get: Get, reply: bytes) -> bytes | str:
    """Return the flag that a client takes a reply for, or what it tells of an error."""
    with raw_server(partial(answer, reply)) as server:
        url = flag_url(server.url, 'BR')
        try:
            return get(url).content
        except httpx.RequestError as exc:
            return description(exc) if exc.request.url == url else f'error of {exc.request.url}'


BELIEVED = {
    'a GIF': response('200 OK', GIF),
    'a GIF with zeros and white space behind it': response('200 OK', GIF + b'\0\r\n \0'),
    'a GIF and a comment of GIF behind it': response('200 OK', GIF + b'!\xfe\2hi\0'),
    'a GIF and a comment of HTML behind it': response('200 OK', GIF + b'\n<!-- served -->\n'),
    'a GIF of another type': response('200 OK', GIF, 'Content-Type: text/plain'),
    'a GIF that ends with the connection': response('200 OK', GIF, length=-1),
    'UTF-8 for an encoding': response('200 OK', GIF, 'Content-Encoding: UTF-8'),
    'Identity for an encoding': response('200 OK', GIF, 'Content-Encoding: Identity'),
    'none for an encoding': response('200 OK', GIF, 'Content-Encoding: none'),
    'gzip for an encoding': response('200 OK', GIF, 'Content-Encoding: gzip'),
    'an empty encoding': response('200 OK', GIF, 'Content-Encoding:'),
}


@CLIENTS
def test_flag_is_believed_however_it_comes(get: Get) -> None:
    told = {name: outcome(get, reply) for name, reply in BELIEVED.items()}
    assert [name for name, flag in told.items() if flag[: len(GIF)] != GIF] == []


NO_FLAGS = {
    'a page': (response('200 OK', b'<p>', 'Content-Type: text/html; x'), 'not a GIF (text/html)'),
    'JSON': (response('200 OK', b'{}', 'Content-Type: text/json'), 'not a GIF (text/json)'),
    'a page of no type': (response('200 OK', b'<p>'), 'not a GIF (no type)'),
    'no content': (response('200 OK'), 'not a GIF (empty)'),
    '202': (response('202 Accepted', GIF), 'not a GIF (202 Accepted)'),
    '204': (response('204 No Content', length=-1), 'not a GIF (204 No Content)'),
    '206': (response('206 Partial Content', GIF), 'not a GIF (206 Partial Content)'),
    'half a GIF': (response('200 OK', GIF[:HALF], length=-1), 'not a GIF (cut short)'),
    'half a GIF that ends like a whole one': (
        response('200 OK', GIF[:HALF] + b';', length=-1),
        'not a GIF (cut short)',
    ),
    'a GIF and a page': (response('200 OK', GIF + b'\n<p>'), 'not a GIF (cut short)'),
    'a packed GIF': (
        response('200 OK', gzip.compress(GIF), 'Content-Encoding: GZip', 'Content-Type: image/gif'),
        'not a GIF (image/gif)',
    ),
    'something packed twice': (
        response('200 OK', b'xyz', 'Content-Encoding: identity, br', 'Content-Encoding: deflate'),
        'not a GIF (no type)',
    ),
    'a control character': (
        response('200 OK', b'<p>', 'Content-Type: \x1b[31m'),
        r'not a GIF (\x1b[31m)',
    ),
}


@CLIENTS
def test_success_without_a_flag_is_an_error(get: Get) -> None:
    told = {name: outcome(get, reply) for name, (reply, _) in NO_FLAGS.items()}
    assert told == {name: f'{words} (DecodingError)' for name, (_, words) in NO_FLAGS.items()}


def test_page_instead_of_a_flag_leaves_what_was_saved_before(run_script: RunScript) -> None:
    Path('downloaded').mkdir()
    Path('downloaded/BR.gif').write_bytes(GIF)
    with misbehaving('sends a page') as server:
        run = run_script('flags2_threadpool.py', '-s', server.url, 'BR')
    assert run.returncode == 1
    assert 'BR: not a GIF (text/html) (DecodingError)' in complaints(run.stderr)[-1]
    assert Path('downloaded/BR.gif').read_bytes() == GIF
    assert counts(run.stdout) == {'downloaded': 0, 'error': 1}


PACKED = 'Content-Encoding: gzip'


@CLIENTS
def test_packed_page_of_another_status_does_not_matter(get: Get, fast_server: Server) -> None:
    missing = response('404 Not Found', b'\x1f\x8b', PACKED)
    with (
        raw_server(partial(answer, missing)) as server,
        pytest.raises(httpx.HTTPStatusError, match='404'),
    ):
        get(flag_url(server.url, 'ZZ'))
    target = f'Location: {flag_url(fast_server.url, "BR")}'
    assert outcome(get, response('302 Found', b'\x1f\x8b', PACKED, target)) == GIF


@CLIENTS
def test_page_after_a_redirect_is_no_flag(get: Get, fast_server: Server) -> None:
    """As where a network wants its users to log in."""
    target = f'Location: {fast_server.url.removesuffix("/flags")}/'
    assert 'not a GIF (text/html)' in str(outcome(get, response('302 Found', b'', target)))


NOWHERE = {
    'http://xn--/': '(Malformed A-label|not known|resolution|getaddrinfo)',
    'http://localhost:99999/': '(port must be|refused|servname|addrinfo|not known)',
    'mailto:x': 'path must be empty',
    'data:,x': 'path must be empty',
    'http://\x1b[31mhost/': r"non-printable ASCII character in URL, '\\x1b' at",
    'ftp://localhost/': 'unsupported protocol',
}


@CLIENTS
def test_redirect_to_a_server_that_fails_is_told_with_both_urls(get: Get) -> None:
    with misbehaving('refuses') as there:
        told = outcome(get, response('302 Found', b'', f'Location: {there.url}/br.gif'))
    assert re.fullmatch(rf'.*refused.* at {there.url}/br\.gif \(ConnectError\)', str(told))


@CLIENTS
def test_redirect_to_nowhere_is_an_error_of_that_flag(get: Get) -> None:
    told = {
        location: str(outcome(get, response('302 Found', b'', f'Location: {location}')))
        for location in NOWHERE
    }
    assert [line for place, line in told.items() if not re.search(NOWHERE[place], line)] == []


@CLIENTS
def test_redirect_is_followed_and_connections_are_kept(get: Get) -> None:
    """Have both the redirect and the flag come on one connection."""
    asked: list[str] = []
    moved = response('302 Found', b'', 'Location: /moved.gif', kept=True)
    with raw_server(partial(converse, [moved, KEPT], asked)) as server:
        assert get(flag_url(server.url, 'BR')).content == GIF
    assert asked == ['/flags/br/br.gif', '/moved.gif']


@pytest.mark.parametrize('script', ['flags2_threadpool.py', 'flags2_asyncio.py'])
@pytest.mark.parametrize(
    ('replies', 'pause'),
    [([KEPT], 0.001), ([KEPT], 0), ([KEPT, b''], 0), ([KEPT, b'HTTP/1.1 2'], 0)],
    ids=['soon', 'at once', 'at the next request', 'in a response'],
)
def test_request_is_repeated_if_a_kept_connection_is_closed(
    replies: list[bytes], pause: float, script: str, run_script: RunScript
) -> None:
    asked: list[str] = []
    with raw_server(partial(converse, replies, asked, pause=pause)) as server:
        run = run_script(script, '-al', 30, '-m', 5, '-s', server.url)
    assert (run.returncode, complaints(run.stderr)) == (0, [])
    assert counts(run.stdout) == {'downloaded': 30}
    assert len(set(asked)) == 30
    assert max(asked.count(path) for path in asked) <= 2


@CLIENTS
def test_request_is_repeated_but_once(get: Get) -> None:
    asked: list[str] = []
    with (
        raw_server(partial(converse, [b''], asked)) as server,
        pytest.raises(httpx.RequestError),
    ):
        get(flag_url(server.url, 'BR'))
    assert len(asked) == 2


# After how many seconds, with a timeout of 2.1 s for each read, a client has to give up
OVERDUE = {'never answers': (2, 6), 'drips body': (2.9, 6)}


def test_overdue_response_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a body overdue after three seconds, in place of ten."""
    assert answers.MAX_TIME == 10
    monkeypatch.setattr(answers, 'MAX_TIME', 3.0)

    def wait(behavior: str, get: Get) -> tuple[str, int, bool]:
        least, most = OVERDUE[behavior]
        start = time.monotonic()
        with misbehaving(behavior) as server, pytest.raises(httpx.RequestError) as raised:
            get(flag_url(server.url, 'BR'), timeout=2.1)
        in_time = least < time.monotonic() - start < most
        return description(raised.value), len(server.connections), in_time

    with ThreadPoolExecutor(4) as executor:
        told = list(executor.map(wait, *zip(*product(OVERDUE, GETS), strict=True)))
    assert told == [('timed out (ReadTimeout)', 1, True)] * 4


@pytest.mark.parametrize(
    ('script', 'behavior', 'told'),
    [
        ('flags2_sequential.py', 'sends without end', 'more than 10,000,000 bytes'),
        ('flags2_asyncio.py', 'sends without end', 'more than 10,000,000 bytes'),
        ('flags2_sequential.py', 'sends a bomb', 'more than 10,000,000 bytes'),
        ('flags2_asyncio.py', 'sends a bomb', 'more than 10,000,000 bytes'),
    ],
)
def test_no_memory_is_taken_for_a_server_that(script: str, behavior: str, told: str) -> None:
    with (
        misbehaving(behavior) as server,
        started(command(script, '-s', server.url, 'br')) as process,
    ):
        peak = peak_memory(process)
        assert peak < MEMORY
        stdout, stderr = process.communicate(timeout=PATIENCE)
    assert complaints(stderr) == [f'{script}: BR: {told} (DecodingError)']
    assert counts(stdout) == {'downloaded': 0, 'error': 1}


def peak_memory(process: subprocess.Popen[str]) -> int:
    """Wait for a process that prints little, unless it takes too much memory; return how much."""
    peak = 0
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and peak < MEMORY and time.monotonic() < deadline:
        peak = max(peak, sum(map(resident, family(process.pid))))
        time.sleep(0.01)
    return peak


def test_control_characters_do_not_reach_the_terminal(run_script: RunScript) -> None:
    with misbehaving('sends a red phrase') as server:
        run = run_script('flags2_asyncio.py', '-s', server.url)
    assert r'HTTP error 418 - \x1b[31mred' in run.stderr
    assert '\x1b' not in run.stdout + run.stderr


@CLIENTS
def test_nothing_is_asked_to_be_packed(get: Get) -> None:
    heads: list[bytes] = []

    def keep_head(conn: socket.socket) -> None:
        heads.append(conn.recv(4096))
        conn.sendall(FLAG)

    with raw_server(keep_head) as server:
        get(flag_url(server.url, 'BR'))
    assert re.findall(rb'accept-encoding: (.*)\r', heads[0], re.I) == [b'identity']


def test_requests_of_one_thread_take_one_connection(fast_server: Server) -> None:
    for _ in range(50):
        clients.get(flag_url(fast_server.url, 'BR'))
    assert len({request['lane'] for request in fast_server.first_requests(50)}) == 1


@needs_posix
def test_process_that_is_forked_takes_a_connection_of_its_own(fast_server: Server) -> None:
    url = flag_url(fast_server.url, 'BR')
    clients.get(url)
    process = multiprocessing.get_context('fork').Process(target=clients.get, args=(url,))
    process.start()
    process.join(PATIENCE)
    assert len({request['lane'] for request in fast_server.first_requests(2)}) == 2


def test_server_learns_which_script_asks_now(
    fast_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session runs one script after the other, in one thread."""
    for argv in (['first.py', '-s', 'LOCAL', '-l', '3'], ['second.py']):
        monkeypatch.setattr(sys, 'argv', argv)
        clients.get(flag_url(fast_server.url, 'BR'))
    told = [request['agent'] for request in fast_server.first_requests(2)]
    assert told == ['first.py -l 3', 'second.py']


def test_coroutines_of_trio_each_have_a_connection(fast_server: Server) -> None:
    trio = pytest.importorskip('trio')

    async def get_flags() -> None:
        async with clients.AsyncClient() as client, trio.open_nursery() as nursery:
            for cc in ('BR', 'CN', 'US'):
                nursery.start_soon(client.get, flag_url(fast_server.url, cc))

    trio.run(get_flags)
    assert len({request['lane'] for request in fast_server.first_requests(3)}) == 3

#!/usr/bin/env python3
"""Download flags with httpx alone, as a baseline for the scripts.

    $ python3 benchmarks/bare_httpx.py threads http://localhost:8000/flags -m 30
    Elapsed time: 0.81s

Like the scripts, it has a client for each worker, as_completed and a bar, and it saves flags in
downloaded/. The naive way calls httpx.get for each flag, as the book does.
"""

import argparse
import asyncio
import itertools
import string
import threading
import time
from concurrent import futures
from pathlib import Path

import httpx
import tqdm

FOLDER = Path('downloaded')
EVERY_CC = [''.join(pair) for pair in itertools.product(string.ascii_lowercase, repeat=2)]
TIMEOUT = 6.1  # seconds


def save(cc: str, response: httpx.Response) -> None:
    """Save the content of a response, if it is a flag."""
    if response.is_success:
        (FOLDER / f'{cc}.gif').write_bytes(response.content)


def with_threads(urls: dict[str, str], workers: int, is_naive: bool) -> None:
    """Download with a client per thread or, the naive way, with one per request."""
    context, own = httpx.create_ssl_context(), threading.local()

    def download(cc: str) -> None:
        if is_naive:
            response = httpx.get(urls[cc], follow_redirects=True, timeout=TIMEOUT)
        else:
            if not hasattr(own, 'client'):
                own.client = httpx.Client(verify=context, trust_env=False, timeout=TIMEOUT)
            response = own.client.get(urls[cc], follow_redirects=True)
        save(cc, response)

    with futures.ThreadPoolExecutor(workers) as executor:
        to_do = [executor.submit(download, cc) for cc in urls]
        for future in tqdm.tqdm(futures.as_completed(to_do), total=len(to_do)):
            future.result()


async def with_coroutines(urls: dict[str, str], workers: int) -> None:
    """Download with a client for each coroutine that runs at the same time."""
    context, semaphore = httpx.create_ssl_context(), asyncio.Semaphore(workers)
    idle: list[httpx.AsyncClient] = []

    async def download(cc: str) -> None:
        async with semaphore:
            new = [] if idle else [httpx.AsyncClient(verify=context, trust_env=False)]
            client = (idle or new).pop()
            save(cc, await client.get(urls[cc], follow_redirects=True, timeout=TIMEOUT))
            idle.append(client)

    to_do = [download(cc) for cc in urls]
    for each in tqdm.tqdm(asyncio.as_completed(to_do), total=len(to_do)):
        await each


def main() -> None:
    """Download as the command line says, and print how long it took."""
    parser = argparse.ArgumentParser(description='Download flags with httpx alone.')
    parser.add_argument('way', choices=['naive', 'threads', 'asyncio'])
    parser.add_argument('url', help='base URL')
    parser.add_argument('-l', '--limit', type=int, help='number of codes')
    parser.add_argument('-m', '--max_req', type=int, default=30, help='requests at a time')
    args = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    start = time.perf_counter()
    urls = {cc: f'{args.url}/{cc}/{cc}.gif' for cc in EVERY_CC[: args.limit]}
    if args.way == 'asyncio':
        asyncio.run(with_coroutines(urls, args.max_req))
    else:
        with_threads(urls, args.max_req, is_naive=args.way == 'naive')
    print(f'Elapsed time: {time.perf_counter() - start:.2f}s')


if __name__ == '__main__':
    main()

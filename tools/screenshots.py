#!/usr/bin/env python3
"""Make docs/watch.png, watch-676.png and primes.png: what the page of slow_server.py shows.

    $ pip install '.[browser]'
    $ python3 tools/screenshots.py

It takes Debian's package chromium, or another Chromium that is installed.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
BROWSERS = ['chromium', 'chromium-browser', 'google-chrome']
SERIES = ['flags.py'], ['flags_threadpool.py'], ['flags_asyncio.py']
EVERY_CODE_AT_ONCE = ['flags2_threadpool.py', '-e', '-m', '676']
PAUSE = 1.5  # seconds: ends a run, and lets the page draw all of it


@contextmanager
def watched_server(page: Page, *options: str) -> Iterator[str]:
    """Run slow_server.py for as long as the block takes, and open its page; yield its base URL."""
    command = [sys.executable, str(ROOT / 'slow_server.py'), '0', *options]
    pipe, silent = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen(command, stdout=pipe, stderr=silent, text=True) as server:
        assert server.stdout
        try:
            base_url, page_url = (server.stdout.readline().split()[-1] for _ in range(2))
            page.goto(page_url)
            yield base_url
        finally:
            server.terminate()


def run(base_url: str, script: str, *args: str) -> None:
    """Run a script in a folder of its own; then wait until its run is over for the page too."""
    command = [sys.executable, str(ROOT / script), *args, '-s', base_url]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, check=True)
    time.sleep(PAUSE)


def save(page: Page, name: str) -> None:
    """Save a picture of the whole page, without the port that was free by chance."""
    page.evaluate('document.getElementById("state").hidden = true')
    page.screenshot(path=ROOT / 'docs' / name, full_page=True)
    print(f'docs/{name}')


def main() -> None:
    """Make the pictures."""
    browser_path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not browser_path:
        sys.exit('screenshots.py: no Chromium is installed; try apt-get install chromium')
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=['--no-sandbox'])
        page = browser.new_page(viewport={'width': 1100, 'height': 600})
        with watched_server(page, '--min-delay', '.1', '--max-delay', '1') as base_url:
            for command in SERIES:
                run(base_url, *command)
            save(page, 'watch.png')
        with watched_server(page) as base_url:
            run(base_url, *EVERY_CODE_AT_ONCE)
            save(page, 'watch-676.png')
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, str(ROOT / 'compare.py'), 'primes', '--html', 'page.html']
            subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, check=True)
            page.goto(Path(folder, 'page.html').as_uri())
            save(page, 'primes.png')
        browser.close()


if __name__ == '__main__':
    main()

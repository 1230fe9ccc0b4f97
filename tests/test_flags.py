"""The sequential script, what the others import from it, and what the series shares."""

import os
import re
import threading
import time
from pathlib import Path

import pytest
from conftest import (
    PATIENCE,
    RunScript,
    Server,
    StartServer,
    command,
    flag,
    flag_files,
    needs_posix,
    started,
    wait_until,
    with_sitecustomize,
)
from promises import HINDRANCES, FlagsPromises, one_line
from raw_server import GIF

import flags
from flags import POP20_CC


class TestPromises(FlagsPromises):
    """What all scripts of the series promise."""

    script = 'flags.py'
    connections = 1


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder other than the default for what is downloaded."""
    folder = tmp_path / 'elsewhere'
    folder.mkdir()
    monkeypatch.setattr(flags, 'DEST_DIR', folder)
    return folder


def test_default_site_is_that_of_the_book() -> None:
    assert flags.BASE_URL == 'https://www.fluentpython.com/data/flags'
    assert Path('downloaded') == flags.DEST_DIR


def test_folder_is_made_where_no_script_has_run() -> None:
    flags.save_flag(GIF, 'BR.gif')
    assert flag_files() == ['BR.gif']


def test_flags_are_downloaded_one_by_one_in_alphabetical_order(
    run_script: RunScript, start_server: StartServer
) -> None:
    server = start_server('--min-delay', 0.02, '--max-delay', 0.05)
    stdout = run_script('flags.py', '-s', server.url).stdout
    requests = server.first_requests(20)
    assert stdout.splitlines()[0].split() == sorted(POP20_CC)
    assert [request['code'] for request in requests] == sorted(POP20_CC)
    starts = [request['start'] for request in requests]
    answers = [request['start'] + request['delay'] for request in requests]
    assert all(answer < start for answer, start in zip(answers[:-1], starts[1:], strict=True))


def test_flag_of_a_code_in_either_case(
    fast_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flags, 'BASE_URL', fast_server.url)
    assert flags.get_flag('BR') == flags.get_flag('br') == flag('BR')


def test_main_times_any_downloader(
    capsys: pytest.CaptureFixture[str], fast_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def downloader(cc_list: list[str]) -> int:
        assert cc_list == POP20_CC
        assert fast_server.url == flags.BASE_URL
        time.sleep(0.1)
        return 7

    monkeypatch.setattr(flags, 'BASE_URL', flags.BASE_URL)  # main replaces it for good
    monkeypatch.setenv('FLAGS_URL', '')
    monkeypatch.setattr('sys.argv', ['any.py', '-s', fast_server.url])
    flags.main(downloader)
    first, last = capsys.readouterr().out.splitlines()
    assert first == ''
    assert last.startswith('7 downloads in ')
    assert float(last.split()[-1].removesuffix('s')) >= 0.1


@needs_posix  # Windows replaces no file that is open
def test_file_is_always_whole(folder: Path) -> None:
    old, new = b'o' * 5_000_000, b'n' * 5_000_000
    flags.save_flag(old, 'BR.gif')

    def write_again_and_again() -> None:
        for _ in range(20):
            flags.save_flag(new, 'BR.gif')

    writer = threading.Thread(target=write_again_and_again)
    writer.start()
    while writer.is_alive():
        assert (folder / 'BR.gif').read_bytes() in (old, new)
    wait_until(lambda: [path.name for path in folder.iterdir()] == ['BR.gif'])


def test_file_that_cannot_be_replaced_leaves_no_other(folder: Path) -> None:
    (folder / 'BR.gif').mkdir()
    with pytest.raises(OSError, match=r'elsewhere\W+BR\.gif'):
        flags.save_flag(GIF, 'BR.gif')
    assert [path.name for path in folder.iterdir()] == ['BR.gif']


def test_flag_that_cannot_be_saved_is_told_in_one_line(
    run_script: RunScript, fast_server: Server
) -> None:
    for cc in POP20_CC:
        Path(f'downloaded/{cc}.gif').mkdir(parents=True)
    run = run_script('flags.py', '-s', fast_server.url)
    assert run.returncode == 1
    assert one_line('flags.py', run.stderr)
    assert re.search(r'downloaded.[A-Z]{2}\.gif$', run.stderr)
    assert flag_files() == [f'{cc}.gif' for cc in sorted(POP20_CC)]


def test_held_file_is_told_in_one_line(run_script: RunScript, fast_server: Server) -> None:
    held = with_sitecustomize(HINDRANCES['Permission denied'])
    run = run_script('flags.py', '-s', fast_server.url, **held)
    assert run.returncode == 1
    assert run.stderr == f'flags.py: Permission denied: {Path("downloaded/ID.gif")}\n'


def test_occupied_folder_is_told_in_one_line(run_script: RunScript, fast_server: Server) -> None:
    Path('downloaded').touch()
    run = run_script('flags.py', '-s', fast_server.url)
    assert run.returncode == 1
    assert one_line('flags.py', run.stderr)
    assert fast_server.requests() == []


def test_plain_file_server_will_do(run_script: RunScript, file_server: str) -> None:
    run = run_script('flags.py', '-s', file_server)
    assert (run.returncode, run.stderr) == (0, '')
    assert len(flag_files()) == 20


def test_only_labels_and_base_urls_are_accepted(run_script: RunScript) -> None:
    run = run_script('flags.py', '-s', 'NOWHERE')
    assert run.returncode == 2
    assert 'neither one of DELAY, ERROR, LOCAL, REMOTE, nor a URL' in run.stderr
    assert not Path('downloaded').exists()


def test_first_failure_ends_it_and_shows_its_traceback_in_development_mode(
    start_server: StartServer,
) -> None:
    server = start_server('--error-rate', 1, '--max-delay', 0)
    python, *words = command('flags.py', '-s', server.url)
    with started([python, '-X', 'dev', *words]) as process:
        _, stderr = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert 'Traceback (most recent call last)' in stderr
    assert '.HTTPStatusError: ' in stderr
    assert len(server.first_requests(1)) == 1


def test_what_a_killed_process_has_left_half_written_goes_after_a_while(folder: Path) -> None:
    left, new, other = (folder / name for name in ('.BH.gif.1.2', '.BR.gif.3.4', '.notes'))
    for path in (left, new, other):
        path.touch()
        os.utime(path, (0, 0))
    new.touch()
    flags.save_flag(GIF, 'BR.gif')
    assert sorted(path.name for path in folder.iterdir()) == ['.BR.gif.3.4', '.notes', 'BR.gif']


def test_server_may_be_named_in_the_environment(run_script: RunScript, fast_server: Server) -> None:
    for script in ('flags.py', 'flags2_sequential.py'):
        run = run_script(script, FLAGS_URL=fast_server.url)
        assert (run.returncode, len(flag_files())) == (0, 20)
    assert len(fast_server.first_requests(40)) == 40

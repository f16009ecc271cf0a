"""Downloads from a server on this machine, which breaks off, lies and refuses as it is told."""

import errno
import hashlib
import resource
import signal
import socket
import threading
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigrad.data import download as module
from minigrad.data.download import DownloadError, download
from tests.data.server import CONTENT, Server

SHA256 = hashlib.sha256(CONTENT).hexdigest()
SIZE = len(CONTENT)


@pytest.fixture(scope="module", autouse=True)
def direct():
    """No proxy that the environment may name stands between us."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("no_proxy", "127.0.0.1")
        yield


@pytest.fixture
def server():
    server = Server()
    yield server
    server.close()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cache" / "file.gz"


def part(path):
    return path.with_name(path.name + ".part")


def fetch(path, *servers, **options):
    urls = [server.url if isinstance(server, Server) else server for server in servers]
    return download(urls, path, SIZE, SHA256, **options)


def left(path):
    """The names of the files in the folder."""
    return sorted(file.name for file in path.parent.iterdir())


def test_a_file_is_fetched_once(server, path):
    told = []
    assert fetch(path, server, progress=lambda *what: told.append(what)) == path
    assert path.read_bytes() == CONTENT
    assert left(path) == ["file.gz"]
    assert told[-1] == ("file.gz", SIZE, SIZE)
    assert [have for _, have, _ in told] == sorted({have for _, have, _ in told})
    assert len(told) > 2
    fetch(path, server)
    fetch(str(path), "http://127.0.0.1:1/nothing is there")
    assert server.asked == [None]


def test_a_length_that_is_not_announced_is_fine(server, path):
    server.length_known = False
    fetch(path, server)
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("have", [1, 1000, SIZE - 1])
def test_what_an_earlier_run_left_is_continued(have, server, path):
    path.parent.mkdir()
    part(path).write_bytes(CONTENT[:have])
    fetch(path, server)
    assert path.read_bytes() == CONTENT
    assert server.asked == [f"bytes={have}-"]
    assert left(path) == ["file.gz"]


def test_a_run_that_ended_just_before_the_renaming_needs_no_server(path):
    path.parent.mkdir()
    part(path).write_bytes(CONTENT)
    fetch(path, "http://127.0.0.1:1/")
    assert path.read_bytes() == CONTENT
    assert left(path) == ["file.gz"]


@settings(deadline=None, max_examples=15)
@given(cuts=st.lists(st.integers(1, 300_000), max_size=4))
def test_a_connection_that_is_cut_is_taken_up_again(cuts, tmp_path_factory):
    path, server = tmp_path_factory.mktemp("cut") / "file.gz", Server()
    server.cuts = list(cuts)
    try:
        fetch(path, server)
    finally:
        server.close()
    assert path.read_bytes() == CONTENT
    sent = np.cumsum([0, *cuts])
    assert server.asked == [f"bytes={have}-" if have else None for have in sent if have < SIZE]


def test_a_server_without_ranges_sends_all_of_it_again(server, path):
    server.ranges, server.cuts = False, [400_000]
    fetch(path, server)
    assert path.read_bytes() == CONTENT
    assert server.asked == [None, "bytes=400000-"]


def test_a_server_without_ranges_that_always_breaks_off_is_given_up(server, path):
    server.ranges, server.cuts = False, [400_000, 300_000, None]
    with pytest.raises(DownloadError, match="breaks off after 300,000 of 700,001 bytes"):
        fetch(path, server)
    assert len(server.asked) == 2
    assert left(path) == ["file.gz.part"]


def test_the_next_address_goes_on_where_the_first_gave_up(server, path):
    other = Server()
    server.cuts = [250_000, 0]
    try:
        fetch(path, server, other)
    finally:
        other.close()
    assert path.read_bytes() == CONTENT
    assert (server.asked, other.asked) == ([None, "bytes=250000-"], ["bytes=250000-"])


def test_a_file_with_another_checksum_is_refused_and_nothing_is_left(server, path):
    server.content = CONTENT[:-1] + b"?"
    complaint = f"{server.url} sends a file whose SHA-256 is not {SHA256}"
    with pytest.raises(DownloadError, match=complaint):
        fetch(path, server)
    assert server.asked == [None]
    assert left(path) == []


def test_where_one_address_has_another_file_the_next_is_asked(server, path):
    other = Server()
    other.content = bytes(SIZE)
    try:
        fetch(path, other, server)
    finally:
        other.close()
    assert path.read_bytes() == CONTENT
    assert server.asked == [None]


def test_where_what_was_left_is_of_another_file_all_is_fetched_again(server, path):
    path.parent.mkdir()
    part(path).write_bytes(bytes(1000))
    fetch(path, server)
    assert path.read_bytes() == CONTENT
    assert server.asked == ["bytes=1000-", None]


def test_where_what_was_left_is_too_long_all_is_fetched_again(server, path):
    path.parent.mkdir()
    part(path).write_bytes(CONTENT + b"!")
    fetch(path, server)
    assert path.read_bytes() == CONTENT
    assert server.asked == [None]


def test_a_damaged_file_in_the_cache_is_replaced(server, path):
    path.parent.mkdir()
    for damaged in (CONTENT[:-1] + b"?", CONTENT[:-1], b""):
        path.write_bytes(damaged)
        fetch(path, server)
        assert path.read_bytes() == CONTENT


def test_a_file_that_is_too_long_is_not_taken_in(server, path):
    server.content, server.length_known = CONTENT + bytes(10**7), False
    lengths = []
    with pytest.raises(DownloadError, match="sends more than the 700,001 bytes of the file"):
        fetch(path, server, progress=lambda name, have, size: lengths.append(have))
    assert lengths[-1] == SIZE + 1
    assert left(path) == []


def test_a_file_that_is_too_short_is_refused(server, path):
    server.content = CONTENT[:5000]
    with pytest.raises(DownloadError, match=r"answers 416 .*|breaks off after 5,000 of 700,001"):
        fetch(path, server)
    assert not path.exists()


def test_some_other_piece_of_the_file_is_not_taken_for_the_rest(server, path):
    path.parent.mkdir()
    part(path).write_bytes(CONTENT[:1000])
    server.shift = 1
    with pytest.raises(DownloadError, match="answers 206, and not with what was asked for"):
        fetch(path, server)
    assert part(path).read_bytes() == CONTENT[:1000]


@pytest.mark.parametrize("status", [403, 404, 500, 503])
def test_an_answer_that_is_no_file_is_told(status, server, path):
    server.status = status
    with pytest.raises(DownloadError) as caught:
        fetch(path, server)
    assert str(caught.value).startswith(
        f"download: {str(path)!r} could not be fetched: {server.url} answers {status} "
    )
    assert server.asked == [None]
    assert left(path) == []


def test_addresses_that_cannot_be_reached_are_told_each(server, path):
    server.close()
    unknown = "http://nobody.invalid/file"
    with pytest.raises(DownloadError) as caught:
        fetch(path, server, unknown)
    sentence = str(caught.value)
    assert f"{server.url} cannot be reached: [Errno {errno.ECONNREFUSED}]" in sentence
    assert f"; {unknown} cannot be reached: " in sentence


ELSEWHERE = ["ftp://127.0.0.1:1/", "file:///etc/hostname", "http://a..b/", "gopher:"]


@pytest.mark.parametrize("location", ELSEWHERE)
def test_a_server_that_sends_us_elsewhere_is_not_followed_everywhere(location, server, path):
    server.location = location
    with pytest.raises(DownloadError, match="answers 302|cannot be reached"):
        fetch(path, server)
    assert left(path) == []


def test_a_server_that_falls_silent_is_given_up(path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/file"
        with pytest.raises(DownloadError, match="cannot be reached: timed out"):
            fetch(path, url, timeout=0.1)


def test_a_server_that_talks_nonsense_is_given_up(path):
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def talk():
            connection, _ = listening.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"\xff\xfe nonsense\r\n\r\n")

        thread = threading.Thread(target=talk)
        thread.start()
        with pytest.raises(DownloadError, match="cannot be reached: .*nonsense"):
            fetch(path, f"http://127.0.0.1:{listening.getsockname()[1]}/file")
        thread.join()


@contextmanager
def full_disk_after(size):
    """No file may grow beyond `size`: writing fails as on a full disk, with another number."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_is_told_and_what_came_is_kept_for_the_next_try(server, path):
    with full_disk_after(300_000), pytest.raises(DownloadError) as caught:
        fetch(path, server)
    assert str(caught.value) == (
        f"download: {str(path)!r} (700,001 bytes) could not be written: File too large; what has "
        f"arrived is kept, and the next try continues there"
    )
    assert left(path) == ["file.gz.part"]
    assert part(path).read_bytes() == CONTENT[:300_000]
    fetch(path, server)
    assert path.read_bytes() == CONTENT
    assert server.asked == [None, "bytes=300000-"]


@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_a_disk_that_fails_at_the_end_leaves_no_file(moment, server, path, monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(module.os, moment, fail)
        with pytest.raises(DownloadError, match="could not be written: No space left on device"):
            fetch(path, server)
    assert left(path) == ["file.gz.part"]
    fetch(path, server)
    assert path.read_bytes() == CONTENT
    assert server.asked == [None]  # all of it was there


def test_it_is_synced_before_it_has_its_name(server, path, monkeypatch):
    done = []
    for name in ("fsync", "replace"):
        real = getattr(module.os, name)

        def noted(*what, name=name, real=real):
            done.append((name, path.exists()))
            return real(*what)

        monkeypatch.setattr(module.os, name, noted)
    fetch(path, server)
    assert done == [("fsync", False), ("replace", False), ("fsync", True)]


def test_a_folder_that_cannot_be_made_is_told(server, path):
    path.parent.write_text("a file where a folder was wanted")
    with pytest.raises(DownloadError, match=r"could not be written: (Not a directory|File exists)"):
        fetch(path, server)


def test_an_interrupt_leaves_what_came(server, path):
    def interrupted(name, have, size):
        if have > 200_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(path, server, progress=interrupted)
    assert left(path) == ["file.gz.part"]
    assert CONTENT.startswith(part(path).read_bytes())
    fetch(path, server)
    assert path.read_bytes() == CONTENT
    assert server.asked[1].startswith("bytes=2")


def test_who_waited_in_vain_fetches_the_file_itself(server, path, monkeypatch):
    path.parent.mkdir()
    waiting, lock = threading.Event(), module.fcntl.flock

    def locked(*what):
        waiting.set()
        return lock(*what)

    with module._alone(part(path)):
        monkeypatch.setattr(module.fcntl, "flock", locked)
        thread = threading.Thread(target=fetch, args=(path, server))
        thread.start()
        assert waiting.wait(10)
        # The one in front gives up with nothing, and its empty file is removed.
    thread.join()
    assert path.read_bytes() == CONTENT
    assert left(path) == ["file.gz"]


def test_a_file_that_is_there_is_not_locked(server, path, monkeypatch):
    fetch(path, server)
    monkeypatch.setattr(module, "_alone", None)  # a cache may be for reading only
    fetch(path, server)
    assert server.asked == [None]


def test_of_many_who_want_the_same_file_one_fetches_it(server, path):
    errors = []

    def want():
        try:
            fetch(path, server)
            assert path.read_bytes() == CONTENT
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=want) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert server.asked == [None]
    assert left(path) == ["file.gz"]

"""The server: for this machine only, never in the way, and the last word reaches who watches."""

import http.client
import json
import socket
import threading
import time

import pytest

from googlenet.live import Server

POLICY = "default-src 'none'"


@pytest.fixture
def server():
    server = Server()
    server.start(b"<p>a page", POLICY, b'{"step": 1}')
    yield server
    server.close(patience=0)


def ask(server, path, host=None, method="GET", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.putrequest(method, path, skip_host=True)
    headers = {"Host": host or f"127.0.0.1:{server.port}", **headers}
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer, body


def test_it_gives_the_page_and_the_story(server):
    answer, body = ask(server, "/")
    assert (answer.status, body) == (200, b"<p>a page")
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Content-Security-Policy"].startswith(POLICY)
    answer, body = ask(server, "/story.json")
    assert json.loads(body) == {"step": 1}


def test_who_has_the_story_is_not_given_it_again(server):
    mark = ask(server, "/story.json")[0].headers["ETag"]
    assert ask(server, "/story.json", If_None_Match=mark)[0].status == 304
    server.publish(b'{"step": 2}')
    answer, body = ask(server, "/story.json", If_None_Match=mark)
    assert (answer.status, body) == (200, b'{"step": 2}')
    assert answer.headers["ETag"] != mark


@pytest.mark.parametrize("path", ["/config.json", "/../config.json", "/story.json?x", ""])
def test_there_is_nothing_else(server, path):
    assert ask(server, path or "*")[0].status == 404


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "evil.example:{port}", "127.0.0.2"])
@pytest.mark.parametrize("path", ["/", "/story.json"])
def test_a_page_from_elsewhere_cannot_read_along(server, host, path):
    """A name that was made to lead to this machine: the browser still sends it as the host."""
    answer, body = ask(server, path, host=host.format(port=server.port))
    assert answer.status == 403
    assert b"step" not in body
    assert b"page</" not in body


def test_localhost_is_this_machine_too(server):
    assert ask(server, "/", host=f"localhost:{server.port}")[0].status == 200


def test_it_listens_on_this_machine_only(server):
    assert server._http.socket.getsockname()[0] == "127.0.0.1"
    assert server.url == f"http://127.0.0.1:{server.port}/"


def test_nothing_can_be_sent(server):
    assert ask(server, "/", method="POST")[0].status == 501
    answer, body = ask(server, "/story.json", method="HEAD")
    assert (answer.status, body) == (200, b"")
    assert answer.headers["Content-Length"] == str(len(b'{"step": 1}'))


def test_a_port_that_is_taken_is_named(server):
    with pytest.raises(OSError, match=rf"cannot be served on port {server.port} of 127\.0\.0\.1"):
        Server(server.port)


def test_it_closes_at_once_where_nobody_watches():
    server = Server()
    server.start(b"", POLICY, b"{}")
    begun = time.monotonic()
    server.close(patience=60)
    assert time.monotonic() - begun < 30


def test_who_never_answered_can_be_closed():
    Server().close()


@pytest.mark.parametrize(
    "said", [b"", b"GET / HTTP/1.1\r\nHost:", b"\x16\x03\x01\xff\xff nonsense\r\n"]
)
def test_whoever_hangs_on_the_line_holds_nobody_up(server, said):
    with socket.create_connection(("127.0.0.1", server.port)) as line:
        line.sendall(said)
        assert ask(server, "/")[0].status == 200
        begun = time.monotonic()
        server.close(patience=60)
        assert time.monotonic() - begun < 25  # its thread is left waiting


def test_whoever_watches_gets_the_last_word():
    server = Server()
    server.start(b"", POLICY, b'{"state": "training"}')
    heard, connected = [], threading.Event()

    def watch():
        while not heard or heard[-1]["state"] == "training":
            heard.append(json.loads(ask(server, "/story.json")[1]))
            connected.set()
            time.sleep(0.3)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    assert connected.wait(20)
    server.publish(b'{"state": "finished"}')
    server.close(patience=20)
    watcher.join(20)
    assert heard[-1] == {"state": "finished"}


def test_a_line_that_is_kept_open_ends_with_it(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("GET", "/story.json")
    connection.getresponse().read()
    server.close(patience=0)
    connection.auto_open = 0  # over the same line, and no other
    connection.request("GET", "/story.json")
    with pytest.raises(ConnectionError):  # http.client.RemoteDisconnected is one
        connection.getresponse()

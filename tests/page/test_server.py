"""What the server takes from clients that are no page of its own."""

import concurrent.futures
import json
import re
import socket
import threading
import urllib.error
import urllib.request

import pytest
import videos

from dvdgan_tf.page import server

MAX_UPLOAD = 100_000


def request(url, body=None, **headers):
    """Status and text of an answer."""
    headers = {name.replace("_", "-"): text for name, text in headers.items()}
    asked = urllib.request.Request(url, body, headers)
    try:
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def join(url, values, session, **others):
    """Puts values of the controls into the queue, as the page does."""
    body = dict(data=values, fn_index=0, session_hash=session, **others)
    return request(
        f"{url}gradio_api/queue/join",
        json.dumps(body).encode(),
        content_type="application/json",
    )


def result(url, session):
    """The last message of a request in the queue."""
    _, text = request(f"{url}gradio_api/queue/data?session_hash={session}")
    messages = [json.loads(m) for m in re.findall("^data: (.+)$", text, re.M)]
    done = [m for m in messages if m["msg"] == "process_completed"]
    return done[-1]["success"], json.dumps(done[-1]["output"])


def ask(url, values, session):
    assert join(url, values, session)[0] == 200
    return result(url, session)


# In the order of the controls.
VALUES = [["wave"], 0.7, 3, 2, "none"]


def test_values_that_no_page_sends(answers, serving):
    with serving(answers) as url:
        success, output = ask(url, VALUES, "s0")
        assert success and output.count("data:image/webp") == 2
        for number, (index, value, words) in enumerate(
            [
                (0, ["<b>"], "There is no class '&lt;b&gt;'."),
                (1, float("nan"), "Truncation must be from 0.5 to 1.0."),
                (2, 1e400, "The seed must be from 0 to"),
                (3, 10**9, "Clips must be from 1 to 6. Received: 10"),
                (4, {"a": [1]}, "There is no interpolation"),
            ]
        ):
            values = [*VALUES]
            values[index] = value
            success, output = ask(url, values, f"s{number + 1}")
            assert success and "data:image" not in output
            words = words.replace("'", "&#x27;")
            assert words in output and "Traceback" not in output


def test_paths_and_sizes(answers, serving):
    with serving(answers) as url:
        assert request(url)[0] == 200
        for path in (
            "docs",
            "gradio_api/info",
            "gradio_api/openapi.json",
            "gradio_api/vibe-code",
            "gradio_api/proxy=http://127.0.0.1/",
            "gradio_api/deep_link?session_hash=a",
            "monitoring",
            # Gradio fetches URLs for whoever asks.
            "gradio_api/file=https://example.org/x",
            "gradio_api/file=HTTPS://example.org/x",
            "gradio_api/file=http%3A%2F%2Fexample.org/x",
            "gradio_api/file%3Dhttp%3A//example.org/x",
            "gradio_api/file=http%253A%252F%252Fexample.org/x",
            "gradio_api/file=//example.org/x",
            "gradio_api/file=%2F%2Fexample.org/x",
            "gradio_api/file=setup.cfg",
            "gradio_api/file/https://example.org/x",
            "file=https://example.org/x",
        ):
            assert request(url + path) == (404, "There is no such page."), path
        status, text = request(f"{url}gradio_api/file=/etc/passwd")
        assert status == 403 and "root:" not in text
        status, text = join(url, VALUES, "s", event_data="x" * 70_000)
        assert (status, text) == (413, "A request has at most 65,536 bytes.")
        status, text = join(url, [{"path": "http://127.0.0.1:9/x"}], "s")
        assert (status, text) == (400, "Files have to be uploaded, not linked.")
        # Without a length, in chunks.
        status, _ = request(
            f"{url}gradio_api/queue/join", iter([b"{}"]), content_type="x"
        )
        assert status == 411
        status, text = upload(url, b"x")
        assert (status, text) == (404, "This page takes no files.")


def upload(url, content):
    body = (
        b'--b\r\nContent-Disposition: form-data; name="files"; '
        b'filename="v.mkv"\r\n\r\n' + content + b"\r\n--b--\r\n"
    )
    kind = "multipart/form-data; boundary=b"
    return request(f"{url}gradio_api/upload", body, content_type=kind)


def test_files(predictions, serving, tmp_path):
    videos.write(tmp_path / "v.mkv", videos.moving_square())
    content = (tmp_path / "v.mkv").read_bytes()
    with serving(predictions, max_upload_bytes=MAX_UPLOAD) as url:
        assert upload(url, bytes(MAX_UPLOAD + 5000))[0] == 413
        assert upload(url, bytes(MAX_UPLOAD + 1))[0] == 413
        status, text = upload(url, content)
        assert status == 200
        file = {
            "path": json.loads(text)[0],
            "meta": {"_type": "gradio.FileData"},
        }
        values = [file, None, 1, 3, 2, 7]
        success, output = ask(url, values, "s1")
        assert success and output.count("data:image/webp") == 2
        # A file of the server's own.
        file["path"] = "/etc/passwd"
        success, output = ask(url, values, "s2")
        assert not success and "root:" not in output
        for wrong in ("v.mkv", ["x"], {"path": "/etc/passwd"}):
            success, output = ask(url, [wrong, *values[1:]], "s3")
            assert "data:image" not in output and "root:" not in output


def test_a_full_queue(answers, serving, monkeypatch):
    started, go_on = threading.Event(), threading.Event()
    to, running = answers.to, []

    def slow(*args):
        running.append(1)
        assert len(running) == 1
        started.set()
        go_on.wait(60)
        running.pop()
        return to(*args)

    with serving(answers, max_queue=1) as url:
        monkeypatch.setattr(answers, "to", slow)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            assert join(url, VALUES, "s0")[0] == 200
            assert started.wait(60)
            assert join(url, VALUES, "s1")[0] == 200
            status, text = join(url, VALUES, "s2")
            assert status == 503 and "Queue is full" in text
            go_on.set()
            done = [pool.submit(result, url, f"s{i}") for i in range(2)]
            assert all(d.result(60)[0] for d in done)


def test_ports():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            OSError, match=f"port {port} of '127.0.0.1' .*--port"
        ):
            server.free_port("127.0.0.1", port)
    assert server.free_port("127.0.0.1", 0) > 1024
    with pytest.raises(OSError, match=r"'no-such-host[.]invalid'"):
        server.free_port("no-such-host.invalid", 80)


def test_other_hosts_and_origins(answers, serving):
    with serving(answers) as url:
        refusal = (403, "This is not the address of this page.")
        for path in ("", "config", "gradio_api/queue/join"):
            for body in (None, b"{}"):
                for headers in (
                    {"host": "evil.example"},
                    {"host": "evil.example:80"},
                    {"origin": "http://evil.example"},
                    {"origin": "null"},
                ):
                    assert request(url + path, body, **headers) == refusal
        own = url.removesuffix("/")
        assert request(url, origin=own, host="localhost:1")[0] == 200
        # Two hosts, and none at all.
        for line in (b"Host: localhost\r\nHost: evil.example\r\n", b""):
            answer = raw(url, b"GET / HTTP/1.0\r\n" + line + b"\r\n")
            assert answer.startswith(b"HTTP/1.1 40")
            assert b"gradio" not in answer
        upgrade = b"Connection: upgrade\r\nUpgrade: websocket\r\n"
        upgrade += b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eA==\r\n"
        upgrade += b"Host: localhost\r\n\r\n"
        assert b" 101 " not in raw(url, b"GET /x HTTP/1.1\r\n" + upgrade)


def connected(url):
    host, port = url.removeprefix("http://").strip("/").split(":")
    return socket.create_connection((host, int(port)), timeout=20)


def raw(url, data):
    """All that comes back until the connection is closed."""
    with connected(url) as client:
        client.sendall(data)
        parts = iter(lambda: client.recv(1 << 16), b"")
        return b"".join(parts)


def test_half_sent_requests_are_closed(answers, serving, monkeypatch):
    from dvdgan_tf.page import timed_protocol

    monkeypatch.setattr(timed_protocol, "_SECONDS", 1.0)
    head = b"POST /gradio_api/queue/join HTTP/1.1\r\nHost: localhost\r\n"
    with serving(answers) as url:
        for data in (
            b"",
            b"GET / HT",
            head,
            head + b"Content-Length: 1000\r\n\r\n{",
        ):
            with connected(url) as client:
                client.sendall(data)
                assert closes(client, 10)
        # A byte from time to time does not help.
        with connected(url) as client:
            client.sendall(head)
            for _ in range(30):
                try:
                    client.sendall(b"a")
                except OSError:
                    break
                if closes(client, 0.2):
                    break
            else:
                raise AssertionError("It is still open.")
        # What waits for its answer stays.
        assert join(url, VALUES, "s")[0] == 200 and result(url, "s")[0]


def closes(client, seconds):
    """Whether the server closes a connection in time."""
    client.settimeout(seconds)
    try:
        return client.recv(10) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True


def test_an_answer_that_takes_long_is_waited_for(answers, serving, monkeypatch):
    from dvdgan_tf.page import timed_protocol

    monkeypatch.setattr(timed_protocol, "_SECONDS", 0.3)
    to = answers.to

    def slow(*args):
        threading.Event().wait(2)
        return to(*args)

    with serving(answers) as url:
        monkeypatch.setattr(answers, "to", slow)
        success, output = ask(url, VALUES, "s")
        assert success and "data:image/webp" in output


def test_requests_of_one_client_without_end(answers, serving):
    with serving(answers) as url:
        statuses = [join(url, ["x"], f"s{i}")[0] for i in range(20)]
        assert statuses[:4] == [200] * 4 and 429 in statuses[12:]
        status, text = join(url, ["x"], "s")
        assert (status, text) == (
            429,
            "Too many requests at once: wait a little.",
        )
        # The page itself is still there.
        assert request(url)[0] == 200

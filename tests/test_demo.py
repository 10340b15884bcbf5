"""The command line of the page: mistakes; tests/page has the page itself."""

import importlib.util
import os
import socket

import pytest

from dvdgan_tf import demo

pytest.importorskip("gradio", reason="The page needs gradio.")


@pytest.fixture
def fails(capsys, monkeypatch):
    """Runs the command, which fails; returns its sentence."""
    # The command sets them for its process.
    for name in ("GRADIO_TEMP_DIR", "no_proxy"):
        monkeypatch.setenv(name, os.environ.get(name, ""))

    def run(*args):
        with pytest.raises(SystemExit) as ended:
            demo.main(list(args))
        text = capsys.readouterr().err
        assert ended.value.code == 2 and "Traceback" not in text
        return text.strip().splitlines()[-1]

    return run


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--module=demo", "--workdir=x"], "either a --module or a --workdir"),
        (["--module=/nowhere"], "'/nowhere' is neither a run's folder"),
        (["--workdir=/nowhere"], "'/nowhere' is neither a run's folder"),
        (["--workdir=x", "--truncations=a"], "must be numbers such as"),
        (["--port=70000"], "--port must be from 0 to 65535. Received: 70000"),
        (["--port=web"], "--port=web"),
        (["--max_clips=1"], "--max_clips must be from 2 to 64. Received: 1"),
        (["--max_queue=0"], "--max_queue must be from 1 to 1000. Received: 0"),
        (
            ["--max_upload_mb=nan"],
            "--max_upload_mb must be from 0.001 to 10000",
        ),
        (
            ["--allow_host=https://a.example/x"],
            "a name without scheme, port or path",
        ),
        (["--host=no-such-host.invalid"], "of 'no-such-host.invalid'"),
    ],
)
def test_mistakes_are_one_sentence(fails, args, words):
    if not any(arg.startswith("--port") for arg in args):
        args = [*args, "--port=0"]
    sentence = fails(*args)
    assert sentence.startswith("error: ") and words in sentence


def test_a_port_in_use(fails):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        sentence = fails("--module=demo", f"--port={port}")
    assert f"Cannot listen on port {port} of '127.0.0.1'" in sentence
    assert "--port, or 0 for any that is free" in sentence


def test_gradio_is_not_there(fails, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    sentence = fails("--module=demo", "--port=0")
    assert sentence == (
        "error: The page needs gradio: pip install 'dvdgan_tf[page]'."
    )

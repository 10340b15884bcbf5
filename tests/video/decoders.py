"""Processes that decode videos, watched, or played by other programs."""

import pathlib
import sys
import textwrap
import time

from dvdgan_tf.video import decode_process


def child_pid(decoder):
    return decoder._child._process.pid


def is_running(pid):
    try:
        status = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def wait_until_gone(pid):
    deadline = time.monotonic() + 20
    while is_running(pid):
        assert time.monotonic() < deadline, f"process {pid} lives on"
        time.sleep(0.02)


def run_instead(monkeypatch, script):
    """Starts a Python program instead of the decoder."""
    command = (sys.executable, "-c", script)
    monkeypatch.setattr(decode_process, "COMMAND", command)


def fake_child(monkeypatch, body):
    """Starts a script instead, which behaves badly after saying "ready"."""
    script = textwrap.dedent("""
        import json, os, signal, sys, time
        def send(header, data=b""):
            header = json.dumps(header).encode()
            message = len(header).to_bytes(4, "big") + header + data
            os.write(1, message)
        send({"type": "ready"})
        sys.stdin.readline()
    """) + textwrap.dedent(body)
    run_instead(monkeypatch, script)

"""Chromium, and the page of a module whose clips are easily predicted."""

import contextlib
import shutil
import sys

import pytest
from absl import logging
from fake_modules import Module

from dvdgan_tf.page.answer import Answers
from dvdgan_tf.page.recipe import Source
from dvdgan_tf.page.settings import Limits
from dvdgan_tf.sampling.model import Model

LIMITS = Limits(clips=6, frames=20)


@pytest.fixture
def answers(tmp_path):
    return Answers(Model(Module()), Source("made"), LIMITS, str(tmp_path))


@pytest.fixture
def predictions(tmp_path):
    model = Model(Module(given=2))
    return Answers(model, Source("made"), LIMITS, str(tmp_path))


@pytest.fixture
def serving(tmp_path, monkeypatch):
    """Serves `Answers` in this process; gives the URL."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    # uvicorn closes all handlers of logging, and absl's then closes its
    # stream, unless that is the real one.
    handler = logging.get_absl_handler().python_handler
    monkeypatch.setattr(handler, "stream", sys.__stderr__)
    pytest.importorskip("gradio", reason="The page needs gradio.")
    from dvdgan_tf.page import layout, server

    @contextlib.contextmanager
    def serve(answers, max_queue=4, max_upload_bytes=0):
        blocks = layout.build(answers, "made", max_queue)
        port = server.free_port("127.0.0.1", 0)
        try:
            yield server.serve(blocks, "127.0.0.1", port, max_upload_bytes)
        finally:
            blocks.close(verbose=False)

    return serve


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A headless Chromium of playwright."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    if not found:
        pytest.skip(f"There is no browser: none of {', '.join(names)}.")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        context = driver.chromium.launch_persistent_context(
            str(tmp_path_factory.mktemp("chromium")),
            executable_path=found,
            headless=True,
            viewport={"width": 1280, "height": 800},
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ],
        )
        context.set_default_timeout(30_000)
        yield context
        context.close()

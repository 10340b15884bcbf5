"""The page in a real browser: clicked, looked at, and ended."""

import base64
import io
import os
import pathlib
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
import zipfile

import forked
import numpy as np
import pytest
import videos
from page.contrast import too_faint
from PIL import Image

OUTPUT = pathlib.Path(__file__).parents[2] / "test_output"


@pytest.fixture
def open_page(browser):
    """Opens a page that may load from its own server only."""
    requested = []

    def opened(url):
        page = browser.new_page()
        page.on("request", lambda request: requested.append(request.url))
        page.goto(url)
        page.wait_for_selector("#go")
        return page

    yield opened
    allowed = ("http://127.0.0.1:", "data:", "blob:")
    assert requested and all(u.startswith(allowed) for u in requested)
    for page in browser.pages:
        page.close()


@pytest.fixture
def screenshot(record_property):
    """Keeps a picture of the page for people; pytest says where."""

    def taken(page, name):
        OUTPUT.mkdir(exist_ok=True)
        page.screenshot(path=OUTPUT / name)
        record_property("screenshot", str(OUTPUT / name))

    return taken


def frames(page, number, fps):
    """Clip `number` as the page holds it: uint8 [T, H, W, 3]."""
    period = round(1000 / fps)  # ms
    image = page.locator("#clips img").nth(number)
    head, data = image.get_attribute("src").split(",")
    assert head == "data:image/webp;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as animation:
        assert animation.info["loop"] == 0
        shown = []
        for index in range(animation.n_frames):
            animation.seek(index)
            pixels = np.asarray(animation.convert("RGB"))
            # Equal frames in a row are one, shown for longer.
            times, rest = divmod(animation.info["duration"], period)
            assert not rest
            shown += [pixels] * times
    return np.stack(shown)


def wait_for_clips(page, count):
    page.wait_for_function(
        f"document.querySelectorAll('#clips img').length === {count}"
    )
    page.wait_for_function(
        "[...document.querySelectorAll('#clips img')].every("
        "i => i.complete && i.naturalWidth)"
    )


def moves(page):
    """Whether the browser shows another picture within two seconds."""
    image = page.locator("#clips img").first
    first = image.screenshot()
    for _ in range(20):
        page.wait_for_timeout(100)
        if image.screenshot() != first:
            return True
    return False


@pytest.fixture
def command():
    """The real command on a free port; the process and its URL.

    Any word to a host but this one would go to a proxy that waits in vain.
    """
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        address = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        environment = os.environ | {
            "HTTP_PROXY": address,
            "HTTPS_PROXY": address,
            "GRADIO_ANALYTICS_ENABLED": "True",
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "dvdgan_tf.demo", "--port=0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        watchdog = threading.Timer(600, process.kill)
        watchdog.start()
        last = ""
        for last in process.stdout:
            if last.startswith("Page: "):
                break
        found = re.search(r"http://127\.0\.0\.1:\d+/", last)
        yield process, found[0] if found else None
        watchdog.cancel()
        process.kill()
        process.communicate()
        proxy.setblocking(False)
        with pytest.raises(BlockingIOError):
            proxy.accept()


def test_digits(open_page, command, screenshot, tmp_path):
    process, url = command
    page = open_page(url)
    wait_for_clips(page, 10)
    page.click("#classes input")
    page.click("[role=option]:has-text('3')")
    page.click("[role=option]:has-text('8')")
    page.keyboard.press("Escape")
    for name, value in dict(truncation="0.6", count="6", seed="7").items():
        page.fill(f"#{name} input[type=number]", value)
    page.click("#go")
    wait_for_clips(page, 6)
    captions = page.locator("#clips figcaption").all_inner_texts()
    assert captions == ["3", "8"] * 3
    clips = np.stack([frames(page, i, 12) for i in range(6)])
    assert clips.shape == (6, 8, 32, 32, 3)
    assert all(np.ptp(clip.astype(int), 0).max() > 50 for clip in clips)
    assert moves(page)
    summary = page.inner_text("#summary")
    assert summary.startswith("6 clips of 8 frames, 32 x 32 pixels")
    screenshot(page, "page.png")
    with page.expect_download() as download:
        page.click("#download")
    with zipfile.ZipFile(download.value.path()) as archive:
        with archive.open("00005_8.npz") as file:
            np.testing.assert_array_equal(np.load(file)["video"], clips[5])
        assert archive.testzip() is None
    page.click("text=Make the same clips without this page")
    recipe = page.inner_text("#command .cm-content")
    run_command(recipe, tmp_path / "clips")
    for i in range(6):
        path = tmp_path / "clips" / f"{i:05d}_{'38'[i % 2]}.npz"
        with np.load(path) as stored:
            np.testing.assert_array_equal(stored["video"], clips[i])
    page.fill("#seed input", "-5")
    page.click("#go")
    page.wait_for_selector("text=The seed must be from 0 to ")
    # With the page still open.
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0
    assert "Traceback" not in errors and "\nerror: " not in errors


def run_command(recipe, output):
    """Runs the command line that the page shows."""
    words = shlex.split(recipe.replace("\\\n", " "))
    assert words[:2] == ["python", "-m"]
    options = [f"--output={output}", "--formats=npz"]
    assert not forked.run(forked.module, *words[2:], *options).returncode


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["answers", "predictions"])
def test_everything_can_be_seen(
    kind, scheme, serving, open_page, screenshot, request
):
    made = request.getfixturevalue(kind)
    size = 0 if kind == "answers" else 1_000_000
    with serving(made, max_upload_bytes=size) as url:
        page = open_page(url)
        page.emulate_media(color_scheme=scheme)
        page.reload()
        page.click("#recipe button")
        page.wait_for_selector("#recipe .cm-content, #recipe .empty")
        page.fill("#seed input", "-5")
        page.click("#go")
        page.wait_for_selector(".refused")
        background = page.evaluate(
            "getComputedStyle(document.body).backgroundColor"
        )
        assert ("255, 255, 255" in background) == (scheme == "light")
        # Colours change slowly where the mouse has been.
        page.mouse.move(0, 0)
        page.wait_for_timeout(500)
        screenshot(page, f"page_{kind}_{scheme}.png")
        assert too_faint(page) == []


def test_what_is_too_faint_is_found(answers, serving, open_page):
    with serving(answers) as url:
        page = open_page(url)
        assert too_faint(page) == []
        page.add_style_tag(
            content="#summary p { color: #999 } #seed input {"
            "border-color: #ddd !important; box-shadow: none !important }"
        )
        page.wait_for_timeout(500)
        words, seed = sorted(too_faint(page), key=lambda line: "Seed" in line)
    assert "6 clips of 5 frames" in words and ": 2.85 (" in words
    assert "Seed: 1." in seed


def test_a_phone_scrolls_to_the_clips(answers, serving, open_page, screenshot):
    with serving(answers) as url:
        page = open_page(url)
        page.set_viewport_size({"width": 390, "height": 800})
        assert page.evaluate("scrollX + scrollY") == 0
        # All of the page is as wide as the phone.
        assert page.evaluate("document.body.scrollWidth") <= 390
        page.fill("#count input[type=number]", "3")
        page.click("#go")
        wait_for_clips(page, 3)
        page.wait_for_function(
            "(() => { const box = document.querySelector('#clips img')"
            ".getBoundingClientRect();"
            "return box.top >= 0 && box.bottom <= innerHeight })()"
        )
        screenshot(page, "page_phone.png")


def test_a_video_is_continued(
    predictions, serving, open_page, screenshot, tmp_path
):
    (tmp_path / "notes.mp4").write_text("no video at all")
    videos.write(tmp_path / "square.mkv", videos.moving_square())
    with serving(predictions, max_upload_bytes=1_000_000) as url:
        page = open_page(url)
        page.click("#go")
        page.wait_for_selector("text=Choose a video to continue first.")
        page.set_input_files("input[type=file]", tmp_path / "notes.mp4")
        page.wait_for_selector("text=notes.mp4")
        page.click("#go")
        page.wait_for_selector("text=it is text, no video")
        assert str(tmp_path) not in page.inner_text("body")
        page.click("[aria-label='Clear'], [aria-label='Remove this file']")
        page.set_input_files("input[type=file]", tmp_path / "square.mkv")
        page.wait_for_selector("text=square.mkv")
        page.fill("#num_frames input[type=number]", "9")
        page.click("#go")
        wait_for_clips(page, 4)
        screenshot(page, "page_prediction.png")
        clip = frames(page, 3, 8)
    assert clip.shape == (9, 8, 8, 3)
    assert (clip[:2, 0] == (255, 140, 0)).all() and (clip[2:, 0] == 0).all()

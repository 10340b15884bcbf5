"""Command line: a web page to sample from a module or a run.

python -m dvdgan_tf.demo --module=demo

Ends with Ctrl-C. Exit codes: 0 when ended so; 2 for what the user can mend; 1
when it fails.
"""

import argparse
import importlib.util
import os
import tempfile

from dvdgan_tf.command_line import fail, folder, sentences, truncations

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def main(arguments=None):
    """Serves the page."""
    options = parse(arguments)
    with sentences("the page is closed"):
        run(options)


def parse(arguments):
    """The options, of a list of arguments or of the command line."""
    parser = argparse.ArgumentParser(
        "python -m dvdgan_tf.demo",
        description=__doc__.split("\n")[0],
        allow_abbrev=False,
    )
    parser.error = lambda message: fail(f"{message}; see --help.", 2)
    add = parser.add_argument
    add(
        "--module",
        help='An exported module, its archive, a URL, or "demo", the default.',
    )
    add("--workdir", type=folder, help="A run's folder, instead of a module.")
    add("--step", type=int, help="Of the run's checkpoint; default: newest.")
    add(
        "--truncations",
        default="1.0,0.8,0.6,0.4",
        help="Levels of truncation to prepare, of a run.",
    )
    add("--host", default="127.0.0.1", help="Address to listen on.")
    add("--port", type=int, default=7860, help="0: any that is free.")
    add("--max_clips", type=int, default=16, help="Clips of one request.")
    add("--max_queue", type=int, default=8, help="Requests that may wait.")
    add(
        "--max_upload_mb",
        type=float,
        default=64,
        help="Of a video to continue.",
    )
    return parser.parse_args(arguments)


def run(options):
    """Serves what the options say, until Ctrl-C."""
    _check(options)
    if importlib.util.find_spec("gradio") is None:
        raise ImportError(
            "The page needs gradio: pip install 'dvdgan_tf[page]'."
        )
    with tempfile.TemporaryDirectory(prefix="dvdgan_tf_page_") as folder:
        # Read when gradio is imported: uploads and archives are put there,
        # and not into a folder that all users of this machine share.
        os.environ["GRADIO_TEMP_DIR"] = folder
        # Gradio asks itself whether it answers, which no proxy is to know.
        own = {*_LOOPBACK, options.host}
        known = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
        os.environ["no_proxy"] = ",".join(filter(None, [known, *own]))
        _serve(options, folder)


def _check(options):
    """Raises ValueError for an option that is out of its range."""
    if options.module and options.workdir:
        raise ValueError("Name either a --module or a --workdir, not both.")
    if options.step is not None and not options.workdir:
        raise ValueError(
            "--step is of a run's checkpoint; name the run's --workdir. "
            f"Received: --step={options.step}"
        )
    ranges = dict(
        port=(0, 65535),
        max_clips=(2, 64),
        max_queue=(1, 1000),
        max_upload_mb=(0.001, 10_000),
    )
    for name, (low, high) in ranges.items():
        value = getattr(options, name)
        if not low <= value <= high:
            raise ValueError(
                f"--{name} must be from {low:g} to {high:g}. Received: {value}"
            )


def _serve(options, folder):
    from dvdgan_tf.page import layout, server
    from dvdgan_tf.page.answer import Answers
    from dvdgan_tf.page.settings import Limits

    port = server.free_port(options.host, options.port)
    model, source = _model(options)
    given = model.facts["conditioning_frames"]
    limits = Limits(options.max_clips, 4 * model.facts["num_frames"])
    if not given:
        print("Sampling the first clips ...", flush=True)
    blocks = layout.build(
        Answers(model, source, limits, folder), source.name, options.max_queue
    )
    upload_bytes = int(options.max_upload_mb * 1e6) if given else 0
    url = server.serve(blocks, options.host, port, upload_bytes)
    if options.host not in _LOOPBACK:
        print("Everybody who reaches this machine can use the page.")
    print(f"Page: {url} (Ctrl-C ends it)", flush=True)
    try:
        blocks.server.thread.join()
    except KeyboardInterrupt:
        print("Closing the page.")
    finally:
        blocks.close(verbose=False)


def _model(options):
    """The model, and the `recipe.Source` that it is loaded from."""
    from dvdgan_tf.page.recipe import Source
    from dvdgan_tf.sampling.loading import load

    if not options.workdir:
        name = options.module or "demo"
        return load(name), Source(name)
    levels = truncations(options.truncations)
    print(f"Reading {options.workdir} ...", flush=True)
    model = load(options.workdir, options.step, levels)
    return model, Source(options.workdir, model.facts["step"], levels)


if __name__ == "__main__":
    main()

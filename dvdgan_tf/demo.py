"""Serves a web page to sample from a module or a run.

    python -m dvdgan_tf.demo --module=demo

Ends with Ctrl-C. Exit codes: 0 when ended so; 2 for what the user can mend; 1
when it fails.
"""

import importlib.util
import os
import re
import tempfile

from absl import flags

from dvdgan_tf import command_line
from dvdgan_tf.command_line import sentences, truncations
from dvdgan_tf.quiet import import_tensorflow

_LOOPBACK = ("127.0.0.1", "localhost", "::1")

FLAGS = command_line.new_flags()
flags.DEFINE_string(
    "module",
    None,
    "An exported module's folder, its archive, its URL, or demo, the weights "
    "that are part of the package; demo by default.",
    flag_values=FLAGS,
)
command_line.define_folder(
    "workdir", None, "A run's folder, instead of a module.", FLAGS
)
flags.DEFINE_integer(
    "step",
    None,
    "Step of the run's checkpoint; the newest by default.",
    flag_values=FLAGS,
)
flags.DEFINE_string(
    "truncations",
    "1.0,0.8,0.6,0.4",
    "Levels of truncation to prepare of a run, with commas between them.",
    flag_values=FLAGS,
)
flags.DEFINE_string(
    "host", "127.0.0.1", "Address to listen on.", flag_values=FLAGS
)
flags.DEFINE_multi_string(
    "allow_host",
    [],
    "A further name by which visitors reach the page, such as that of a proxy "
    "in front of it; requests that name another host are refused. May be "
    "repeated.",
    flag_values=FLAGS,
)
flags.DEFINE_integer(
    "port",
    7860,
    "Port to listen on; 0 takes any that is free.",
    flag_values=FLAGS,
)
flags.DEFINE_integer(
    "max_clips",
    16,
    "Number of clips that one request may ask for.",
    flag_values=FLAGS,
)
flags.DEFINE_integer(
    "max_queue", 8, "Number of requests that may wait.", flag_values=FLAGS
)
flags.DEFINE_float(
    "max_upload_mb",
    64,
    "Size of the largest video to continue, in megabytes.",
    flag_values=FLAGS,
)


def main(arguments: list[str] | None = None) -> None:
    """Serves the page."""
    options = command_line.parse(FLAGS, __doc__, arguments)
    with sentences("the page is closed"):
        check(options)
        run(options)


def run(options: flags.FlagValues) -> None:
    """Serves what the flags say, until Ctrl-C."""
    with tempfile.TemporaryDirectory(prefix="dvdgan_tf_page_") as folder:
        # Read when gradio is imported: uploads and archives are put there,
        # and not into a folder that all users of this machine share.
        os.environ["GRADIO_TEMP_DIR"] = folder
        # Gradio asks itself whether it answers, which no proxy is to know.
        own = {*_LOOPBACK, options.host}
        known = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
        os.environ["no_proxy"] = ",".join(filter(None, [known, *own]))
        import_tensorflow()
        _serve(options, folder)


def check(options: flags.FlagValues) -> None:
    """Raises an error for what is wrong about the flags themselves."""
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
    for name in options.allow_host:
        if not re.fullmatch(r"[\w.-]+|[\da-fA-F:]+", name):
            raise ValueError(
                "--allow_host is a name without scheme, port or path, such as "
                f"digits.example.org. Received: {name!r}"
            )
    truncations(options.truncations)
    if importlib.util.find_spec("gradio") is None:
        raise ImportError(
            "The page needs gradio: pip install 'dvdgan_tf[page]'."
        )
    command_line.check_model(options.module or "demo", options.workdir)


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
    url = server.serve(
        blocks, options.host, port, upload_bytes, options.allow_host
    )
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
        command_line.say_what_runs(name)
        return load(name), Source(name)
    levels = truncations(options.truncations)
    print(f"Reading {options.workdir} ...", flush=True)
    model = load(options.workdir, options.step, levels)
    return model, Source(options.workdir, model.facts["step"], levels)


if __name__ == "__main__":
    main()

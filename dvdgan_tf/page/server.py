"""Serves the page on one address, until it is told to end."""

import socket

from starlette.middleware import Middleware

from dvdgan_tf.page import look
from dvdgan_tf.page.gate import Gate


def free_port(host, port):
    """Makes sure that a port can be had.

    Args:
        host: name or address of this machine.
        port: 0 for any.

    Returns:
        The port.

    Raises:
        OSError: it cannot, in a sentence.
    """
    try:
        family, *_, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        )[0]
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            return probe.getsockname()[1]
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OSError(
            f"Cannot listen on port {port} of {host!r} ({reason}); choose "
            "another --port, or 0 for any that is free."
        ) from error


def serve(blocks, host, port, max_upload_bytes):
    """Starts to serve, in a thread.

    Args:
        blocks: of `layout.build`.
        host: name or address to listen on.
        port: from `free_port`.
        max_upload_bytes: of a video; 0 where none is taken.

    Returns:
        The page's URL.
    """
    _, url, _ = blocks.launch(
        # IPv6, for URLs.
        server_name=f"[{host}]" if ":" in host else host,
        server_port=port,
        app_kwargs={
            "middleware": [Middleware(Gate, max_upload_bytes=max_upload_bytes)]
        },
        theme=look.theme(),
        css=look.CSS,
        footer_links=[],
        max_file_size=max_upload_bytes or None,
        state_session_capacity=100,
        # Said here, for variables of the environment say otherwise.
        share=False,
        ssr_mode=False,
        mcp_server=False,
        enable_monitoring=False,
        run_history=False,
        num_workers=0,
        inbrowser=False,
        inline=False,
        show_error=False,
        quiet=True,
        prevent_thread_lock=True,
    )
    return url

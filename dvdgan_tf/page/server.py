"""Serves the page on one address, until it is told to end."""

import socket
from collections.abc import Sequence

import gradio as gr
from starlette.middleware import Middleware

from dvdgan_tf.page import look
from dvdgan_tf.page.gate import Gate
from dvdgan_tf.page.hosts import Hosts
from dvdgan_tf.page.timed_protocol import TimedProtocol


def free_port(host: str, port: int) -> int:
    """Makes sure that the server can listen on a port.

    Args:
        host: name or address of this machine.
        port: number of the port; 0 for any that is free.

    Returns:
        The number of the port.

    Raises:
        OSError: one sentence, if the server cannot listen there.
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


def serve(
    blocks: gr.Blocks,
    host: str,
    port: int,
    max_upload_bytes: int,
    other_hosts: Sequence[str] = (),
) -> str:
    """Starts to serve a page, in a thread.

    Args:
        blocks: the page, from `layout.build`.
        host: name or address to listen on.
        port: number of the port, from `free_port`.
        max_upload_bytes: size of a video at most; 0 where none is taken.
        other_hosts: further names by which the page is reached.

    Returns:
        The page's URL.
    """
    _, url, _ = blocks.launch(
        # IPv6, for URLs.
        server_name=f"[{host}]" if ":" in host else host,
        server_port=port,
        app_kwargs={
            "middleware": [
                Middleware(
                    Gate,
                    max_upload_bytes=max_upload_bytes,
                    hosts=Hosts(host, other_hosts),
                )
            ]
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
    # gradio makes the server itself; each connection takes what stands here.
    blocks.server.config.http_protocol_class = TimedProtocol
    return url

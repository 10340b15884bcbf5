"""The messages of errors, in one sentence."""

import re


def one_line(error: BaseException) -> str:
    """The message of an error, without what gin appends, on one line."""
    if isinstance(error, OSError) and error.filename:
        return f"{error.strerror}: {error.filename}"
    message = str(error).split("\n  In call to configurable")[0]
    # gin quotes the whole configuration.
    message = message.split(" in config string")[0]
    lines = (line.strip() for line in message.splitlines())
    return " ".join(line for line in lines if line)


def innermost(error: BaseException) -> str:
    """The message of the error inside an error of TensorFlow.

    Those of the data pipeline come wrapped in graph tracebacks.
    """
    failed = re.search(r"assertion failed: \[(.+)\]", str(error))
    if failed:
        return failed[1]
    messages = re.findall(r"^\w+Error: (.+)$", str(error), re.MULTILINE)
    return messages[-1] if messages else one_line(error)

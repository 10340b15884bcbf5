from dvdgan_tf.errors import innermost, one_line


def test_one_line():
    error = ValueError("First,\n   second.\n  In call to configurable 'x'\n")
    assert one_line(error) == "First, second."
    error = OSError(28, "No space left on device", "/somewhere")
    assert one_line(error) == "No space left on device: /somewhere"


def test_innermost():
    wrapped = (
        "Graph execution error:\n\nOSError: Too long ago.\nTraceback\n\n"
        '  File "x.py", line 2\n    raise ValueError("No.")\n\n'
        "ValueError: The clip is gone.\n\n\n\t [[{{node PyFunc}}]]"
    )
    assert innermost(RuntimeError(wrapped)) == "The clip is gone."
    plain = RuntimeError("OOM when allocating\n\t [[node]]")
    assert innermost(plain) == "OOM when allocating [[node]]"
    failed = RuntimeError(
        "Detected at node x.\nassertion failed: [The record [3] is damaged.]"
        "\n\t [[{{node cond/Assert}}]] [Op:IteratorGetNext]"
    )
    assert innermost(failed) == "The record [3] is damaged."

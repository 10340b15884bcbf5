import os
import signal

import pytest
from training import tiny

from dvdgan_tf.training.stopping import StopRequest


@pytest.mark.parametrize("number", StopRequest.SIGNALS)
def test_first_signal_is_a_request_and_the_second_is_not(number, capfd):
    seen = []

    def default(number, _):
        seen.append(number)

    before = {n: signal.signal(n, default) for n in StopRequest.SIGNALS}
    try:
        with StopRequest(tiny.one_device()) as stop:
            assert not stop.agreed() and stop.received is None
            os.kill(os.getpid(), number)
            assert stop.agreed() and not seen
            assert stop.received == signal.Signals(number).name
            assert capfd.readouterr().out == (
                f"{stop.received}: will save and stop after this loop.\n"
            )
            os.kill(os.getpid(), number)
            assert seen == [number]
        for n in StopRequest.SIGNALS:
            assert signal.getsignal(n) is default
    finally:
        for n, handler in before.items():
            signal.signal(n, handler)


def test_handlers_are_restored_after_an_error():
    before = [signal.getsignal(n) for n in StopRequest.SIGNALS]
    with pytest.raises(KeyError), StopRequest(tiny.one_device()):
        assert signal.getsignal(signal.SIGTERM) != before[0]
        raise KeyError
    assert [signal.getsignal(n) for n in StopRequest.SIGNALS] == before

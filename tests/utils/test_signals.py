"""Signals are handled inside the block only, and left alone where no signals come."""

import os
import signal
import threading

import pytest

from robustae.utils.signals import ENDING, handled, interrupting


def test_handlers_are_back_after_the_block_even_when_it_fails():
    before, came = [signal.getsignal(number) for number in ENDING], []
    with pytest.raises(KeyError), handled(lambda number, _: came.append(number), *ENDING):
        for number in ENDING:
            os.kill(os.getpid(), number)
        raise KeyError
    assert came == list(ENDING)
    assert [signal.getsignal(number) for number in ENDING] == before


def test_ctrl_c_interrupts():
    with handled(lambda *_: None, signal.SIGINT):
        with pytest.raises(KeyboardInterrupt), interrupting():
            os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)  # the handler outside is back


def test_other_threads_change_nothing():
    before, during = signal.getsignal(signal.SIGINT), []

    def work():
        with handled(lambda *_: None, signal.SIGINT):
            during.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert during == [before]

"""Losses that go wrong in one worker of several; in a file of their own, so that other processes can import them."""

from __future__ import annotations

import os
import signal
import time

import torch.distributed as dist

import losses


def _is_second() -> bool:
    return dist.is_initialized() and dist.get_rank() == 1


class Dies(losses.Magnitude):
    def quadratic(self, prediction, target):
        if _is_second():
            os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
        return super().quadratic(prediction, target)


class Raises(losses.Magnitude):
    def quadratic(self, prediction, target):
        if _is_second():
            raise ZeroDivisionError("the second worker cannot count")
        return super().quadratic(prediction, target)


class Stops(losses.Magnitude):
    """Falls silent, deaf to anything but the hardest of signals where the system has such a state."""

    def quadratic(self, prediction, target):
        if _is_second():
            if hasattr(signal, "SIGSTOP"):
                os.kill(os.getpid(), signal.SIGSTOP)
            time.sleep(1000)
        return super().quadratic(prediction, target)

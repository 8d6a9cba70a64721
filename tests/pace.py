"""How fast this machine is just now, beside the one that the bars of the tests were set on.

A bar in cpu seconds fails on a slower or a shared machine without a fault in the program. What is measured here is a
peer, always the same work, in the same minute: the bar is given in its proportion, and never lowered below what is
written. Bars without that allowance are in benchmarks/.
"""

from __future__ import annotations

import time

import numpy as np

PEER_S = 0.100  # cpu seconds of the peer on 2 x AMD EPYC, quiet, November 2026


def allowed_s(bar_s: float) -> float:
    """The bar on this machine, now: cpu seconds."""
    return bar_s * max(1.0, min(peer_s() for _ in range(3)) / PEER_S)


def peer_s() -> float:
    """Cpu seconds of sorting and gathering 700,000 numbers, and of counting 200,000 in a dictionary."""
    draw = np.random.default_rng(0)
    start = time.process_time()
    numbers = draw.random(700_000)
    numbers[np.argsort(numbers)].cumsum()
    seen: dict[int, int] = {}
    for number in range(200_000):
        seen[number % 997] = seen.get(number % 997, 0) + number
    return time.process_time() - start

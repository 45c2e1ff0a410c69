"""Working on several things at once, in order."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future

T = TypeVar("T")
R = TypeVar("R")


def in_order(items: Sequence[T], work: Callable[[T], R], *, threads: int) -> Iterator[R]:
    """Do work in threads and yield the results in order, with few of them waiting in memory.

    >>> list(in_order([3, 1, 2], lambda one: one * one, threads=2))
    [9, 1, 4]
    """
    waiting: deque[Future[R]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()

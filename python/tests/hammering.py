"""Clients that ask every worker without a pause while a key is changed, and judge the answers.

Between two changes of a key lies a phase, in which every request must get the same status. A phase
is made known to the clients after the change was answered, so that a request of theirs began after
it; a request that ends after the next change was sent may be answered either way.
"""

import math
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from clients import Connection
from servers import wait_until

# What each connection must have been answered in every phase before the next change.
ANSWERS = 2
DEADLINE = 60.0


@dataclass
class Phase:
    key: str
    status: int
    ended: float = math.inf
    answers: Counter[int] = field(default_factory=Counter)

    def accepts(self, status: int, answered: float) -> bool:
        overlaps_a_change = answered >= self.ended
        return status == self.status or (overlaps_a_change and status in (200, 403))


class Hammer:
    """A thread for each connection, asking from `with` to its end."""

    def __init__(self, connections: list[Connection]) -> None:
        self.judged = 0
        self.wrong: list[str] = []
        self._connections = connections
        self._phase = Phase("", 403)
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._ask, args=(number,)) for number in range(len(connections))
        ]

    def __enter__(self) -> "Hammer":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def after(self, change: Callable[[str], object], key: str, status: int) -> None:
        """Makes a change; every request that begins when it has returned must get this status."""
        self._phase.ended = time.monotonic()
        change(key)
        self.expect(key, status)

    def expect(self, key: str, status: int) -> None:
        """From now on this key must get this status, on every connection."""
        phase = self._phase = Phase(key, status)
        wait_until(lambda: self._heard_everywhere(phase), DEADLINE, f"answers {status}")
        self.judged += phase.answers.total()
        assert not self.wrong, self.wrong

    def report(self) -> None:
        """Once more, when the last answers are in."""
        assert not self.wrong, self.wrong
        print(f"{self.judged} answers judged, none wrong")

    def _heard_everywhere(self, phase: Phase) -> bool:
        heard = [phase.answers[number] for number in range(len(self._connections))]
        return min(heard) >= ANSWERS or bool(self.wrong)

    def _ask(self, number: int) -> None:
        while not self._stop.is_set():
            phase = self._phase
            status = self._connections[number].secure(phase.key).status
            if not phase.accepts(status, time.monotonic()):
                self.wrong.append(f"connection {number}: {status} instead of {phase.status}")
            phase.answers[number] += 1

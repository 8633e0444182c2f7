"""What test_fork.py runs in processes of its own: the package is used, and the process forks.

Run as `python forking.py SCENARIO SEED`, with the key in KEY. Says how many requests were answered
200, which is what the store must have counted in the end. Steps for which the test holds a lock are
agreed on by lines: this process says what it has done, and goes on when the test sends a line.
"""

import faulthandler
import multiprocessing
import os
import random
import signal
import sys
import threading
from collections.abc import Callable
from typing import Annotated, NoReturn

from asgi_client import get
from fastapi import Depends, FastAPI

from fastapi_simple_security import SimpleSecurity

ROUNDS = int(os.environ.get("ROUNDS", "30"))
# A process that hangs shows where it does, and ends. Alarms are not inherited.
DEADLINE = 60

security = SimpleSecurity()
app = FastAPI()


@app.get("/secure")
async def secure(key: Annotated[str, Depends(security)]) -> None:
    """Each request that gets here is counted."""


def forks_at_random_points(chance: random.Random) -> int:
    """Two more threads ask all the time, so the parent is anywhere when it forks."""
    stop = threading.Event()
    counted = [0, 0]

    def ask_on(thread: int) -> None:
        while not stop.is_set():
            counted[thread] += ask()

    threads = [threading.Thread(target=ask_on, args=(number,)) for number in range(len(counted))]
    for thread in threads:
        thread.start()
    children, total = [], 0
    for number in range(ROUNDS):
        total += ask(chance.randrange(20))
        mine = chance.randrange(1, 20)
        children.append(fork(mine, exit_normally if number % 2 else close_and_exit_at_once))
        total += mine
        if chance.random() < 0.5:
            wait_for(children.pop())
    stop.set()
    for thread in threads:
        thread.join()
    for child in children:
        wait_for(child)
    return total + sum(counted)


def children_that_never_asked(chance: random.Random) -> int:
    """They end in every way, and must not flush what they inherited."""
    total = 0
    for number in range(ROUNDS):
        total += ask(chance.randrange(20))
        ways = exit_normally, close_and_exit_at_once, exit_at_once
        wait_for(fork(0, ways[number % len(ways)]))
    return total


def child_outlives_the_use_of_its_parent(chance: random.Random) -> int:
    """The parent flushes and closes beside a child that holds all that it inherited."""
    total = ask(chance.randrange(1, 20))
    ended, end = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(DEADLINE)
        os.close(end)
        os.read(ended, 1)
        ask(5)
        exit_normally()
    total += ask(5)
    security.close()
    os.close(end)
    wait_for(child)
    return total + 5


def flusher_inside_its_transaction(chance: random.Random) -> int:
    """The test holds what the flusher waits for until this process forks."""
    total = ask(chance.randrange(1, 20))
    say("pending")
    wait_for_the_test()
    say("forking")
    child = fork(5, exit_normally)
    say("forked")
    total += ask(5)
    wait_for(child)
    return total + 5


def parent_killed_inside_its_transaction(chance: random.Random) -> int:
    """The test kills the parent; the child must not be locked out by what it inherited."""
    ask()
    killed, kill = os.pipe()
    if os.fork() == 0:
        signal.alarm(DEADLINE)
        os.close(kill)
        os.read(killed, 1)
        return ask(5)
    ask(chance.randrange(1, 20))
    say("pending")
    wait_for_the_test()
    raise AssertionError("still alive")


def multiprocessing_children(chance: random.Random) -> int:
    """multiprocessing ends its children at once, so they close."""
    total = 0
    for _ in range(5):
        total += ask(chance.randrange(20))
        child = multiprocessing.get_context("fork").Process(target=ask_and_close, args=(5,))
        child.start()
        child.join(DEADLINE)
        assert child.exitcode == 0, child.exitcode
        total += 5
    return total


def ask(times: int = 1) -> int:
    for _ in range(times):
        status = get(app, "/secure", os.environ["KEY"])
        assert status == 200, status
    return times


def ask_and_close(times: int) -> None:
    signal.alarm(DEADLINE)
    ask(times)
    security.close()


def fork(times: int, leave: Callable[[], NoReturn]) -> int:
    """A child that asks so many times and leaves."""
    child = os.fork()
    if child == 0:
        signal.alarm(DEADLINE)
        ask(times)
        leave()
    return child


def exit_normally() -> NoReturn:
    sys.exit(0)


def close_and_exit_at_once() -> NoReturn:
    security.close()
    os._exit(0)


def exit_at_once() -> NoReturn:
    os._exit(0)


def wait_for(child: int) -> None:
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code == 0, f"a child ended with {code}"


def say(what: str) -> None:
    print(what, flush=True)


def wait_for_the_test() -> None:
    sys.stdin.readline()


if __name__ == "__main__":
    faulthandler.register(signal.SIGALRM, all_threads=True, chain=True)
    signal.alarm(DEADLINE)
    scenario = globals()[sys.argv[1]]
    say(f"counted {scenario(random.Random(int(sys.argv[2])))}")

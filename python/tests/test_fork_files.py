"""A child inherits no open file of the database, whatever the parent does when it forks."""

from collections.abc import Callable
from subprocess import CompletedProcess

# Two threads ask for keys that are not cached, so that the database is in use all the time.
SCRIPT = """
import os, sys, threading
from fastapi_simple_security import SimpleSecurity

security = SimpleSecurity(secret="a secret of this test", db_location="keys.db")
security.open()
stop = threading.Event()

def ask_for_unknown_keys(thread):
    number = 0
    while not stop.is_set():
        number += 1
        headers = [(b"api-key", f"no-key-{thread}-{number}".encode())]
        security._engine.verify({"headers": headers})

threads = [threading.Thread(target=ask_for_unknown_keys, args=(n,)) for n in range(2)]
for thread in threads:
    thread.start()
inherited = 0
for _ in range(200):
    child = os.fork()
    if child == 0:
        links = []
        for name in os.listdir("/proc/self/fd"):
            try:
                links.append(os.readlink(f"/proc/self/fd/{name}"))
            except FileNotFoundError:
                pass
        held = [link for link in links if "keys.db" in link and "secret-lock" not in link]
        os._exit(1 if held else 0)
    inherited += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
stop.set()
for thread in threads:
    thread.join()
security.close()
print(inherited)
"""


def test_no_file_is_inherited(run_script: Callable[..., "CompletedProcess[str]"]) -> None:
    assert run_script(SCRIPT).stdout.strip() == "0"

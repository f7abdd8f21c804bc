"""What the hash itself allows: Argon2id by the same build of the library, with nothing around it."""

import subprocess
import sys
from typing import NamedTuple

from benchmarks.contestant import pinned

CODE = """
import sys, threading, time, argon2
seconds, threads = float(sys.argv[1]), int(sys.argv[2])
hasher = argon2.PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
hashed, done = hasher.hash('a'), []
def work():
    hasher.verify(hashed, 'a')
    count, begin, spent = 0, time.perf_counter(), time.thread_time()
    while time.perf_counter() - begin < seconds:
        hasher.verify(hashed, 'a')
        count += 1
    done.append((count / (time.perf_counter() - begin), 1e6 * (time.thread_time() - spent) / count))
workers = [threading.Thread(target=work) for _ in range(threads)]
[each.start() for each in workers]
[each.join() for each in workers]
print(sum(rate for rate, _ in done), sum(cpu for _, cpu in done) / threads)
"""


class Alone(NamedTuple):
    """Hashes a second, and µs of CPU time for each."""

    rate: float
    cpu: float


def argon2(cores: str = "0", threads: int = 1, seconds: float = 1.0) -> Alone:
    """With the parameters that we ship."""
    command = pinned([sys.executable, "-c", CODE, str(seconds), str(threads)], cores)
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return Alone(*map(float, printed.split()))

"""What the hash itself allows: Argon2id by the same build of the library, with nothing around it."""

import subprocess
import sys

from benchmarks.contestant import pinned

CODE = """
import sys, threading, time, argon2
seconds, threads = float(sys.argv[1]), int(sys.argv[2])
hasher = argon2.PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
hashed, done = hasher.hash('a'), []
def work():
    hasher.verify(hashed, 'a')
    count, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < seconds:
        hasher.verify(hashed, 'a')
        count += 1
    done.append(count / (time.perf_counter() - begin))
workers = [threading.Thread(target=work) for _ in range(threads)]
[each.start() for each in workers]
[each.join() for each in workers]
print(sum(done))
"""


def argon2(cores: str = "0", threads: int = 1, seconds: float = 1.0) -> float:
    """Hashes a second with the parameters that we ship."""
    command = pinned([sys.executable, "-c", CODE, str(seconds), str(threads)], cores)
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

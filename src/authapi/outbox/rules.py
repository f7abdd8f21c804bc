"""When a message is tried again."""

from datetime import timedelta

FIRST_WAIT = timedelta(seconds=10)
LONGEST_WAIT = timedelta(hours=1)
MOST_DEATHS = 3
"""A message whose sending has ended so many workers is sent no more."""


def wait(tries: int, fraction: float) -> timedelta:
    """Doubles with each try. `fraction`, from 0 to 1, spreads what failed together by a fifth to each side."""
    doubled: timedelta = FIRST_WAIT * 2 ** min(tries - 1, 16)
    return min(doubled, LONGEST_WAIT) * (0.8 + 0.4 * fraction)

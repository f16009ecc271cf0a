"""Random numbers that do not depend on who draws them: counter-based, keyed, seeded.

A *key* is a 64-bit number. Random number i of a key is a hash of the two, so any device, rung or
thread computes the same one without knowing what the others drew. Keys come from a stream: a seed
and a count of the keys handed out.
"""

import numpy as np

MASK = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15  # 2⁶⁴ divided by the golden ratio: the step of SplitMix64


def mix(z: int) -> int:
    """Scramble 64 bits so that each bit of the result depends on all of them.

    The finaliser of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
    generators", 2014).
    """
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


class Stream:
    """A source of keys.

    Parameters
    ----------
    seed : int

    Attributes
    ----------
    seed, drawn : int
        All of its state: how many keys have been handed out.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self.drawn = 0

    def next_key(self) -> int:
        """Hand out the next 64-bit key."""
        self.drawn += 1
        return mix((mix(self.seed & MASK) + self.drawn * GOLDEN) & MASK)

    def __repr__(self) -> str:
        return f"Stream(seed={self.seed}, drawn={self.drawn})"


default = Stream()


def manual_seed(seed: int) -> None:
    """Start the default stream again: what `dropout` draws, and layers made without a generator.

    Examples
    --------
    >>> import minigrad
    >>> minigrad.manual_seed(7)
    """
    if not isinstance(seed, int | np.integer) or isinstance(seed, bool):
        raise TypeError(f"manual_seed: seed must be an integer, got {seed!r}")
    default.seed, default.drawn = int(seed), 0


def default_generator() -> np.random.Generator:
    """Make a NumPy generator from the next key of the default stream."""
    return np.random.Generator(np.random.Philox(key=default.next_key()))

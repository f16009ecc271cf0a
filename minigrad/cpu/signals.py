"""Numbers by which threads tell each other something without Python's lock, nor the system's.

To wake a thread that sleeps takes the system some thirty microseconds, as long as a small kernel
runs. So a thread that has just worked first *watches* for its next job for a while: it reads one
number over and over, compiled, without holding Python's lock.
"""

from numba import types
from numba.extending import intrinsic, overload
from numba.np.arrayobj import make_array

from minigrad.cpu.compiler import kernel


def read(signals, i):
    """Return a number as another thread last wrote it, and see all it wrote before that."""
    return signals[i]  # runs only with compilation switched off


def write(signals, i, value):
    """Write a number for other threads to see, after all that was written before."""
    signals[i] = value  # runs only with compilation switched off


@intrinsic
def _read(typing, signals, i):
    def generate(context, builder, signature, arguments):
        data = make_array(signature.args[0])(context, builder, arguments[0]).data
        return builder.load_atomic(builder.gep(data, [arguments[1]]), "acquire", 8)

    return types.int64(signals, i), generate


@intrinsic
def _write(typing, signals, i, value):
    def generate(context, builder, signature, arguments):
        data = make_array(signature.args[0])(context, builder, arguments[0]).data
        place = builder.gep(data, [arguments[1]])
        builder.store_atomic(arguments[2], place, "release", 8)
        return context.get_dummy_value()

    return types.void(signals, i, value), generate


@overload(read)
def _compiled_read(signals, i):
    return lambda signals, i: _read(signals, i)  # type: ignore[call-arg]


@overload(write)
def _compiled_write(signals, i, value):
    return lambda signals, i, value: _write(signals, i, value)  # type: ignore[call-arg]


JOB, DONE = 0, 8  # places of the two numbers: not in one line of the cache


@kernel
def watch_for_job(signals, last, looks):
    """Say that job `last` is done, then look so many times for a new one; tell if it came."""
    write(signals, DONE, last)
    for _ in range(looks):  # noqa: SIM110 (Numba knows no generators)
        if read(signals, JOB) != last:
            return True
    return False


@kernel
def watch_for_end(signals, job, looks):
    """Look so many times whether a job is done; tell if it is."""
    for _ in range(looks):  # noqa: SIM110
        if read(signals, DONE) == job:
            return True
    return False

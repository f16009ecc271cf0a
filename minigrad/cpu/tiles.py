"""One small map along both axes of square tiles: ``f(tile)`` is M · tile · Mᵀ for a matrix M.

The map is written once, as a formula for one axis, on plain numbers::

    def halves(a, b):
        return a + b, a - b

`both_axes` makes of it a function that kernels can call. A tile's numbers may lie anywhere in
memory, at equal steps; beside each number lie those of the other channels, and a whole vector
register of channels goes through the formula at once.
"""

from numba import types
from numba.extending import intrinsic, overload
from numba.np.arrayobj import make_array

from minigrad.cpu.vectors import Lanes, Phrases


def both_axes(formula, size):
    """Make a function that applies `formula`, which takes `size` numbers, to rows and columns.

    Returns
    -------
    function
        ``apply(source, at, down, right, target, to, down_out, right_out, channels)``: `source` and
        `target` are flat arrays, `at` and `to` where the tile's first number lies in them, `down`
        and `right` the steps from there to the next row and column; `channels` tiles lie side by
        side. Channels are taken in whole vector registers: those after the last whole register are
        left out, and theirs to see to (`minigrad.cpu.vectors.lanes`).
    """

    @intrinsic
    def vectors(typing, source, at, down, right, target, to, down_out, right_out, channels):
        arguments = (source, at, down, right, target, to, down_out, right_out, channels)
        return types.void(*arguments), generate

    def generate(context, builder, signature, arguments):
        arrays = (make_array(signature.args[i])(context, builder, arguments[i]) for i in (0, 4))
        source, target = (array.data for array in arrays)
        _, at, down, right, _, to, down_out, right_out, channels = arguments
        code = Phrases(builder, signature.args[0].dtype)

        def place(start, *steps):
            for count, step in steps:
                start = builder.add(start, builder.mul(code.number(count), step))
            return start

        inputs = [[place(at, (i, down), (j, right)) for j in range(size)] for i in range(size)]
        made = len(formula(*[1.0] * size))
        outputs = [
            [place(to, (i, down_out), (j, right_out)) for j in range(made)] for i in range(made)
        ]

        def one_register(c, nothing):
            half = []  # half[j]: column j after the map along its rows
            for j in range(size):
                column = [code.load_at(source, builder.add(inputs[i][j], c)) for i in range(size)]
                half.append(formula(*(Lanes(code, value) for value in column)))
            for i in range(len(half[0])):
                row = formula(*(half[j][i] for j in range(size)))
                for j, value in enumerate(row):
                    code.store_at(value.value, target, builder.add(outputs[i][j], c))
            return nothing

        whole = builder.mul(
            builder.sdiv(channels, code.number(code.lanes)), code.number(code.lanes)
        )
        code.loop(code.number(0), whole, code.lanes, [], one_register, unrolled=False)
        return context.get_dummy_value()

    def apply(source, at, down, right, target, to, down_out, right_out, channels):
        # This body runs only with compilation switched off.
        seen = slice(0, channels)
        half = [
            formula(*(source[at + i * down + j * right :][seen] for i in range(size)))
            for j in range(size)
        ]
        for i in range(len(half[0])):
            for j, value in enumerate(formula(*(half[k][i] for k in range(size)))):
                target[to + i * down_out + j * right_out :][seen] = value

    @overload(apply)
    def compiled(source, at, down, right, target, to, down_out, right_out, channels):
        def apply(source, at, down, right, target, to, down_out, right_out, channels):
            vectors(source, at, down, right, target, to, down_out, right_out, channels)  # type: ignore[call-arg]

        # By its name the machine code of one map is told from that of another.
        apply.__name__ = apply.__qualname__ = f"apply_{formula.__name__}_{size}"
        return apply

    return apply

"""The innermost loop of every matrix product, in vector instructions.

A processor core multiplies fastest when all its operands are in registers. So the product is cut
into tiles of ROWS × COLUMNS outputs that are *kept in vector registers* while k runs::

    for k:
        row of b    → VECTORS registers                       (COLUMNS numbers, loaded once)
        for each r: a[r, k] → one register, all lanes alike   (used for VECTORS products)
                    tile[r] += a[r, k] · row of b             (fused multiply-add)

With 12 rows of 2 vectors that is 24 fused multiply-adds for 14 loads, and no store before the end:
the arithmetic units never wait. (This is the "micro-kernel" of Goto and van de Geijn, "Anatomy of
high-performance matrix multiplication", 2008.)

It is written in LLVM's language (`minigrad.cpu.vectors`); everything around it is ordinary compiled
Python (`minigrad.cpu.gemm`).

Each output is one chain of additions in the order of k. How a product is cut into tiles therefore
never changes its bits.
"""

from numba import types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from minigrad.cpu.vectors import BYTES, Phrases, lanes

# With AVX-512, 24 of 32 registers hold the tile; with AVX2, 12 of 16; with less, 8 of 16.
ROWS = {64: 12, 32: 6}.get(BYTES, 4)
VECTORS = 2  # registers across a tile
AHEAD = 8  # rows of b to ask for before they are needed
UNROLLED = 2  # values of k in one round of the loop


def columns(itemsize):
    """Tell how many columns a tile has, for numbers of that many bytes."""
    return VECTORS * lanes(itemsize)


def _tile_product(steps_along_k, vectors):
    """Make the loop for an `a` whose neighbours in memory lie along k, or along its rows.

    The tile is `vectors` registers wide, and as high as the registers allow.
    """
    height = ROWS * VECTORS // vectors

    @intrinsic
    def tile_product(typing, a, step, b, b_step, k, c, c_step, rows, cols, accumulate):
        """Set ``c[:rows, :cols]`` to ``a @ b``, or add it.

        `a`, `b` and `c` point at the first number; `step`, `b_step` and `c_step` are how many
        numbers lie between their rows (for a transposed `a`: between its values of k).
        """
        arguments = (a, step, b, b_step, k, c, c_step, rows, cols, accumulate)
        return types.void(*arguments), _generate

    def _generate(context, builder, signature, arguments):
        a, b, c = (
            make_array(signature.args[i])(context, builder, arguments[i]).data for i in (0, 2, 5)
        )
        _, step, _, b_step, k, _, c_step, rows, cols, accumulate = arguments
        code = Phrases(builder, signature.args[0].dtype)
        masks = [code.mask(cols, vector) for vector in range(vectors)]

        # A tile at the lower edge has fewer rows: the missing ones repeat the last, unstored.
        last = builder.sub(rows, code.number(1))
        offsets = [code.least(code.number(r), last) for r in range(height)]
        if steps_along_k:
            starts = [builder.gep(a, [builder.mul(offset, step)]) for offset in offsets]
        else:
            starts = [builder.gep(a, [offset]) for offset in offsets]

        def at(r, position):
            distance = position if steps_along_k else builder.mul(position, step)
            return builder.load(builder.gep(starts[r], [distance]))

        def multiply(position, tile):
            """Add the products of one k to the tile."""
            row = builder.gep(b, [builder.mul(position, b_step)])
            if steps_along_k:
                soon = builder.gep(row, [builder.mul(code.number(AHEAD), b_step)])
                for vector in range(vectors):
                    code.fetch(soon, vector)
            across = [code.load(row, vector, masks[vector]) for vector in range(vectors)]
            sums = []
            for r in range(height):
                factor = code.splat(at(r, position))
                for vector in range(vectors):
                    sums.append(
                        code.add_product(tile[r * vectors + vector], factor, across[vector])
                    )
            return sums

        # The sums begin with what c holds, or with zero; then nothing is read of it.
        tile = []
        wanted = [builder.and_(mask, code.splat(accumulate)) for mask in masks]
        for offset in offsets:
            row = builder.gep(c, [builder.mul(offset, c_step)])
            tile += [code.load(row, vector, wanted[vector]) for vector in range(vectors)]
        rounds = builder.mul(builder.sdiv(k, code.number(UNROLLED)), code.number(UNROLLED))
        tile = code.loop(code.number(0), rounds, UNROLLED, tile, multiply)
        tile = code.loop(rounds, k, 1, tile, multiply)

        for r in range(height):
            with builder.if_then(builder.icmp_signed("<", code.number(r), rows)):
                row = builder.gep(c, [builder.mul(code.number(r), c_step)])
                for vector, mask in enumerate(masks):
                    code.store(tile[r * vectors + vector], row, vector, mask)
        return context.get_dummy_value()

    return tile_product


tile_product = _tile_product(steps_along_k=True, vectors=VECTORS)
tile_product_transposed = _tile_product(steps_along_k=False, vectors=VECTORS)
# The last columns, where they fill one register at most: a tile half as wide and twice as high.
narrow_product = _tile_product(steps_along_k=True, vectors=1)
narrow_product_transposed = _tile_product(steps_along_k=False, vectors=1)
NARROW_ROWS = ROWS * VECTORS

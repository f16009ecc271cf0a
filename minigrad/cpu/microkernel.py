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

Numba has no type for a vector register, so this one loop is written in LLVM's language, through
llvmlite. Everything around it is ordinary compiled Python (`minigrad.cpu.gemm`).

Each output is one chain of additions in the order of k. How a product is cut into tiles therefore
never changes its bits.
"""

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

_features = binding.get_host_cpu_features()
if _features.get("avx512f"):
    BYTES, ROWS = 64, 12  # of a vector register; of a tile: 24 of 32 registers hold it
elif _features.get("avx2"):
    BYTES, ROWS = 32, 6  # 12 of 16 registers
else:
    BYTES, ROWS = 16, 4
VECTORS = 2  # registers across a tile
UNROLLED = 2  # values of k in one round of the loop


def columns(itemsize):
    """Tell how many columns a tile has, for numbers of that many bytes."""
    return VECTORS * BYTES // itemsize


def _tile_product(steps_along_k):
    """Make the loop for an `a` whose neighbours in memory lie along k, or along its rows."""

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
        code = _Code(builder, signature.args[0].dtype)
        masks = [code.mask(cols, vector) for vector in range(VECTORS)]

        # A tile at the lower edge has fewer rows: the missing ones repeat the last, unstored.
        last = builder.sub(rows, code.number(1))
        offsets = [code.least(code.number(r), last) for r in range(ROWS)]
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
            across = [code.load(row, vector, masks[vector]) for vector in range(VECTORS)]
            sums = []
            for r in range(ROWS):
                factor = code.splat(at(r, position))
                for vector in range(VECTORS):
                    sums.append(
                        code.add_product(tile[r * VECTORS + vector], factor, across[vector])
                    )
            return sums

        # The sums begin with what c holds, or with zero; then nothing is read of it.
        tile = []
        wanted = [builder.and_(mask, code.splat(accumulate)) for mask in masks]
        for offset in offsets:
            row = builder.gep(c, [builder.mul(offset, c_step)])
            tile += [code.load(row, vector, wanted[vector]) for vector in range(VECTORS)]
        rounds = builder.mul(builder.sdiv(k, code.number(UNROLLED)), code.number(UNROLLED))
        tile = code.loop(code.number(0), rounds, UNROLLED, tile, multiply)
        tile = code.loop(rounds, k, 1, tile, multiply)

        for r in range(ROWS):
            with builder.if_then(builder.icmp_signed("<", code.number(r), rows)):
                row = builder.gep(c, [builder.mul(code.number(r), c_step)])
                for vector, mask in enumerate(masks):
                    code.store(tile[r * VECTORS + vector], row, vector, mask)
        return context.get_dummy_value()

    return tile_product


class _Code:
    """The few phrases of LLVM that the loop is written in."""

    def __init__(self, builder, dtype):
        self.builder = builder
        single = dtype == types.float32
        self.itemsize = 4 if single else 8
        self.lanes = BYTES // self.itemsize
        self.vector = ir.VectorType(ir.FloatType() if single else ir.DoubleType(), self.lanes)
        self.bits = ir.VectorType(ir.IntType(1), self.lanes)
        self.zero = ir.Constant(self.vector, [0.0] * self.lanes)
        self.name = f"v{self.lanes}f{8 * self.itemsize}"

    def number(self, value):
        return ir.Constant(ir.IntType(64), value)

    def least(self, x, y):
        return self.builder.select(self.builder.icmp_signed("<", x, y), x, y)

    def splat(self, scalar):
        """Fill a register with one number."""
        wide = ir.VectorType(scalar.type, self.lanes)
        nothing = ir.Constant(wide, ir.Undefined)
        first = self.builder.insert_element(nothing, scalar, ir.Constant(ir.IntType(32), 0))
        everywhere = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), [0] * self.lanes)
        return self.builder.shuffle_vector(first, nothing, everywhere)

    def mask(self, cols, vector):
        """Mark the lanes of one of the tile's vectors that lie within its columns."""
        wide = ir.VectorType(ir.IntType(64), self.lanes)
        lanes = ir.Constant(wide, [vector * self.lanes + lane for lane in range(self.lanes)])
        return self.builder.icmp_signed("<", lanes, self.splat(cols))

    def load(self, row, vector, mask):
        return self._call("masked.load", self.vector, self._place(row, vector), mask, self.zero)

    def store(self, value, row, vector, mask):
        self._call("masked.store", ir.VoidType(), value, self._place(row, vector), mask)

    def add_product(self, total, x, y):
        return self._call("fmuladd", self.vector, x, y, total)

    def loop(self, start, stop, stride, values, body):
        """Run ``values = body(i, values)`` for i = start, start + 1, … stop − 1, in strides."""
        builder = self.builder
        entry = builder.block
        top = builder.append_basic_block("loop")
        inside = builder.append_basic_block("inside")
        after = builder.append_basic_block("after")
        builder.branch(top)
        builder.position_at_end(top)
        position = builder.phi(start.type)
        carried = [builder.phi(value.type) for value in values]
        builder.cbranch(builder.icmp_signed("<", position, stop), inside, after)
        builder.position_at_end(inside)
        updated = carried
        for i in range(stride):
            updated = body(builder.add(position, self.number(i)), updated)
        position.add_incoming(start, entry)
        position.add_incoming(builder.add(position, self.number(stride)), builder.block)
        for phi, first, following in zip(carried, values, updated, strict=True):
            phi.add_incoming(first, entry)
            phi.add_incoming(following, builder.block)
        builder.branch(top)
        builder.position_at_end(after)
        return carried

    def _place(self, row, vector):
        place = self.builder.gep(row, [self.number(vector * self.lanes)])
        return self.builder.bitcast(place, self.vector.as_pointer())

    def _call(self, name, result, *arguments):
        """Call one of LLVM's own functions on vectors."""
        full = f"llvm.{name}.{self.name}"
        operands = list(arguments)
        if name.startswith("masked"):
            full += ".p0"
            alignment = ir.Constant(ir.IntType(32), self.itemsize)
            operands.insert(1 if name == "masked.load" else 2, alignment)
        kind = ir.FunctionType(result, [operand.type for operand in operands])
        function = cgutils.get_or_insert_function(self.builder.module, kind, full)
        return self.builder.call(function, operands)


tile_product = _tile_product(steps_along_k=True)
tile_product_transposed = _tile_product(steps_along_k=False)

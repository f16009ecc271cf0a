"""Vector instructions, for the few loops where the compiler does not find them by itself.

A vector register holds several numbers side by side, and one instruction computes with all of them.
Numba has no type for one. So those loops are written in LLVM's language, through llvmlite, with the
phrases below; everything around them is ordinary compiled Python.
"""

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload
from numba.np.arrayobj import make_array

_features = binding.get_host_cpu_features()
BYTES = 64 if _features.get("avx512f") else 32 if _features.get("avx2") else 16  # of a register


def lanes(itemsize):
    """Tell how many numbers of that many bytes a register holds."""
    return BYTES // itemsize


MOST_LANES = lanes(4)


class Phrases:
    """The phrases of LLVM that loops are written in, for one dtype."""

    def __init__(self, builder, dtype):
        self.builder = builder
        single = dtype == types.float32
        self.itemsize = 4 if single else 8
        self.lanes = lanes(self.itemsize)
        self.vector = ir.VectorType(ir.FloatType() if single else ir.DoubleType(), self.lanes)
        self.bits = ir.VectorType(ir.IntType(1), self.lanes)
        self.zero = ir.Constant(self.vector, [0.0] * self.lanes)
        self.name = f"v{self.lanes}f{8 * self.itemsize}"

    def number(self, value):
        """Write down a constant."""
        return ir.Constant(ir.IntType(64), value)

    def least(self, x, y):
        """Take the smaller of two integers."""
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
        """Load register `vector` of a row; lanes that are not marked are zero, and not touched."""
        return self._call("masked.load", self.vector, self._place(row, vector), mask, self.zero)

    def store(self, value, row, vector, mask):
        """Store the marked lanes."""
        self._call("masked.store", ir.VoidType(), value, self._place(row, vector), mask)

    def load_at(self, start, distance):
        """Load the whole register of numbers that lies `distance` numbers after `start`."""
        return self.builder.load(
            self._place(self.builder.gep(start, [distance]), 0), align=self.itemsize
        )

    def store_at(self, value, start, distance):
        """Store a whole register there."""
        place = self._place(self.builder.gep(start, [distance]), 0)
        self.builder.store(value, place, align=self.itemsize)

    def fetch(self, row, vector):
        """Ask for the line of the cache where a row's vector begins, to have it soon."""
        place = self.builder.gep(row, [self.number(vector * self.lanes)])
        place = self.builder.bitcast(place, ir.IntType(8).as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [place.type] + [ir.IntType(32)] * 3)
        function = cgutils.get_or_insert_function(self.builder.module, kind, "llvm.prefetch.p0")
        self.builder.call(function, [place, *(ir.Constant(ir.IntType(32), n) for n in (0, 3, 1))])

    def shuffled(self, upper, lower):
        """Mix two registers as cards: one lane of this, one of that. Two registers again."""
        for start in (0, self.lanes // 2):
            order = [start + i // 2 + i % 2 * self.lanes for i in range(self.lanes)]
            mask = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), order)
            yield self.builder.shuffle_vector(upper, lower, mask)

    def add_product(self, total, x, y):
        """Compute total + x · y in one instruction."""
        return self._call("fmuladd", self.vector, x, y, total)

    def loop(self, start, stop, stride, values, body, unrolled=True):
        """Run ``values = body(i, values)`` for i = start, start + 1, … stop − 1, in strides.

        Not unrolled, only for the first of each stride.
        """
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
        for i in range(stride if unrolled else 1):
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


class Lanes:
    """A register that can be calculated with, so that formulas are written once for all numbers."""

    def __init__(self, code, value):
        self.code, self.value = code, value

    def __add__(self, other):
        return self._made(self.code.builder.fadd, self, other)

    def __sub__(self, other):
        return self._made(self.code.builder.fsub, self, other)

    def __rmul__(self, constant):
        factor = Lanes(self.code, ir.Constant(self.value.type, [float(constant)] * self.code.lanes))
        return self._made(self.code.builder.fmul, factor, self)

    def _made(self, instruction, x, y):
        return Lanes(self.code, instruction(x.value, y.value, flags=("contract",)))


def copy_registers(source, at, target, to, count):
    """Copy numbers of one flat array to another, and those after them up to a whole register.

    A loop that copies a few numbers one by one takes several times as long. There must be room:
    up to `MOST_LANES` numbers after `count`, in both arrays.
    """
    target[to : to + count] = source[at : at + count]  # only with compilation switched off


@overload(copy_registers)
def _compiled(source, at, target, to, count):
    def copy_registers(source, at, target, to, count):
        _copy_registers(source, at, target, to, count)  # type: ignore[call-arg]

    return copy_registers


@intrinsic
def _copy_registers(typing, source, at, target, to, count):
    def generate(context, builder, signature, arguments):
        arrays = (make_array(signature.args[i])(context, builder, arguments[i]) for i in (0, 2))
        source, target = (array.data for array in arrays)
        _, at, _, to, count = arguments
        code = Phrases(builder, signature.args[0].dtype)

        def one_register(i, nothing):
            code.store_at(code.load_at(source, builder.add(at, i)), target, builder.add(to, i))
            return nothing

        code.loop(code.number(0), count, code.lanes, [], one_register, unrolled=False)
        return context.get_dummy_value()

    return types.void(source, at, target, to, count), generate


def turn_square(source, at, step, target, to, step_out):
    """Write the transpose of a square of numbers, as many to a side as a register holds.

    Its rows begin `step` numbers apart in `source`, and those of the result `step_out` apart.
    """
    side = lanes(source.itemsize)  # this body runs only with compilation switched off
    for i in range(side):
        for j in range(side):
            target[to + j * step_out + i] = source[at + i * step + j]


@overload(turn_square)
def _compiled_turn(source, at, step, target, to, step_out):
    def turn_square(source, at, step, target, to, step_out):
        _turn_square(source, at, step, target, to, step_out)  # type: ignore[call-arg]

    return turn_square


@intrinsic
def _turn_square(typing, source, at, step, target, to, step_out):
    """Shuffle the rows, one register each, as a pack of cards: the two halves into each other.

    What stood at (i, j) of 16 × 16 has the number 16·i + j. One perfect shuffle of 256 cards turns
    the number's eight bits by one place; four shuffles turn it into 16·j + i.
    """

    def generate(context, builder, signature, arguments):
        arrays = (make_array(signature.args[i])(context, builder, arguments[i]) for i in (0, 3))
        source, target = (array.data for array in arrays)
        _, at, step, _, to, step_out = arguments
        code = Phrases(builder, signature.args[0].dtype)
        side = code.lanes

        def place(start, i, step):
            return builder.add(start, builder.mul(code.number(i), step))

        rows = [code.load_at(source, place(at, i, step)) for i in range(side)]
        for _ in range(side.bit_length() - 1):
            pairs = zip(rows[: side // 2], rows[side // 2 :], strict=True)
            rows = [half for upper, lower in pairs for half in code.shuffled(upper, lower)]
        for i, row in enumerate(rows):
            code.store_at(row, target, place(to, i, step_out))
        return context.get_dummy_value()

    return types.void(source, at, step, target, to, step_out), generate

"""Operations and bytes of layers, by hand and against the paper."""

from benchmarks.shapes import ConvShape, LinearShape, PoolShape, counted, layers


def test_operations_of_a_convolution_by_hand():
    # 2 images of 3 channels, 5×5, to 4 channels by 3×3 windows, stride 2, padding 1: 3×3 pixels.
    shape = ConvShape(2, 3, 5, 4, 3, stride=2, padding=1)
    assert shape.out_size == 3
    assert shape.flop == 2 * (2 * 3 * 3) * 4 * (3 * 3 * 3)


def test_bytes_of_a_convolution_by_hand():
    shape = ConvShape(2, 3, 5, 4, 3, stride=2, padding=1)
    assert shape.bytes == 4 * (2 * 3 * 25 + 2 * 4 * 9 + 4 * 3 * 9)


def test_a_convolution_is_named_by_channels_kernel_and_map():
    assert str(ConvShape(8, 64, 56, 192, 3, 1, 1)).split() == ["64→192", "3×3", "56²"]
    assert str(ConvShape(8, 3, 224, 64, 7, 2, 3)).split() == ["3→64", "7×7/2", "224²"]


def test_the_network_has_the_multiply_adds_of_the_paper():
    counts = [
        shape.flop
        for name, shape in layers(batch=1)
        if isinstance(shape, ConvShape | LinearShape) and not name.startswith("aux")
    ]
    assert sum(counts) == 2 * 1_582_671_872


def test_every_convolution_is_counted_once():
    shapes = counted(8, ConvShape)
    assert sum(map(len, shapes.values())) == 3 + 9 * 6 + 2
    assert all(shape.batch == 8 for shape in shapes)
    names = shapes[ConvShape(8, 512, 14, 64, 1)]  # the same in three modules
    assert names == ["4b.pool_proj", "4c.pool_proj", "4d.pool_proj"]


def test_the_big_pools_halve_in_ceil_mode():
    halving = [shape for shape in counted(1, PoolShape) if shape.stride == 2]
    assert [(shape.size, shape.out_size) for shape in halving] == [
        (112, 56), (56, 28), (28, 14), (14, 7),
    ]  # fmt: skip


def test_heads_pool_to_four_by_four():
    heads = [shape for shape in counted(1, PoolShape) if shape.kind == "average"]
    assert [(shape.channels, shape.out_size) for shape in heads] == [(512, 4), (528, 4)]

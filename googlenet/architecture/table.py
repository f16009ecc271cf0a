"""Table 1 of the paper: the width of every convolution, and the figures printed beside them.

C. Szegedy, W. Liu, Y. Jia, P. Sermanet, S. Reed, D. Anguelov, D. Erhan, V. Vanhoucke and
A. Rabinovich, "Going deeper with convolutions", CVPR 2015.
"""

from typing import NamedTuple


class Inception(NamedTuple):
    """One Inception module: the width of each convolution in its four branches.

    Branches: 1×1; 1×1 reduction, then 3×3; 1×1 reduction, then 5×5; 3×3 max pool, then 1×1
    projection. Their outputs are concatenated.
    """

    name: str
    conv_1x1: int
    conv_3x3_reduce: int
    conv_3x3: int
    conv_5x5_reduce: int
    conv_5x5: int
    pool_proj: int

    @property
    def out_channels(self) -> int:
        """Channels of the concatenated output."""
        return self.conv_1x1 + self.conv_3x3 + self.conv_5x5 + self.pool_proj


ROWS = {
    row.name: row
    for row in (
        #         name  1×1  3×3r  3×3  5×5r  5×5  proj
        Inception("3a", 64, 96, 128, 16, 32, 32),
        Inception("3b", 128, 128, 192, 32, 96, 64),
        Inception("4a", 192, 96, 208, 16, 48, 64),
        Inception("4b", 160, 112, 224, 24, 64, 64),
        Inception("4c", 128, 128, 256, 24, 64, 64),
        Inception("4d", 112, 144, 288, 32, 64, 64),
        Inception("4e", 256, 160, 320, 32, 128, 128),
        Inception("5a", 256, 160, 320, 32, 128, 128),
        Inception("5b", 384, 192, 384, 48, 128, 128),
    )
}


class Printed(NamedTuple):
    """What the paper prints of a row, rounded as it does: thousands and millions."""

    parameters: str
    multiply_adds: str


# Printed for conv1 is "2.7K", which is not 7·7·3·64 = 9,408; and for conv2 both of its layers.
PRINTED = {
    "conv1": Printed("2.7K", "34M"),
    "conv2": Printed("112K", "360M"),
    "inception_3a": Printed("159K", "128M"),
    "inception_3b": Printed("380K", "304M"),
    "inception_4a": Printed("364K", "73M"),
    "inception_4b": Printed("437K", "88M"),
    "inception_4c": Printed("463K", "100M"),
    "inception_4d": Printed("580K", "119M"),
    "inception_4e": Printed("840K", "170M"),
    "inception_5a": Printed("1072K", "54M"),
    "inception_5b": Printed("1388K", "71M"),
    "classifier": Printed("1000K", "1M"),
}

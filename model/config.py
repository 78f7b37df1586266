"""The network's shape as one frozen value; every other size in the project follows from it."""

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Final, Self


@dataclass(frozen=True, slots=True)
class RaScaNetConfig:
    """Geometry and channel counts of one network.

    Attributes:
        height: frame rows (px), a multiple of `BURST_ROWS`, up to `MOST_PX`.
        width: frame columns (px), `COLUMN_REDUCTION` to `MOST_PX`.
        head_channels: output channels of the four blocks of one burst CNN head, up to `MOST_HEAD_CHANNELS` each.
        hidden_channels: channels of the hidden state, a multiple of `REDUCTION`, up to `MOST_HIDDEN_CHANNELS`.

    Raises:
        ValueError: a size the structure cannot take; the message names the field.

    Source: RaScaNet, CVPR 2021, section 3; counts of the two variants from its results.
    """

    height: int
    width: int
    head_channels: tuple[int, int, int, int]
    hidden_channels: int

    # Two unpadded 3-row convolutions turn five rows into exactly one.
    BURST_ROWS: ClassVar[int] = 5
    # Four 1x2 pools halve the columns four times.
    COLUMN_REDUCTION: ClassVar[int] = 16
    HEADS: ClassVar[int] = 2
    # Attention and classifier have a bottleneck of a quarter of their channels.
    REDUCTION: ClassVar[int] = 4
    INPUT_CHANNELS: ClassVar[int] = 3
    CLASSES: ClassVar[int] = 2
    # Kernel rows of the four blocks of a head.
    KERNEL_ROWS: ClassVar[tuple[int, ...]] = (3, 1, 3, 1)
    # Columns of the kernels in the heads and the projection; all other convolutions are 1x1.
    KERNEL_COLUMNS: ClassVar[int] = 3
    # As much as the kernels take: `in_range` in model/kernel/.
    MOST_PX: ClassVar[int] = 4096
    MOST_HEAD_CHANNELS: ClassVar[int] = 512
    MOST_HIDDEN_CHANNELS: ClassVar[int] = 1024

    def __post_init__(self) -> None:
        if not self.BURST_ROWS <= self.height <= self.MOST_PX or self.height % self.BURST_ROWS:
            rule = f"a multiple of {self.BURST_ROWS} rows, {self.BURST_ROWS} to {self.MOST_PX}"
            raise ValueError(f"height must be {rule}, not {self.height}")
        if not self.COLUMN_REDUCTION <= self.width <= self.MOST_PX:
            raise ValueError(f"width must be {self.COLUMN_REDUCTION} to {self.MOST_PX} px, not {self.width}")
        if len(self.head_channels) != 4 or not all(0 < each <= self.MOST_HEAD_CHANNELS for each in self.head_channels):
            rule = f"four counts of 1 to {self.MOST_HEAD_CHANNELS}"
            raise ValueError(f"head_channels must be {rule}, not {self.head_channels}")
        if not 0 < self.hidden_channels <= self.MOST_HIDDEN_CHANNELS or self.hidden_channels % self.REDUCTION:
            rule = f"a multiple of {self.REDUCTION}, {self.REDUCTION} to {self.MOST_HIDDEN_CHANNELS}"
            raise ValueError(f"hidden_channels must be {rule}, not {self.hidden_channels}")

    @property
    def name(self) -> str:
        """The variant's name, `{height}x{width}`."""
        return f"{self.height}x{self.width}"

    @property
    def bursts_per_frame(self) -> int:
        return self.height // self.BURST_ROWS

    @property
    def hidden_width(self) -> int:
        """Columns of the hidden state, Wh."""
        return self.width // self.COLUMN_REDUCTION

    @property
    def hidden_shape(self) -> tuple[int, int]:
        return (self.hidden_channels, self.hidden_width)

    @property
    def burst_shape(self) -> tuple[int, int, int]:
        """Rows, columns and channels of one RGB burst: (5, W, 3)."""
        return (self.BURST_ROWS, self.width, self.INPUT_CHANNELS)

    @property
    def frame_shape(self) -> tuple[int, int, int]:
        return (self.height, self.width, self.INPUT_CHANNELS)

    @property
    def feature_channels(self) -> int:
        """Channels of both heads' features together, F."""
        return self.HEADS * self.head_channels[-1]

    def to_dict(self) -> dict[str, Any]:
        """The four fields as JSON-ready values."""
        return asdict(self) | {"head_channels": list(self.head_channels)}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        """The reverse of `to_dict`.

        Raises:
            ValueError: a field is missing, surplus, of another type or out of its range.
        """
        names = ("height", "width", "head_channels", "hidden_channels")
        if sorted(fields) != sorted(names):
            raise ValueError(f"a network config has the fields {', '.join(names)}, not {', '.join(sorted(fields))}")
        channels = fields["head_channels"]
        counts = [fields["height"], fields["width"], fields["hidden_channels"]]
        if not isinstance(channels, list | tuple) or not all(type(count) is int for count in (*counts, *channels)):
            raise ValueError("every field of a network config is an integer or a list of four")
        return cls(**{**fields, "head_channels": tuple(channels)})


VARIANTS: dict[str, RaScaNetConfig] = {
    config.name: config
    for config in (
        RaScaNetConfig(height=105, width=120, head_channels=(5, 9, 18, 32), hidden_channels=40),
        RaScaNetConfig(height=210, width=240, head_channels=(6, 11, 21, 42), hidden_channels=48),
    )
}
DEFAULT_VARIANT: Final = next(iter(VARIANTS))
"""Name of the network that is used where none is named: the smaller one."""

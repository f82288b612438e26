"""The low resolutions of Tables III and IV, and how a clip is made that small.

Two ways. The paper's own (14 and 28 px): the short side to 128, a crop of 112, then bicubic; the
recipe's `clips: {size: 14, full: 112, short_side: 128}` does just that, crop for crop. The compared
works': the whole frame, of whatever shape, to a fixed size; no recipe does this, because the
networks here take squares.

The tables write 12x16 and 24x32 as height x width, and 80x60 as width x height: the frames are 240
pixels high and mostly 320 wide. 12x16 and 14x14 have about as many pixels (192 and 196), as have
24x32 and 28x28 (768 and 784), which is why the tables put them side by side; what a crop leaves out
differs all the same.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from tinyvirat.common.pixels import CENTRE, crop_at, resize, shorten


@dataclass(frozen=True)
class Protocol:
    """A way to make the clips of a data set small.

    Attributes:
        name: as in the tables.
        size_HW: height and width of the small clip, pixels.
        source: where it is from.
        words: how the small clip is made.
        short_side: of the frame before the crop, pixels; `None` where nothing is cropped.
        crop: side of the crop, pixels; `None` where the whole frame is taken.
        recipe: the `clips` of a recipe that does exactly this; empty where none does.
        nearest: the protocol with about as many pixels that a recipe can do; empty where `recipe`
            is not, or where there is none.
    """

    name: str
    size_HW: tuple[int, int]
    source: str
    words: str
    short_side: int | None = None
    crop: int | None = None
    recipe: str = ""
    nearest: str = ""


OURS = "this paper, Tables III and IV; how: published code"
CROPPED = "short side to 128 (bilinear), centre crop of 112 (random in training), bicubic down"
WHOLE = "the whole frame, bicubic down, the shape not kept; the work's own filter is not verified"


def _cropped(side: int) -> Protocol:
    return Protocol(
        name=f"{side}x{side}",
        size_HW=(side, side),
        source=OURS,
        words=CROPPED if side != 112 else CROPPED.removesuffix(", bicubic down"),
        short_side=128,
        crop=112,
        recipe=f"clips: {{size: {side}, full: 112, short_side: 128}}",
    )


PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        _cropped(112),
        _cropped(28),
        _cropped(14),
        Protocol(
            "12x16",
            (12, 16),
            "Ryoo et al., AAAI 2017; Xu et al., WACV 2018 (both in Table III)",
            WHOLE,
            nearest="14x14",
        ),
        Protocol("24x32", (24, 32), "Ryoo et al. (Table III)", WHOLE, nearest="28x28"),
        Protocol("80x60", (60, 80), "Zhang et al., SoSR (Tables III and IV)", WHOLE),
    )
}
"""Every protocol by its name in the tables."""


def low_resolution(
    frames_THWC: Tensor, protocol: Protocol, at: tuple[float, float] = CENTRE
) -> Tensor:
    """A clip made small as a protocol says.

    Args:
        frames_THWC: uint8 RGB of any size.
        protocol: how.
        at: where the crop lies, down and across, from 0 to 1; the centre is for testing. Protocols
            without a crop do not look at it.

    Returns:
        Shape (T, *protocol.size_HW, 3), uint8.

    Raises:
        TypeError: frames that are not uint8.
        PixelError: frames without pixels, or a place outside 0 to 1.
    """
    frames_TCHW = frames_THWC.permute(0, 3, 1, 2)
    if protocol.crop is not None and protocol.short_side is not None:
        frames_TCHW = crop_at(shorten(frames_TCHW, protocol.short_side), protocol.crop, at)
    low_TCHW = resize(frames_TCHW, protocol.size_HW, "bicubic")
    return low_TCHW.permute(0, 2, 3, 1).contiguous()

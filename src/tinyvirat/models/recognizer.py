"""Super-resolution and classifier as one network (section IV-B, Fig. 5)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from tinyvirat.common.pixels import resize
from tinyvirat.models.any_size import AnySizeDVSRConfig, PreUpsampledDVSRConfig
from tinyvirat.models.blocks import SuperResolved, check_counts
from tinyvirat.models.classifier import Classifier, Seen
from tinyvirat.models.dvsr import DVSRConfig, ProgressiveDVSRConfig
from tinyvirat.models.i3d import I3DConfig
from tinyvirat.models.resnet3d import ResNet3DConfig
from tinyvirat.models.x3d import X3DConfig

SuperResolutionConfig = (
    ProgressiveDVSRConfig | DVSRConfig | AnySizeDVSRConfig | PreUpsampledDVSRConfig
)
ClassifierConfig = I3DConfig | ResNet3DConfig | X3DConfig


@dataclass(frozen=True)
class RecognizerConfig:
    """What a `Recognizer` is built from.

    Attributes:
        classifier: the action classifier.
        super_resolution: the network before it; None enlarges bicubically, the paper's baseline.
        side: the side in pixels that the classifier is given; published: 112.
        zero_to_one: the classifier is fed [0, 1] instead of [-1, 1] (published code: the ResNets).
        mask: multiply the enlarged clip with the attention map before classifying. Published: not
            after the attention phase; an option to measure. A clip that is only resized has no map
            and is classified whole.
        mask_to_grey: multiply in [-1, 1], as the published code does; default: in [0, 1].
    """

    classifier: ClassifierConfig
    super_resolution: SuperResolutionConfig | None = None
    side: int = 112
    zero_to_one: bool = False
    mask: bool = False
    mask_to_grey: bool = False

    def __post_init__(self) -> None:
        check_counts(side=self.side)
        if self.mask and not getattr(self.super_resolution, "attention", False):
            raise ValueError("mask needs a super_resolution with attention: true")

    def build(self) -> Recognizer:
        """The network, with fresh weights."""
        return Recognizer(self)


class Recognizer(nn.Module):
    """From a small clip to the logits of its actions, trainable end to end.

    Attributes:
        super_resolution: the enlarging network or None.
        classifier: maps clips to `logits_BK`.
    """

    def __init__(self, config: RecognizerConfig) -> None:
        super().__init__()
        self.config = config
        sr = config.super_resolution
        self.super_resolution: nn.Module | None = None if sr is None else sr.build()
        self.classifier: Classifier = config.classifier.build()

    def enlarge(self, x_BCTHW: Tensor, *, with_map: bool = True) -> SuperResolved:
        """The clip as the classifier will see it, in [-1, 1] but not clamped, and its map.

        Args:
            x_BCTHW: RGB in [-1, 1].
            with_map: compute the map too, where the network has the branch.
        """
        side = (self.config.side, self.config.side)
        if self.super_resolution is None:
            return SuperResolved(resize(x_BCTHW, side), None)
        enlarged: SuperResolved = self.super_resolution(x_BCTHW, with_map=with_map)
        attention = enlarged.attention_B1THW
        return SuperResolved(
            resize(enlarged.video_BCTHW, side),
            None if attention is None else resize(attention, side, "bilinear"),
        )

    def classify(self, video_BCTHW: Tensor) -> Tensor:
        """Logits of clips that are already large, in [-1, 1]."""
        logits: Tensor = self.classifier(self.in_range(video_BCTHW))
        return logits

    def see(self, video_BCTHW: Tensor) -> Seen:
        """As `classify`, with what the classifier makes of them on the way."""
        return self.classifier.see(self.in_range(video_BCTHW))

    def in_range(self, video_BCTHW: Tensor) -> Tensor:
        """Clips in [-1, 1] in the range that the classifier is fed."""
        return (video_BCTHW + 1.0) / 2.0 if self.config.zero_to_one else video_BCTHW

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """Maps small clips to `logits_BK`; no map is computed that they do not depend on.

        Args:
            x_BCTHW: RGB in [-1, 1].
        """
        video, attention = self.enlarge(x_BCTHW, with_map=self.config.mask)
        if attention is not None:
            video = masked(video, attention, to_grey=self.config.mask_to_grey)
        return self.classify(video)


def masked(video_BCTHW: Tensor, attention_B1THW: Tensor, *, to_grey: bool = False) -> Tensor:
    """The clip with unimportant pixels darkened: V (x) F_att of Eq. 2.

    Args:
        video_BCTHW: in [-1, 1].
        attention_B1THW: in [0, 1].
        to_grey: multiply in [-1, 1], as the published code does, so that masked pixels turn grey;
            default: in [0, 1], so that they turn black.
    """
    if to_grey:
        return video_BCTHW * attention_B1THW
    return (video_BCTHW + 1.0) * attention_B1THW - 1.0

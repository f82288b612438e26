"""Learning from a finished network: its answers, its features, and where it looks.

A small classifier, or one on small clips, learns from its teacher beside the labels;
super-resolution learns what a classifier would see, beside the pixels. Shapes: B clips, C channels,
T frames, H x W pixels, K classes. Every loss is a scalar, the mean over clips, worked out in
float32 at least; none reaches into the finished network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tinyvirat.common.errors import TinyviratError
from tinyvirat.models.classifier import Classifier, Seen
from tinyvirat.models.recognizer import Recognizer
from tinyvirat.models.saved import (
    DESCRIPTION,
    Model,
    load_model,
    model_folder,
    read_description,
)
from tinyvirat.training.objectives import Labels
from tinyvirat.training.phase_settings import Distill
from tinyvirat.training.recipe import Recipe

POOLED = "pooled"
"""Among the compared maps: the pooled features, as a map of one place."""


def logit_loss(logits_BK: Tensor, teacher_BK: Tensor, labels: Labels, temperature: float) -> Tensor:
    """How far answers are from the teacher's (Hinton, Vinyals and Dean 2015).

    T^2 KL(p || q), with p and q the teacher's and the student's probabilities at temperature T; the
    factor keeps the size of the gradient whatever T is. Where clips can have several labels each
    class is a Bernoulli variable of its own, and the mean is over classes too, as that of binary
    cross-entropy.

    Args:
        logits_BK: the student's.
        teacher_BK: the teacher's.
        labels: `single` or `multi`.
        temperature: above 0.
    """
    mine_BK, theirs_BK = _wide(logits_BK) / temperature, _wide(teacher_BK) / temperature
    if labels == "single":
        mine, theirs = F.log_softmax(mine_BK, 1), F.log_softmax(theirs_BK, 1)
        divergence = (theirs.exp() * (theirs - mine)).sum(1).mean()
    else:
        hit = theirs_BK.sigmoid() * (F.logsigmoid(theirs_BK) - F.logsigmoid(mine_BK))
        miss = (-theirs_BK).sigmoid() * (F.logsigmoid(-theirs_BK) - F.logsigmoid(-mine_BK))
        divergence = (hit + miss).mean()
    return temperature**2 * divergence


def feature_loss(map_BCTHW: Tensor, teacher_BCTHW: Tensor) -> Tensor:
    """How far features point from the teacher's: the squared distance of their directions.

    Features are scaled to length 1 over the channels of each place (so that it is twice 1 less the
    cosine, from 0 to 4, and no network's scale matters), and the mean is over places too. Maps of
    other sizes are averaged down to the smaller of the two in each dimension.

    Args:
        map_BCTHW: the student's, projected to the teacher's channels.
        teacher_BCTHW: the teacher's.
    """
    mine, theirs = _same_size(_wide(map_BCTHW), _wide(teacher_BCTHW))
    return (F.normalize(mine, dim=1) - F.normalize(theirs, dim=1)).square().sum(1).mean()


def attention_loss(map_BCTHW: Tensor, teacher_BCTHW: Tensor) -> Tensor:
    """How far a network looks elsewhere than the teacher (Zagoruyko and Komodakis 2017).

    Activation-based attention transfer: the squared distance of two attention maps (`attention`),
    each scaled to length 1 over all places of the clip. The paper has the distance itself, its
    published code the mean of the squares, which depends on the number of places. Channels need not
    be as many; maps of other sizes are averaged down to the smaller of the two in each dimension.

    Args:
        map_BCTHW: the student's feature map.
        teacher_BCTHW: the teacher's.
    """
    mine, theirs = _same_size(attention(map_BCTHW), attention(teacher_BCTHW))
    difference = F.normalize(mine.flatten(1)) - F.normalize(theirs.flatten(1))
    return difference.square().sum(1).mean()


def attention(map_BCTHW: Tensor) -> Tensor:
    """Where a network looks, `(B, 1, T, H, W)`: the mean over channels of squared features."""
    return _wide(map_BCTHW).square().mean(1, keepdim=True)


def perceptual_loss(
    network: Recognizer, video_BCTHW: Tensor, truth_BCTHW: Tensor, stages: Sequence[int]
) -> Tensor:
    """How unlike its truth an enlarged clip looks to a classifier (Johnson et al. 2016).

    The mean over stages of `feature_loss`. The paper has the squared distance of features as they
    are, whose size is another for each network and stage; directions as of Zhang et al. 2018
    (LPIPS, whose weights of channels are 1 here) let one weight serve all. Layers behind the last
    stage that is compared are not run.

    Args:
        network: a frozen recogniser in evaluation mode.
        video_BCTHW: the super-resolved clip, in [-1, 1].
        truth_BCTHW: the high-resolution clip, of the same shape.
        stages: 1 to 4, in order.
    """
    classifier = network.classifier
    mine = classifier.stage_maps(network.in_range(video_BCTHW), stages[-1])
    with torch.no_grad():
        theirs = classifier.stage_maps(network.in_range(truth_BCTHW), stages[-1])
    return torch.stack([feature_loss(mine[n - 1], theirs[n - 1]) for n in stages]).mean()


@dataclass(frozen=True)
class Teacher:
    """A finished model to learn from, frozen, in evaluation mode.

    Attributes:
        network: its recogniser.
        side: of the input it was trained on, in pixels.
    """

    network: Recognizer
    side: int


class Distiller(nn.Module):
    """Compares what a student sees with what its teacher sees.

    Where compared features differ in width, a 1 x 1 x 1 convolution that learns along brings the
    student's to the teacher's. It is no part of the student.

    Args:
        settings: what is compared.
        student: whose features are projected.
        teacher: to whose width.
        labels: `single` or `multi`.
    """

    def __init__(
        self, settings: Distill, student: Classifier, teacher: Classifier, labels: Labels
    ) -> None:
        super().__init__()
        self.settings = settings
        self.labels: Labels = labels
        self.compared = tuple(map(str, settings.feature_stages)) or (POOLED,)
        self.projections = nn.ModuleDict()
        if settings.features:
            mine, theirs = _widths(student), _widths(teacher)
            for name in self.compared:
                if mine[name] != theirs[name]:
                    self.projections[name] = nn.Conv3d(mine[name], theirs[name], 1, bias=False)

    def forward(self, mine: Seen, theirs: Seen) -> dict[str, Tensor]:
        """The terms that the settings weigh, by their names there, unweighted."""
        s, terms = self.settings, {}
        if s.logits:
            answers = (mine.logits_BK, theirs.logits_BK)
            terms["logits"] = logit_loss(*answers, self.labels, s.temperature)
        if s.features:
            losses = [feature_loss(self._map(mine, n), _map(theirs, n)) for n in self.compared]
            terms["features"] = torch.stack(losses).mean()
        if s.attention:
            pairs = [(mine.stages[n - 1], theirs.stages[n - 1]) for n in s.attention_stages]
            terms["attention"] = torch.stack([attention_loss(*pair) for pair in pairs]).mean()
        return terms

    def total(self, labels: Tensor, terms: dict[str, Tensor]) -> Tensor:
        """The weighted sum of the labels' loss and of the terms."""
        weights = {"logits": self.settings.logits, "features": self.settings.features}
        weights["attention"] = self.settings.attention
        total = self.settings.labels * labels
        for name, term in terms.items():
            total = total + weights[name] * term
        return total

    def _map(self, seen: Seen, name: str) -> Tensor:
        found = _map(seen, name)
        projected: Tensor = self.projections[name](found) if name in self.projections else found
        return projected


def load_teacher(
    source: Path, recipe: Recipe, labels: Sequence[str], kind: Labels, device: torch.device
) -> Teacher:
    """A finished run or a model's folder as a teacher.

    Args:
        source: the folder.
        recipe: of the student.
        labels: the student's classes, in order.
        kind: whether its clips have one label or any number.
        device: where to compute.

    Raises:
        TinyviratError: no such model, or it cannot teach this recipe.
    """
    model = frozen_model(str(source), device)
    spec, settings = model.spec, recipe.phase3 and recipe.phase3.distill
    multi = kind == "multi"
    if settings and settings.logits and (spec.labels, spec.multi_label) != (tuple(labels), multi):
        raise TinyviratError(
            f"{source}: the teacher {spec.name!r} does not answer with the classes of the data "
            f"({_listed(spec.labels)} instead of {_listed(labels)}, or one label instead of "
            "several); learn from its features and attention alone with "
            "--set phase3.distill.logits=0"
        )
    side = spec.preprocess.sizes[-1]
    if side > recipe.clips.full:
        raise TinyviratError(
            f"{source}: the teacher {spec.name!r} takes clips of {side} px, and clips.full is "
            f"{recipe.clips.full}; give clips.full the teacher's side, and clips.seen that of what "
            "the student's classifier is given"
        )
    return Teacher(model.network, side)


def frozen_model(name: str, device: torch.device) -> Model:
    """A model that is looked at and does not learn, in evaluation mode.

    Args:
        name: a run's or a model's folder, or the name of fetched weights.
        device: where to compute.

    Raises:
        ModelError: no such model.
    """
    model = load_model(model_folder(name))
    model.network.requires_grad_(False).to(device)
    # The stubs of Module.to know the memory format only together with a tensor.
    model.network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    return model


def frozen_digest(name: str | Path) -> str:
    """The checksum of a model's weights: what a run that looks at it depends on.

    Raises:
        ModelError: no such model.
    """
    return read_description(model_folder(str(name)) / DESCRIPTION)[1]


def _widths(network: Classifier) -> dict[str, int]:
    stages = {str(n): width for n, width in enumerate(network.widths, 1)}
    return stages | {POOLED: network.head.in_features}


def _map(seen: Seen, name: str) -> Tensor:
    if name == POOLED:
        return seen.features_BC[:, :, None, None, None]
    return seen.stages[int(name) - 1]


def _same_size(one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """Both averaged down to the smaller frames, height and width of the two."""
    frames, height, width = map(min, zip(one.shape[2:], other.shape[2:], strict=True))
    size = (frames, height, width)
    return F.adaptive_avg_pool3d(one, size), F.adaptive_avg_pool3d(other, size)


def _wide(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))


def _listed(labels: Sequence[str], most: int = 4) -> str:
    return ", ".join(labels[:most]) + (", ..." if len(labels) > most else "")

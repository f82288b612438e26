"""The smallest things that can be measured."""

from __future__ import annotations

from tinyvirat.benchmark.speeds import How, Subject
from tinyvirat.benchmark.turns import Pace
from tinyvirat.models.dvsr import ProgressiveDVSRConfig
from tinyvirat.models.i3d import I3DConfig
from tinyvirat.models.recognizer import RecognizerConfig
from tinyvirat.training.recipe import (
    ClassifierPhase,
    Clips,
    JointPhase,
    Recipe,
    SuperResolutionPhase,
)

CLASSIFIER = I3DConfig(num_classes=3, width=0.0625)
SLIM = ProgressiveDVSRConfig(2, 4, 2, attention=True)
CONFIG = RecognizerConfig(CLASSIFIER, SLIM, 32)
SUBJECT = Subject("toy", CONFIG, 16, 8, published="other", reference=(SLIM, 16))
PACE = Pace(turns=2, batches=(1, 2), budget=0.1, limit=120.0)
HOW = How(engines=("torch", "onnx"), precisions=("float32", "bfloat16"), pace=PACE)
RECIPE = Recipe(
    name="toy",
    classifier=CLASSIFIER,
    super_resolution=SLIM,
    clips=Clips(size=16, full=32, short_side=36, frames=8),
    phase1=SuperResolutionPhase(steps=(1,)),
    phase2=JointPhase(steps=1),
    phase3=ClassifierPhase(steps=1),
)

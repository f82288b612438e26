"""Where the tiny actors are: tubes of boxes over time, given as the frames of a video come.

    with open_video(path) as video:
        info = video.info
        source = open_tubes(None, info.width, info.height, float(info.fps))
        for frame, tubes in with_tubes(video, source):
            for box in tubes.boxes:
                ...  # box.tube, box.box, box.type, box.score, box.seen

A source (`TubeSource`) takes frames one by one and gives each back once with the boxes of all live
tubes, at most `source.delay` frames later; its memory does not grow with the video. A tube has a
box in every frame from its birth to its end. `square_windows` makes the crops of a few successive
boxes of a tube, by the rules that training clips are cut by.

Sources: `WholeFrame`, `motion.MotionTubes`, `detected.DetectorTubes` (any detector), and
`from_files.tubes_from_file` (MOTChallenge, COCO, VIRAT, KPF, ActEV); `open_tubes` chooses.
"""

from tinyvirat.recognition.proposals.choose import open_tubes
from tinyvirat.recognition.proposals.protocols import Detector, TubeSource, with_tubes
from tinyvirat.recognition.proposals.records import (
    ActorTube,
    Box,
    Detections,
    ProposalError,
    TubeBox,
    TubeFrame,
    collect,
)
from tinyvirat.recognition.proposals.settings import (
    KeepingSettings,
    MotionSettings,
    TrackingSettings,
)
from tinyvirat.recognition.proposals.whole import WholeFrame
from tinyvirat.recognition.proposals.windows import square_windows

__all__ = [
    "ActorTube",
    "Box",
    "Detections",
    "Detector",
    "KeepingSettings",
    "MotionSettings",
    "ProposalError",
    "TrackingSettings",
    "TubeBox",
    "TubeFrame",
    "TubeSource",
    "WholeFrame",
    "collect",
    "open_tubes",
    "square_windows",
    "with_tubes",
]

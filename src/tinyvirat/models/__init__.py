"""Networks: tensors in, tensors out; and how they are built, brought in, saved and used.

from tinyvirat.models import import_reference
network = import_reference(state_dict, "authors-prog-dvsr")
"""

from tinyvirat.models.importers import LAYOUTS, import_reference
from tinyvirat.models.recognizer import Recognizer, RecognizerConfig
from tinyvirat.models.saved import Model, ModelSpec, load_model, save_model

__all__ = [
    "LAYOUTS",
    "Model",
    "ModelSpec",
    "Recognizer",
    "RecognizerConfig",
    "import_reference",
    "load_model",
    "save_model",
]

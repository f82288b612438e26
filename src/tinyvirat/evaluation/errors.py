"""What can be wrong with predictions, thresholds and scores."""

from tinyvirat.common.errors import TinyviratError


class EvaluationError(TinyviratError):
    """Scores, labels or a file of them that no metric can be made of."""

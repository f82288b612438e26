"""What can be wrong with a table that is to be reproduced."""

from __future__ import annotations

from tinyvirat.common.errors import TinyviratError


class ReproduceError(TinyviratError):
    """A table, row or change that is not there, or a run that did not succeed."""

"""The published data sets of the paper: from what is downloaded to manifests.

A module a data set reads its lists (`tinyvirat`, `ucf101`, `hmdb51`); `preparing` measures the
clips and makes the records; `archives` unpacks downloads; `protocols` are the low resolutions of
Tables III and IV; `challenge` is the TinyAction challenge's answer file.
"""

from tinyvirat.datasets.published.hmdb51 import list_hmdb51
from tinyvirat.datasets.published.listing import ListedClip, Listing, PublishedError
from tinyvirat.datasets.published.preparing import Prepared, prepare, write_prepared
from tinyvirat.datasets.published.report import Report, read_report, report_path
from tinyvirat.datasets.published.tinyvirat import list_tinyvirat
from tinyvirat.datasets.published.ucf101 import list_ucf101

__all__ = [
    "ListedClip",
    "Listing",
    "Prepared",
    "PublishedError",
    "Report",
    "list_hmdb51",
    "list_tinyvirat",
    "list_ucf101",
    "prepare",
    "read_report",
    "report_path",
    "write_prepared",
]

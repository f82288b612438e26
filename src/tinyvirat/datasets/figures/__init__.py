"""The tables and figures of a data set, after the paper's section III: `tinyvirat data stats`."""

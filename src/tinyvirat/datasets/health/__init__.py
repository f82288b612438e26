"""Whether a data set is what its manifest says, and fit to learn from: `tinyvirat data check`.

`facts` are measured by decoding (`measure`, spread over processes by `pool`, kept by `memory`);
everything else is a pure function of them: `problems`, `duplicates`, `giveaways`. `quarantine` is
the list of clips that are left out, which `tinyvirat.datasets.manifest` honours.
"""

"""`tinyvirat models`: the networks there are."""

from __future__ import annotations

import json as json_module
from dataclasses import asdict


def models(*, json: bool = False) -> int:
    """Lists the networks with their parameters and the cost of one clip of 16 frames.

    The configurations are the paper's, and this package's own where it says so; classifiers have
    TinyVIRAT's 26 classes. A cost in GMAC is 10^9 multiplications with addition. Weights that were
    fetched are listed below.

    Args:
        json: print JSON instead of a table.
    """
    from tinyvirat.common.files import cache_folder
    from tinyvirat.models.saved import DESCRIPTION
    from tinyvirat.models.zoo import ZOO, cost_of

    costs = {name: cost_of(entry.config, entry.side) for name, entry in ZOO.items()}
    fetched = sorted(p.parent for p in (cache_folder() / "weights").glob(f"*/{DESCRIPTION}"))
    if json:
        rows = [
            {"name": name, "side": entry.side, "what": entry.what, **asdict(costs[name])}
            for name, entry in ZOO.items()
        ]
        print(json_module.dumps({"networks": rows, "fetched": [str(f) for f in fetched]}, indent=1))
        return 0
    from rich.console import Console
    from rich.table import Table

    table = Table("network", "what", title="Networks, and what one clip of 16 frames costs")
    for head in ("input", "parameters", "GMAC"):
        table.add_column(head, justify="right")
    for name, entry in ZOO.items():
        cost = costs[name]
        side = f"{entry.side} x {entry.side}"
        table.add_row(name, entry.what, side, f"{cost.parameters / 1e6:.2f} M", f"{cost.gmac:.1f}")
    console = Console()
    console.print(table)
    names = ", ".join(folder.name for folder in fetched) or "none"
    console.print(
        f"fetched weights: {names} (`tinyvirat weights fetch`)", highlight=False, markup=False
    )
    return 0

"""What one window costs a light classifier on one thread: operations, parameters, milliseconds.

    taskset -c 0 python benchmarks/light_classifiers.py

The candidates take turns, so that a busy machine slows all of them alike; the best turn counts, in
seconds of the processor. Weights are fresh: they change no time.
"""

import time

import torch

from tinyvirat.models.i3d import I3DConfig
from tinyvirat.models.norm_folding import fold_norms
from tinyvirat.models.x3d import X3DConfig
from tinyvirat.models.zoo import cost_of

FRAMES = 16
TURNS = 6
DTYPES = (torch.float32, torch.bfloat16)
CANDIDATES = {
    "I3D, 112 px": (I3DConfig(12, 224), 112),
    "I3D, 56 px": (I3DConfig(12, 224), 56),
    "I3D without its first max-pool, 56 px": (I3DConfig(12, 112), 56),
    "I3D of half the width, 112 px": (I3DConfig(12, 224, width=0.5), 112),
    "I3D of half the width, 56 px": (I3DConfig(12, 224, width=0.5), 56),
    "X3D-S, 112 px": (X3DConfig(12), 112),
    "X3D-S, 80 px": (X3DConfig(12), 80),
    "X3D-S, 56 px": (X3DConfig(12), 56),
}


def main() -> None:
    """Prints a Markdown table."""
    torch.set_num_threads(1)
    ready = {(name, dtype): build(name, dtype) for name in CANDIDATES for dtype in DTYPES}
    best = dict.fromkeys(ready, float("inf"))
    with torch.inference_mode():
        for _ in range(TURNS):
            for key, (network, x_BCTHW) in ready.items():
                network(x_BCTHW)  # what it needs is in the caches
                began = time.process_time()
                network(x_BCTHW)
                best[key] = min(best[key], time.process_time() - began)
    print("| classifier, side of its clips | GMAC | parameters | float32 | bfloat16 |")
    print("|---|---|---|---|---|")
    for name, (config, side) in CANDIDATES.items():
        cost = cost_of(config, side, FRAMES)
        times = " | ".join(f"{1e3 * best[name, dtype]:.0f} ms" for dtype in DTYPES)
        print(f"| {name} | {cost.gmac:.2f} | {cost.parameters / 1e6:.1f} M | {times} |")


def build(name: str, dtype: torch.dtype) -> tuple[torch.nn.Module, torch.Tensor]:
    """A candidate as it is deployed, and a window for it."""
    config, side = CANDIDATES[name]
    network = config.build().eval()
    fold_norms(network)
    x_BCTHW = torch.randn(1, 3, FRAMES, side, side, dtype=dtype)
    form = torch.channels_last_3d
    return network.to(dtype).to(memory_format=form), x_BCTHW.contiguous(memory_format=form)


if __name__ == "__main__":
    main()

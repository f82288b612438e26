"""The training loop: one readable pass from a recipe to a trained network.

Accelerate gives the device, the precision, the processes and the gradient scaling; what is done
with them stands here. Every iteration seeds what is random in it from the run's seed and its own
number, so that a resumed run repeats the same iterations: bit for bit on the CPU in float32.

Several processes share every batch. Gradients are averaged over them explicitly, which lets a phase
use a network twice, or not at all, and batch norms see the whole batch (`training.norms`); so the
losses are those of one process but for rounding. Two things stay a process's own: which features
dropout drops, and with `accumulate` the statistics of a batch norm, which are those of a piece.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import Tensor, nn

from tinyvirat.common.errors import TinyviratError
from tinyvirat.common.progress import track
from tinyvirat.training.average import MovingAverage
from tinyvirat.training.checkpoint import (
    Position,
    State,
    find_checkpoint,
    load_checkpoint,
    save_checkpoint,
)
from tinyvirat.training.data import TrainingData
from tinyvirat.training.inputs import LabelledBatch
from tinyvirat.training.journal import Journal
from tinyvirat.training.observe import Observer
from tinyvirat.training.phases import Batches, Classification, Phase, Place, Setting, phases_of
from tinyvirat.training.recipe import Upkeep


@dataclass(frozen=True)
class Training:
    """Everything the loop works with.

    Attributes:
        run: the run folder.
        accelerator: device, precision, processes.
        setting: the recipe and the network that is trained in place.
        data: where batches come from.
        observer: validates and draws.
        classifier: the weights that the classifier started from, for a phase that starts again.
        recipe: digest of the resolved recipe and the data.
    """

    run: Path
    accelerator: Accelerator
    setting: Setting
    data: TrainingData
    observer: Observer
    classifier: Mapping[str, Tensor]
    recipe: str

    @property
    def upkeep(self) -> Upkeep:
        """Checkpoints, precision, workers."""
        return self.setting.recipe.upkeep


def train(training: Training, *, only: Sequence[int] = (), until: int | None = None) -> bool:
    """Carries out the recipe's phases, from where the run folder's checkpoint stands.

    Args:
        training: what to work with.
        only: numbers of the phases to carry out; empty means all.
        until: leave off after so many iterations, with a checkpoint; None goes to the end.

    Returns:
        Whether all phases asked for are done.

    Raises:
        TinyviratError: as `position_of`, or the processes do not share one run folder.
        CheckpointError: the checkpoint is damaged.
    """
    position = position_of(training.run, training.recipe)
    if training.accelerator.num_processes > 1 and len(set(gather_object([position]))) > 1:
        raise TinyviratError(
            f"{training.run}: not the same folder for all processes; --out must lie where every "
            "machine sees it"
        )
    if position is not None:
        load_checkpoint(training.run, State({"network": training.setting.network}, {}))
    finished = position.finished if position else ()
    left = until
    for phase in phases_of(training.setting):
        if phase.name in finished or (only and int(phase.name[0]) not in only):
            continue
        done = _run_phase(training, phase, finished, left)
        if left is not None:
            left -= done.made
        if not done.complete:
            return False
        finished = (*finished, phase.name)
    return True


def position_of(run: Path, recipe: str) -> Position | None:
    """How far the run in the folder `run` has come; None where there is none.

    Args:
        run: the run folder.
        recipe: digest of the recipe and the data that it has to be a run of.

    Raises:
        TinyviratError: the folder holds a run of another recipe or other data.
        CheckpointError: its checkpoint is damaged.
    """
    position = find_checkpoint(run)
    if position is not None and position.recipe != recipe:
        raise TinyviratError(
            f"{run}: holds a run of another recipe or other data; use another --out, or delete "
            "the folder to start anew"
        )
    return position


@dataclass(frozen=True)
class _Done:
    made: int
    complete: bool


def _run_phase(
    training: Training, phase: Phase, finished: tuple[str, ...], most: int | None
) -> _Done:
    """One phase, from its checkpoint to its end or to `most` iterations more."""
    upkeep, accelerator = training.upkeep, training.accelerator
    network = training.setting.network
    position = find_checkpoint(training.run)
    resumed = position is not None and position.phase == phase.name
    if not resumed and isinstance(phase, Classification) and phase.settings.restart:
        network.classifier.load_state_dict(dict(training.classifier))
    average = MovingAverage(network, upkeep.ema) if upkeep.ema else None
    modules: dict[str, nn.Module] = {"network": network, **phase.helpers}
    if average is not None:
        modules["average"] = average
    state = State(modules, phase.optimizers, accelerator.scaler)
    first = 0
    if position is not None and resumed:
        load_checkpoint(training.run, state)
        first = position.step
    stop = phase.steps if most is None else min(phase.steps, first + most)
    steps = training.data.batches(phase, first, stop, accelerator)
    if accelerator.is_main_process:
        steps = track(steps, phase.name, stop - first)
    counts = _counts(training, finished, phase, first)
    with ExitStack() as stack:
        journal = (
            stack.enter_context(Journal(training.run, counts))
            if accelerator.is_main_process
            else None
        )
        for place, batches in steps:
            began = time.monotonic()
            phase.set_modes()
            phase.set_rates(place.step)
            values = _iterate(training, phase, place, batches)
            if average is not None:
                average.update(network)
            done = place.step + 1
            if journal is not None:
                journal.write(phase.name, done, values | {"seconds": time.monotonic() - began})
            training.observer.after(phase, done, average, journal)
            if done % upkeep.checkpoint_every == 0 and done < phase.steps:
                _save(
                    training, journal, Position(phase.name, done, finished, training.recipe), state
                )
        if stop < phase.steps:
            place_now = Position(phase.name, stop, finished, training.recipe)
            _save(training, journal, place_now, state)
            return _Done(stop - first, complete=False)
        if average is not None:
            network.load_state_dict(average.network.state_dict())
        training.observer.end(phase, journal)
        over = Position(phase.name, phase.steps, (*finished, phase.name), training.recipe)
        _save(training, journal, over, state)
    return _Done(stop - first, complete=True)


def _iterate(training: Training, phase: Phase, place: Place, batches: Batches) -> dict[str, float]:
    """One iteration; returns what it reports, averaged over its pieces and the processes."""
    accelerator = training.accelerator
    torch.manual_seed(place.seed + accelerator.process_index)
    reported: dict[str, Tensor] = {}
    for share, piece in _pieces(batches, training.upkeep.accumulate, phase.together):
        with accelerator.autocast():
            losses = phase.losses(piece, place)
        accelerator.backward(losses.total * share)
        for name, value in {"loss": losses.total, **losses.parts}.items():
            part = value.detach().float().cpu() * share
            reported[name] = reported.get(name, torch.zeros(())) + part
    _average_gradients(phase.learning, accelerator)
    _step(phase, accelerator)
    if training.upkeep.on_error == "skip":
        reported["skipped"] = torch.tensor(float(_skipped(batches) * accelerator.num_processes))
    values = torch.stack(list(reported.values())).to(accelerator.device)
    shared = accelerator.reduce(values, reduction="mean").tolist()
    if not all(map(math.isfinite, shared)):
        raise TinyviratError(
            f"{phase.name}: the loss is no longer finite at iteration {place.step + 1}: "
            f"{dict(zip(reported, shared, strict=True))}; a smaller learning rate or float32 "
            "(upkeep.precision) may help; the checkpoint before it is kept"
        )
    rates = {f"lr_{name}": o.param_groups[0]["lr"] for name, o in phase.optimizers.items()}
    return dict(zip(reported, shared, strict=True)) | rates


def _step(phase: Phase, accelerator: Accelerator) -> None:
    """Clips the gradients and moves the weights; the scaler of float16 learns once, at the end."""
    scaler = accelerator.scaler
    for name, optimizer in phase.optimizers.items():
        limit = phase.base[name].clip_norm
        if limit:
            if scaler is not None:
                scaler.unscale_(optimizer)
            parameters = [p for group in optimizer.param_groups for p in group["params"]]
            nn.utils.clip_grad_norm_(parameters, limit)
        if scaler is None:
            optimizer.step()
        else:
            scaler.step(optimizer)
        optimizer.zero_grad()
    if scaler is not None:
        scaler.update()


def _average_gradients(parameters: Sequence[nn.Parameter], accelerator: Accelerator) -> None:
    """Replaces every gradient by its mean over the processes, in one exchange."""
    if accelerator.num_processes == 1:
        return
    # A parameter can have a gradient in one iteration and none in the next, alike in all processes.
    gradients = [p.grad for p in parameters if p.grad is not None]
    if not gradients:
        return
    flat = torch.cat([g.reshape(-1) for g in gradients])
    flat = accelerator.reduce(flat, reduction="mean")
    begin = 0
    for gradient in gradients:
        gradient.copy_(flat[begin : begin + gradient.numel()].view_as(gradient))
        begin += gradient.numel()


def _pieces(batches: Batches, count: int, together: int) -> Iterator[tuple[float, Batches]]:
    """A batch in `count` pieces, fewer where it has fewer clips, each with its share of the whole.

    `together` clips that stand side by side are never parted; the sizes of pieces differ by one
    such group at most. Weighted by their shares, the means over the pieces add up to the mean over
    the batch.
    """
    clips = [len(batch.clips) for batch in batches.values()]
    count = max(1, min(count, *(number // together for number in clips)))
    for number in range(count):
        # Roles that share a batch share its pieces too.
        cut = {id(batch): _piece(batch, number, count, together) for batch in batches.values()}
        piece = {role: cut[id(batch)] for role, batch in batches.items()}
        yield sum(len(batch.clips) for batch in piece.values()) / sum(clips), piece


def _piece(batch: LabelledBatch, number: int, count: int, together: int) -> LabelledBatch:
    groups = len(batch.clips) // together
    begin, end = (groups * n // count * together for n in (number, number + 1))
    if number == count - 1:
        end = len(batch.clips)
    return LabelledBatch(
        batch.clips[begin:end], batch.targets_BK[begin:end], batch.seeds[begin:end]
    )


def _skipped(batches: Batches) -> int:
    """Clips that could not be read, of this process's share."""
    return sum(batch.skipped for batch in {id(b): b for b in batches.values()}.values())


def _save(training: Training, journal: Journal | None, position: Position, state: State) -> None:
    if journal is not None:
        journal.flush()
        save_checkpoint(training.run, position, state)
    training.accelerator.wait_for_everyone()


def _counts(
    training: Training, finished: tuple[str, ...], phase: Phase, first: int
) -> dict[str, int]:
    """Iterations that are done, by phase: what of the journal is still true."""
    steps = {p.name: p.steps for p in phases_of(training.setting) if p.name in finished}
    return steps | {phase.name: first}

"""The proof of theorem 3 followed along a pruning run, step by step.

`follow` walks the steps of a run (`theory.pruning.Step`), keeps masks of its own, and
computes R_SF of what is left, in float64, by forward passes of its own; the run is
believed in nothing but the scores that it ranked. Of every step it asks, in this order,

    bookkeeping     what goes was there, and the counts are those of the masks (premise)
    connected       R > 0 before the step                                      (premise)
    positive        no score is negative                                       (premise)
    conserved       in a chain the scores of each layer add up to R            (premise)
    global          no removed score is higher than a kept one                 (premise)
    prune size      removed scores add up to less than R, the cut size         (premise)
    no empty layer  in a chain every layer keeps a parameter                (conclusion)
    inequality      R after >= R - prune size                               (conclusion)

and in a chain without max-pooling R after = R - prune size if one layer alone was
touched. Prune size < R and the inequality give R after > 0: a path is left.

The theorem is one step of an induction: with the premises met at a step its conclusions
hold at that step, whatever went before. So a run is followed to its end past a premise
that failed, and the first conclusion that fails under its premises is kept apart: for
scores of R_SF it would refute the theorem, so it tells such scores from others.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from theory.masks import Masks
from theory.networks import Network
from theory.pruning_steps import Step
from theory.synflow import absolute, ones

Kind = Literal["chain", "max-pool chain", "dag"]
Line = Literal[
    "bookkeeping",
    "connected",
    "positive",
    "conserved",
    "global",
    "prune size",
    "no empty layer",
    "inequality",
]

ROUNDING = 1e-9
"""Default slack (ours): no score of R_SF is negative, so that no sum cancels, and 10^6
roundings in float64 stay below it. Scores in float32 need about 1e-4."""


@dataclass(frozen=True)
class Failure:
    """A line of the proof that does not hold at a step, with its two numbers."""

    step: int
    line: Line
    found: float
    expected: float
    layer: str = ""

    def __str__(self) -> str:
        where = f" in {self.layer}" if self.layer else ""
        return (
            f"step {self.step}: {self.line} fails{where}, "
            f"found {self.found:.6g} against {self.expected:.6g}"
        )


@dataclass(frozen=True)
class Record:
    """What following a run has shown."""

    failure: Failure | None
    """The first line that fails (None: the proof holds at every step)."""
    refuted: Failure | None
    """The first conclusion that fails though the premises hold at its step."""
    steps: int
    counts: dict[str, int]
    """Parameters left in each layer at the end, by the checker's own masks."""
    flow: float
    """R at the end: positive if and only if an input-output path is left."""
    largest_ratio: float
    """Largest prune size / R of the steps before R = 0 (figure 7); below 1 is safe."""


def follow(
    network: Network,
    shape: tuple[int, ...],
    steps: Iterable[Step],
    *,
    kind: Kind,
    slack: float = ROUNDING,
) -> Record:
    """Return the first line of the proof of theorem 3 that a run breaks, if any.

    Args:
        network: the one that was pruned, as it was before.
        shape: of one sample, for the input of ones.
        steps: the run; walked as it is made if it is a generator.
        kind: "chain" if every input-output path crosses every prunable weight once,
            which has all lines; "max-pool chain" the same with max-pooling, where one
            layer gives an inequality too; "dag" anything else, also with weights that
            layers share: no conservation, and layers that may empty.
        slack: relative to R, for the rounding of the run's scores.

    Raises:
        ValueError: unknown kind, slack outside [0, 1), a run of another network.
    """
    if kind not in ("chain", "max-pool chain", "dag") or not 0 <= slack < 1:
        raise ValueError(
            "expected kind 'chain', 'max-pool chain' or 'dag' and a slack in [0, 1), "
            f"got {kind!r} and {slack}"
        )
    subject = _Positive.of(network, shape)
    flow, walked, ratio = subject.flow(), 0, 0.0
    failures: list[Failure] = []
    refutations: list[Failure] = []
    for step in steps:
        walked += 1
        known = subject.remove(step.gone)
        after, left = subject.flow(), subject.counts()
        ratio = max(ratio, step.prune_size / flow if flow > 0 else 0.0)
        broken = _bookkeeping(step, known, left) or _premises(step, flow, kind, slack)
        if not broken and (broken := _conclusions(step, flow, after, kind, slack)):
            refutations.append(broken)
        failures += [broken] if broken else []
        flow = after
    return Record(
        next(iter(failures), None),
        next(iter(refutations), None),
        walked,
        subject.counts(),
        flow,
        ratio,
    )


@dataclass(frozen=True)
class _Positive:
    """|theta| in float64, 0 where it went, and masks that only ever lose entries."""

    network: Network
    x: Tensor
    masks: Masks

    @classmethod
    def of(cls, network: Network, shape: tuple[int, ...]) -> "_Positive":
        tensors = {**network.parameters, **network.buffers}
        double = {
            n: (t.double() if t.dtype.is_floating_point else t).contiguous()
            for n, t in tensors.items()
        }
        positive = absolute(
            replace(
                network,
                parameters={name: double[name] for name in network.parameters},
                buffers={name: double[name] for name in network.buffers},
            )
        )
        full = {
            name: torch.ones_like(positive.parameters[name], dtype=torch.bool)
            for name in network.prunable
        }
        return cls(positive, ones(positive, shape), full)

    def flow(self) -> float:
        """Return R of what is left, by a forward pass."""
        return float(self.network(self.network.parameters, self.x).sum())

    def counts(self) -> dict[str, int]:
        """Return how many parameters each layer keeps."""
        return {name: int(mask.count_nonzero()) for name, mask in self.masks.items()}

    def remove(self, gone: dict[str, Tensor]) -> bool:
        """Remove positions; return whether all existed, once, and were still there.

        Raises:
            ValueError: a layer that the network does not have.
        """
        if strangers := set(gone) - set(self.masks):
            raise ValueError(
                f"the run prunes {sorted(strangers)}, but the network's layers are "
                f"{list(self.masks)}; follow a run with the network that it pruned"
            )
        sound = True
        for name, positions in gone.items():
            flat = self.masks[name].view(-1)
            where = positions.to(flat.device).long()
            inside = where[(where >= 0) & (where < len(flat))]
            before = int(flat.count_nonzero())
            flat[inside] = False
            self.network.parameters[name].view(-1)[inside] = 0
            sound = sound and before - int(flat.count_nonzero()) == len(where)
        return sound


def _bookkeeping(step: Step, known: bool, left: dict[str, int]) -> Failure | None:
    if known and left == step.counts:
        return None
    own = sum(left.values())
    return Failure(step.number, "bookkeeping", float(step.remaining), float(own))


def _premises(step: Step, flow: float, kind: Kind, slack: float) -> Failure | None:
    if not 0 < flow < math.inf:
        return Failure(step.number, "connected", flow, 0.0)
    if step.lowest < 0:
        return Failure(step.number, "positive", step.lowest, 0.0)
    for name, total in step.totals.items():
        if kind != "dag" and not abs(total - flow) <= slack * flow:
            return Failure(step.number, "conserved", total, flow, name)
    if step.highest_removed > step.lowest_kept:
        return Failure(step.number, "global", step.highest_removed, step.lowest_kept)
    if not step.prune_size < (1 - slack) * flow:
        return Failure(step.number, "prune size", step.prune_size, flow)
    return None


def _conclusions(
    step: Step, flow: float, after: float, kind: Kind, slack: float
) -> Failure | None:
    for name, count in step.counts.items():
        if kind != "dag" and count == 0:
            return Failure(step.number, "no empty layer", 0.0, 1.0, name)
    least = flow - step.prune_size
    touched = sum(1 for positions in step.gone.values() if len(positions))
    falls_short = not after >= least - slack * flow
    falls_less = after > least + slack * flow
    if falls_short or (falls_less and kind == "chain" and touched <= 1):
        return Failure(step.number, "inequality", after, least)
    return None

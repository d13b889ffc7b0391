"""b1: accuracy against density for three learning rates (paper B, figure 1).

IMP rewound to step 0, and the same masks with other first weights; rates "standard",
"low" (a tenth) and "warmup" of `lottery_cases.CASES`.

Deviations from the paper: by default ResNet6 on digits in 20 epochs, with a warm-up to
a third of the rate as its Resnet-18 has; other weights in every fourth round only. The
published profile is the paper's Resnet-18 and VGG-19 on CIFAR-10 on a GPU, and that
ResNet on the lossy copy `cifar10-jpeg` on CPUs. Batches run across the ends of epochs;
first weights are drawn as in `architectures`.
"""

from dataclasses import dataclass
from itertools import product

from experiments.lottery_cases import CASES
from experiments.stability import Row
from experiments.ticket_curves import curves


@dataclass(frozen=True)
class Config:
    """A network with its learning rate, from one initialisation."""

    case: str
    """Name in `lottery_cases.CASES`."""
    initialisations: tuple[int, ...]
    """Seeds of the samples."""
    rounds: int
    """Of iterative magnitude pruning."""
    every: int = 1
    """Rounds between two with a control."""


SCHEDULES = ("standard", "low", "warmup")
ROUNDS = {"resnet20-cifar10": 12, "resnet20-cifar10-jpeg": 12, "vgg19-cifar10": 24}
"""Beyond the 8 and 17 rounds of paper B's figure 3: to 6.9 and 0.5 % (ours)."""

GRID = {
    "default": tuple(
        Config(f"resnet6-digits-{schedule}", (seed,), 12, 4)
        for schedule, seed in product(SCHEDULES, range(3))
    ),
    "published": tuple(
        Config(f"{name}-{schedule}", (seed,), rounds)
        for (name, rounds), schedule, seed in product(
            ROUNDS.items(), SCHEDULES, range(3)
        )
    ),
}


def run(config: Config) -> list[Row]:
    """Return the rows of `ticket_curves.curves`."""
    return curves(
        CASES[config.case],
        initialisations=config.initialisations,
        rewind=0,
        rounds=config.rounds,
        controls=("reinitialised",),
        every=config.every,
    )

"""b7: rewinding for ImageNet's networks (paper B, figures 7, 8 and 12).

Profile "published": ResNet-50, Inception-v3 and SqueezeNet on ImageNet, which must be
in the data root as ``imagenet/train`` and ``imagenet/val``. In float32 the batch of
1024 takes some 90 GB of a GPU for ResNet-50, and cannot be cut without changing
BatchNorm. A configuration trains `rounds` + 2 `orders` + 1 networks, and k epochs more.

Profile "default": the same code in seconds, and no more than that. Four classes of
generated pictures, written as JPEG files into a temporary folder; ResNet8 with the
three networks' schedules squeezed into 6 epochs of 4 batches.

Deviations: torchvision's networks; float32 for bfloat16; no moving average of the
weights; from the rewinding epoch on the optimiser starts from rest, in the dense
network of the pruning stability too. The paper does not say to which epochs its figure
8 rewinds ("just after" those of figure 7): 6, 6 and 10 are ours. One cell pair of its
table of schedules is probably exchanged (see `imagenet_recipes`): both readings.
"""

from dataclasses import dataclass

from experiments.imagenet_cases import CASES, task
from experiments.imagenet_stability import dense, stability_rows
from experiments.stability import Row


@dataclass(frozen=True)
class Config:
    """One network, one way to prune it, the epoch it is rewound to."""

    case: str
    """Name in `imagenet_cases.CASES`."""
    rewind: int
    """k: the epoch whose weights the subnetworks start from."""
    rate: float
    """Share of the survivors that a round removes."""
    rounds: int = 1
    """1: in one shot."""
    orders: int = 2
    """Data orders of IMP's and the random subnetwork; 1: no data-order stability."""
    seed: int = 0
    """Of first weights, data orders and random masks."""
    device: str = "cpu"


PUBLISHED = {"resnet50": (0.7, 6), "inception_v3": (0.7, 6), "squeezenet": (0.5, 10)}
"""Share removed (paper B, figure 6), and the epoch that figure 8 is rewound to."""

SEEDS = (0, 1, 2)

GRID = {
    "default": (
        # figure 7
        *(
            Config(f"resnet8-as-{name}", epoch, rate, seed=seed)
            for name, (rate, _) in PUBLISHED.items()
            for epoch in (0, 1, 3)
            for seed in (0, 1)
        ),
        # figure 8: in one shot, and in rounds
        *(
            Config(f"resnet8-as-{name}", 1, 0.9, orders=1, seed=seed)
            for name in PUBLISHED
            for seed in (0, 1)
        ),
        *(Config("resnet8-as-resnet50", 1, 0.4, 4, 1, seed) for seed in (0, 1)),
    ),
    "published": (
        *(
            Config(name, epoch, rate, seed=seed, device="cuda")
            for name, (rate, _) in PUBLISHED.items()
            for epoch in (0, 2, 4, 6, 10, 18)
            for seed in SEEDS
        ),
        *(
            Config(name, epoch, rate, orders=1, seed=seed, device="cuda")
            for name, (own, best) in PUBLISHED.items()
            for epoch in (0, best)
            for rate in (0.3, 0.5, 0.6, 0.7, 0.8, 0.9)
            for seed in SEEDS
            if rate != own
        ),
        # 0.8^7 = 21.0 % and 0.8^8 = 16.8 % of the weights are left at the end
        *(
            Config("resnet50", epoch, 0.2, 8, 1, seed, "cuda")
            for epoch in (0, 6)
            for seed in SEEDS
        ),
        *(
            Config(f"{name}-exchanged", best, rate, seed=seed, device="cuda")
            for name, (rate, best) in PUBLISHED.items()
            if name != "resnet50"
            for seed in SEEDS
        ),
    ),
}


def run(config: Config) -> list[Row]:
    """Return the rows of `imagenet_stability.stability_rows`, with more columns.

    schedule: the paper's network whose schedule it is; images: "ImageNet" or
    "generated"; epochs: of a whole training; prunable: weights of the dense network.
    """
    case = CASES[config.case]
    with task(case, config.device) as found:
        prunable = sum(mask.numel() for mask in dense(found).values())
        rows = stability_rows(
            found,
            seed=config.seed,
            rewind=config.rewind,
            rate=config.rate,
            rounds=config.rounds,
            orders=config.orders,
        )
    head: Row = {
        "schedule": case.schedule,
        "images": "generated" if case.generated else "ImageNet",
        "epochs": case.recipe.epochs,
        "prunable": prunable,
    }
    return [head | row for row in rows]

"""Random homogeneous networks: the cases on which the claims are tried.

Every choice comes from a `random.Random`: the ledger seeds one, and hypothesis passes
its own, so that a failing network shrinks to a small one. Weights are drawn with a
torch generator that the same source seeds; some are exactly 0 and some rows are dead.
All activations here satisfy phi(z) = phi'(z) z, biases may stand anywhere.
"""

from itertools import pairwise
from random import Random
from typing import no_type_check

import torch
from torch import Tensor, nn

from theory.networks import Readout


class Dag(nn.Module):
    """Vector nodes in topological order: node j = phi(sum of linear maps of earlier).

    `skips` are edges without a weight (identity branches, equal widths only).
    """

    def __init__(
        self,
        widths: list[int],
        edges: list[tuple[int, int]],
        skips: list[tuple[int, int]],
        activations: list[nn.Module],
        bias: list[bool],
    ) -> None:
        super().__init__()
        self.size = len(widths)
        self.edges, self.skips = edges, skips
        self.activations = nn.ModuleList(activations)
        self.maps = nn.ModuleDict(
            {
                f"{i}_{j}": nn.Linear(widths[i], widths[j], bias=bias[j])
                for i, j in edges
            }
        )

    @no_type_check  # torch.fx calls it with a Proxy
    def forward(self, x: Tensor) -> Tensor:
        """Return the last node; node 0 is the input."""
        values: list[Tensor] = [x]
        for j in range(1, self.size):
            parts = [self.maps[f"{i}_{j}"](values[i]) for i, k in self.edges if k == j]
            parts += [values[i] for i, k in self.skips if k == j]
            total: Tensor = parts[0]
            for part in parts[1:]:
                total = total + part
            values.append(self.activations[j - 1](total))
        return values[-1]


class Residual(nn.Module):
    """x + body(x)."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    @no_type_check  # torch.fx calls it with a Proxy
    def forward(self, x: Tensor) -> Tensor:
        """Return the sum of the shortcut and the body."""
        result: Tensor = x + self.body(x)
        return result


class Concat(nn.Module):
    """The outputs of several branches, concatenated along the channels."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    @no_type_check  # torch.fx calls it with a Proxy
    def forward(self, x: Tensor) -> Tensor:
        """Return the branches side by side."""
        return torch.cat([branch(x) for branch in self.branches], dim=1)


def homogeneous(rng: Random) -> nn.Module:
    """Return an activation with phi(z) = phi'(z) z."""
    return rng.choice(
        [nn.ReLU(), nn.Identity(), nn.LeakyReLU(0.3), nn.PReLU(init=0.2), nn.ReLU(True)]
    )


def mlp(
    rng: Random, *, bias: bool | None = None, activation: nn.Module | None = None
) -> nn.Module:
    """Return 2 to 5 linear layers of width 1 to 6, some followed by dropout."""
    widths = [rng.randint(1, 6) for _ in range(rng.randint(3, 6))]
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(widths):
        has_bias = rng.random() < 0.5 if bias is None else bias
        layers.append(nn.Linear(fan_in, fan_out, bias=has_bias))
        layers.append(homogeneous(rng) if activation is None else activation)
        if rng.random() < 0.3:
            layers.append(nn.Dropout(0.5))
    while not isinstance(layers[-1], nn.Linear):
        layers.pop()
    return fill(nn.Sequential(*layers), rng)


def convnet(
    rng: Random, *, norm: bool = True, joins: bool = True, bias: bool | None = None
) -> nn.Module:
    """Return convolutions with padding, stride and groups on 1x9x9 inputs.

    Pooling (max, average, adaptive), flatten, residual sums, concatenation, frozen
    BatchNorm with random statistics, dropout and biases all occur.
    """
    channels, layers = 1, list[nn.Module]()
    for _ in range(rng.randint(1, 3)):
        out = rng.choice([2, 4])
        layers.append(_convolution(rng, channels, out, bias))
        channels = out
        if norm and rng.random() < 0.5:
            layers.append(nn.BatchNorm2d(channels))
        layers.append(homogeneous(rng))
        kind = rng.choice(["none", "residual", "concat"]) if joins else "none"
        has_bias = rng.random() < 0.5 if bias is None else bias
        same = nn.Conv2d(channels, channels, 3, padding=1, bias=has_bias)
        if kind == "residual":
            layers.append(Residual(nn.Sequential(same, homogeneous(rng))))
        elif kind == "concat":
            layers.append(Concat(same, nn.Identity()))
            channels *= 2
    layers.append(rng.choice([nn.MaxPool2d(2), nn.AvgPool2d(2), nn.Identity()]))
    layers.append(rng.choice([nn.AdaptiveAvgPool2d(2), nn.AdaptiveMaxPool2d((2, 1))]))
    layers += [nn.Dropout2d(0.3), nn.Flatten()]
    entries = channels * (4 if isinstance(layers[-3], nn.AdaptiveAvgPool2d) else 2)
    layers += [nn.Linear(entries, 4, bias=bias is not False), homogeneous(rng)]
    layers.append(nn.Linear(4, 3, bias=bias is not False))
    return fill(nn.Sequential(*layers), rng)


def dag(rng: Random, *, bias: bool | None = None) -> nn.Module:
    """Return a random directed acyclic graph of 3 to 7 nodes with identity branches."""
    size = rng.randint(3, 7)
    widths = [rng.randint(1, 3) for _ in range(size)]
    edges, skips = [], []
    for j in range(1, size):
        sources = [i for i in range(j) if rng.random() < 0.5]
        edges += [(i, j) for i in sources or [rng.randrange(j)]]
        equal = [i for i in range(j) if widths[i] == widths[j]]
        if equal and rng.random() < 0.4:
            skips.append((rng.choice(equal), j))
    activations = [homogeneous(rng) for _ in range(size - 1)]
    biased = [rng.random() < 0.5 if bias is None else bias for _ in range(size)]
    return fill(Dag(widths, edges, skips, activations, biased), rng)


def fill(model: nn.Module, rng: Random) -> nn.Module:
    """Return the model, in eval mode, with random parameters and statistics."""
    generator = torch.Generator().manual_seed(rng.getrandbits(48))
    for module in model.modules():
        if isinstance(module, nn.PReLU):
            continue
        for parameter in module.parameters(recurse=False):
            values = torch.randn(parameter.shape, generator=generator)
            zero = torch.rand(parameter.shape, generator=generator) < 0.1
            parameter.data = values.masked_fill(zero, 0.0)
        if isinstance(module, nn.BatchNorm2d) and module.running_mean is not None:
            shape = module.running_mean.shape
            module.running_mean = torch.randn(shape, generator=generator)
            module.running_var = torch.rand(shape, generator=generator) + 0.1
    return model.eval()


def inputs(model: nn.Module, rng: Random) -> Tensor:
    """Return a random batch of 1 to 3 samples that the random network accepts."""
    generator = torch.Generator().manual_seed(rng.getrandbits(48))
    first = next(m for m in model.modules() if isinstance(m, (nn.Linear, nn.Conv2d)))
    shape = (1, 9, 9) if isinstance(first, nn.Conv2d) else (first.in_features,)
    return torch.randn(rng.randint(1, 3), *shape, generator=generator).double()


def readout(rng: Random) -> Readout:
    """Return R: a loss, a random linear functional or the sum of the outputs."""
    generator = torch.Generator().manual_seed(rng.getrandbits(48))

    def linear(y: Tensor) -> Tensor:
        generator.manual_seed(0)
        weights = torch.randn(y.shape, generator=generator, dtype=torch.float64)
        return (weights * y).sum()

    def squares(y: Tensor) -> Tensor:
        return 0.5 * ((y - 1) ** 2).mean()

    def softmax(y: Tensor) -> Tensor:
        labels = torch.zeros(len(y), dtype=torch.long)
        return nn.functional.cross_entropy(y.flatten(1), labels)

    kinds: list[Readout] = [linear, squares, softmax, torch.sum]
    return rng.choice(kinds)


def _convolution(
    rng: Random, fan_in: int, fan_out: int, bias: bool | None
) -> nn.Conv2d:
    kernel = rng.choice([1, 3])
    return nn.Conv2d(
        fan_in,
        fan_out,
        kernel,
        stride=rng.choice([1, 2]) if kernel == 3 else 1,
        padding=rng.choice([0, 1]) if kernel == 1 else 1,
        groups=rng.choice([1, 2]) if fan_in % 2 == 0 else 1,
        bias=rng.random() < 0.5 if bias is None else bias,
    )

"""Claim `layer-size-scaling` (paper A, section 4): a layer's mean score is C / N_l.

Corollary of `network-conservation`. In a bias-free homogeneous chain every layer's
saliencies add up to the same number C = <dR/dy, y> (R itself for SynFlow), so that with
N_l weights in layer l

    mean of S over layer l = C / N_l,

a line of slope 1 in log(mean) against log(1 / N_l): the largest layer has the smallest
mean score, and where scores within a layer are about equal one-shot pruning empties it
first (`one-shot-collapse`). Padding, stride and pooling change
nothing. Biases and BatchNorm's shift break the line (they add flow on the way), a
shortcut too (a layer is then no cut). |S| (SNIP) and GraSP satisfy no such identity:
for them slope, R^2 and a bootstrap interval are reported and nothing is claimed.

Both sides: means of parameter gradients against the gradient at the output alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
import torch
from jaxtyping import Float
from scipy.stats import linregress
from torch import Tensor, nn

from theory import random_networks, scores, synflow
from theory.claim import Check, Claim, Control, Sides
from theory.graph import Graph
from theory.network_conservation import boundary_flows
from theory.networks import Network, Parameters, Readout, describe


@dataclass(frozen=True)
class PowerLaw:
    """log(mean) = slope log(1 / N) + intercept over layers, with its uncertainty.

    `low` and `high` bound the slope: percentile bootstrap over layers.
    """

    slope: float
    intercept: float
    r_squared: float
    low: float
    high: float


def power_law(
    sizes: Sequence[int],
    means: Sequence[float],
    *,
    rng: np.random.Generator,
    samples: int = 2000,
    level: float = 0.95,
) -> PowerLaw:
    """Return the least-squares line of log(mean score) against log(1 / layer size).

    Args:
        sizes: parameters of each layer.
        means: positive mean score of each layer.
        rng: for the bootstrap.
        samples: bootstrap resamples; those with one size only have no slope and are
            left out.
        level: of the interval.

    Raises:
        ValueError: other than one positive mean for each of >= 2 different sizes.
    """
    x, y = -np.log(np.asarray(sizes, float)), np.asarray(means, float)
    positive = bool((y > 0).all() and np.isfinite(y).all())
    if x.shape != y.shape or len(np.unique(x)) < 2 or not positive:
        raise ValueError(
            f"expected one positive mean score for each of at least two layer sizes, "
            f"got sizes {list(sizes)} and means {list(means)}; "
            "pass absolute values of signed means"
        )
    y = np.log(y)
    fit = linregress(x, y)
    drawn = rng.integers(len(x), size=(samples, len(x)))
    xs, ys = x[drawn], y[drawn]
    dx = xs - xs.mean(1, keepdims=True)
    usable = np.ptp(xs, axis=1) > 0  # exactly: dx of equal sizes rounds to 1e-16
    slopes = (dx * ys).sum(1)[usable] / (dx**2).sum(1)[usable]
    low, high = np.quantile(slopes, [(1 - level) / 2, (1 + level) / 2]).tolist()
    return PowerLaw(
        float(fit.slope), float(fit.intercept), float(fit.rvalue**2), low, high
    )


def layer_means(network: Network, score: Parameters) -> tuple[list[int], list[float]]:
    """Return the size and the mean score of every prunable weight, in module order."""
    layers = [score[name] for name in network.prunable]
    return [s.numel() for s in layers], [float(s.mean()) for s in layers]


def scaling_sides(
    network: Network, score: Parameters, flow: Float[Tensor, ""]
) -> Sides:
    """Return N_l times the mean score of each layer, and the flow C."""
    sizes, means = layer_means(network, score)
    left = torch.tensor(sizes) * torch.tensor(means, dtype=torch.float64)
    absolute = [score[name].abs().sum() for name in network.prunable]
    scale, flow = torch.stack(absolute).cpu() + flow.abs().cpu(), flow.cpu()
    return Sides(left, flow.expand(len(left)), scale, describe(network))


def saliency_sides(network: Network, x: Tensor, readout: Readout) -> Sides:
    """Return both sides for the signed saliency of any readout."""
    _, flow = boundary_flows(Graph.of(network, x), x, readout)
    return scaling_sides(network, scores.saliency(network, x, readout), flow)


def synflow_sides(network: Network, shape: tuple[int, ...]) -> Sides:
    """Return both sides for SynFlow: C is the objective R_SF."""
    positive = synflow.absolute(network)
    flow = positive(positive.parameters, synflow.ones(network, shape)).sum()
    return scaling_sides(network, synflow.synflow(network, shape), flow)


def mlp_saliency(rng: Random) -> Sides:
    """Return the saliency's scaling on a random bias-free MLP."""
    return _saliency_on(random_networks.mlp(rng, bias=False), rng)


def convnet_saliency(rng: Random) -> Sides:
    """Return the saliency's scaling on a bias-free chain of convolutions."""
    model = random_networks.convnet(rng, norm=False, joins=False, bias=False)
    return _saliency_on(model, rng)


def convnet_synflow(rng: Random) -> Sides:
    """Return SynFlow's scaling on a chain of convolutions; biases are dropped."""
    model = random_networks.convnet(rng, norm=False, joins=False)
    shape = random_networks.inputs(model, rng).shape[1:]
    return synflow_sides(Network.of(model), tuple(shape))


def biased(rng: Random) -> Sides:
    """Return the saliency's scaling on an MLP with biases."""
    return _saliency_on(random_networks.mlp(rng, bias=True), rng)


def normalised(rng: Random) -> Sides:
    """Return the saliency's scaling on conv - frozen BatchNorm - ReLU - linear."""
    layers = (nn.Conv2d(1, 2, 3, stride=2, bias=False), nn.BatchNorm2d(2), nn.ReLU())
    head = (nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(8, 3, bias=False))
    model = random_networks.fill(nn.Sequential(*layers, *head), rng)
    return _saliency_on(model, rng)


def tanh_chain(rng: Random) -> Sides:
    """Return the saliency's scaling on a bias-free MLP with tanh."""
    return _saliency_on(random_networks.mlp(rng, bias=False, activation=nn.Tanh()), rng)


def shortcut(rng: Random) -> Sides:
    """Return SynFlow's scaling on a residual net, where a layer is no cut."""
    body = nn.Linear(3, 3, bias=False)
    layers = (nn.Linear(2, 3, bias=False), random_networks.Residual(body))
    model = nn.Sequential(*layers, nn.Linear(3, 2, bias=False))
    return synflow_sides(Network.of(random_networks.fill(model, rng)), (2,))


def absolute_saliency(rng: Random) -> Sides:
    """Return the scaling of |S|, which no identity conserves."""
    model = random_networks.mlp(rng, bias=False)
    network = Network.of(model)
    x, readout = random_networks.inputs(model, rng), random_networks.readout(rng)
    score = {k: s.abs() for k, s in scores.saliency(network, x, readout).items()}
    return scaling_sides(network, score, score[network.prunable[-1]].sum())


def _saliency_on(model: nn.Module, rng: Random) -> Sides:
    x, readout = random_networks.inputs(model, rng), random_networks.readout(rng)
    return saliency_sides(Network.of(model), x, readout)


CLAIM = Claim(
    label="layer-size-scaling",
    title="A layer's mean score is inversely proportional to its size",
    statement="mean S over layer l = C / N_l with one C for all layers",
    source="Tanaka et al. 2020, arXiv 2006.05467, section 4",
    assumptions=("bias-free homogeneous chain", "signed saliency or SynFlow"),
    checks=(
        Check("saliency of random MLPs", mlp_saliency, 1e-10),
        Check("saliency of random convnets", convnet_saliency, 1e-10),
        Check("SynFlow of random convnets", convnet_synflow, 1e-10),
    ),
    controls=(
        Control("biases", biased),
        Control("shift of a frozen BatchNorm", normalised),
        Control("a shortcut", shortcut),
        Control("tanh", tanh_chain),
        Control("absolute saliency (SNIP)", absolute_saliency),
    ),
)

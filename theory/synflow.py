"""Claim `synflow-factorisation` (paper A, equation 5), and the SynFlow score.

The SynFlow objective of a network f whose weights are replaced by their absolute
values, whose biases are dropped and whose input is all ones is R_SF = sum of outputs;
its score is the saliency S_SF = dR_SF/d|theta| * |theta|. All activations in between
are non-negative, so |theta| makes every ReLU the identity and every score is
non-negative: the score of a weight is the sum, over all input-output paths through it,
of the product of the |theta| on the path. For a chain of linear maps W_1, ..., W_L

    S_SF(W_l)[i, j] = [1ᵀ |W_L| ⋯ |W_(l+1)|]_i |W_l[i, j]| [|W_(l-1)| ⋯ |W_1| 1]_j.

Hypotheses: a chain of linear layers (ReLU and its kin change nothing), no bias, input
of ones. Both sides: autograd through the network, and the products above; and in
rational arithmetic, dual numbers against the sum over paths.

The public code of paper A keeps |bias| and |running mean|; these carry flow of their
own, and the sums of the layers are then not equal. Equation 5 has neither: both are
dropped here.
"""

import math
import re
import warnings
from dataclasses import replace
from random import Random

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import grad_and_value

from theory import exact, random_networks, scores
from theory.claim import Check, Claim, Control, Sides
from theory.networks import Network, Parameters, describe

BIAS = re.compile(r"bias(_[ih]h_l\d+(_reverse)?)?$")
"""What the names of biases end with; those of recurrent layers have a tail."""


def absolute(network: Network) -> Network:
    """Return the network with |theta| for its weights and 0 for its biases."""
    return replace(
        network,
        parameters={
            name: torch.zeros_like(p) if BIAS.search(name) else p.abs()
            for name, p in network.parameters.items()
        },
    )


def synflow(network: Network, shape: tuple[int, ...]) -> Parameters:
    """Return the SynFlow scores for one all-ones input of the given sample shape.

    A network without any path left has scores 0.

    Warns:
        RuntimeWarning: <dR/dx, x> differs from R: an operation is not homogeneous, and
            the scores are not conserved.

    Raises:
        OverflowError: the products leave the range of the network's precision.
    """
    positive, x = absolute(network), ones(network, shape)
    theta = positive.parameters
    both = grad_and_value(lambda p, z: positive(p, z).sum(), argnums=(0, 1))
    (slopes, slope), value = both(theta, x)
    result = {name: slopes[name] * p for name, p in theta.items()}
    flow, entering = float(value), float(slope.sum())
    finite = all(bool(torch.isfinite(score).all()) for score in result.values())
    if not finite or (flow < smallest(x.dtype) and connected(positive, theta, x)):
        raise OverflowError(
            f"SynFlow scores {'underflow' if finite else 'overflow'} the network's "
            "precision; rank by log_synflow, which has no such range"
        )
    warn_unless_conserved(flow, entering, x)
    return result


def warn_unless_conserved(flow: float, entering: float, x: Tensor) -> None:
    """Warn where the flow R is not what enters, <dR/dx, x>, in the precision of x.

    What is not finite has overflowed; that is another matter.
    """
    tolerance = torch.finfo(x.dtype).eps ** 0.5 * abs(flow)
    if math.isfinite(entering) and abs(entering - flow) > tolerance:
        warnings.warn(
            f"SynFlow is not conserved: R = {flow:.3g}, <dR/dx, x> = {entering:.3g}; "
            "leave out a final softmax, and let neuron_conservation.audit name what "
            "else is not homogeneous",
            RuntimeWarning,
            stacklevel=3,
        )


def smallest(dtype: torch.dtype) -> float:
    """Return the R below which scores, parts of R, lose digits or vanish."""
    limits = torch.finfo(dtype)
    return limits.tiny / limits.eps


@torch.no_grad()
def connected(positive: Network, theta: Parameters, x: Tensor) -> bool:
    """Return whether a path is left, by weights that average what they read.

    Each row's are 1 / (its live weights), so that a value shrinks only where live
    weights read dead units, not with the depth or the pruned weights.
    """

    def averaging(p: Tensor) -> Tensor:
        live = (p > 0).to(p.dtype)
        if p.dim() < 2:
            return live
        return live / live.flatten(1).sum(1).clamp_min(1).view(-1, *[1] * (p.dim() - 1))

    weights = {name: averaging(p) for name, p in theta.items()}
    return float(positive(weights, x).sum()) > 0


def ones(network: Network, shape: tuple[int, ...]) -> Tensor:
    """Return one all-ones sample in the network's precision."""
    return next(iter(network.parameters.values())).new_ones(1, *shape)


def chain_factors(
    weights: list[Float[Tensor, "_ _"]],
) -> list[Float[Tensor, "_ _"]]:
    """Return equation 5's scores of a chain of linear maps, first layer first.

    weights[l] has shape (n_(l+1), n_l); the scores have the same shapes.
    """
    rows = [weights[0].new_ones(weights[0].shape[1])]
    for weight in weights:
        rows.append(weight.abs() @ rows[-1])
    column = weights[0].new_ones(weights[-1].shape[0])
    result: list[Tensor] = []
    for weight, row in zip(reversed(weights), reversed(rows[:-1]), strict=True):
        result.append(column[:, None] * weight.abs() * row)
        column = weight.abs().T @ column
    return result[::-1]


def _compare(positive: Network, auto: Parameters) -> Sides:
    """Return autograd's scores and equation 5's for the network's weights."""
    left = torch.cat([auto[name].flatten() for name in positive.prunable])
    factors = chain_factors([positive.parameters[name] for name in positive.prunable])
    right = torch.cat([factor.flatten() for factor in factors])
    return Sides(left, right, left + right, describe(positive))


def random_chain(rng: Random) -> Sides:
    """Return autograd and equation 5 on a random MLP, biases dropped by SynFlow."""
    network = Network.of(random_networks.mlp(rng))
    features = network.parameters[network.prunable[0]].shape[1]
    return _compare(absolute(network), synflow(network, (features,)))


def biases_kept(rng: Random) -> Sides:
    """Return both sides on a biased MLP whose |bias| carries flow."""
    network = Network.of(random_networks.mlp(rng, bias=True))
    kept = {name: p.abs() for name, p in network.parameters.items()}
    features = network.parameters[network.prunable[0]].shape[1]
    positive, x = replace(network, parameters=kept), ones(network, (features,))
    return _compare(positive, scores.saliency(positive, x, torch.sum))


def another_input(rng: Random) -> Sides:
    """Return both sides on a random MLP whose input is 1, 2, 3, ... instead of ones."""
    network = absolute(Network.of(random_networks.mlp(rng)))
    features = network.parameters[network.prunable[0]].shape[1]
    x = torch.arange(1.0, features + 1)[None]
    return _compare(network, scores.saliency(network, x, torch.sum))


def residual_chain(rng: Random) -> Sides:
    """Return both sides where a shortcut is read as a chain: eq. 5 must fail."""
    width = rng.randint(1, 4)
    body = nn.Sequential(nn.Linear(width, width), nn.ReLU())
    tail = nn.Linear(width, 2)
    model = nn.Sequential(nn.Linear(2, width), random_networks.Residual(body), tail)
    network = Network.of(random_networks.fill(model, rng))
    return _compare(absolute(network), synflow(network, (2,)))


CLAIM = Claim(
    label="synflow-factorisation",
    title="SynFlow factorises over a chain",
    statement="S_SF(W_l)_ij = [1ᵀ ∏_{k>l}|W_k|]_i |w_ij| [∏_{k<l}|W_k| 1]_j",
    source="Tanaka et al. 2020, arXiv 2006.05467, equation 5",
    assumptions=("chain of linear maps", "biases dropped", "all-ones input"),
    checks=(
        Check("random chains, float64", random_chain, 1e-10),
        Check("rational chains, exact", exact.chain_sides, 0.0),
    ),
    controls=(
        Control("a shortcut: no chain", residual_chain),
        Control("biases kept", biases_kept),
        Control("another input than ones", another_input),
    ),
)

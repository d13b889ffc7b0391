"""Scores of importance for every parameter: the larger, the more it is worth keeping.

All are pure functions of a `Network` and return one tensor per parameter, in float64
unless the network was made otherwise. R is a scalar function of the output; for the
losses it is the mean over the batch. With g = dR/dtheta and H = d^2R/dtheta^2:

    random      uniform on [0, 1)
    magnitude   |theta|
    saliency    S = g * theta                        (signed; conserved)
    snip        |S| / sum |S|
    taylor_fo   S^2
    grasp       theta * (H g)

SynFlow has a module of its own. A mask m enters as m * theta, so the gradient with
respect to the mask at m = 1 is S: scoring with |theta| in place of |S| was a bug of the
first public SNIP code.
"""

import torch
from torch import Tensor
from torch.func import grad

from theory.networks import Network, Parameters, Readout, scalar


def random(network: Network, *, generator: torch.Generator) -> Parameters:
    """Return independent uniform scores on [0, 1): random pruning."""
    return {
        name: torch.rand(p.shape, dtype=p.dtype, generator=generator).to(p.device)
        for name, p in network.parameters.items()
    }


def magnitude(network: Network) -> Parameters:
    """Return |theta| (Janowsky 1989; Han et al. 2015, arXiv 1506.02626)."""
    return {name: p.abs() for name, p in network.parameters.items()}


def saliency(network: Network, x: Tensor, readout: Readout) -> Parameters:
    """Return the synaptic saliency S = dR/dtheta * theta, with its sign.

    Mozer & Smolensky 1989 (Skeletonization) use -S; paper A, arXiv 2006.05467, eq. 1.
    A weight that is used at many places (convolution) sums over all of them. S is
    linear in R: for a large data set add the saliencies of its batches.
    """
    gradient = network.gradient(x, readout)
    return {name: gradient[name] * p for name, p in network.parameters.items()}


def snip(network: Network, x: Tensor, readout: Readout) -> Parameters:
    """Return |S| / sum |S| over the prunable weights (Lee et al., arXiv 1810.02340).

    All zeros stay zeros (a dead network has no saliency to normalise by).
    """
    scores = {k: s.abs() for k, s in saliency(network, x, readout).items()}
    total = sum(float(scores[name].sum()) for name in network.prunable) or 1.0
    return {name: score / total for name, score in scores.items()}


def taylor_fo(network: Network, x: Tensor, readout: Readout) -> Parameters:
    """Return S^2 (Molchanov et al., arXiv 1906.10771, eq. 8, for single weights)."""
    return {k: s**2 for k, s in saliency(network, x, readout).items()}


def grasp(network: Network, x: Tensor, readout: Readout) -> Parameters:
    """Return theta * (H g) (Wang, Zhang & Grosse, arXiv 2002.07376, eq. 8, negated).

    The paper scores removal by -theta * (H g) and removes the HIGHEST; as all scores
    here say what to keep, the sign is turned. The paper divides the logits by a
    temperature of 200: pass `cross_entropy(labels, temperature=200)`. Here g is the
    gradient of the whole batch, so Hg is not a sum of the Hg of smaller batches.
    """
    x = network.batch(x)

    def objective(theta: Parameters) -> Tensor:
        return scalar(readout, network(theta, x))

    theta = network.parameters
    gradient = grad(objective)(theta)

    def along(theta: Parameters) -> Tensor:
        slopes = grad(objective)(theta)
        return torch.stack([(slopes[k] * gradient[k]).sum() for k in slopes]).sum()

    product = grad(along)(theta)
    return {name: theta[name] * product[name] for name in theta}

"""Hessians in closed form: oracles for every product with curvature.

A linear model f = W x + b of o outputs on n samples of d inputs, its parameters in the
order of `nn.Linear`: the rows of W one after the other, then b. With x' = (x, 1) the
Hessian of a loss that is the mean over the samples is

    H = (1/n) sum_s S_s (x) x'_s x'_s^T,

S_s the o-by-o second derivative of sample s's loss with respect to its outputs:

    squares, mean over samples AND outputs (`mse_loss`)   2 I / o
    logistic (`binary_cross_entropy_with_logits`, o = 1)   p (1 - p),  p = sigmoid(f)
    softmax cross-entropy (`cross_entropy`)                diag(p) - p p^T

The first does not depend on the parameters; none depends on the targets. As f is linear
in the parameters H is the Gauss-Newton matrix, too.
"""

import torch
from jaxtyping import Float
from torch import Tensor

Samples = Float[Tensor, "samples inputs"]
Outputs = Float[Tensor, "samples outputs"]
Matrix = Float[Tensor, "size size"]


def squares(x: Samples, outputs: int) -> Matrix:
    """Return the Hessian of the mean squared error of a linear model."""
    identity = torch.eye(outputs, dtype=x.dtype)
    return _assembled(x, (2 / outputs * identity).expand(len(x), -1, -1))


def logistic(x: Samples, out: Float[Tensor, "samples 1"]) -> Matrix:
    """Return the Hessian of logistic regression at these logits."""
    p = torch.sigmoid(out)
    return _assembled(x, (p * (1 - p)).unsqueeze(2))


def softmax(x: Samples, out: Outputs) -> Matrix:
    """Return the Hessian of softmax cross-entropy at these logits."""
    p = torch.softmax(out, 1)
    return _assembled(x, torch.diag_embed(p) - p.unsqueeze(2) * p.unsqueeze(1))


def _assembled(x: Samples, curvatures: Float[Tensor, "samples o o"]) -> Matrix:
    n, o, inputs = len(x), curvatures.shape[1], x.shape[1]
    extended = torch.cat([x, torch.ones(n, 1, dtype=x.dtype)], 1)
    blocks = torch.einsum("sij,sa,sb->iajb", curvatures, extended, extended) / n
    places = torch.arange(o * (inputs + 1)).view(o, inputs + 1)
    order = torch.cat([places[:, :inputs].flatten(), places[:, inputs]])
    return blocks.reshape(len(order), len(order))[order][:, order]

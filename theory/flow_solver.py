"""Gradient flow and heavy ball, followed by an ODE solver (Dormand-Prince 8(5,3)).

    flow         theta' = -g - lambda theta
    heavy ball   theta'' + gamma theta' = -g - lambda theta, from rest

g is the gradient of any loss. Where a ReLU has its kink g jumps, and no solver of
differential equations can follow a flow that slides along such a kink. `gated` of
`theory.flow_cases` has none and is the same network up to the first one, where `stop`
ends the path; `limit` turns an endless path into an error.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from torch import Tensor

from theory.conserved_quantities import Law, quantity
from theory.gradient_descent import Gradient
from theory.networks import Network, Parameters, Readout, scalar

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Flowed:
    """Where a flow is at a time, and how often its gradient was evaluated."""

    parameters: Parameters
    time: float
    evaluations: int


def gradient_of(network: Network, x: Tensor, loss: Readout) -> Gradient:
    """Return dL/dtheta as a function of theta, L the loss on the batch x."""
    x = network.batch(x)

    def gradient(theta: Parameters) -> Parameters:
        leaves = {k: p.detach().requires_grad_() for k, p in theta.items()}
        with torch.enable_grad():
            value = scalar(loss, network(leaves, x))
        slopes = torch.autograd.grad(value, list(leaves.values()), allow_unused=True)
        return {
            k: torch.zeros_like(p) if slope is None else slope
            for (k, p), slope in zip(theta.items(), slopes, strict=True)
        }

    return gradient


def gradient_flow(
    gradient: Gradient,
    start: Parameters,
    horizon: float,
    *,
    decay: float = 0.0,
    rtol: float = 1e-11,
    atol: float = 1e-11,
    stop: Callable[[Parameters], float] | None = None,
    limit: int = 100_000,
) -> Flowed:
    """Return theta(horizon) of dtheta/dt = -g - decay * theta (Dormand-Prince 8(5,3)).

    Args:
        gradient: g as a function of theta.
        start: theta(0).
        horizon: the time to reach.
        decay: lambda.
        rtol: the solver's relative tolerance.
        atol: the solver's absolute tolerance.
        stop: the flow ends early where this function of theta changes its sign.
        limit: largest number of evaluations of the gradient.

    Raises:
        ValueError: the limit was reached, or the solver found no step.
    """

    def field(vector: Vector) -> Vector:
        theta = unflatten(vector, start)
        slope = gradient(theta)
        return -flatten({k: slope[k] + decay * p for k, p in theta.items()})

    event = None if stop is None else lambda v: stop(unflatten(v, start))
    end = _solve(field, flatten(start), horizon, (rtol, atol), event, limit)
    return Flowed(unflatten(end[0], start), *end[1:])


def heavy_ball(
    gradient: Gradient,
    start: Parameters,
    law: Law,
    horizon: float,
    *,
    friction: float,
    decay: float = 0.0,
    tolerance: float = 1e-11,
    limit: int = 100_000,
) -> tuple[Parameters, Tensor]:
    """Return theta(horizon) of the heavy ball from rest, and Q predicted for it.

    theta'' + friction theta' = -g - decay * theta; the prediction solves
    Q'' + friction Q' + 2 decay Q = 2 q(theta', theta') beside it, from the velocities.
    """
    size, first = len(flatten(start)), quantity(law, start).numpy()

    def field(state: Vector) -> Vector:
        theta, velocity = (unflatten(state[i : i + size], start) for i in (0, size))
        slope = gradient(theta)
        force = {
            k: -friction * velocity[k] - slope[k] - decay * theta[k] for k in start
        }
        predicted, rate = np.split(state[2 * size :], 2)
        source = 2 * quantity(law, velocity).numpy()
        change = source - friction * rate - 2 * decay * predicted
        return np.concatenate([flatten(velocity), flatten(force), rate, change])

    rest = np.zeros(size)
    state = np.concatenate([flatten(start), rest, first, np.zeros_like(first)])
    end, _, _ = _solve(field, state, horizon, (tolerance, tolerance), None, limit)
    predicted = torch.from_numpy(end[2 * size : 2 * size + len(first)])
    return unflatten(end[:size], start), predicted


def flatten(parameters: Parameters) -> Vector:
    """Return all parameters as one vector.

    Raises:
        ValueError: parameters in another precision than float64, which the solver's
            tolerances are below.
    """
    kinds = {p.dtype for p in parameters.values()}
    if kinds != {torch.float64}:
        raise ValueError(
            f"expected parameters in float64, got {kinds}; make the network with "
            "Network.of(model)"
        )
    vector: Vector = torch.cat([p.reshape(-1) for p in parameters.values()]).numpy()
    return vector


def unflatten(vector: Vector, like: Parameters) -> Parameters:
    """Return the vector's entries under the names and in the shapes of `like`."""
    sizes = [p.numel() for p in like.values()]
    pieces = torch.split(torch.tensor(vector), sizes)
    return {
        k: piece.view(p.shape)
        for (k, p), piece in zip(like.items(), pieces, strict=True)
    }


def _solve(
    field: Callable[[Vector], Vector],
    start: Vector,
    horizon: float,
    tolerances: tuple[float, float],
    event: Callable[[Vector], float] | None,
    limit: int,
) -> tuple[Vector, float, int]:
    count = 0

    def counted(_: float, state: Vector) -> Vector:
        nonlocal count
        count += 1
        if count > limit:
            raise ValueError(
                f"the solver needs more than {limit} evaluations up to time {horizon}: "
                "the flow is stiff or slides along a kink; shorten the horizon, stop "
                "at the first kink, loosen the tolerances or raise the limit"
            )
        return field(state)

    events = []
    if event is not None:

        def crossing(_: float, state: Vector) -> float:
            return event(state)

        crossing.terminal = True  # type: ignore[attr-defined]
        events = [crossing]
    rtol, atol = tolerances
    path = solve_ivp(
        counted, (0, horizon), start, method="DOP853", rtol=rtol, atol=atol,
        events=events,
    )  # fmt: skip
    if path.status < 0:
        raise ValueError(
            f"the solver stopped at time {path.t[-1]} of {horizon}: {path.message} "
            "Loosen the tolerances or shorten the horizon"
        )
    return path.y[:, -1], float(path.t[-1]), count

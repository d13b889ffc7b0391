"""Claim `gradient-flow-conservation` (paper A, section 5): norms differ by constants.

Under the gradient flow dtheta/dt = -g, g = dL/dtheta, of any loss L

    d/dt theta^2 / 2 = -theta g = -S,     S the synaptic saliency of L.

So wherever two sets of parameters always have the same total saliency, the difference
Q of their squared norms is constant. With `network-conservation`, in a bias-free
homogeneous chain, for any two layers,

    Q = |W_l|^2 - |W_k|^2,

and with `neuron-conservation`, in any network of theorem 1, for each hidden unit

    Q = |w_in|^2 + b^2 - |w_out|^2.

If layers l and l + 1 are linear, without biases and with nothing between, the matrix

    Q = W_{l+1}^T W_{l+1} - W_l W_l^T

is constant (Arora et al. 2018, arXiv 1802.06509), as W_{l+1}^T G_{l+1} = G_l W_l^T.

All of these are Q = q(theta, theta) of a symmetric bilinear form q with q(theta, g) = 0
at every theta, and q decides what else happens, from dQ/dt = 2 q(theta, dtheta/dt):

- weight decay, dtheta/dt = -g - lambda theta: dQ/dt = -2 lambda Q, so that
  Q(t) = exp(-2 lambda t) Q(0): differences between layers are forgotten;
- heavy ball, theta'' + gamma theta' = -g - lambda theta: Q'' + gamma Q' + 2 lambda Q =
  2 q(theta', theta'). From rest Q starts with Q' = 0, then the velocities move it
  (time divided by a large gamma gives back the flow, and constancy);
- steps of finite size: the exact recursion in `theory.gradient_descent`.

Hypotheses: those of the conservation law behind Q, for L as the readout. At a kink of a
ReLU the flow is an inclusion, dtheta/dt in -(Clarke's subdifferential), and the law
still holds for almost all t (Du et al., theorem 2.1), as every element obeys it. A
solver of differential equations gets no further where a flow slides along a kink, so
networks with kinks are followed until the first one. SGD's recursion knows no kinks.

Left sides come from a solver's theta at the end, right sides from theta at the start
(and, for the heavy ball, from the velocities alone).
"""

import math
from collections.abc import Callable
from random import Random

import torch
from torch import Tensor, nn

from theory import random_networks
from theory.claim import Check, Claim, Control, Sides
from theory.conserved_quantities import (
    layer_law,
    magnitude,
    quantity,
    unit_law,
)
from theory.flow_cases import (
    HORIZON,
    batches,
    both_laws,
    compared,
    descended,
    gated,
    layers_descended,
    smooth,
    units_descended,
)
from theory.flow_solver import gradient_flow, gradient_of, heavy_ball
from theory.gradient_descent import rational_sides
from theory.networks import Network, Parameters, describe


def linear_flow(rng: Random) -> Sides:
    """Return layers and matrices of a linear chain at the end and at the start."""
    network, loss, x = smooth(rng)
    gradient = gradient_of(network, x, loss)
    end = gradient_flow(gradient, network.parameters, HORIZON).parameters
    return both_laws(network, end)


def decayed_flow(rng: Random) -> Sides:
    """Return the same under weight decay, and exp(-2 lambda t) times the start."""
    network, loss, x = smooth(rng)
    gradient = gradient_of(network, x, loss)
    decay = rng.uniform(0.1, 1.0)
    end = gradient_flow(gradient, network.parameters, HORIZON, decay=decay).parameters
    return both_laws(network, end, math.exp(-2 * decay * HORIZON))


def kinked_flow(rng: Random) -> Sides:
    """Return the units of a (leaky) ReLU network at its first kink and at the start."""
    activation = rng.choice([nn.ReLU(), nn.LeakyReLU(0.3)])
    network, loss, x = smooth(rng, activation=activation, bias=True)
    frozen, distance = gated(network, x)
    gradient = gradient_of(frozen, x, loss)
    end = gradient_flow(gradient, network.parameters, HORIZON, stop=distance)
    return compared(unit_law(network, x), end.parameters, network)


def ball_flow(rng: Random) -> Sides:
    """Return a linear chain's layers under the heavy ball, measured and predicted."""
    network, loss, x = smooth(rng)
    gradient = gradient_of(network, x, loss)
    law, friction = layer_law(network), rng.uniform(0.5, 5.0)
    decay = rng.choice([0.0, rng.uniform(0.1, 1.0)])
    end, predicted = heavy_ball(
        gradient, network.parameters, law, HORIZON, friction=friction, decay=decay
    )
    scale = magnitude(law, network.parameters) + magnitude(law, end)
    return Sides(quantity(law, end), predicted, scale, describe(network))


def layer_descent(rng: Random) -> Sides:
    """Return layers of bias-free MLPs under SGD, measured and by the recursion."""
    return layers_descended(random_networks.mlp(rng, bias=False), rng)


def unit_descent(rng: Random) -> Sides:
    """Return units of MLPs, convnets and DAGs under SGD, and by the recursion."""
    kinds = (random_networks.mlp, random_networks.convnet, random_networks.dag)
    return units_descended(rng.choice(kinds)(rng), rng)


def with_activation(activation: nn.Module) -> Callable[[Random], Sides]:
    """Return the units of MLPs with another activation, under SGD."""
    return lambda rng: units_descended(
        random_networks.mlp(rng, activation=activation), rng
    )


def bias_left_out(rng: Random) -> Sides:
    """Return |w_in|^2 - |w_out|^2 of the units of biased MLPs, under SGD."""
    model = random_networks.mlp(rng, bias=True)
    network, xs = Network.of(model), batches(model, rng)
    complete = unit_law(network, xs[0])

    def law(u: Parameters, v: Parameters) -> tuple[Tensor, Tensor]:
        return complete({k: u[k] for k in network.prunable}, v)

    return descended(network, xs, law, rng)


def biased_layers(rng: Random) -> Sides:
    """Return the layers of biased MLPs, under SGD."""
    return layers_descended(random_networks.mlp(rng, bias=True), rng)


def batch_normalised(rng: Random) -> Sides:
    """Return the layers of linear - BatchNorm by the batch - ReLU - linear, under SGD.

    The saliency of the first layer adds up to 0 there, that of the second does not.
    """
    norm = nn.BatchNorm1d(3, affine=False)
    layers = (nn.Linear(2, 3, bias=False), norm, nn.ReLU(), nn.Linear(3, 2, bias=False))
    model = random_networks.fill(nn.Sequential(*layers), rng)
    network = Network.of(model, batch_statistics=True)
    xs = [torch.cat(batches(model, rng)) for _ in range(4)]  # at least 4 samples each
    return descended(network, xs, layer_law(network), rng)


def adaptive_steps(rng: Random) -> Sides:
    """Return the layers of bias-free MLPs if each weight moves by the same amount.

    The sign of the gradient: Adam's first step (with epsilon = 0).
    """
    model = random_networks.mlp(rng, bias=False)
    network = Network.of(model)
    law = layer_law(network)
    return descended(network, batches(model, rng), law, rng, torch.sign)


def step_as_flow(rng: Random) -> Sides:
    """Return the layers of linear chains after one large step, and at the start."""
    network, loss, x = smooth(rng)
    slope, start = gradient_of(network, x, loss)(network.parameters), network.parameters
    end = {k: p - HORIZON * slope[k] for k, p in start.items()}
    return compared(layer_law(network), end, network)


def decay_ignored(rng: Random) -> Sides:
    """Return layers and matrices under weight decay, and at the start."""
    network, loss, x = smooth(rng)
    gradient = gradient_of(network, x, loss)
    end = gradient_flow(gradient, network.parameters, HORIZON, decay=1.0)
    return both_laws(network, end.parameters)


def momentum_ignored(rng: Random) -> Sides:
    """Return a linear chain's layers under the heavy ball, and at the start."""
    network, loss, x = smooth(rng)
    law, gradient = layer_law(network), gradient_of(network, x, loss)
    end, _ = heavy_ball(gradient, network.parameters, law, 4 * HORIZON, friction=0.5)
    return compared(law, end, network)


CLAIM = Claim(
    label="gradient-flow-conservation",
    title="Gradient flow conserves differences of squared norms",
    statement="‖W_l‖² − ‖W_k‖² and ‖w_in‖² + b² − ‖w_out‖² are constant in time",
    source=(
        "Tanaka et al. 2020, arXiv 2006.05467, section 5; "
        "Du et al. 2018, arXiv 1806.00900, theorem 2.1"
    ),
    assumptions=(
        "as network-conservation (layers) or neuron-conservation (units)",
        "gradient flow; its finite steps, decay and momentum have laws of their own",
        "layers: no bias",
    ),
    checks=(
        Check("flow of linear chains: layers, matrices", linear_flow, 1e-10),
        Check("flow of ReLU networks to a kink: units", kinked_flow, 1e-10),
        Check("flow with decay: exp(-2λt) Q(0)", decayed_flow, 1e-10),
        Check("heavy ball: Q'' + γ Q' + 2λ Q = 2 q(v, v)", ball_flow, 1e-10),
        Check("SGD with momentum and decay: layers", layer_descent, 1e-10),
        Check("SGD with momentum and decay: units", unit_descent, 1e-10),
        Check("SGD on rational DAGs, exact", rational_sides, 0.0),
    ),
    controls=(
        Control("tanh", with_activation(nn.Tanh())),
        Control("GELU", with_activation(nn.GELU())),
        Control("bias left out of the unit's balance", bias_left_out),
        Control("layers with biases", biased_layers),
        Control("BatchNorm by the batch", batch_normalised),
        Control("a step size for each weight (Adam)", adaptive_steps),
        Control("one step of size 0.5 taken for the flow", step_as_flow),
        Control("weight decay ignored", decay_ignored),
        Control("momentum ignored", momentum_ignored),
    ),
)

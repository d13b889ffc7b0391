# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Conservation of synaptic saliency
#
# Tanaka, Kunin, Yamins and Ganguli (2020, arXiv 2006.05467) found that the *synaptic
# saliency* $S(\theta) = \frac{\partial R}{\partial \theta} \theta$ of a parameter, for
# any scalar function $R$ of a network's output, flows through the network like a
# current: what enters a unit leaves it (theorem 1), and every cut between input and
# output carries the same total (theorem 2). So a layer's mean saliency is inversely
# proportional to its size, and one-shot pruning empties the largest layer first.
#
# This notebook shows each claim on a network small enough to print, lets it fail where
# a hypothesis is dropped, and reads the committed table of VGG-19 at ImageNet size.
# Every number below comes from the package; `make notebooks` executes it again.

# %%
from itertools import pairwise
from random import Random

import pandas as pd
import torch
from torch import nn

from figures.common import RESULTS
from theory import exact, scores
from theory.claim import total
from theory.graph import Graph
from theory.layer_scaling import saliency_sides, synflow_sides
from theory.ledger import CLAIMS
from theory.masks import collapsed, counts, keep_largest
from theory.network_conservation import network_sides
from theory.networks import Network, cross_entropy
from theory.neuron_conservation import audit, neuron_sides
from theory.synflow import chain_factors, synflow

generator = torch.Generator().manual_seed(0)


def randomised(model: nn.Module) -> nn.Module:
    """Return the model with all parameters drawn from the notebook's generator."""
    for parameter in model.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator)
    return model


x = torch.randn(5, 4, generator=generator)
loss = cross_entropy(torch.tensor([0, 1, 2, 0, 1]))

# %% [markdown]
# ## Theorem 1: each hidden unit passes on what it receives
#
# The saliency of the weights into a unit and of its bias, against that of the weights
# that read it. Each sum has many terms of both signs; the two columns come from
# gradients of different parameters.

# %%
network = Network.of(
    randomised(nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 3)))
)
sides = neuron_sides(network, x, loss)
for unit in range(3):
    into, out = float(sides.left[unit]), float(sides.right[unit])
    print(f"hidden unit {unit}: into {into:+.6f}   out of {out:+.6f}")
print("worst defect below 1e-14:", sides.defect() < 1e-14)

# %% [markdown]
# In rational arithmetic there is no tolerance: the two sides are equal fractions.

# %%
for seed in range(3):
    rational = exact.neuron_sides(Random(seed))
    for left, right in zip(rational.left, rational.right, strict=True):
        print(f"network {seed}: {left} = {right}: {left == right}")

# %% [markdown]
# ## Where it fails
#
# The audit of any network names the operations that do not conserve saliency. The only
# hypothesis on an activation is $\varphi(z) = \varphi'(z) z$: tanh breaks it, and so
# does LayerNorm, which does not change when its input is scaled.

# %%
layers = [nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 6), nn.LayerNorm(6), nn.ReLU()]
mixed = Network.of(randomised(nn.Sequential(*layers, nn.Linear(6, 3))))
for balance in audit(mixed, x, loss):
    verdict = "conserves" if balance.defect < 1e-10 else "DOES NOT CONSERVE"
    print(f"{balance.name} {balance.operation:9} {verdict:17} {balance.defect:.2f}")

# %% [markdown]
# ## Theorem 2: every cut carries the same total
#
# A cut is given by the nodes on its input side. The left number adds up parameter
# gradients over the cut; the right one uses the gradient at the input alone, plus the
# biases on the input's side, which are further inputs.

# %%
graph = Graph.of(network, x)
names = [node.name for node in graph.nodes]
for size in range(1, len(names)):
    cut = network_sides(network, x, loss, names[:size])
    left, right = float(cut.left[0]), float(cut.right[0])
    print(f"after {names[size - 1]:8} cut {left:+.6f}   sources {right:+.6f}")

# %% [markdown]
# ## The mean score of a layer is C / size
#
# Without biases all layers of a chain have the same total $C$. Here are its layers,
# whose sizes differ by a factor of ten, scored by signed saliency and by SynFlow.

# %%
sizes = [4, 40, 10, 3]
chain = nn.Sequential()
for fan_in, fan_out in pairwise(sizes):
    chain.extend([nn.Linear(fan_in, fan_out, bias=False), nn.ReLU()])
free = Network.of(randomised(chain[:-1]))
for kind, both in (
    ("saliency", saliency_sides(free, x, loss)),
    ("SynFlow", synflow_sides(free, (4,))),
):
    totals = ", ".join(f"{value:.6f}" for value in both.left.tolist())
    print(f"{kind:8} layer totals {totals}; C = {float(both.right[0]):.6f}")

# %% [markdown]
# So the largest layer has the smallest scores. Pruned at one shot to 5 % of its weights
# by |saliency| (SNIP), by SynFlow, and at random, with exact counts:

# %%
kinds = {
    "SNIP": scores.snip(free, x, loss),
    "SynFlow": synflow(free, (4,)),
    "random": scores.random(free, generator=generator),
}
for kind, score in kinds.items():
    mask = keep_largest({name: score[name] for name in free.prunable}, 0.05)
    kept = list(counts(mask).values())
    print(f"{kind:8} keeps {kept} = {sum(kept)} weights; emptied: {collapsed(mask)}")

# %% [markdown]
# ## Equation 5: SynFlow factorises over a chain
#
# The score of a weight is the flow into its unit, times its absolute value, times the
# flow from its unit to the output.

# %%
autograd = synflow(free, (4,))
products = chain_factors([free.parameters[name] for name in free.prunable])
for name, product in zip(free.prunable, products, strict=True):
    gap = float((autograd[name] - product).abs().max() / product.max())
    print(f"{name}: largest relative difference below 1e-14: {gap < 1e-14}")

# %% [markdown]
# ## VGG-19 at ImageNet size
#
# The committed table behind figure a4, at initialisation. Where a score is conserved
# the slope is 1 and the bootstrap interval over layers has no width.

# %%
table = pd.read_csv(RESULTS / "a4_layer_size.csv")
large = table[(table["images"] == "generated") & (table["seed"] == 0)]
for _, rows in large.groupby(["score", "double"]):
    first = rows.iloc[0]
    precision = "float64" if first["double"] else "float32"
    print(
        f"{first['score']:9} {precision}  slope {first['slope']:.2f} "
        f"[{first['slope_low']:.2f}, {first['slope_high']:.2f}]  "
        f"R2 {first['r_squared']:.3f}"
    )
weights, _ = total([torch.tensor(large.query("score == 'random'")["size"].to_numpy())])
print(f"{int(weights):,} weights and biases in {large['layer'].max()} layers")

# %% [markdown]
# ## The ledger
#
# `make verify` tries every claim on hundreds of random networks and drops each of these
# hypotheses in turn, to find a counter-example for each:

# %%
for claim in CLAIMS:
    print(f"{claim.label}: {claim.statement}")
    print("   assumes", "; ".join(claim.assumptions))
    print("   fails with", "; ".join(control.dropped for control in claim.controls))

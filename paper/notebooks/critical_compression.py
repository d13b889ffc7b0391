# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Layer-collapse, and how SynFlow avoids it
#
# Tanaka, Kunin, Yamins and Ganguli (2020, arXiv 2006.05467) call the largest
# compression $N / n$ without an empty layer the *critical compression* of an
# algorithm. With one parameter in each of $L$ layers nothing can go beyond $N / L$.
# Their theorem 3 says when an algorithm gets there. Here it is followed on networks
# small enough to print; where a hypothesis is dropped, the program that follows the
# proof says which line fails.

# %%
from functools import partial
from random import Random

import torch
from torch import nn

from experiments.architectures import small_vgg
from theory import critical_compression, exact_pruning, scores
from theory.collapse_odds import random_count, survival
from theory.conserved_quantities import layer_law, quantity
from theory.critical_count import conserved_count, measured_count, ranks
from theory.flow_solver import gradient_flow, gradient_of
from theory.masks import keep_largest
from theory.networks import Network, cross_entropy
from theory.positive_paths import chain
from theory.proof_checker import follow
from theory.pruning import prune
from theory.pruning_steps import one_at_a_time, schedule
from theory.synflow import absolute, synflow
from theory.synflow_pruning import prune_synflow

# %% [markdown]
# ## One ranking for all layers: who collapses, and when
#
# Masks of one ranking are nested, so the smallest count without an empty layer is the
# largest rank of a layer's best weight. Bisection over integer counts with real masks
# gives the same number; neither reads anything off a grid.

# %%
model = small_vgg(bias=False, generator=torch.Generator().manual_seed(0))
network = Network.of(model)
sizes = [network.parameters[name].numel() for name in network.prunable]
drawn = torch.Generator().manual_seed(0)
images = torch.randn(20, 1, 8, 8, generator=drawn)
loss = cross_entropy(torch.arange(20) % 10)
kinds = {
    "random": scores.random(network, generator=drawn),
    "magnitude": scores.magnitude(network),
    "SNIP": scores.snip(network, images, loss),
    "SynFlow": synflow(network, (1, 8, 8)),
}
print("weights in the layers:", sizes)
for name, found in kinds.items():
    prunable = {layer: found[layer] for layer in network.prunable}
    best = ranks(prunable)
    first = max(best, key=lambda layer: best[layer])
    print(
        f"{name:10s} critical count {max(best.values()):6d}, by bisection "
        f"{measured_count(prunable):6d}; layer {first} goes first"
    )

# %% [markdown]
# Predictions. Of conserved scores none can be worse than $N - N_{\max} + 1$ weights.
# Random scores keep a hypergeometric number of weights in each layer: the median
# critical count, and the probability that all layers survive, are exact.

# %%
median = random_count(sizes)
print("conserved scores need at most", conserved_count(sizes))
print("random scores: median critical count", median)
print(f"  P(no layer empty | {median} kept) = {survival(sizes, median):.4f}")
print(f"  P(no layer empty | {median - 1} kept) = {survival(sizes, median - 1):.4f}")

# %% [markdown]
# ## Theorem 3, one weight at a time
#
# A chain with layers of 4, 6 and 3 weights, in exact integers. Each line: the weights
# left in the layers, and $R$, the total weight of all paths from input to output.

# %%
weights = [3, 1, 2, 4, 1, 2, 2, 5, 3, 1, 2, 1, 4]
units = chain((2, 2, 3, 1), weights)
for kept in exact_pruning.one_at_a_time(units, exact_pruning.synflow):
    if kept:
        print(f"{units.counts(kept)}   R = {units.flow(kept)}")

# %% [markdown]
# The run went down to one weight in each layer before a layer was empty. A lower bound
# on the share of $R$ that is left there, for any weights (ours):

# %%
bound = critical_compression.surviving_share(len(weights), 3)
print("R at the end / R at the start >=", bound, f"= {float(bound):.5f}")

# %% [markdown]
# ## The proof, followed along a run
#
# `follow` keeps masks and forward passes of its own and believes a run in nothing but
# its scores. The safe schedule shrinks a step where its prune size would reach the cut
# size. Pruned in one step, or in a few, the same network collapses.

# %%
last = len(sizes) / sum(sizes)
shape = (1, 8, 8)
runs = {
    "safe": prune_synflow(network, shape, [last], safe=True),
    "100 exponential steps": prune_synflow(network, shape, schedule(last, 100)),
    "3 exponential steps": prune_synflow(network, shape, schedule(last, 3)),
    "one-shot": prune_synflow(network, shape, [last]),
}
for name, run in runs.items():
    record = follow(network, shape, run, kind="max-pool chain")
    left = list(record.counts.values())
    print(f"{name}: {record.steps} steps, weights left {left}")
    print(f"    {record.failure or 'every line of the proof holds'}")

# %% [markdown]
# Algorithms that are not SynFlow break another line. Masks per layer ("local") break
# global masking, and need no theorem to keep their layers.

# %%
narrow = nn.Sequential(nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 4), nn.Linear(4, 2))
for parameter in narrow.parameters():
    parameter.data = torch.randn(parameter.shape, generator=drawn)
chained = Network.of(narrow)
x = torch.randn(5, 3, generator=drawn)
densities = one_at_a_time(chained, 3)
sabotaged = {
    "magnitude": prune(chained, scores.magnitude, densities),
    "SNIP": prune(chained, lambda now: scores.snip(now, x, torch.sum), densities),
    "signed saliency": prune(
        chained, lambda now: scores.saliency(now, x, torch.sum), densities
    ),
    "SynFlow, per layer": prune(
        absolute(chained), partial(synflow, shape=(3,)), [0.5, 0.2], scope="layer"
    ),
    "SynFlow": prune(absolute(chained), partial(synflow, shape=(3,)), densities),
}
for name, run in sabotaged.items():
    record = follow(chained, (3,), run, kind="chain")
    print(f"{name}: left {list(record.counts.values())}, R = {record.flow:.3g}")
    print(f"    {record.failure or 'every line of the proof holds'}")

# %% [markdown]
# Exact counts matter here: a threshold that drops every score not above it removes ties
# together.

# %%
tied = {"layer": torch.ones(6)}
print(
    "asked to keep 5 of 6 equal scores:", int(keep_largest(tied, 5 / 6)["layer"].sum())
)
print(
    "a threshold keeps:", int((tied["layer"] > tied["layer"].kthvalue(1).values).sum())
)

# %% [markdown]
# ## Gradient flow conserves what saliency balances
#
# Under $\dot\theta = -\partial L / \partial \theta$ the difference of the squared
# norms of two layers is constant. Gradient descent drifts by $\eta^2 (|g|^2 - |g'|^2)$
# a step, so over a fixed time in proportion to $\eta$.

# %%
linear = nn.Sequential(
    nn.Linear(3, 4, bias=False),
    nn.Linear(4, 4, bias=False),
    nn.Linear(4, 2, bias=False),
)
for parameter in linear.parameters():
    parameter.data = torch.randn(parameter.shape, generator=drawn) / 2
flowing = Network.of(linear)
target = torch.randn(5, 2, generator=drawn).double()
gradient = gradient_of(flowing, x, lambda y: ((y - target) ** 2).mean())
law, start = layer_law(flowing), flowing.parameters
before = quantity(law, start)
end = gradient_flow(gradient, start, 2.0).parameters
print("conserved:", [round(q, 6) for q in before.tolist()])
print(
    "flow: changed by less than 1e-9:",
    bool((quantity(law, end) - before).abs().max() < 1e-9),
)
for steps in (100, 200, 400):
    theta, rate = start, 2.0 / steps
    for _ in range(steps):
        slopes = gradient(theta)
        theta = {name: p - rate * slopes[name] for name, p in theta.items()}
    drift = float((quantity(law, theta) - before).abs().max())
    print(f"descent, rate {rate:.3f}: drift {drift:.5f}")

# %% [markdown]
# ## The ledger
#
# `make verify` tries these claims on random networks and drops every hypothesis in
# turn. One case of each family of theorem 3:

# %%
for check in critical_compression.CLAIM.checks:
    print(f"{check.family}: defect {check.draw(Random(1)).defect():.0e}")

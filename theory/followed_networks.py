"""Claim `maximal-critical-compression` on random MLPs, convnets and residual networks.

SynFlow is run down in safe steps, the proof checker walks with it, and what is left at
the end is compared with what theorem 3 says: one parameter a layer in a chain, one path
in other graphs. Each side comes from forward or backward passes in float64.
"""

from dataclasses import replace
from functools import partial
from random import Random

import torch
from torch import nn

from theory import random_networks
from theory.claim import Sides
from theory.masks import masked
from theory.networks import Network, describe
from theory.proof_checker import Kind, follow
from theory.pruning_steps import layer_sizes, masks_after, schedule
from theory.synflow import absolute, ones, synflow
from theory.synflow_pruning import prune_synflow

MAXIMA = (nn.MaxPool2d, nn.AdaptiveMaxPool2d)


def followed_chain(rng: Random) -> Sides:
    """Return the counts where a safe run ends, and whether its proof fails: 1s and 0.

    MLPs and convnets, with average and max-pooling; none if no path is there at first.
    """
    mlp = rng.random() < 0.5
    build = (
        random_networks.mlp if mlp else partial(random_networks.convnet, joins=False)
    )
    network = Network.of(build(rng))
    pooled = any(isinstance(m, MAXIMA) for m in network.module.modules())
    kind: Kind = "max-pool chain" if pooled else "chain"
    shape, layers = _shape(network), len(network.prunable)
    size = sum(layer_sizes(network).values())
    densities = schedule(layers / size, rng.choice([1, 5, 50]))
    run = list(prune_synflow(network, shape, densities, safe=True))
    if run[0].cut_size == 0:
        return _sides([], [], network)
    record = follow(network, shape, run, kind=kind)
    left = [float(n) for n in (*record.counts.values(), record.failure is not None)]
    return _sides(left, [1.0] * layers + [0.0], network)


def followed_graph(rng: Random) -> Sides:
    """Return the scores over R where a safe run of a residual convnet ends: 1s.

    And whether its proof fails: 0. Shortcuts and concatenations, one cut layer.
    """
    network = Network.of(random_networks.convnet(rng))
    shape = _shape(network)
    run = list(prune_synflow(network, shape, [0.0], safe=True))
    if run[0].cut_size == 0:
        return _sides([], [], network)
    record = follow(network, shape, run, kind="dag")
    masks = masks_after(network, run)
    theta = masked(network.parameters, masks)
    final = synflow(replace(network, parameters=theta), shape)
    ends = [s for n, m in masks.items() for s in (final[n][m] / record.flow).tolist()]
    failed = float(record.failure is not None)
    return _sides([*ends, failed], [1.0] * len(ends) + [0.0], network)


def at_most(rng: Random) -> Sides:
    """Return min(R after, R - sum_P S) over R, and the latter, of convnets.

    Max-pooling, average pooling, shortcuts and concatenations; P over all layers.
    """
    network = absolute(Network.of(random_networks.convnet(rng)))
    shape = _shape(network)
    score, x = synflow(network, shape), ones(network, shape)
    generator = torch.Generator().manual_seed(rng.getrandbits(48))
    share = rng.random()
    stays = {
        n: torch.rand(score[n].shape, generator=generator) >= share
        for n in network.prunable
    }
    flow = float(network(network.parameters, x).sum())
    if flow == 0:
        return _sides([], [], network)
    after = float(network(masked(network.parameters, stays), x).sum()) / flow
    least = 1 - sum(float(score[n][~stay].sum()) for n, stay in stays.items()) / flow
    return _sides([min(after, least)], [least], network)


def _shape(network: Network) -> tuple[int, ...]:
    """Return the sample shape that a random network accepts."""
    weight = network.parameters[network.prunable[0]]
    return (weight.shape[1],) if weight.dim() == 2 else (1, 9, 9)


def _sides(left: list[float], right: list[float], network: Network) -> Sides:
    sides = [torch.tensor(side, dtype=torch.float64) for side in (left, right)]
    return Sides(sides[0], sides[1], torch.ones_like(sides[0]), describe(network))

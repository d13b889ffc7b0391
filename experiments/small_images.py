"""The papers' networks for small images at initialisation, ready to be pruned."""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from experiments import architectures, data
from experiments.initialisation import Scheme
from experiments.seeds import generators
from theory import scores, synflow
from theory.collapse_odds import Tail, normal, uniform
from theory.graph import Graph
from theory.networks import Network, cross_entropy
from theory.pruning import Score

COLOUR = (3, 32, 32)
_vgg, _resnet = architectures.vgg_cifar, architectures.resnet_cifar
BUILDERS: dict[str, tuple[Callable[..., nn.Module], Scheme, tuple[int, ...]]] = {
    "small_vgg": (partial(architectures.small_vgg, bias=False), "kaiming", (1, 8, 8)),
    "lenet_300_100": (architectures.lenet_300_100, "glorot", (1, 28, 28)),
    "resnet20": (architectures.resnet20, "resnet", COLOUR),
    "vgg11": (partial(_vgg, 11, 10), "kaiming", COLOUR),
    "vgg16": (partial(_vgg, 16, 10), "kaiming", COLOUR),
    "vgg19": (partial(_vgg, 19, 10), "kaiming", COLOUR),
    "resnet18": (partial(_resnet, 18, 10), "resnet", COLOUR),
    "wide_resnet18": (partial(architectures.wide_resnet18, 10), "resnet", COLOUR),
    "fc5": (architectures.fc5, "kaiming", COLOUR),
    "fc12": (architectures.fc12, "kaiming", COLOUR),
}


def subject(
    name: str, *, samples: int, double: bool, seed: int
) -> tuple[Network, Tensor, Tensor, torch.Generator]:
    """Return the network, a batch with its labels, and a source of random scores.

    The small VGG sees digits, `samples` being a multiple of 10; the others see Gaussian
    images with uniform labels.
    """
    # the name too: architectures of one seed must not share their first layer
    own = int.from_bytes(f"{name} {seed}".encode())
    initial, drawn, draws = generators(own, 3)
    build, _, shape = BUILDERS[name]
    dtype = torch.float64 if double else torch.float32
    network = Network.of(build(generator=initial), dtype=dtype)
    if name == "small_vgg":
        digits = data.load("digits").train
        x, labels = data.batch(digits, samples, balanced=True, generator=drawn)
    else:
        x = torch.randn(samples, *shape, generator=drawn)
        labels = torch.randint(10, (samples,), generator=drawn)
    return network, x, labels, draws


def score_of(kind: str, x: Tensor, labels: Tensor, draws: torch.Generator) -> Score:
    """Return a score as a function of the network, larger = kept."""
    loss = cross_entropy(labels)
    kinds: dict[str, Score] = {
        "random": lambda network: scores.random(network, generator=draws),
        "magnitude": scores.magnitude,
        "snip": lambda network: scores.snip(network, x, loss),
        "grasp": lambda network: scores.grasp(network, x, loss),
        "taylor_fo": lambda network: scores.taylor_fo(network, x, loss),
        "saliency": lambda network: scores.saliency(network, x, loss),
        "synflow": lambda network: synflow.synflow(network, tuple(x.shape[1:])),
    }
    return kinds[kind]


def tail_of(network: Network, name: str, scheme: Scheme) -> Tail:
    """Return P(|weight| > t) as `experiments.initialisation` draws the layer."""
    layer = network.module.get_submodule(name.removesuffix(".weight"))
    weight = layer.get_parameter("weight")
    fan_in, fan_out = weight[0].numel(), weight[:, 0].numel()
    if scheme == "kaiming":
        return normal(math.sqrt(2 / fan_in))
    if scheme == "glorot":
        return normal(math.sqrt(2 / (fan_in + fan_out)))
    if isinstance(layer, nn.Linear):
        return uniform(fan_in**-0.5)
    return normal(math.sqrt(2 / fan_out))


def shortest_path(graph: Graph) -> int:
    """Return the smallest number of prunable layers on a path from input to output."""
    prunable, layers = set(graph.network.prunable), graph.weights
    length: dict[str, int] = {}
    for node in graph.nodes:
        before = [length[source.name] for source in node.all_input_nodes]
        own = layers.get(node.name) in prunable
        length[node.name] = min(before, default=0) + own
    return length[graph.nodes[-1].name]

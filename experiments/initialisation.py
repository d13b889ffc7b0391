"""How the papers' networks draw their first weights: from a given generator only."""

from collections.abc import Callable
from typing import Literal, get_args

import torch
from torch import nn

Scheme = Literal["vgg", "resnet", "kaiming", "glorot"]
"""The distributions of weights and biases:

vgg: convolutions N(0, 2 / fan_out), linear layers N(0, 0.01²), biases 0, as in
  torchvision's VGG;
resnet: convolutions N(0, 2 / fan_out) with biases 0, linear weights and biases
  U(±1 / √fan_in), as in torchvision's ResNet;
kaiming: N(0, 2 / fan_in), biases 0, as in Synaptic-Flow's "lottery" VGGs and all
  networks of Global-One-shot-Pruning;
glorot: N(0, 2 / (fan_in + fan_out)), biases 0, as LeNet in arXiv 1803.03635, section 2.

BatchNorm always starts with scale 1, shift 0, mean 0 and variance 1.
"""


def build(
    make: Callable[[], nn.Module], scheme: Scheme, generator: torch.Generator | None
) -> nn.Module:
    """The network that ``make`` returns, initialised on the generator's device.

    Without a generator it stays on the meta device: shapes only.
    """
    # Built on the meta device, a layer's own default initialisation costs nothing and
    # draws nothing from the global random state.
    with torch.device("meta"):
        model = make()
    for module in model.modules():
        # torchvision's ReLUs overwrite their input, which whoever reads a layer's
        # output (a score per unit, say) would then find rectified.
        if isinstance(module, nn.ReLU):
            module.inplace = False
    if generator is not None:
        model.to_empty(device=generator.device)
        initialise(model, scheme, generator=generator)
    return model


def initialise(model: nn.Module, scheme: Scheme, *, generator: torch.Generator) -> None:
    """Overwrite every parameter and buffer of ``model``, as the scheme says.

    Raises:
        ValueError: for an unknown scheme, or if a layer with parameters is neither
            convolution nor linear nor BatchNorm.
    """
    if scheme not in get_args(Scheme):
        raise ValueError(f"scheme must be one of {get_args(Scheme)}, got {scheme!r}")
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            _draw_weight(module, scheme, generator)
            if module.bias is not None:
                _draw_bias(module, scheme, generator)
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()  # constants: draws nothing
        elif [*module.parameters(recurse=False), *module.buffers(recurse=False)]:
            raise ValueError(
                f"layer {name!r} is a {type(module).__name__}, expected Conv2d, Linear "
                "or BatchNorm2d: say in initialise() how its numbers are drawn"
            )


def _draw_weight(
    layer: nn.Conv2d | nn.Linear, scheme: Scheme, generator: torch.Generator
) -> None:
    weight = layer.weight
    if scheme == "glorot":
        nn.init.xavier_normal_(weight, generator=generator)
    elif scheme == "kaiming":
        nn.init.kaiming_normal_(weight, nonlinearity="relu", generator=generator)
    elif isinstance(layer, nn.Conv2d):
        nn.init.kaiming_normal_(
            weight, mode="fan_out", nonlinearity="relu", generator=generator
        )
    elif scheme == "vgg":
        nn.init.normal_(weight, 0, 0.01, generator=generator)
    else:
        bound = layer.in_features**-0.5
        nn.init.uniform_(weight, -bound, bound, generator=generator)


def _draw_bias(
    layer: nn.Conv2d | nn.Linear, scheme: Scheme, generator: torch.Generator
) -> None:
    if scheme == "resnet" and isinstance(layer, nn.Linear):
        bound = layer.in_features**-0.5
        nn.init.uniform_(layer.bias, -bound, bound, generator=generator)
    elif layer.bias is not None:
        nn.init.zeros_(layer.bias)

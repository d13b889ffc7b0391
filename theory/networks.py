"""A torch module seen as a pure function f(theta, x) of named float64 tensors.

`Network.of(model)` takes a private copy of the model's structure and of its numbers, so
nothing here can change the caller's weights, mode, gradients, buffers or random state:
dropout is off, and a BatchNorm layer with running statistics (mu, sigma^2) becomes the
affine map that it is in eval mode,

    y = gamma (x - mu) / sqrt(sigma^2 + eps) + beta  =  a x + s,
    a = gamma / sqrt(sigma^2 + eps),   s = beta - a mu,

under the layer's own names (`weight` = a, `bias` = s): the whole shift s is its bias.
The saliency of gamma alone is not conserved, since gamma also moves the shift.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad
from torch.nn.modules.batchnorm import _BatchNorm

Parameters = dict[str, Tensor]
Readout = Callable[[Tensor], Tensor]
"""R: the scalar function of the network's output whose saliency is studied."""

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
PRUNABLE = (nn.Linear, *CONVOLUTIONS, *TRANSPOSED)


class Affine(nn.Module):
    """y = weight x + bias for each channel (axis 1): BatchNorm with frozen statistics.

    Keeps the numbers but not the type of the layer it replaces.
    """

    def __init__(self, norm: _BatchNorm) -> None:
        super().__init__()
        if norm.running_mean is None or norm.running_var is None:
            raise ValueError(
                "BatchNorm layer without running statistics has no eval mode; "
                "train it with track_running_stats=True or use batch_statistics=True"
            )
        mean, variance = norm.running_mean.double(), norm.running_var.double()
        gamma = torch.ones_like(mean) if norm.weight is None else norm.weight.double()
        beta = torch.zeros_like(mean) if norm.bias is None else norm.bias.double()
        scale = gamma / torch.sqrt(variance + norm.eps)
        self.weight = nn.Parameter(scale.detach())
        self.bias = nn.Parameter((beta - scale * mean).detach())

    def forward(self, x: Tensor) -> Tensor:
        """Return weight x + bias, broadcast over the batch and all positions."""
        shape = (1, -1) + (1,) * (x.dim() - 2)
        return x * self.weight.view(shape) + self.bias.view(shape)


@dataclass(frozen=True)
class Network:
    """The function f(theta, x) of a module, with its own copy of the parameters."""

    module: nn.Module
    parameters: Parameters
    buffers: Parameters

    @classmethod
    def of(
        cls,
        model: nn.Module,
        *,
        dtype: torch.dtype = torch.float64,
        batch_statistics: bool = False,
    ) -> "Network":
        """Return the model as a pure function in eval mode.

        Args:
            model: any module with finite parameters and buffers, all on one device;
                not a wrapper of one (DataParallel, torch.compile, ScriptModule). Its
                hooks are left out of the copy, even those that change an output.
            dtype: float64 for theory; float32 is an experiment's setting.
            batch_statistics: let BatchNorm normalise by the batch (its train mode)
                instead of freezing it; its running statistics are not kept.

        Raises:
            ValueError: no parameters, NaN or infinite ones, several devices or meta,
                a layer whose weight is computed from other tensors.
        """
        _validate(model)
        if isinstance(model, (*PRUNABLE, _BatchNorm)):
            model = nn.Sequential(model)  # a layer alone: give it the name "0"
        shared = [*model.parameters(), *model.buffers()]
        module = copy.deepcopy(model, {id(tensor): tensor for tensor in shared}).eval()
        frozen: dict[nn.Module, Affine] = {}
        for name, part in list(module.named_modules(remove_duplicate=False)):
            _without_hooks(part)
            if isinstance(part, _BatchNorm):
                if batch_statistics:
                    part.running_mean = part.running_var = None
                elif part not in frozen:
                    frozen[part] = Affine(part)
                if part in frozen:
                    _replace(module, name, frozen[part])

        def own(tensor: Tensor) -> Tensor:
            kind = dtype if tensor.is_floating_point() else tensor.dtype
            return tensor.detach().to(kind, copy=True)

        return cls(
            module,
            {name: own(p) for name, p in module.named_parameters()},
            {name: own(b) for name, b in module.named_buffers()},
        )

    def __call__(self, parameters: Parameters, x: Tensor) -> Tensor:
        """Return f(theta, x); a masked network is `network(masked(theta, mask), x)`.

        Random operations (a bare `F.dropout`) draw from the current global state and
        give it back: the same at every call, and nothing moves for the caller.
        """
        tensors = {**self.buffers, **parameters}
        with torch.random.fork_rng(devices=[]):
            result = functional_call(self.module, tensors, (x.clone(),))
        if not isinstance(result, Tensor):
            raise ValueError(
                f"the network must return one tensor, got {type(result).__name__}; "
                "wrap it in a module that selects the output to study"
            )
        return result

    @property
    def prunable(self) -> tuple[str, ...]:
        """Names of the weights of linear and convolution layers, in module order.

        Biases and normalisation parameters are never pruned unless asked for. A weight
        that two layers share has the name of the first.
        """
        names = {id(p): name for name, p in self.module.named_parameters()}
        layers = [m for m in self.module.modules() if isinstance(m, PRUNABLE)]
        return tuple(dict.fromkeys(names[id(layer.weight)] for layer in layers))

    def batch(self, x: Tensor) -> Tensor:
        """Return a copy of x in the network's precision.

        Raises:
            ValueError: empty batch, NaN or infinite entries, or another device.
        """
        reference = next(iter(self.parameters.values()))
        if x.dim() == 0 or x.numel() == 0:
            raise ValueError(
                f"expected a non-empty batch, got shape {tuple(x.shape)}; "
                "pass at least one sample"
            )
        if x.device != reference.device:
            raise ValueError(
                f"the batch is on {x.device} but the network is on "
                f"{reference.device}; move one of them with .to(device)"
            )
        if x.is_floating_point() and not bool(torch.isfinite(x).all()):
            raise ValueError("the batch has NaN or infinite entries; clean the data")
        kind = reference.dtype if x.is_floating_point() else x.dtype
        return x.detach().to(kind, copy=True)

    def gradient(self, x: Tensor, readout: Readout) -> Parameters:
        """Return dR/dtheta at the network's own parameters; 0 for unused ones."""
        x = self.batch(x)
        slopes: Parameters = grad(lambda theta: scalar(readout, self(theta, x)))(
            self.parameters
        )
        return slopes


def scalar(readout: Readout, output: Tensor) -> Tensor:
    """Return R(output), or raise ValueError if it is not one number."""
    value = readout(output)
    if value.dim() != 0:
        raise ValueError(
            f"the readout must return one number, got shape {tuple(value.shape)}; "
            "reduce it with .sum() or .mean()"
        )
    return value


def cross_entropy(labels: Tensor, *, temperature: float = 1.0) -> Readout:
    """Return R(y) = mean cross-entropy of softmax(y / temperature) and the labels."""
    return lambda y: nn.functional.cross_entropy(y / temperature, labels)


def describe(network: Network) -> str:
    """Return the network's layers with their weight shapes: "Linear 3x2, ReLU"."""
    parts = []
    for name, module in network.module.named_modules():
        if next(module.children(), None) is not None:
            continue
        weight = network.parameters.get(f"{name}.weight")
        size = "" if weight is None else " " + "x".join(map(str, weight.shape))
        parts.append(type(module).__name__ + size)
    return ", ".join(parts)


def _validate(model: nn.Module) -> None:
    tensors = [*model.named_parameters(), *model.named_buffers()]
    if not any(True for _ in model.parameters()):
        raise ValueError("the model has no parameters: there is nothing to score")
    for name, module in model.named_modules():
        own = dict(module.named_parameters(recurse=False))
        if isinstance(module, PRUNABLE) and "weight" not in own:
            raise ValueError(
                f"layer {name!r} computes its weight from other tensors (weight norm, "
                "torch.nn.utils.prune); make it permanent with remove_parametrizations "
                "or prune.remove"
            )
    devices = {str(tensor.device) for _, tensor in tensors}
    if len(devices) > 1 or "meta" in devices:
        raise ValueError(
            f"expected all parameters on one real device, got {sorted(devices)}; "
            "move the model with model.to(device) (meta tensors hold no numbers)"
        )
    for name, tensor in tensors:
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise ValueError(
                f"{name} has NaN or infinite entries; "
                "check the training run or the initialisation that made it"
            )


def _without_hooks(part: nn.Module) -> None:
    """Forget all hooks: the caller's see the caller's calls only."""
    for hooks in (
        part._forward_hooks,
        part._forward_pre_hooks,
        part._backward_hooks,
        part._backward_pre_hooks,
    ):
        hooks.clear()


def _replace(root: nn.Module, name: str, layer: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    setattr(root.get_submodule(parent), child, layer)

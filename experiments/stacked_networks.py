"""K networks of the same linear layers and ReLUs in one buffer, and their gradients.

The weights lie layer by layer, in each layer network by network: a layer of all K is a
K x outputs x inputs view, one batched matrix product goes forward through it and two go
back, and an optimiser sees a single flat tensor. No network reads a number of another.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

Named = Mapping[str, Tensor]


@dataclass(frozen=True)
class Stack:
    """K networks, and the gradient of the sum of their losses.

    That sum's gradient with respect to the weights of one is that of its own loss.
    """

    shapes: dict[str, torch.Size]
    """Of one network: weight (outputs x inputs), bias (outputs), weight, ..."""
    flat: Tensor
    """All weights."""
    gradient: Tensor
    """Of `flat`, zero where a weight is pruned."""
    kept: Tensor
    """1 where it is kept, 0 where it is pruned."""
    weights: tuple[Tensor, ...]
    """Views of `flat`: K x outputs x inputs, K x 1 x outputs, alternately."""
    slopes: tuple[Tensor, ...]
    """The same views of `gradient`."""

    @classmethod
    def of(cls, networks: Sequence[Named], masks: Sequence[Named]) -> "Stack":
        """Return copies of K networks, zero where the masks are.

        Args:
            networks: weights of linear layers in order: weight, bias, weight, ...
            masks: of each network, by name; a weight without a mask is kept whole.
        """
        flat = _stacked(networks)
        whole = {name: torch.ones_like(p) for name, p in networks[0].items()}
        ones = [{name: (m != 0).to(flat) for name, m in own.items()} for own in masks]
        kept = _stacked([whole | own for own in ones])
        flat[kept == 0] = 0
        gradient = torch.zeros_like(flat)
        shapes = {name: p.shape for name, p in networks[0].items()}
        return cls(
            shapes,
            flat,
            gradient,
            kept,
            _views(flat, len(networks), list(shapes.values())),
            _views(gradient, len(networks), list(shapes.values())),
        )

    @torch.no_grad()
    def slope(self, images: Tensor, labels: Tensor) -> None:
        """Set the gradient of the mean cross-entropy of each network on its own batch.

        With z the logits of one image, d loss / d z = softmax(z) - onehot(label).

        Args:
            images: K batches below one another, K * batch x inputs.
            labels: their classes.
        """
        count = len(self.weights[0])
        inputs = [images.view(count, -1, images.shape[1])]
        layers = list(zip(self.weights[::2], self.weights[1::2], strict=True))
        for number, (weight, bias) in enumerate(layers, 1):
            z = torch.baddbmm(bias, inputs[-1], weight.mT)
            if number < len(layers):
                inputs.append(z.relu_())
        target = labels.view(count, -1, 1)
        slope = torch.softmax(z, 2)
        slope.scatter_add_(2, target, torch.full_like(target, -1, dtype=z.dtype))
        slope /= target.shape[1]
        for layer in reversed(range(len(layers))):
            torch.bmm(slope.mT, inputs[layer], out=self.slopes[2 * layer])
            torch.sum(slope, 1, keepdim=True, out=self.slopes[2 * layer + 1])
            if layer:
                slope = torch.bmm(slope, layers[layer][0])
                slope *= inputs[layer] > 0
        self.gradient.mul_(self.kept)

    def broken(self) -> list[int]:
        """Return which networks, from 0, have NaN or infinite weights."""
        finite = [w.isfinite().flatten(1).all(1) for w in self.weights]
        found: list[int] = (~torch.stack(finite).all(0)).nonzero().flatten().tolist()
        return found

    def split(self) -> list[dict[str, Tensor]]:
        """Return the weights of each network, in memory of their own."""
        return [
            {
                name: weight[number].reshape(shape).clone()
                for (name, shape), weight in zip(
                    self.shapes.items(), self.weights, strict=True
                )
            }
            for number in range(len(self.weights[0]))
        ]


def _stacked(networks: Sequence[Named]) -> Tensor:
    parts = [net[name].detach().flatten() for name in networks[0] for net in networks]
    return torch.cat(parts)


def _views(
    flat: Tensor, count: int, shapes: Sequence[torch.Size]
) -> tuple[Tensor, ...]:
    parts = torch.split(flat, [count * prod(shape) for shape in shapes])
    return tuple(
        part.view(count, -1, shape[-1])
        for part, shape in zip(parts, shapes, strict=True)
    )

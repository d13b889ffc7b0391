"""Vectors of named parameters: some tensors, or masked parts of them, laid end to end.

The order is that of the names (by default that of the network's parameters), each
tensor flattened row by row. A coordinate that a mask leaves out is absent: it takes no
place in the vector, reads as 0 in the tensors and is not written back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from theory.masks import Masks
from theory.networks import Parameters


@dataclass(frozen=True)
class Coordinates:
    """Which entries of which tensors a vector holds, and in which order."""

    shapes: dict[str, torch.Size]
    """Of every tensor that takes part, in the order of the vector."""
    kept: Bool[Tensor, " entries"]
    """Of all their entries in a row, those that the vector holds."""

    @classmethod
    def of(
        cls,
        parameters: Parameters,
        names: Sequence[str] | None = None,
        masks: Masks | None = None,
    ) -> "Coordinates":
        """Return the coordinates of named parameters, all by default.

        Raises:
            ValueError: an unknown name, one that comes twice, a mask of another shape
                or of a parameter that takes no part, or nothing left.
        """
        names, masks = list(parameters) if names is None else list(names), masks or {}
        unknown = [name for name in names if name not in parameters]
        if unknown or len(set(names)) < len(names):
            raise ValueError(
                f"expected different names among {list(parameters)}, got {names}"
            )
        shapes = {name: parameters[name].shape for name in names}
        for name, mask in masks.items():
            if name not in shapes or mask.shape != shapes[name]:
                raise ValueError(
                    f"expected masks of {shapes}, got {tuple(mask.shape)} for {name}; "
                    "name the parameter, or leave its mask out"
                )
        device = next(iter(parameters.values())).device
        parts = [
            masks[name].reshape(-1).to(device)
            if name in masks
            else torch.ones(shape.numel(), dtype=torch.bool, device=device)
            for name, shape in shapes.items()
        ]
        kept = torch.cat(parts) if parts else torch.zeros(0, dtype=torch.bool)
        if not bool(kept.any()):
            raise ValueError("expected at least one coordinate, got none")
        return cls(shapes, kept)

    @property
    def size(self) -> int:
        """Number of coordinates of a vector."""
        return len(self.positions)

    @cached_property
    def positions(self) -> Tensor:
        """Where the vector's coordinates lie among all entries."""
        return self.kept.nonzero().flatten()

    @property
    def whole(self) -> bool:
        """Whether no entry is left out."""
        return self.size == len(self.kept)

    def pack(self, tensors: Mapping[str, Tensor]) -> Float[Tensor, " size"]:
        """Return the vector of the tensors, in their precision."""
        return self.select(torch.cat([tensors[n].reshape(-1) for n in self.shapes]))

    def row(self, tensors: Mapping[str, Tensor]) -> Float[Tensor, " entries"]:
        """Return all entries in a row; those of a tensor that is not given are 0."""
        some = next(iter(tensors.values()))
        parts = [
            tensors[name].reshape(-1)
            if name in tensors
            else some.new_zeros(shape.numel())
            for name, shape in self.shapes.items()
        ]
        return torch.cat(parts)

    def unpack(self, vector: Float[Tensor, " size"]) -> Parameters:
        """Return the tensors of a vector, with zeros where nothing is kept."""
        if self.whole:
            return self.views(vector)
        entries = vector.new_zeros(len(self.kept))
        entries[self.positions] = vector
        return self.views(entries)

    def views(self, entries: Float[Tensor, " entries"]) -> Parameters:
        """Return the tensors that lie in all entries in a row, without a copy."""
        parts = torch.split(entries, [shape.numel() for shape in self.shapes.values()])
        return {
            name: part.view(shape)
            for (name, shape), part in zip(self.shapes.items(), parts, strict=True)
        }

    def select(self, entries: Float[Tensor, " entries"]) -> Float[Tensor, " size"]:
        """Return the vector's coordinates of all entries in a row."""
        return entries if self.whole else entries[self.positions]

    def restricted(self, live: Bool[Tensor, " size"]) -> "Coordinates":
        """Return the coordinates that are True in a mask over this vector.

        Raises:
            ValueError: a mask of another length, or one that is False everywhere.
        """
        if live.shape != (self.size,) or not bool(live.any()):
            raise ValueError(
                f"expected a mask of {self.size} coordinates that keeps some, got "
                f"shape {tuple(live.shape)} with {int(live.sum())} kept"
            )
        kept = torch.zeros_like(self.kept)
        kept[self.positions[live.to(kept.device)]] = True
        return Coordinates(self.shapes, kept)

"""A network with its images in folders and its training."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from experiments.image_trees import Tree
from experiments.imagenet_networks import Network, network
from experiments.imagenet_recipes import EpochRecipe


@dataclass(frozen=True)
class Task:
    """A network, its images and its training."""

    network: Network
    recipe: EpochRecipe
    train: Tree
    test: Tree
    device: torch.device
    workers: int = 0
    """Processes that decode images; what they decode does not depend on them."""

    @property
    def epoch_steps(self) -> int:
        """Steps an epoch: the rest of the images go to the next one, as on TPUs."""
        steps = len(self.train) // self.recipe.batch_size
        if not steps:
            raise ValueError(
                f"an epoch of {len(self.train)} images has no batch of "
                f"{self.recipe.batch_size}: use a smaller batch or more images"
            )
        return steps

    def model(self, seed: int | None = None) -> nn.Module:
        """Return the network with the weights that a seed draws; None: shapes only."""
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        return network(self.network, len(self.train.classes), generator=generator)

    def loaded(self, weights: dict[str, Tensor]) -> nn.Module:
        """Return the network with a copy of given weights, on the device."""
        model = self.model().to_empty(device=self.device)
        model.load_state_dict(weights)
        return model

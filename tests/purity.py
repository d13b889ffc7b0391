"""What a call must leave alone: the caller's model and the global random states.

Python's own is left out here, since beartype samples the items of lists with it; a test
in another process, without beartype, looks at that one.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks")


def _bytes(tensor: Tensor | None) -> bytes | None:
    return None if tensor is None else tensor.detach().cpu().numpy().tobytes()


def snapshot(model: nn.Module) -> dict[str, object]:
    """Return all that could be changed, in a form that can be compared."""
    state: dict[str, object] = {
        "numpy": str(np.random.get_state()),
        "torch": torch.get_rng_state().numpy().tobytes(),
        "grad mode": torch.is_grad_enabled(),
    }
    for name, parameter in model.named_parameters(remove_duplicate=False):
        state[f"{name} value"] = _bytes(parameter)
        state[f"{name} grad"] = _bytes(parameter.grad)
        state[f"{name} id"] = id(parameter), parameter.data_ptr()
        state[f"{name} flags"] = parameter.requires_grad, parameter.dtype
    for name, buffer in model.named_buffers():
        state[f"{name} buffer"] = _bytes(buffer)
    for name, module in model.named_modules():
        state[f"{name} module"] = id(module), type(module), module.training
        state[f"{name} keys"] = sorted(vars(module))
        state[f"{name} hooks"] = [len(getattr(module, hook)) for hook in HOOKS]
    return state


@contextmanager
def unchanged(model: nn.Module) -> Iterator[None]:
    """Assert that the block changes nothing of the model nor of a random state."""
    before = snapshot(model)
    yield
    after = snapshot(model)
    changed = [key for key in before | after if before.get(key) != after.get(key)]
    assert not changed, f"changed: {changed}"

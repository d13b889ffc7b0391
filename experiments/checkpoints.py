"""Where a training run stands, in one file that only the same run takes up again."""

import hashlib
import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from experiments.store import write_atomic

Identity = dict[str, str]
"""A digest of each thing that the run depends on, by its name."""


def identity(**parts: str | Mapping[str, Tensor]) -> Identity:
    """Return SHA-256 of each part: of a text, or of tensors with names and types.

    The version of torch is one more part: another one may round differently.
    """
    digests = {"torch": str(torch.__version__)}
    for part, content in parts.items():
        total = hashlib.sha256()
        if isinstance(content, str):
            total.update(content.encode())
        else:
            for name, tensor in content.items():
                total.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
                entries = tensor.detach().cpu().contiguous().flatten()
                total.update(entries.view(torch.uint8).numpy().data)
        digests[part] = total.hexdigest()
    return digests


def save(path: Path, identity: Identity, state: Mapping[str, Any]) -> None:
    """Write the state of a run, whole or not at all.

    Raises:
        OSError: the file could not be written; the old one, if any, is intact.
    """
    content = io.BytesIO()
    torch.save({"identity": identity, "state": dict(state)}, content)
    write_atomic(path, content.getvalue())


def load(path: Path, identity: Identity) -> dict[str, Any] | None:
    """Return the state that was saved last, its tensors on the CPU; None without file.

    Raises:
        ValueError: if the file is no checkpoint or that of another run.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        theirs, state = content["identity"], content["state"]
    except FileNotFoundError:
        return None
    except (
        pickle.UnpicklingError,
        RuntimeError,
        EOFError,
        LookupError,
        TypeError,
    ) as e:
        raise ValueError(
            f"{path} is no checkpoint of a training run ({type(e).__name__}); delete "
            "it to train from the start or name another path"
        ) from e
    names = sorted({**identity, **theirs})
    changed = [name for name in names if identity.get(name) != theirs.get(name)]
    if changed:
        raise ValueError(
            f"{path} is the checkpoint of another training run: not the same "
            f"{', '.join(changed)}; delete it to train from the start or name another "
            "path"
        )
    return dict(state)

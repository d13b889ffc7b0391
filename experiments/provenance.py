"""Where and with what a record was made; nothing that names a person or a machine."""

import functools
import hashlib
import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

CHECKOUT = Path(__file__).resolve().parent.parent
PACKAGES = ("torch", "torchvision", "numpy", "scipy", "scikit-learn")
# Tables and records are output; a new table must not make the next record "dirty".
CODE = ("theory", "experiments", ":!experiments/results", "requirements.lock")


def collect(seconds: float) -> dict[str, Any]:
    """Return the provenance of a run that took `seconds` of wall time and just ended.

    No user, host or clock time is in it. The device is "cpu" unless this process has
    used CUDA: asking for the name of an idle GPU would start CUDA on it.
    """
    cuda = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    return {
        **git_state(CHECKOUT),
        "lock": lock_digest(CHECKOUT / "requirements.lock"),
        "python": platform.python_version(),
        **{package: version(package) for package in PACKAGES},
        "torch": str(torch.__version__),  # names the build, which metadata need not
        "device": torch.cuda.get_device_name() if cuda else "cpu",
        "cuda": torch.version.cuda if cuda else None,
        "machine": platform.machine(),
        "threads": torch.get_num_threads(),
        "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
        "cudnn_deterministic": torch.backends.cudnn.deterministic,
        "cudnn_benchmark": torch.backends.cudnn.benchmark,
        "cublas_workspace": os.environ.get("CUBLAS_WORKSPACE_CONFIG"),
        "wall_seconds": round(seconds, 3),
    }


# Cached: what counts is the commit at which this process loaded the code, not a commit
# made while it was computing.
@functools.cache
def git_state(checkout: Path) -> dict[str, str | bool | None]:
    """Return commit and whether the code differs from it; None for both without git."""
    try:
        top, commit = _git(
            checkout, "rev-parse", "--show-toplevel", "HEAD"
        ).splitlines()
        if Path(top).resolve() != checkout.resolve():
            # An unpacked archive inside somebody else's repository.
            return {"commit": None, "dirty": None}
        changes = _git(checkout, "status", "--porcelain", "--", *CODE)
    except (OSError, subprocess.CalledProcessError):
        return {"commit": None, "dirty": None}
    return {"commit": commit, "dirty": bool(changes)}


def lock_digest(path: Path) -> str | None:
    """Return 16 hex digits of SHA-256 of the lock file, None when there is none."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    except FileNotFoundError:
        return None


def _git(checkout: Path, *arguments: str) -> str:
    command = ["git", "-C", str(checkout), *arguments]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout

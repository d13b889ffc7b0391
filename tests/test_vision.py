"""torchvision can be imported beside any build of torch."""

import os
import subprocess
import sys
from pathlib import Path

import torch

from experiments.vision import torchvision


def test_torchvision_is_usable_and_other_import_errors_come_through(
    tmp_path: Path,
) -> None:
    assert torchvision.models.resnet18 and torch.ops.torchvision.nms
    package = tmp_path / "torchvision"
    package.mkdir()
    # fails at the first import only, so that trying again would hide it
    (package / "__init__.py").write_text(
        "import sys\nif not hasattr(sys, 'tried'):\n"
        "    sys.tried = True\n    raise RuntimeError('something else')\n"
    )
    paths = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[1])])
    broken = subprocess.run(
        [sys.executable, "-c", "import experiments.vision"],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert broken.returncode == 1
    assert "RuntimeError: something else" in broken.stderr

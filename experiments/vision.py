"""torchvision, importable also beside a CPU build of torch.

PyPI's torchvision is built against the CUDA build of torch. Beside a CPU build its
compiled operators cannot be loaded, which torchvision itself tolerates; but it then
registers fake kernels for two operators that were never declared, and torch refuses:
``RuntimeError: operator torchvision::nms does not exist``. Declaring the two schemas is
all that is missing: data sets, models and transforms use neither operator.

Import it as ``from experiments.vision import torchvision``, never directly.
"""

from typing import Any

import torch

try:
    import torchvision
except RuntimeError as error:
    if "torchvision::nms does not exist" not in str(error):
        raise
    # The declarations live as long as this object, so it is a module attribute. Where
    # the compiled operators do load, declaring them again would be an error: hence
    # only here, after the import has failed.
    library: Any = torch.library.Library  # its methods have no annotations
    DECLARATIONS = library("torchvision", "DEF")
    for operator in ("nms", "qnms"):
        schema = (
            f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        )
        DECLARATIONS.define(schema)
    import torchvision

__all__ = ["torchvision"]

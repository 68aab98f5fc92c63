"""Adam on one tensor, its steps written out: what networks of several studies are trained by."""

from __future__ import annotations

import torch


class Adam:
    """Adam (Kingma and Ba 2015) with PyTorch's default constants, on ``values``, which it changes in place.

    With a weight decay it is AdamW (Loshchilov and Hutter 2019).
    """

    def __init__(self, values: torch.Tensor) -> None:
        self._values = values
        self._mean, self._square = torch.zeros_like(values), torch.zeros_like(values)
        self._steps = 0

    def step(self, gradient: torch.Tensor, rate: float, decay: float = 0.0) -> None:
        """One step down the ``gradient``, of the values' shape."""
        self._steps += 1
        if decay:
            self._values.mul_(1 - rate * decay)
        self._mean.lerp_(gradient, 0.1)
        self._square.mul_(0.999).addcmul_(gradient, gradient, value=0.001)
        root = self._square.sqrt().div_((1 - 0.999**self._steps) ** 0.5).add_(1e-8)
        self._values.addcdiv_(self._mean, root, value=-rate / (1 - 0.9**self._steps))

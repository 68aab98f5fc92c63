"""What the authors' script compares, next to what the paper describes.

``verify_deep_NFA.py`` (github.com/aradha/deep_neural_feature_ansatz) differs from the definitions in two places:

1. It subtracts the start from a layer's weights through NumPy, in memory that the network shares. So the layer
   *becomes* W - W0 before gradients are taken: they are those of another network, the *altered* one.
2. Where it collects a layer's inputs, it counts one layer too far from the third layer on: these gradients are taken at
   the *outputs* of the altered layer (which happen to be as many as its inputs).
"""

from __future__ import annotations

import torch

from bench.study.feature_matrices import Gradients, layer_gradients
from bench.study.networks import ReluNetwork


def altered_gradients(network: ReluNetwork, layer: int, W: torch.Tensor, inputs: torch.Tensor) -> Gradients:
    """Gradients at the pre-activations of ``layer`` (0, 1, ...) where its weights are ``W`` instead.

    ``inputs`` (n, k) are those of the layer, which layers below it have made.
    """
    return layer_gradients(ReluNetwork([W, *network.layers[layer + 1 :]]), inputs, count=1)[0]


def published_inputs(layer: int, change: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
    """Where the script takes the gradients of ``layer`` (0, 1, ...): at its ``inputs`` (n, k), or one layer too far.

    ``change`` (h, k) is W - W0, which has become the layer's weights.
    """
    return inputs if layer < 2 else (inputs @ change.T).clamp_min_(0.0)

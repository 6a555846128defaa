"""Formula models: all speak six words, so that one decoder, one trainer and one set of pictures serve them.

`images` (B, 1, H, W) are ink 1 on paper 0. `token_ids` (B, T) begin with BOS.

- `encode(images) -> memory (B, S, D)`
- `decode(token_ids, memory) -> logits (B, T, V)` of the token after each of `token_ids`: teacher forcing.
- `start(memory) -> state`, a list of tensors, batch first. Where a model has a number `fixed`, so many of them, the
  first ones, belong to the picture and never change: hypotheses of one picture then share them.
- `step(token_ids (B,), state) -> logits (B, V), state`; equals `decode`, token by token; uses up the state given.
- `attend(images, token_ids) -> weights (B, T, h, w)`: where the model looks for the token after each of `token_ids`,
  teacher forced: a map a token over its own grid of the images; each map is not negative and sums to 1, in float32.
  Row 0 of the grid is the top of the images, column 0 their left, and its cells cover the images evenly. A model with
  several layers or heads gives their mean. It costs one pass; `encode`, `decode` and `step` keep no attention.
- `features(images) -> maps (B, C, h, w)`: what the convolutions make of the images, before anything recurrent and
  before positions; for people to look at.

Two more words are spoken by models whose tokens may be guessed ahead (`Decoder.verify`, im2latex/decoding/draft.py):

- `extend(token_ids (B, k), state) -> logits (B, k, V), state`: `step`, k times at once.
- `rewind(state, count) -> state`: without the newest tokens.

All of them can be scripted. One more is spoken in training only, by models with a loss of their own:
`decode_and_penalise(token_ids, memory) -> logits, loss` (protocol.py).
"""

from im2latex.models.choice import KINDS, check_sizes, describe_model, find_kind, read_model
from im2latex.models.cnn_gru import CnnGru, CnnGruConfig
from im2latex.models.cnn_lstm import CnnLstm, CnnLstmConfig
from im2latex.models.i2l import I2L, I2LNoPoolConfig, I2LStripsConfig
from im2latex.models.protocol import Adapts, ModelConfig, Penalises
from im2latex.models.resnet_transformer import ResNetTransformer, ResNetTransformerConfig

__all__ = [
    "I2L",
    "KINDS",
    "Adapts",
    "CnnGru",
    "CnnGruConfig",
    "CnnLstm",
    "CnnLstmConfig",
    "I2LNoPoolConfig",
    "I2LStripsConfig",
    "ModelConfig",
    "Penalises",
    "ResNetTransformer",
    "ResNetTransformerConfig",
    "check_sizes",
    "describe_model",
    "find_kind",
    "read_model",
]

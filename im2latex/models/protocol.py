"""What the configuration of every formula model promises, and the words that a model may leave out."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class ModelConfig(ABC):
    """Sizes of a formula model; each model has its own kind, which knows how to build it."""

    name: ClassVar[str]
    """What it is called in flags, checkpoints, bundles and tables."""
    max_tokens: int = 256
    """Longer formulas are not read."""

    @abstractmethod
    def build(self, vocab_size: int) -> nn.Module:
        """The model, with fresh weights; ConfigError if the sizes contradict each other."""


@runtime_checkable
class Penalises(Protocol):
    """A formula model that is trained with a loss of its own beside cross-entropy: a word that most do without."""

    def decode_and_penalise(self, token_ids: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """What `decode` gives, and a loss () to add, in nats a token; neither PAD nor what follows EOS counts in it."""
        ...


@runtime_checkable
class Adapts(Protocol):
    """A formula model that may begin with the weights of one of other sizes."""

    def adapt(self, name: str, weight: Tensor) -> Tensor:
        """The other model's weight of this name in this one's size; as it is where nothing is known to be done."""
        ...

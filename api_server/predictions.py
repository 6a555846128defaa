"""What the server needs of a predictor, and a prediction put into the words of the API."""

from collections.abc import Generator, Sequence
from typing import Protocol

from torch import Tensor

from api_server.problems import Problem
from api_server.schemas import Alternative, Attention, Options, Reading, Token
from im2latex.explanation import Attention as Looked
from im2latex.explanation import Map
from im2latex.images import ImageSpec, Prepared
from im2latex.latex.mathml import to_format
from im2latex.second_look import Scales


class OtherReading(Protocol):
    """Another reading that the beam found."""

    @property
    def latex(self) -> str: ...
    @property
    def confidence(self) -> float: ...


class TokenRead(Protocol):
    """One token of a formula that is still being read."""

    @property
    def token(self) -> str: ...
    @property
    def confidence(self) -> float: ...


class FormulaRead(Protocol):
    """What the server needs of a prediction."""

    @property
    def latex(self) -> str: ...
    @property
    def tokens(self) -> str: ...
    @property
    def confidence(self) -> float: ...
    @property
    def token_confidences(self) -> list[float]: ...
    @property
    def likeness(self) -> float | None: ...
    @property
    def alternatives(self) -> Sequence[OtherReading]: ...


class HasSpec(Protocol):
    """What the server needs of a bundle."""

    @property
    def spec(self) -> ImageSpec: ...


class ReadsFormulas(Protocol):
    """What the server needs of a predictor; im2latex.Predictor is one, tests hand in another."""

    @property
    def name(self) -> str: ...
    @property
    def bundle(self) -> HasSpec: ...
    def warm_up(self) -> None: ...
    def predict_scales(
        self, pictures: Sequence[Scales], beam: int = 1, alternatives: int = 0
    ) -> Sequence[tuple[Prepared, FormulaRead]]: ...
    @property
    def can_explain(self) -> bool: ...
    def attend(self, images: Sequence[Tensor], formulas: Sequence[str]) -> Sequence[Map]: ...
    def stream_scales(self, scales: Scales) -> Generator[TokenRead, None, tuple[Prepared, FormulaRead]]: ...


def check_attention(predictor: ReadsFormulas, options: Options) -> None:
    """Raise a Problem when attention is wanted of a model that cannot tell it."""
    if options.attention and not predictor.can_explain:
        detail = "The model of this server cannot tell where it looked: leave out attention."
        raise Problem(422, "no_attention", detail)


def to_attention(maps: Map, prepared: Prepared) -> Attention:
    """A box for each token, in pixels of the picture."""
    placement = prepared.placement
    boxes = [[round(edge, 1) for edge in box] for box in Looked(maps, prepared.image, placement).boxes()]
    return Attention(width=placement.width, height=placement.height, boxes=boxes)


def to_reading(
    found: FormulaRead, options: Options, model: str, seconds: float, attention: Attention | None = None
) -> Reading:
    """The answer to one picture."""
    confidences = zip(found.tokens.split(), found.token_confidences, strict=True)
    return Reading(
        pred=found.latex,
        confidence=found.confidence,
        tokens=[Token(token=token, confidence=confidence) for token, confidence in confidences],
        alternatives=[Alternative(pred=other.latex, confidence=other.confidence) for other in found.alternatives],
        formats={kind: to_format(found.latex, kind) for kind in options.formats},
        likeness=found.likeness,
        attention=attention,
        model=model,
        seconds=seconds,
    )

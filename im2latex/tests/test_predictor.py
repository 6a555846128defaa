"""The predictor reads any picture, in order, and says honestly how sure it is."""

import io
import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from PIL import Image, ImageDraw
from torch import nn

from im2latex.bundle import Bundle, save_bundle
from im2latex.calibration import Calibration
from im2latex.decoding import Decoder
from im2latex.errors import BundleError, ImageError
from im2latex.images import ImageSpec, prepare
from im2latex.latex.grammar import Grammar
from im2latex.models import ResNetTransformerConfig
from im2latex.predictor import Prediction, Predictor
from im2latex.tests.tiny_decoder import TOKENIZER, TinyDecoder
from im2latex.tokenizer import EOS, PAD, UNK, Tokenizer

SPEC = ImageSpec()


class Answers(nn.Module):
    """Answers every picture with the same ids and probabilities, and remembers the shapes it was given."""

    def __init__(self, token_ids: list[int], probabilities: list[float]) -> None:
        super().__init__()
        self.token_ids, self.probabilities = token_ids, probabilities
        self.shapes: list[torch.Size] = []

    def forward(self, images: torch.Tensor, beam: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
        self.shapes.append(images.shape)
        count = len(images)
        return torch.tensor([self.token_ids] * count), torch.tensor([self.probabilities] * count).log()


def predictor_with(decoder: nn.Module) -> Predictor:
    return Predictor(Bundle(decoder, TOKENIZER, SPEC, {"name": "tiny"}))


def picture(width: int = 60, filled: bool = False) -> Image.Image:
    image = Image.new("L", (width + 20, 50), 255)
    draw = ImageDraw.Draw(image)
    draw.rectangle((10, 10, 10 + width, 40), outline=0)
    for row in range(10, 40, 3 if filled else 30):
        draw.line((10, row, 10 + width, row), fill=0)
    return image


@pytest.fixture
def path(tmp_path):
    save_bundle(tmp_path / "model.pt", TinyDecoder(0.15), TOKENIZER, SPEC, {"name": "tiny"})
    return tmp_path / "model.pt"


def test_a_picture_becomes_latex_with_its_tokens_and_confidences(path):
    found = Predictor.load(path).predict(picture())
    assert found.latex == "x^{2}"
    assert found.tokens == "x ^ { 2 }"
    assert found.confidence == pytest.approx(math.exp(-0.1) ** 6)
    assert found.token_confidences == pytest.approx([math.exp(-0.1)] * 5)


@pytest.mark.parametrize("kind", ["image", "bytes", "path", "text"])
def test_an_image_is_a_pil_image_bytes_or_a_path(path, tmp_path, kind):
    picture().save(tmp_path / "formula.png")
    stream = io.BytesIO()
    picture().save(stream, "PNG")
    file = tmp_path / "formula.png"
    source = {"image": picture(), "bytes": stream.getvalue(), "path": file, "text": str(file)}[kind]
    assert Predictor.load(path).predict(source).tokens == "x ^ { 2 }"


@pytest.mark.parametrize(
    ("token_ids", "probabilities", "expected"),
    [
        ([4, EOS], [0.5, 0.5], Prediction("x", "x", 0.25, [0.5])),
        ([4, 5, EOS, PAD], [0.9, 0.1, 0.3, 1.0], Prediction("x^", "x ^", 0.027, [0.9, 0.1])),
        ([4, UNK, EOS], [0.9, 0.1, 0.3], Prediction("x", "x", 0.027, [0.9])),
        ([4, 4, 4], [0.5, 0.5, 0.5], Prediction("xxx", "x x x", 0.125, [0.5] * 3)),
        ([EOS, PAD], [0.7, 1.0], Prediction("", "", 0.7, [])),
    ],
)
def test_confidence_is_the_probability_of_the_tokens_and_the_end_together(token_ids, probabilities, expected):
    found = predictor_with(Answers(token_ids, probabilities)).predict(picture())
    assert (found.latex, found.tokens) == (expected.latex, expected.tokens)
    assert found.confidence == pytest.approx(expected.confidence)
    assert found.token_confidences == pytest.approx(expected.token_confidences)
    written = len(token_ids) - token_ids.count(PAD)
    assert found.mean_log_prob == pytest.approx(math.log(expected.confidence) / written)


def test_an_array_of_one_cell_is_told_as_its_cell_and_keeps_its_tokens():
    array = ["\\begin{array}", "{", "c", "}", "{", "x", "}", "\\\\", "\\end{array}"]
    tokenizer = Tokenizer([*Tokenizer.SPECIALS, *dict.fromkeys(array)])
    decoder = Answers([*tokenizer.encode(array), EOS], [0.9] * 10)
    found = Predictor(Bundle(decoder, tokenizer, SPEC, {})).predict(picture())
    assert (found.latex, found.tokens) == ("x", " ".join(array))
    assert len(found.token_confidences) == len(array)


def test_predictions_come_in_the_order_of_the_pictures(path):
    filled = [False, True, True, False, True]
    images = [picture(40 + 30 * place, is_filled) for place, is_filled in enumerate(filled)]
    tokens = [found.tokens for found in Predictor.load(path).predict_batch(images)]
    assert tokens == [r"\ln" if is_filled else "x ^ { 2 }" for is_filled in filled]


def test_an_older_bundle_is_given_pictures_of_one_size_at_a_time():
    answers = Answers([EOS], [0.99])
    predictor_with(answers).predict_batch([picture(40), picture(100), picture(40), picture(41)])
    assert sorted(shape[0] for shape in answers.shapes) in ([1, 3], [1, 1, 2])  # on one core, on two


def test_a_batch_reads_what_single_pictures_read():
    torch.manual_seed(0)
    sizes = ResNetTransformerConfig((1, 1, 1), d_model=32, heads=4, decoder_layers=1, feedforward=32, max_tokens=9)
    reader = predictor_with(Decoder(sizes.build(len(TOKENIZER)), 9, Grammar.free(len(TOKENIZER))).eval())
    images = [picture(width, filled) for width in (40, 90, 300, 41) for filled in (False, True)]
    for options in ({}, {"beam": 3}, {"alternatives": 1}):
        together = reader.predict_batch(images, **options)
        alone = [reader.predict(image, **options) for image in images]
        assert [found.tokens for found in together] == [found.tokens for found in alone]
        assert [one.confidence for one in together] == pytest.approx([one.confidence for one in alone], rel=1e-4)


def test_the_beam_reaches_the_decoder(path):
    assert Predictor.load(path).predict(picture(), beam=5).confidence == pytest.approx(math.exp(-0.5) ** 6)


@pytest.fixture
def reader() -> Predictor:
    torch.manual_seed(0)
    sizes = ResNetTransformerConfig((1, 1, 1), d_model=32, heads=4, decoder_layers=1, feedforward=32, max_tokens=9)
    grammar = Grammar.of(TOKENIZER.vocab, EOS, PAD)
    return predictor_with(Decoder(sizes.build(len(TOKENIZER)), 9, grammar).eval())


def test_alternatives_are_other_formulas_as_many_as_asked_for(reader):
    found = reader.predict(picture(), alternatives=3)
    assert len({found.tokens, *(other.tokens for other in found.alternatives)}) == 4
    assert found.alternatives[0].latex
    assert all(0 <= other.confidence <= 1 for other in found.alternatives)


def test_alternatives_leave_the_reading_of_the_beam_as_it_is(reader):
    alone, found = reader.predict(picture(), beam=4), reader.predict(picture(), beam=4, alternatives=2)
    assert found.tokens == alone.tokens
    assert found.confidence == pytest.approx(alone.confidence)
    assert (len(found.alternatives), alone.alternatives) == (2, [])


def test_a_stream_yields_the_tokens_of_the_first_reading_one_by_one(reader):
    (found,), streamed = reader.predict_prepared([prepare(picture(), SPEC)]), list(reader.stream(picture()))
    assert [read.token for read in streamed] == found.tokens.split()
    assert [read.confidence for read in streamed] == pytest.approx(found.token_confidences, rel=1e-4)


def test_a_stream_does_not_read_further_than_it_is_asked(reader):
    steps = []
    advance = reader.bundle.decoder.advance
    reader.bundle.decoder.advance = lambda written, reading: steps.append(1) or advance(written, reading)
    next(reader.stream(picture()))
    assert len(steps) == 1


def test_confidences_of_a_calibrated_bundle_are_calibrated():
    answers = Answers([4, EOS], [0.5, 0.5])
    calibration = Calibration((2.0, 0.0), (0.0, 1.0, 0.0, 0.0, 0.0))  # logits: 2, and the logarithm of 1 + 2
    found = Predictor(Bundle(answers, TOKENIZER, SPEC, {}, calibration)).predict(picture())
    assert found.token_confidences == pytest.approx([1 / (1 + math.exp(-2))])
    assert found.confidence == pytest.approx(0.75)


def test_no_pictures_give_no_predictions(path):
    assert Predictor.load(path).predict_batch([]) == []


def test_a_bad_picture_in_a_batch_is_named_by_its_place(path):
    with pytest.raises(ImageError, match="picture 2 of 2: not a picture"):
        Predictor.load(path).predict_batch([picture(), b"nothing"])


def test_a_missing_bundle_is_refused(tmp_path):
    with pytest.raises(BundleError):
        Predictor.load(tmp_path / "none.pt")


def test_the_name_is_the_one_in_the_facts(path):
    assert Predictor.load(path).name == "tiny"


def test_warming_up_reads_a_picture():
    answers = Answers([EOS], [0.99])
    predictor_with(answers).warm_up()
    assert len(answers.shapes) == 1


def test_threads_may_share_a_predictor(path):
    reader = Predictor.load(path)
    images = [picture(40 + place, place % 2 == 0) for place in range(40)]
    with ThreadPoolExecutor(4) as threads:
        found = [prediction.tokens for prediction in threads.map(reader.predict, images)]
    assert found == [prediction.tokens for prediction in reader.predict_batch(images)]


def test_reading_a_picture_loads_nothing_of_training(path, tmp_path):
    picture().save(tmp_path / "formula.png")
    code = (
        "import sys, im2latex\n"
        f"im2latex.Predictor.load({str(path)!r}).predict({str(tmp_path / 'formula.png')!r})\n"
        "print(*sys.modules)"
    )
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    roots = {module.split(".")[0] for module in modules}
    assert not roots & {"pytorch_lightning", "lightning", "torchvision", "wandb", "pyarrow", "nltk", "training"}
    rooms = ("im2latex.data", "im2latex.lit_model", "im2latex.models")
    assert not [module for module in modules if module.startswith(rooms)]

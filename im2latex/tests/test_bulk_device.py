"""Promises of bulk workers with a GPU: the model is there, and reads what it reads on the processor."""

import pytest
import torch
from torch import nn

from im2latex.bulk.device import OnDevice, move
from im2latex.bundle import Bundle
from im2latex.images import ImageSpec, open_image, prepare
from im2latex.predictor import Predictor
from im2latex.tests.bulk_runs import draw_pictures, make_bundle
from im2latex.tests.test_repetition import RIGHT, Circles
from im2latex.tests.tiny_decoder import TOKENIZER

DEVICES = [torch.device("cpu"), *([torch.device("cuda")] if torch.cuda.is_available() else [])]


class Watched(nn.Module):
    """A decoder that keeps on which devices pictures came, and answers from main memory."""

    def __init__(self):
        super().__init__()
        self.seen = []
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, images, beam):
        self.seen.append(images.device.type)
        return torch.zeros(len(images), 1, dtype=torch.long), torch.zeros(len(images), 1)

    def read_all(self, images, beam):
        return self.forward(torch.cat(images), beam)

    def search(self, images, beam):
        return self.forward(images, beam)


def test_what_was_read_in_circles_is_read_again_there():
    here = Predictor(Bundle(Circles([RIGHT]), TOKENIZER, ImageSpec(), {}))
    (found,) = move(here, torch.device("cpu")).predict_prepared([torch.full((1, 16, 32), 0.9)])
    assert found.tokens == TOKENIZER.decode(RIGHT)


@pytest.mark.parametrize("device", DEVICES, ids=str)
@pytest.mark.parametrize("bundled", ["ink", "default"])
def test_a_model_elsewhere_reads_the_same(device, bundled, tmp_path):
    here = Predictor.load(make_bundle(tmp_path / "ink.pt") if bundled == "ink" else None)
    pictures = [prepare(open_image(data), here.bundle.spec) for data in draw_pictures(3)]
    wanted = here.predict_prepared(pictures)
    found = move(here, device).predict_prepared(pictures)
    assert [one.latex for one in found] == [one.latex for one in wanted]
    assert [one.confidence for one in found] == pytest.approx([one.confidence for one in wanted], abs=1e-4)


def test_weights_and_pictures_are_brought_to_the_device():
    decoder = Watched()
    elsewhere = OnDevice(decoder, torch.device("meta"))
    elsewhere(torch.zeros(2, 1, 3, 4), 1)
    elsewhere.read_all([torch.zeros(2, 1, 3, 4)], 1)
    elsewhere.search(torch.zeros(1, 1, 3, 4), 5)
    assert decoder.seen == ["meta", "meta", "meta"]
    assert {weight.device.type for weight in elsewhere.parameters()} == {"meta"}

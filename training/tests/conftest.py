"""What the tests of scoring share: a bundle that needs no training, and labelled pictures."""

import pytest
from PIL import Image

from im2latex.bundle import save_bundle
from im2latex.images import ImageSpec
from im2latex.tests.test_images import OFFICIAL
from im2latex.tests.tiny_decoder import TOKENIZER, TinyDecoder


@pytest.fixture
def files(tmp_path):
    """A bundle that reads x ^ { 2 } everywhere; three pictures, one of them blank."""
    save_bundle(tmp_path / "model.pt", TinyDecoder(1.0), TOKENIZER, ImageSpec(), {"name": "tiny"})
    (tmp_path / "set").mkdir()
    for name in ("right", "wrong"):
        OFFICIAL.save(tmp_path / "set" / f"{name}.png")
    Image.new("L", (60, 30), 255).save(tmp_path / "set" / "blank.png")
    labels = "right.png\tx^2\nwrong.png\tx^{22}\nblank.png\t\\badly{\n"
    (tmp_path / "set" / "labels.tsv").write_text(labels, encoding="utf-8")
    return tmp_path

"""The server reads with a bundle of any formula model."""

import pytest
import torch
from fastapi.testclient import TestClient

from api_server.app import create_app
from api_server.settings import Settings
from api_server.tests.fakes import picture
from im2latex.bundle import save_bundle
from im2latex.decoding import Decoder
from im2latex.images import ImageSpec
from im2latex.latex.grammar import Grammar
from im2latex.tests.small_models import SMALL, VOCAB
from im2latex.tokenizer import EOS, PAD, Tokenizer


@pytest.mark.parametrize("name", ["cnn_lstm", "cnn_gru", "i2l_strips"])
def test_a_bundle_of_an_older_system_is_served_alone_and_with_a_beam(name, tmp_path):
    torch.manual_seed(0)
    decoder = Decoder(SMALL[name].build(len(VOCAB)), 9, Grammar.of(VOCAB, end=EOS, pad=PAD)).eval()
    save_bundle(tmp_path / "model.pt", decoder, Tokenizer(VOCAB), ImageSpec(), {"name": name})
    with TestClient(create_app(Settings(bundle=str(tmp_path / "model.pt")))) as client:
        for query in ("", "?beam=3"):
            answer = client.post(f"/v1/predict{query}", files={"file": ("x.png", picture(), "image/png")})
            assert answer.status_code == 200, answer.text
            assert set(answer.json()["pred"].replace(" ", "")) <= set("abcdefgh")

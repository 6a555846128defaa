"""Guessing ahead changes how long a picture takes, and nothing that is read."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import torch

from im2latex.bundle import Bundle, load_bundle, save_bundle
from im2latex.decoding import Decoder
from im2latex.decoding.draft import Draft, Pencil, join, read_by_token
from im2latex.errors import BundleError
from im2latex.images import ImageSpec, prepare
from im2latex.models import ResNetTransformerConfig
from im2latex.predictor import Predictor
from im2latex.scale import NETWORK
from im2latex.tests.test_grammar import GRAMMAR, TOKENIZER
from im2latex.tests.test_images import OFFICIAL
from im2latex.tokenizer import EOS
from training.draft_graph import draft_graph

SIZES = ResNetTransformerConfig((1, 1, 1), d_model=64, heads=4, decoder_layers=2, feedforward=96, max_tokens=90)
IMAGES = torch.rand(3, 1, 40, 96, generator=torch.Generator().manual_seed(1)).split(1)


def build(seed: int) -> Decoder:
    torch.manual_seed(seed)
    sizes = replace(SIZES, memory_heads=(4, 2, 1)[seed % 3])
    decoder = Decoder(sizes.build(len(TOKENIZER)), SIZES.max_tokens, GRAMMAR).eval()
    torch.nn.init.normal_(decoder.model.embedding.weight)
    return decoder


@pytest.mark.parametrize("seed", range(6))
def test_with_guesses_a_picture_is_read_as_without(seed, threads):
    decoder = build(seed)
    draft = Draft(draft_graph(decoder))
    for image in IMAGES:
        with torch.inference_mode():
            token_ids, log_probs = (row[0].tolist() for row in decoder(image))
            found = join(draft.read(decoder, image))
            by_token = join(read_by_token(decoder, image))
        assert found[0] == by_token[0] == token_ids
        assert found[1] == pytest.approx(log_probs, abs=1e-4)
        assert token_ids[-1] == EOS


@pytest.mark.parametrize("graph", [b"no graph", b"", NETWORK.read_bytes()])
def test_what_is_no_draft_is_refused_with_the_cure(graph):
    with pytest.raises(BundleError, match="export it anew"):
        Draft(graph)


def test_what_is_guessed_is_nearly_always_right():
    torch.manual_seed(0)
    decoder = Decoder(SIZES.build(len(TOKENIZER)), SIZES.max_tokens, GRAMMAR).eval()
    draft, written = Draft(draft_graph(decoder)), torch.randint(4, len(TOKENIZER), (60,)).tolist()
    with torch.inference_mode():
        state = decoder.begin(IMAGES[0])[4:]
        pencil, wanted, guessed = Pencil(draft, state[:4]), [], []
        for time, token_id in enumerate(written):
            logits, state = decoder.model.step(torch.tensor([token_id]), state)
            wanted.append(int(logits.argmax()))
            guessed += pencil.guess(token_id, time, 1)
    assert sum(one == other for one, other in zip(wanted, guessed, strict=True)) > 55
    assert len(set(wanted)) > 5


def test_one_core_guesses_on_while_another_verifies_unless_there_is_but_one(threads):
    decoder, meetings = build(2), []
    draft = Draft(draft_graph(decoder))
    where = threading.get_ident()

    class Watched(Pencil):
        def guess(self, token_id: int, time: int, count: int) -> list[int]:
            meetings.append(threading.get_ident() == where)
            return super().guess(token_id, time, count)

    with torch.inference_mode(), pytest.MonkeyPatch.context() as patch:
        patch.setattr("im2latex.decoding.draft.Pencil", Watched)
        portions = list(draft.read(decoder, IMAGES[0]))
    assert len(portions) > 1
    assert meetings.count(False) == (len(portions) if threads > 1 else 0)
    assert torch.get_num_threads() == threads


def test_threads_share_a_draft():
    decoder = build(0)
    draft = Draft(draft_graph(decoder))

    def read(image: torch.Tensor) -> list[int]:
        with torch.inference_mode():
            return join(draft.read(decoder, image))[0]

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(read, IMAGES * 4)) == [read(image) for image in IMAGES] * 4


def test_a_bundle_keeps_its_draft_and_a_stream_is_what_is_predicted(tmp_path, monkeypatch):
    monkeypatch.setattr("im2latex.decoding.repetition.is_repetitive", lambda token_ids: False)  # noise goes in circles
    decoder = build(1)
    save_bundle(tmp_path / "model.pt", decoder, TOKENIZER, ImageSpec(), {}, draft=draft_graph(decoder))
    bundle = load_bundle(tmp_path / "model.pt")
    guessing, plain = Predictor(bundle), Predictor(load_bundle(tmp_path / "model.pt"))
    plain.draft = None
    assert guessing.draft is not None
    stream, tokens = guessing.stream(OFFICIAL), []
    while True:
        try:
            tokens.append(next(stream).token)
        except StopIteration as end:
            streamed = end.value
            break
    found = guessing.predict(OFFICIAL)
    assert streamed.tokens == " ".join(tokens) == found.tokens == plain.predict(OFFICIAL).tokens
    assert found.confidence == pytest.approx(plain.predict(OFFICIAL).confidence, rel=1e-3)


def test_few_pictures_are_read_with_guesses_and_many_together(monkeypatch):
    decoder = build(2)
    guessing = Predictor(Bundle(decoder, TOKENIZER, ImageSpec(), {}, draft=draft_graph(decoder)))
    read, images = [], [prepare(OFFICIAL, ImageSpec())] * 5
    assert guessing.draft is not None
    monkeypatch.setattr(Draft, "read", lambda self, decoder, *rest: read.append(1) or read_by_token(decoder, rest[0]))
    assert len(guessing.decode([torch.stack(images)])) == 5
    assert read == []
    guessing.decode([images[0].unsqueeze(0), images[1].unsqueeze(0)])
    assert read == [1, 1]

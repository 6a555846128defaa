"""Promises that every formula model keeps, so that one decoder, trainer, export and server serve all."""

import copy
import functools
import io

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from im2latex.bundle import save_bundle
from im2latex.data.dataset import FormulaBatch
from im2latex.decoding import Decoder
from im2latex.images import ImageSpec
from im2latex.latex.grammar import Grammar
from im2latex.lit_model import LitModel
from im2latex.models import KINDS, Penalises
from im2latex.optimizers import OptimizerConfig, build_optimizer
from im2latex.predictor import Predictor
from im2latex.tests.small_models import SMALL, VOCAB, make_batch
from im2latex.tokenizer import BOS, PAD, Tokenizer

pytestmark = pytest.mark.timeout(1500)  # a recurrent model is slow where many tests run beside it
every_model = pytest.mark.parametrize("name", SMALL)
sizes = st.tuples(st.integers(1, 70), st.integers(1, 70))


@functools.cache
def build(name: str) -> torch.nn.Module:
    """A model of that kind with the same fresh weights for every test that does not change them."""
    torch.manual_seed(0)
    return SMALL[name].build(len(VOCAB)).eval()


def draw(size: tuple[int, int], tokens: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    token_ids = torch.randint(4, len(VOCAB), (2, tokens), generator=generator)
    token_ids[:, 0] = BOS
    return torch.rand(2, 1, *size, generator=generator), token_ids


def test_there_is_a_small_model_of_every_kind():
    assert SMALL.keys() == KINDS.keys()


@every_model
@settings(max_examples=5)
@given(size=sizes, tokens=st.integers(1, 9), seed=st.integers(0, 99))
def test_step_equals_decode_in_pictures_of_any_size(name, size, tokens, seed):
    model, (images, token_ids) = build(name), draw(size, tokens, seed)
    memory = model.encode(images)
    state, stepped = model.start(memory), []
    for column in token_ids.T:
        logits, state = model.step(column, state)
        stepped.append(logits)
    torch.testing.assert_close(torch.stack(stepped, 1), model.decode(token_ids, memory), atol=1e-4, rtol=1e-4)


@every_model
@settings(max_examples=5)
@given(size=sizes, seed=st.integers(0, 99))
def test_attention_to_each_token_sums_to_one_over_the_picture(name, size, seed):
    model, (images, token_ids) = build(name), draw(size, 5, seed)
    maps = model.attend(images, token_ids)
    assert maps.dtype == torch.float32
    assert maps.shape[:2] == (2, 5)
    assert maps.shape[2:] == model.features(images).shape[2:]
    assert maps.min() >= 0
    torch.testing.assert_close(maps.sum((2, 3)), torch.ones(2, 5))


@every_model
def test_a_state_can_be_picked_by_rows(name):
    model, (images, token_ids) = build(name), draw((32, 64), 3, 1)
    state = model.start(model.encode(images))
    logits, after = model.step(token_ids[:, 0], state)
    rows = torch.tensor([1, 1, 0])
    picked, _ = model.step(token_ids[rows, 1], [tensor.index_select(0, rows) for tensor in after])
    whole, _ = model.step(token_ids[:, 1], after)
    torch.testing.assert_close(picked, whole[rows], atol=1e-5, rtol=1e-5)
    assert logits.shape == (2, len(VOCAB))


@every_model
@settings(max_examples=5)
@given(shapes=st.lists(sizes, min_size=2, max_size=3, unique=True), tokens=st.integers(1, 9), seed=st.integers(0, 99))
def test_a_memory_that_is_padded_for_a_larger_one_beside_it_says_the_same(name, shapes, tokens, seed):
    decoder = Decoder(build(name), 9, Grammar.free(len(VOCAB))).eval()
    drawn = [draw(size, tokens, seed) for size in shapes]
    mixed = decoder.begin_all([images for images, _ in drawn])[4:]
    alone = [decoder.begin(images)[4:] for images, _ in drawn]
    for time in range(tokens):
        logits, mixed = decoder.model.step(torch.cat([token_ids[:, time] for _, token_ids in drawn]), mixed)
        wanted = []
        for place, (_, token_ids) in enumerate(drawn):
            found, alone[place] = decoder.model.step(token_ids[:, time], alone[place])
            wanted.append(found)
        torch.testing.assert_close(logits, torch.cat(wanted), atol=1e-4, rtol=1e-4)


@every_model
def test_the_scripted_decoder_reads_and_looks_like_the_eager_one(name):
    decoder = Decoder(build(name), 9, Grammar.free(len(VOCAB))).eval()
    scripted, images = torch.jit.script(decoder), draw((40, 72), 1, 2)[0]
    for beam in (1, 3):
        wanted_ids, wanted = decoder(images, beam)
        found_ids, found = scripted(images, beam)
        assert torch.equal(found_ids, wanted_ids)
        torch.testing.assert_close(found, wanted)
    several = [images, draw((24, 100), 1, 3)[0]]
    for beam in (1, 3):
        assert torch.equal(scripted.read_all(several, beam)[0], decoder.read_all(several, beam)[0])
    torch.testing.assert_close(scripted.attend(images, wanted_ids), decoder.attend(images, wanted_ids))
    torch.testing.assert_close(scripted.features(images), decoder.features(images))


@every_model
def test_one_batch_can_be_memorised(name):
    torch.manual_seed(0)
    config = OptimizerConfig(name="adamw", learning_rate=5e-3, weight_decay=0.0)
    module = LitModel(SMALL[name], config, VOCAB, ImageSpec())
    optimizer = build_optimizer(module.model, config)
    images, token_ids = make_batch(32, 64)
    for step in range(500):
        optimizer.zero_grad()
        loss = module.teacher_forced_loss(images, token_ids, 0.0)
        if step > 150 and loss.item() < 0.01:
            break
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimizer.step()
    read, _ = module.eval().decoder()(images)
    wanted = token_ids[:, 1:]
    assert torch.equal(torch.nn.functional.pad(read, (0, wanted.shape[1] - read.shape[1])), wanted)


@every_model
def test_padding_changes_no_loss_and_no_penalty(name):
    module = LitModel(SMALL[name], OptimizerConfig(), VOCAB, ImageSpec())
    for part in module.modules():
        part.training = not isinstance(part, torch.nn.BatchNorm2d)  # the statistics of a batch may move
    images, token_ids = make_batch(32, 64)
    padded = torch.nn.functional.pad(token_ids, (0, 5), value=PAD)
    losses = [module.teacher_forced_loss(images, ids, 0.1) for ids in (token_ids, padded)]
    torch.testing.assert_close(*losses)


@every_model
def test_a_checkpoint_and_a_bundle_read_what_the_model_reads(name, tmp_path):
    torch.manual_seed(0)
    module = LitModel(SMALL[name], OptimizerConfig(), VOCAB, ImageSpec()).eval()
    torch.save({"hyper_parameters": dict(module.hparams), "state_dict": module.state_dict()}, tmp_path / "m.ckpt")
    loaded = LitModel.load(tmp_path / "m.ckpt")
    assert loaded.model_config == SMALL[name]
    save_bundle(tmp_path / "m.pt", loaded.decoder(), Tokenizer(VOCAB), ImageSpec(), {})
    image = Image.new("L", (90, 40), 255)
    ImageDraw.Draw(image).line([(10, 30), (80, 8)], fill=0, width=3)
    stream = io.BytesIO()
    image.save(stream, "PNG")
    read = Predictor.load(tmp_path / "m.pt").predict(stream.getvalue())
    assert 1 <= len(read.token_confidences) <= 10


@every_model
def test_the_scores_of_a_validation_batch_are_read_by_the_same_decoder(name):
    module = LitModel(SMALL[name], OptimizerConfig(), VOCAB, ImageSpec()).eval()
    module.log = lambda *args, **kwargs: None
    images, token_ids = make_batch(32, 64)
    pairs = module.validation_step(FormulaBatch(images, token_ids, torch.arange(6)), 0)
    assert [len(reference) for _, reference in pairs] == [2, 3, 4, 5, 6, 1]


def test_only_attention_regularisation_penalises_and_only_in_training():
    assert [name for name in SMALL if isinstance(build(name), Penalises)] == ["i2l_strips", "i2l_nopool"]
    module = LitModel(SMALL["i2l_strips"], OptimizerConfig(), VOCAB, ImageSpec())
    images, token_ids = make_batch(32, 64)
    module.model.attention_penalty = 0.0
    plain = module.train().teacher_forced_loss(images, token_ids, 0.0)
    module.model.attention_penalty = 10.0
    assert module.teacher_forced_loss(images, token_ids, 0.0) > plain
    torch.testing.assert_close(module.eval().teacher_forced_loss(images, token_ids, 0.0), plain)


def test_attention_regularisation_is_nothing_where_all_cells_are_looked_at_equally():
    model = copy.deepcopy(build("i2l_strips"))
    model.attention_penalty = 1.0
    images, token_ids = draw((32, 64), 6, 1)
    memory = model.encode(images)
    torch.nn.init.zeros_(model.attention.score.weight)
    assert model.decode_and_penalise(token_ids, memory)[1] < 1e-9
    torch.nn.init.normal_(model.attention.score.weight, std=10.0)
    assert model.decode_and_penalise(token_ids, memory)[1] > 1e-3

"""What a run shows of where its model looks: of every kind of model, and of one that has not learned to end."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from im2latex import callbacks
from im2latex.callbacks import MAX_ATTENDED, Throughput, explain
from im2latex.explain.sheet import draw_attention
from im2latex.images import ImageSpec
from im2latex.lit_model import LitModel
from im2latex.models import ResNetTransformerConfig
from im2latex.optimizers import OptimizerConfig
from im2latex.tests.small_models import SMALL, VOCAB, make_batch
from im2latex.tokenizer import EOS, PAD


def make_module(model) -> LitModel:
    torch.manual_seed(0)
    return LitModel(model, OptimizerConfig(), VOCAB, ImageSpec()).eval()


@pytest.mark.parametrize("name", SMALL)
def test_a_sheet_of_attention_shows_what_validation_reads(name):
    module = make_module(SMALL[name])
    image = make_batch(32, 64)[0][0]
    shown = explain(module, image)
    token_ids, log_probs = module.decoder()(image.unsqueeze(0))
    assert shown.prediction.tokens == module.tokenizer.decode(token_ids[0].tolist())
    count = len(shown.prediction.tokens.split())
    assert count == len(shown.boxes) == len(shown.attention.maps) > 0
    np.testing.assert_allclose(shown.prediction.token_confidences, log_probs[0, :count].exp().tolist(), rtol=1e-5)
    np.testing.assert_allclose(shown.attention.maps.sum((1, 2)), 1, atol=1e-4)
    assert shown.image.size == (64, 32)
    assert draw_attention(shown).width > 1000


def test_a_model_that_writes_on_and_on_fills_no_endless_sheet():
    model = ResNetTransformerConfig((1, 1, 1), d_model=32, decoder_layers=1, feedforward=64, max_tokens=200)
    module = make_module(model)
    with torch.no_grad():
        module.model.output_bias[EOS] = -1e4
    images = make_batch(16, 32)[0][:1]
    assert module.decoder()(images)[0].ne(PAD).sum() > MAX_ATTENDED
    assert len(explain(module, images[0]).boxes) == MAX_ATTENDED


def test_speed_and_waiting_are_logged_of_the_steps_since_they_were_logged_last(monkeypatch):
    clock, logged = [0.0], []
    monkeypatch.setattr(callbacks, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    trainer = SimpleNamespace(world_size=2, log_every_n_steps=2, global_step=0)
    module = SimpleNamespace(log=lambda name, value, prog_bar=False: logged.append((name, value)))
    batch = SimpleNamespace(images=range(10))
    speed = Throughput()
    for step, (waited, worked) in enumerate([(5, 1), (2, 1), (5, 3), (1, 4)]):  # seconds
        trainer.global_step = step
        clock[0] += waited
        speed.on_train_batch_start(trainer, module, batch, step)
        clock[0] += worked
        speed.on_train_batch_end(trainer, module, None, batch, step)
    assert logged == [
        *(("train/samples_per_second", 10), ("train/waiting", 0.5)),
        *(("train/samples_per_second", 5), ("train/waiting", 0.125)),
    ]

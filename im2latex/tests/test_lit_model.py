"""Promises of training: it can memorise, its optimizers step as their papers say, a checkpoint is complete."""

from dataclasses import replace

import pytest
import pytorch_lightning as lightning
import torch

from im2latex.bundle import save_bundle
from im2latex.errors import ConfigError, DataError
from im2latex.images import ImageSpec
from im2latex.lit_model import BIASES, LitModel
from im2latex.models import ResNetTransformerConfig
from im2latex.optimizers import OptimizerConfig, build_optimizer, orthogonalize, orthogonalize_bf16, warmup_cosine
from im2latex.tests.small_models import SMALL, VOCAB, make_batch
from im2latex.tokenizer import PAD

TINY = ResNetTransformerConfig((1, 1, 1), d_model=32, decoder_layers=1, feedforward=64, dropout=0.0, max_tokens=9)


def make_module(optimizer: OptimizerConfig) -> LitModel:
    torch.manual_seed(0)
    return LitModel(TINY, optimizer, VOCAB, ImageSpec())


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_one_batch_can_be_memorised(name):
    config = OptimizerConfig(name=name, learning_rate=5e-3)
    module = make_module(config)
    optimizer = build_optimizer(module.model, config)
    images, token_ids = make_batch(16, 32)
    for _ in range(150):
        optimizer.zero_grad()
        module.teacher_forced_loss(images, token_ids, 0.0).backward()
        optimizer.step()
    read, _ = module.eval().decoder()(images)
    wanted = token_ids[:, 1:]
    assert torch.equal(torch.nn.functional.pad(read, (0, wanted.shape[1] - read.shape[1])), wanted)


def test_padding_does_not_change_the_loss():
    module = make_module(OptimizerConfig()).eval()
    images, token_ids = make_batch(16, 32)
    padded = torch.nn.functional.pad(token_ids, (0, 5), value=PAD)
    torch.testing.assert_close(
        module.teacher_forced_loss(images, token_ids, 0.1), module.teacher_forced_loss(images, padded, 0.1)
    )


@pytest.mark.parametrize("orthogonalized", [orthogonalize, orthogonalize_bf16])
@pytest.mark.parametrize("shape", [(2, 16, 40), (2, 40, 16), (1, 24, 24)])
def test_orthogonalize_brings_all_singular_values_near_one(shape, orthogonalized):
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonalized(matrices))
    assert values.max() < 1.3
    assert values.median() > 0.65


@pytest.mark.parametrize("shape", [(2, 64, 160), (2, 64, 64)])
def test_bf16_orthogonalizes_matrices_of_faint_directions_too(shape):
    """Where singular values of 1e-4 beside 1 are, a Gram matrix carried along in bfloat16 overshoots."""
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(0)) * torch.logspace(0, -4, shape[2])
    found, wanted = orthogonalize_bf16(matrices), orthogonalize(matrices)
    assert torch.linalg.svdvals(found).max() < 1.3
    assert ((found - wanted).norm() / wanted.norm()).item() < 0.1
    assert found.dtype == torch.float32


@pytest.mark.parametrize(("precision", "wanted"), [("32-true", orthogonalize), ("bf16-mixed", orthogonalize_bf16)])
def test_muon_orthogonalizes_in_the_precision_of_the_training(precision, wanted):
    module = make_module(OptimizerConfig(total_steps=10))
    module.trainer = lightning.Trainer(precision=precision, accelerator="cpu", logger=False)
    assert module.configure_optimizers()["optimizer"].orthogonalize is wanted


def test_every_parameter_is_optimized_once():
    for name in ("adamw", "muon"):
        module = make_module(OptimizerConfig(name=name))
        groups = build_optimizer(module.model, OptimizerConfig(name=name)).param_groups
        held = [id(parameter) for group in groups for parameter in group["params"]]
        assert sorted(held) == sorted(id(parameter) for parameter in module.parameters())


def test_learning_rate_rises_then_falls_to_its_floor():
    config = OptimizerConfig(learning_rate=1e-3, final_learning_rate=1e-5, warmup_steps=10)
    factor = warmup_cosine(config, 200)
    assert factor(0) == pytest.approx(0.1)
    assert max(factor(step) for step in range(200)) == factor(10) == 1.0
    assert factor(200) == factor(10_000) == pytest.approx(0.01)


def test_a_schedule_without_an_end_is_refused_with_its_cure():
    with pytest.raises(ConfigError, match="total_steps"):
        warmup_cosine(OptimizerConfig(), 0)


def test_a_warm_start_matches_tokens_by_name_and_takes_bundles_too(tmp_path):
    source = make_module(OptimizerConfig())
    save_bundle(tmp_path / "source.pt", source.decoder(), source.tokenizer, ImageSpec(), {})
    vocab = [*VOCAB[:4], "new", *VOCAB[:3:-1]]
    taker = LitModel(TINY, OptimizerConfig(), vocab, ImageSpec())
    taker.take_weights(tmp_path / "source.pt")
    taken, given = taker.model.embedding.weight, source.model.embedding.weight
    assert torch.allclose(taken[vocab.index("c")], given[VOCAB.index("c")], rtol=1e-2)  # a bundle keeps bfloat16
    assert torch.allclose(taker.model.trunk.conv1.weight, source.model.trunk.conv1.weight, rtol=1e-2)


def test_heads_that_will_share_keys_and_values_begin_with_the_mean_of_theirs(tmp_path):
    source, sharing = (
        LitModel(replace(TINY, heads=4, memory_heads=heads), OptimizerConfig(), VOCAB, ImageSpec()) for heads in (4, 2)
    )
    save_bundle(tmp_path / "source.pt", source.decoder(), source.tokenizer, ImageSpec(), {})
    sharing.take_weights(tmp_path / "source.pt")
    given, taken = (module.model.layers[0].memory_kv.weight for module in (source, sharing))
    width = TINY.d_model // 4
    assert taken.shape[0] == given.shape[0] // 2
    keys, values = given.chunk(2)
    assert torch.allclose(taken[:width], (keys[:width] + keys[width : 2 * width]) / 2, rtol=1e-2, atol=1e-3)
    last = (values[2 * width : 3 * width] + values[3 * width :]) / 2
    assert torch.allclose(taken[-width:], last, rtol=1e-2, atol=1e-3)
    assert torch.allclose(sharing.model.layers[0].expand.weight, source.model.layers[0].expand.weight, rtol=1e-2)
    save_bundle(tmp_path / "sharing.pt", sharing.decoder(), sharing.tokenizer, ImageSpec(), {})
    with pytest.raises(ConfigError, match=r"memory_kv\.weight is missing or of another size"):
        source.take_weights(tmp_path / "sharing.pt")


def test_a_warm_start_from_another_size_is_refused(tmp_path):
    source = make_module(OptimizerConfig())
    save_bundle(tmp_path / "source.pt", source.decoder(), source.tokenizer, ImageSpec(), {})
    wider = LitModel(replace(TINY, feedforward=96), OptimizerConfig(), VOCAB, ImageSpec())
    with pytest.raises(ConfigError, match=r"layers\.0\.expand"):
        wider.take_weights(tmp_path / "source.pt")


def test_a_part_to_freeze_that_is_not_there_is_answered_with_those_that_are():
    with pytest.raises(ConfigError, match=r"no part named 'encoder' to freeze, only trunk, memory_projection"):
        make_module(OptimizerConfig()).freeze_parts(["trunk", "encoder"])


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path):
    (tmp_path / "x.ckpt").write_bytes(b"nothing of the kind")
    with pytest.raises(DataError, match=r"x\.ckpt is no checkpoint"):
        LitModel.load(tmp_path / "x.ckpt")


@pytest.mark.parametrize("name", SMALL)
def test_what_was_never_trained_expects_tokens_as_often_as_they_were_counted(name):
    module = LitModel(SMALL[name], OptimizerConfig(label_smoothing=0.1), VOCAB, ImageSpec())
    counts = {token: 10 * place for place, token in enumerate(VOCAB)}
    module.expect(counts)
    (bias,) = [parameter for key, parameter in module.named_parameters() if key in BIASES]
    shares = bias.detach().softmax(0)
    assert float(shares.sum()) == pytest.approx(1)
    assert float(shares[7]) == pytest.approx(0.9 * 70 / (sum(counts.values()) + 1) + 0.1 / len(VOCAB))
    assert shares[PAD] > 0, "a token that was not counted is rare, not impossible"

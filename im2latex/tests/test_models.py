"""Promises of the formula models and of the decoder that reads from them."""

from dataclasses import replace

import pytest
import torch

from im2latex.decoding import Decoder
from im2latex.errors import ConfigError
from im2latex.latex.grammar import Grammar
from im2latex.models import KINDS, ResNetTransformer, ResNetTransformerConfig
from im2latex.models.resnet import ResNetTrunk
from im2latex.models.transformer import DecoderLayer
from im2latex.tokenizer import BOS, EOS, PAD

VOCAB = 23
FREE = Grammar.free(VOCAB)
SMALL = ResNetTransformerConfig(
    trunk_blocks=(1, 1, 1), d_model=32, heads=4, decoder_layers=2, feedforward=64, max_tokens=12
)


@pytest.fixture(params=[None, 2, 1])
def model(request) -> ResNetTransformer:
    torch.manual_seed(0)
    return replace(SMALL, memory_heads=request.param).build(VOCAB).eval()


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(3, 1, 32, 80, generator=torch.Generator().manual_seed(1))


def test_default_model_has_7_to_12_million_parameters():
    count = sum(parameter.numel() for parameter in ResNetTransformerConfig().build(500).parameters())
    assert 7e6 <= count <= 12e6


@pytest.mark.parametrize("room", [2, 32])
def test_step_equals_decode_however_often_its_room_is_doubled(model, images, room):
    model.room = room
    token_ids = torch.randint(4, VOCAB, (3, 9), generator=torch.Generator().manual_seed(2))
    token_ids[:, 0] = BOS
    memory = model.encode(images)
    state = model.start(memory)
    stepped = []
    for column in token_ids.T:
        logits, state = model.step(column, state)
        stepped.append(logits)
    torch.testing.assert_close(torch.stack(stepped, 1), model.decode(token_ids, memory), atol=1e-4, rtol=1e-4)


def test_memory_has_one_cell_for_8_by_8_pixels(model, images):
    assert model.encode(images).shape == (3, 32 // 8 * 80 // 8, SMALL.d_model)


def test_attention_is_one_map_a_token_over_the_picture(model, images):
    token_ids = torch.randint(4, VOCAB, (3, 9), generator=torch.Generator().manual_seed(2))
    maps = model.attend(images, token_ids)
    assert maps.shape == (3, 9, 32 // 8, 80 // 8)
    assert maps.min() >= 0
    torch.testing.assert_close(maps.sum((2, 3)), torch.ones(3, 9))
    later = token_ids.clone()
    later[:, 5:] = 4
    torch.testing.assert_close(model.attend(images, later)[:, :5], maps[:, :5])  # what is read later changes nothing
    assert not torch.allclose(model.attend(images, later)[:, 5:], maps[:, 5:])


def test_a_layer_tells_the_very_weights_that_it_reads_the_memory_with():
    torch.manual_seed(0)
    layer = DecoderLayer(8, heads=1, feedforward=16, dropout=0.0).eval()
    torch.nn.init.eye_(layer.memory_out.weight)
    torch.nn.init.zeros_(layer.contract.weight)  # so that what the memory adds can be seen behind the layer
    hidden, keys, values = torch.randn(2, 5, 8), torch.randn(2, 1, 8, 8), torch.eye(8).expand(2, 1, 8, 8)
    after, weights = layer.attend(hidden, keys, values)
    torch.testing.assert_close(after, layer(hidden, keys, values))
    torch.testing.assert_close(weights, after - layer(hidden, keys, torch.zeros_like(values)))


@pytest.mark.parametrize("memory_heads", [4, 2, 1])
def test_heads_that_share_keys_and_values_see_what_they_would_with_copies_of_them(memory_heads):
    torch.manual_seed(0)
    shared, own = (DecoderLayer(16, 4, 32, dropout=0.0, memory_heads=heads).eval() for heads in (memory_heads, 4))
    copied = dict(shared.state_dict())
    for name in ("memory_kv.weight", "memory_kv.bias"):
        by_head = copied[name].unflatten(0, (2, memory_heads, 4))  # keys and values, heads, width
        copied[name] = by_head.repeat_interleave(4 // memory_heads, 1).flatten(0, 2)
    own.load_state_dict(copied)
    hidden, memory = torch.randn(3, 7, 16), torch.randn(3, 11, 16)
    found, wanted = (layer.attend(hidden, *layer.project_memory(memory)) for layer in (shared, own))
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(shared(hidden, *shared.project_memory(memory)), wanted[0])


def test_keys_are_shared_evenly():
    with pytest.raises(ConfigError, match=r"heads \(4\) must be divisible by memory_heads, got 3"):
        replace(SMALL, memory_heads=3).build(VOCAB)


def test_a_layer_gives_in_training_what_it_gives_in_use():
    torch.manual_seed(0)
    layer, hidden, memory = DecoderLayer(16, 2, 32, dropout=0.0), torch.randn(3, 7, 16), torch.randn(3, 11, 16)
    memory_k, memory_v = layer.project_memory(memory)
    torch.testing.assert_close(layer.train()(hidden, memory_k, memory_v), layer.eval()(hidden, memory_k, memory_v))


def test_the_decoder_explains_what_it_has_read_scripted_or_not(model, images):
    decoder = Decoder(model, SMALL.max_tokens, FREE).eval()
    token_ids, _ = decoder(images)
    maps = decoder.attend(images, token_ids)
    with_bos = torch.cat([torch.full((3, 1), BOS), token_ids], 1)
    torch.testing.assert_close(maps, model.attend(images, with_bos)[:, :-1])
    scripted = torch.jit.script(decoder)
    torch.testing.assert_close(scripted.attend(images, token_ids), maps)
    assert scripted.features(images).shape == (3, 256, 32 // 8, 80 // 8)


@pytest.mark.parametrize("beam", [1, 4])
def test_scripted_decoder_reads_what_the_eager_one_reads(model, images, beam):
    decoder = Decoder(model, SMALL.max_tokens, FREE).eval()
    scripted = torch.jit.script(decoder)
    eager_ids, eager_log_probs = decoder(images, beam)
    scripted_ids, scripted_log_probs = scripted(images, beam)
    assert torch.equal(eager_ids, scripted_ids)
    torch.testing.assert_close(eager_log_probs, scripted_log_probs)


def test_a_beam_of_one_hypothesis_is_the_greedy_reading(model, images):
    decoder = Decoder(model, SMALL.max_tokens, FREE).eval()
    greedy_ids, greedy_log_probs = decoder(images)
    beam_ids, beam_log_probs = decoder.search(images, 1)
    assert torch.equal(greedy_ids, beam_ids[:, 0])
    torch.testing.assert_close(greedy_log_probs, beam_log_probs[:, 0])


def test_log_probs_are_those_of_teacher_forcing(model, images):
    for beam in (1, 3):
        token_ids, log_probs = Decoder(model, SMALL.max_tokens, FREE).eval()(images, beam)
        with_bos = torch.cat([torch.full((3, 1), BOS), token_ids], 1)
        forced = model.decode(with_bos[:, :-1], model.encode(images)).log_softmax(-1)
        expected = forced.gather(2, token_ids.unsqueeze(2)).squeeze(2).masked_fill(token_ids == PAD, 0)
        torch.testing.assert_close(log_probs, expected, atol=1e-4, rtol=1e-4)


class Scripted(torch.nn.Module):
    """A formula model that writes a fixed row of tokens for each image, whatever it sees."""

    def __init__(self, rows: list[list[int]]) -> None:
        super().__init__()
        self.rows = torch.tensor(rows)

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        return torch.arange(len(images)).view(-1, 1, 1)

    def start(self, memory: torch.Tensor) -> list[torch.Tensor]:
        return [memory.flatten(), torch.zeros(len(memory), dtype=torch.long)]

    def step(
        self, token_ids: torch.Tensor, state: list[torch.Tensor]
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        row, time = state
        logits = torch.nn.functional.one_hot(self.rows[row, time], VOCAB) * 20.0
        return logits, [row, time + 1]


@pytest.mark.parametrize("beam", [1, 2])
def test_formulas_of_different_length_keep_their_rows(beam):
    rows = [[5, EOS, 9, 9], [6, 7, 8, EOS], [EOS, 9, 9, 9]]
    token_ids, _ = Decoder(Scripted(rows), 4, FREE)(torch.zeros(3, 1, 16, 16), beam)
    assert token_ids.tolist() == [[5, EOS, PAD, PAD], [6, 7, 8, EOS], [EOS, PAD, PAD, PAD]]


def test_a_finished_formula_that_is_carried_along_adds_nothing():
    rows = [[5, EOS, 9, 9, 9], *([6, 7, 8, 9, EOS] for _ in range(5))]  # one of six: too few to copy the state for
    token_ids, log_probs = Decoder(Scripted(rows), 5, FREE)(torch.zeros(6, 1, 16, 16))
    assert token_ids.tolist() == [[5, EOS, PAD, PAD, PAD], *rows[1:]]
    assert log_probs[0, 2:].tolist() == [0, 0, 0]


def test_decoding_stops_at_max_tokens_without_eos():
    token_ids, _ = Decoder(Scripted([[5, 5, 5, 5, 5]]), 3, FREE)(torch.zeros(1, 1, 16, 16))
    assert token_ids.tolist() == [[5, 5, 5]]


def test_trunk_takes_the_weights_of_torchvision():
    models = pytest.importorskip("torchvision.models")
    theirs = models.resnet18(weights=None)
    ours = ResNetTrunk((2, 2, 2)).eval()
    ours.load_torchvision(theirs.state_dict())
    grey = torch.rand(1, 1, 32, 64)
    stem = torch.nn.Sequential(
        theirs.conv1, theirs.bn1, theirs.relu, theirs.maxpool, theirs.layer1, theirs.layer2
    )
    layer2 = ours.layer2(
        ours.layer1(torch.nn.functional.max_pool2d(ours.bn1(ours.conv1(grey)).relu(), 3, 2, 1))
    )
    torch.testing.assert_close(layer2, stem.eval()(grey.expand(1, 3, 32, 64)), atol=1e-4, rtol=1e-4)


def test_contradicting_sizes_are_refused():
    with pytest.raises(ConfigError, match="divisible"):
        ResNetTransformerConfig(d_model=30, heads=4).build(VOCAB)


@pytest.mark.parametrize("name", ["cnn_gru", "i2l_strips", "i2l_nopool"])
def test_features_are_no_fainter_than_the_positions_that_are_added_to_them(name):
    torch.manual_seed(0)
    images = torch.zeros(1, 1, 64, 128)
    images[:, :, 20:44:3, 10:120] = 1  # ink in lines, as print has it
    features = KINDS[name]().build(20).features(images)
    assert features.flatten(2).std(2).mean() > 0.1

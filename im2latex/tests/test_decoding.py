"""Whatever a model says, the decoder reads a whole formula; and it finds the likeliest ones."""

import pytest
import torch

from im2latex.decoding import Decoder
from im2latex.decoding.mask import MAX_DEPTH, GrammarMask
from im2latex.latex.grammar import NEVER, Grammar
from im2latex.models import ResNetTransformerConfig
from im2latex.tests.small_models import SMALL
from im2latex.tests.test_grammar import GRAMMAR, TOKENIZER, walk
from im2latex.tests.test_models import Scripted
from im2latex.tokenizer import BOS, EOS, PAD

SIZES = ResNetTransformerConfig((1, 1, 1), d_model=32, heads=4, decoder_layers=1, feedforward=32, max_tokens=40)
IMAGES = torch.rand(4, 1, 32, 64, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def decoder() -> Decoder:
    torch.manual_seed(0)
    return Decoder(SIZES.build(len(TOKENIZER)), SIZES.max_tokens, GRAMMAR).eval()


def words(text: str) -> list[int]:
    return TOKENIZER.encode(text.split())


@pytest.mark.parametrize("beam", [1, 3])
def test_an_untrained_model_writes_whole_formulas_in_time_scripted_or_not(decoder, beam):
    scripted = torch.jit.script(decoder)
    for seed in range(5):
        torch.nn.init.normal_(decoder.model.embedding.weight, generator=torch.Generator().manual_seed(seed))
        token_ids, _ = decoder(IMAGES, beam)
        assert torch.equal(token_ids, scripted(IMAGES, beam)[0])
        for row in token_ids.tolist():
            assert EOS in row
            assert GRAMMAR.accepts(row[: row.index(EOS)]), TOKENIZER.decode(row)


def test_the_mask_follows_the_grammar_in_every_row():
    mask = GrammarMask(GRAMMAR)
    walks = [TOKENIZER.encode(walk(seed, 30)) for seed in range(20)]
    position = mask.start(len(walks), 200)
    for time in range(30):
        forbidden = mask.forbidden(position)
        newest = [row[time] if time < len(row) else EOS if time == len(row) else PAD for row in walks]
        for row, token_id in enumerate(newest):
            assert not forbidden[row, token_id]
            for other in (7, 50, 100):
                prefix = [*walks[row][:time], other]
                if time <= len(walks[row]) and GRAMMAR.first_refused(prefix) == time:
                    assert forbidden[row, other]
        position = mask.advance(position, torch.tensor(newest))


def test_the_model_keeps_its_own_probabilities_where_the_grammar_overrules_it():
    rows = [words(r"x ^ } 2 } x")]
    vocab = len(TOKENIZER)

    class Wide(Scripted):
        def step(self, token_ids, state):
            row, time = state
            logits = torch.nn.functional.one_hot(self.rows[row, time.clamp(max=self.rows.shape[1] - 1)], vocab) * 20.0
            return logits, [row, time + 1]

    token_ids, log_probs = Decoder(Wide(rows), 7, GRAMMAR)(torch.zeros(1, 1, 16, 16))
    assert TOKENIZER.decode(token_ids[0].tolist()).startswith("x ^ {")
    assert log_probs[0, 2] == pytest.approx(-20, abs=0.1)


@pytest.mark.parametrize("loop", ["x +", r"\frac {", "{", r"{ 0 } & x ^ { 2 } \prime \quad ."])
@pytest.mark.parametrize("beam", [1, 2])
def test_a_formula_that_repeats_itself_or_nests_without_end_is_brought_to_its_end(loop, beam):
    vocab = len(TOKENIZER)

    class Looping(Scripted):
        def step(self, token_ids, state):
            row, time = state
            wanted = self.rows[row, time % self.rows.shape[1]]
            return torch.nn.functional.one_hot(wanted, vocab) * 20.0, [row, time + 1]

    token_ids, _ = Decoder(Looping([words(loop)]), 600, GRAMMAR)(torch.zeros(1, 1, 16, 16), beam)
    row = token_ids[0].tolist()
    assert row[-1] == EOS
    assert len(row) < 200
    assert GRAMMAR.accepts(row[:-1])


def test_no_formula_is_deeper_than_the_stack(decoder):
    mask = GrammarMask(GRAMMAR)
    assert mask.deep + decoder.check_every < MAX_DEPTH


def test_search_gives_different_formulas_the_best_first(decoder):
    token_ids, log_probs = decoder.search(IMAGES, 4)
    best_ids, best = decoder(IMAGES, 4)
    kept = best_ids.shape[1]
    assert torch.equal(token_ids[:, 0, :kept], best_ids)
    torch.testing.assert_close(log_probs[:, 0, :kept], best)
    assert all(len({tuple(row) for row in hypotheses}) == 4 for hypotheses in token_ids.tolist())
    means = log_probs.detach().sum(-1) / token_ids.ne(PAD).sum(-1)
    torch.testing.assert_close(means, means.sort(dim=1, descending=True).values)


def test_a_beam_wider_than_there_are_formulas_marks_what_only_fills_it():
    grammar = Grammar.of([*TOKENIZER.SPECIALS, "x"], EOS, PAD)
    model = Scripted([[4, EOS, EOS]])
    decoder = Decoder(model, 2, grammar)
    model.step = lambda token_ids, state: (torch.zeros(len(token_ids), 5), state)
    token_ids, log_probs = decoder.search(torch.zeros(1, 1, 16, 16), 3)
    sums = log_probs.sum(-1)[0]
    assert token_ids[0, 0].tolist() == [4, EOS]
    assert sums[0] > -1e8 > sums[1]


def test_token_by_token_is_the_greedy_reading(decoder):
    expected, log_probs = decoder(IMAGES[:1])
    reading, written = decoder.begin(IMAGES[:1]), torch.tensor([[BOS]])
    for place in range(expected.shape[1]):
        newest, log_prob, reading = decoder.advance(written, reading)
        torch.testing.assert_close(log_prob, log_probs[:, place])
        written = torch.cat([written, newest.unsqueeze(1)], 1)
    assert torch.equal(written[:, 1:], expected)


def test_the_tables_cost_little_space():
    size = sum(table.numel() * table.element_size() for table in GrammarMask(GRAMMAR).buffers())
    assert size < 500_000
    assert NEVER < 2**15


@pytest.mark.parametrize("scripted", [False, True])
def test_whatever_is_guessed_verified_tokens_are_those_of_greedy_reading(decoder, scripted):
    torch.nn.init.normal_(decoder.model.embedding.weight)
    reader = torch.jit.script(decoder) if scripted else decoder
    random = torch.Generator().manual_seed(2)
    for image in IMAGES.split(1):
        token_ids, log_probs = (row[0] for row in decoder(image))
        for luck in (0.0, 0.7, 1.0):
            written, reading, found, passes = torch.tensor([[BOS]]), reader.begin(image), [], 0
            while int(written[0, -1]) != EOS:
                true = token_ids[written.shape[1] - 1 :][:7]
                drawn = torch.randint(0, len(TOKENIZER), true.shape, generator=random)
                guess = torch.where(torch.rand(true.shape, generator=random) < luck, true, drawn)
                newest, sure, reading = reader.verify(guess.unsqueeze(0), written, reading)
                written = torch.cat([written, newest], dim=1)
                found += sure[0].tolist()
                passes += 1
            assert written[0, 1:].tolist() == token_ids.tolist()
            assert found == pytest.approx(log_probs.tolist(), abs=1e-4)
            assert passes == -(-len(token_ids) // 7) or luck < 1


@pytest.mark.parametrize("scripted", [False, True])
@pytest.mark.parametrize("max_tokens", [12, 60])
def test_a_walk_ends_where_advancing_by_allowed_tokens_does(decoder, scripted, max_tokens):
    mask = decoder.mask
    walk = torch.jit.script(decoder).mask.walk if scripted else mask.walk
    random = torch.Generator().manual_seed(4)
    for _ in range(20):
        position, written, is_allowed = mask.start(1, max_tokens), [], True
        while is_allowed and EOS not in written:
            allowed = (~mask.forbidden(position)[0]).nonzero().flatten()
            choice = allowed if torch.rand(1, generator=random) < 0.95 else torch.arange(len(TOKENIZER))
            newest = choice[torch.randint(len(choice), (1,), generator=random)]
            written.append(int(newest))
            is_allowed = bool(mask.allows(position, newest))
            position = mask.advance(position, newest) if is_allowed else position
        taken, found = walk(mask.start(1, max_tokens), torch.tensor(written))
        assert taken == len(written) - (not is_allowed)
        assert all(torch.equal(one, other) for one, other in zip(found, position, strict=True))


def test_a_model_that_cannot_verify_says_so():
    model = SMALL["cnn_gru"].build(len(TOKENIZER))
    decoder = torch.jit.script(Decoder(model, 9, GRAMMAR).eval())
    guess = torch.tensor([[4]])
    with pytest.raises(Exception, match="verifies no guesses"):
        decoder.verify(guess, guess, decoder.begin(IMAGES[:1]))

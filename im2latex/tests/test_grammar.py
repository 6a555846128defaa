"""The grammar takes what people write and nothing that TeX refuses."""

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from im2latex.data.packed import read_packed, read_tokenizer
from im2latex.latex import canonicalize
from im2latex.latex.automaton import BARE, build_automaton
from im2latex.latex.grammar import NEVER, Grammar, unusable
from im2latex.latex.symbols import CLASS_OF
from im2latex.tests.rendering import draw
from im2latex.tokenizer import EOS, PAD, Tokenizer

TOKENIZER = Tokenizer([*Tokenizer.SPECIALS, *sorted(CLASS_OF)])  # in one order: a walk is the same in every process
GRAMMAR = Grammar.of(TOKENIZER.vocab, EOS, PAD)
NO_ERROR = {None, "the formula shows nothing", "the formula sticks out of its page", "the formula is too large"}

AMSMATH_FAULT = r"Undefined control sequence. \macc@kerna"
"""A fault of amsmath with accents inside accents, seen in 1 of 600 random walks; what brings it about is not known."""


def accepts(formula: str) -> bool:
    return GRAMMAR.accepts(TOKENIZER.encode(formula.split()))


def walk(seed: int, budget: int) -> list[str]:
    """A random formula of at most `budget` tokens: classes are drawn first, since most tokens are mere symbols."""
    rng = random.Random(seed)
    tokens_of: dict[int, list[int]] = {}
    for token_id, column in enumerate(GRAMMAR.class_of):
        tokens_of.setdefault(column, []).append(token_id)
    state, stack, slack = GRAMMAR.start, [0], budget
    written: list[int] = []
    while True:
        column = rng.choice([c for c in tokens_of if GRAMMAR.spent[state][c] <= slack])
        token_id = rng.choice(tokens_of[column])
        if token_id == EOS:
            return [TOKENIZER.vocab[i] for i in written]
        written.append(token_id)
        spent, growth = GRAMMAR.spent[state][column], GRAMMAR.growth[state][column]
        if growth > 0:
            stack.append(GRAMMAR.pushed[state][column])
        state = GRAMMAR.target[state][column] + (stack.pop() if growth < 0 else 0)
        slack += GRAMMAR.cost[state] - spent


@pytest.mark.parametrize(
    "formula",
    [
        r"x _ { 1 } ^ { 2 } y ^ { 3 }",
        r"{ } _ { a } ^ { b } X",
        r"\frac 1 { 2 } \sqrt [ 3 ] { x } \sqrt x",
        r"\left( \left. x \right| \middle | \right) ^ { 2 }",
        r"\int \limits _ { 0 } ^ { 1 } \sum \nolimits _ { i }",
        r"\begin{array} { c | c } \hline { a } & { b } \\ { c } & { d } \\ \end{array}",
        r"\begin{matrix} { a } & { b } & { c } \\ \end{matrix}",
        r"\begin{cases} { a } & { b } \\ \end{cases}",
        r"\sum _ { \substack { a \\ b } } \big ( x \Big { ] }",
        r"\hat { x } ^ { 2 } { \bar { T } _ { j } } ^ { * }",
        r"\textrm { i f ~ x } { a \atop b }",
        r"\hspace { - 1 . 5 c m } x",
        r"\operatorname { r a n k } \overline { { x } }",
    ],
)
def test_what_people_write_is_taken(formula):
    assert accepts(formula)
    assert canonicalize(formula)


@pytest.mark.parametrize(
    "formula",
    [
        "",
        "{ x",
        "x }",
        r"x ^ { 1 } ^ { 2 }",
        r"x _ { 1 } _ { 2 }",
        r"x ^ { 2 } _ { 1 }",
        r"x ^",
        r"x ^ }",
        r"\frac { 1 }",
        r"\sqrt [ 3 ]",
        r"\hat x",
        r"\left( x",
        r"{ \left( x } \right)",
        r"x \right)",
        r"\big x",
        r"x \limits _ { 1 }",
        r"\sum \limits x",
        r"x & y",
        r"x \\ y",
        r"\hline",
        r"\begin{array} { c } { a } & { b } \\ \end{array}",
        r"\begin{array} { } { a } \\ \end{array}",
        r"\begin{array} { c } { a } \end{array}",
        r"\begin{array} { c } { a } \\ \end{matrix}",
        r"\begin{cases} { a } & { b } & { c } \\ \end{cases}",
        r"\textrm { x ^ { 2 } }",
        r"\textrm { \alpha }",
        r"a \atop b \atop c",
        r"\frac { a \atop b } { c }",
        r"\widehat \ldots",
        r"{ \hat { x } ^ { 2 } } ^ { 3 }",
        r"{ { \hat { x } } ^ { 2 } } ^ { 3 }",
        r"{ \mathbf { \hat { x } } _ { 2 } } _ { 3 }",
        r"\sqrt [ \left[ a \right] ] { x }",
        r"\substack { a \\ [ b }",
        r"\hspace { 9 9 9 c m }",
        r"\undefined",
        r"x '",
    ],
)
def test_what_tex_or_the_normal_form_refuses_is_refused(formula):
    assert not accepts(formula)


@pytest.mark.parametrize("part", ["train", "val", "test"])
def test_every_formula_of_the_small_data_set_is_taken(part):
    folder = Path(__file__).parents[1] / "data" / "small" / part
    tokenizer = read_tokenizer(folder)
    grammar = Grammar.of(tokenizer.vocab, EOS, PAD)
    formulas = [tokenizer.encode(text.split()) for text in read_packed(folder, ["tokens"]).column(0).to_pylist()]
    known = [token_ids for token_ids in formulas if 3 not in token_ids]
    refused = [tokenizer.decode(token_ids) for token_ids in known if not grammar.accepts(token_ids)]
    assert len(refused) <= 0.005 * len(known), refused


@given(st.integers(0, 2**32), st.integers(2, 150))
def test_a_walk_under_the_grammar_is_a_formula_within_its_budget(seed, budget):
    tokens = walk(seed, budget)
    assert len(tokens) < budget
    assert accepts(" ".join(tokens))
    assert canonicalize(" ".join(tokens))


@pytest.mark.needs_latex
def test_tex_takes_every_walk_under_the_grammar():
    walks = [" ".join(walk(seed, 10 + seed % 90)) for seed in range(100)]
    errors = {rendered.formula: rendered.error for rendered in draw(*walks) if rendered.error not in NO_ERROR}
    assert set(errors.values()) <= {AMSMATH_FAULT}, errors


@pytest.mark.needs_latex
def test_tex_knows_every_sign_that_is_named():
    signs = [token for token, name in CLASS_OF.items() if name in {*BARE, "symbol", "space", "integral", "sum"}]
    errors = {rendered.formula: rendered.error for rendered in draw(*(f"a {sign} b" for sign in signs))}
    assert not {formula: error for formula, error in errors.items() if error not in NO_ERROR}


def test_every_state_has_a_way_out():
    assert max(GRAMMAR.cost) < 50


def test_states_that_a_brace_may_return_to_stand_in_order():
    states = list(build_automaton())
    for place, four in {"base": ["base", "base again", "done", "below"], "first": ["first", "accent"]}.items():
        start = states.index(f"plain group, {place}")
        assert states[start : start + len(four)] == [f"plain group, {name}" for name in four]


def test_tokens_that_no_formula_may_hold_are_named():
    assert unusable([*Tokenizer.SPECIALS, "x", r"\undefined", r"\def"]) == [r"\undefined", r"\def"]


def test_a_vocabulary_without_closing_braces_opens_none():
    tokenizer = Tokenizer([*Tokenizer.SPECIALS, "x", "{", "^"])
    grammar = Grammar.of(tokenizer.vocab, EOS, PAD)
    brace = grammar.class_of[5]
    assert all(row[brace] >= NEVER for row in grammar.spent)
    assert grammar.accepts([4, 4])

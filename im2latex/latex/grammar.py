"""Which token may come next, so that a formula always parses and TeX always takes it: tables for one vocabulary."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from im2latex.latex.automaton import END, START, Move, Moves, State, build_automaton
from im2latex.latex.symbols import CLASS_OF

NEVER = 30_000
"""What a token that may not be written costs: more than any formula may."""


@dataclass(frozen=True)
class Grammar:
    """A machine with a stack over the classes of tokens, as plain integers; states and classes are rows and columns.

    Writing a token of class c in state s: `pushed[s][c]` is written on top of the stack, which then grows by
    `growth[s][c]`; the next state is `target[s][c]`, to which the top of the stack is added where growth is -1.
    """

    class_of: list[int]
    """The class of each token of the vocabulary."""
    target: list[list[int]]
    pushed: list[list[int]]
    growth: list[list[int]]
    spent: list[list[int]]
    """Fewest tokens that complete what is open in this state and above, the token included; NEVER where forbidden."""
    cost: list[int]
    """Fewest tokens that bring a state to its return, or the formula to its end."""
    start: int

    @classmethod
    def of(cls, vocab: Sequence[str], end: int, pad: int) -> "Grammar":
        """The grammar of LaTeX over a vocabulary, of which `end` ends a formula and `pad` may follow that."""
        names = [CLASS_OF.get(token, "") for token in vocab]
        names[end], names[pad] = "end", "pad"
        columns = sorted(set(names))
        class_of = [columns.index(name) for name in names]
        return cls(class_of, *_tables(tuple(columns)))

    @classmethod
    def free(cls, vocab_size: int) -> "Grammar":
        """The grammar that allows everything: one state, one class, at no cost."""
        return cls([0] * vocab_size, [[0]], [[0]], [[0]], [[0]], [0], 0)

    def accepts(self, token_ids: Sequence[int]) -> bool:
        """True for what is a whole formula without its end; plain Python, one token after the other."""
        return self.first_refused(token_ids) is None

    def first_refused(self, token_ids: Sequence[int]) -> int | None:
        """The place of the first token that may not stand there, or the length if the formula is not complete."""
        state, stack = self.start, [0]
        for place, token_id in enumerate(token_ids):
            column = self.class_of[token_id]
            if self.spent[state][column] >= NEVER:
                return place
            growth = self.growth[state][column]
            if growth > 0:
                stack.append(self.pushed[state][column])
            state = self.target[state][column] + (stack.pop() if growth < 0 else 0)
        return None if self.cost[state] == 1 and len(stack) == 1 else len(token_ids)


def unusable(vocab: Sequence[str]) -> list[str]:
    """The tokens of a vocabulary that no formula may hold, without the four special ones that come first."""
    return [token for token in vocab[4:] if token not in CLASS_OF]


_Table = list[list[int]]


@lru_cache(maxsize=8)
def _tables(columns: tuple[str, ...]) -> tuple[_Table, _Table, _Table, _Table, list[int], int]:
    automaton = build_automaton()
    number = {state: row for row, state in enumerate(automaton)}
    moves = [{name: move for name, move in row.items() if name in columns} for row in automaton.values()]
    cost = _costs(number, moves)
    shape = [[0] * len(columns) for _ in moves]
    target, pushed, growth = ([row.copy() for row in shape] for _ in range(3))
    spent = [[NEVER] * len(columns) for _ in moves]
    for row, found in enumerate(moves):
        for name, move in found.items():
            column = columns.index(name)
            target[row][column] = move.shift if move.state is None else number[move.state]
            pushed[row][column] = 0 if move.pushed is None else number[move.pushed]
            growth[row][column] = -1 if move.state is None else int(move.pushed is not None)
            spent[row][column] = min(_spent(move, number, cost), NEVER)
    return target, pushed, growth, spent, cost, number[START]


def _costs(number: Mapping[State, int], moves: Sequence[Moves]) -> list[int]:
    """The cheapest way out of every state, found by relaxing until nothing changes."""
    cost = [NEVER] * len(moves)
    cost[number[END]] = 0
    changed = True
    while changed:
        changed = False
        for row, found in enumerate(moves):
            best = min((_spent(move, number, cost) for move in found.values()), default=NEVER)
            if row != number[END] and best < cost[row]:
                cost[row], changed = best, True
    return cost


def _spent(move: Move, number: Mapping[State, int], cost: Sequence[int]) -> int:
    after = 0 if move.state is None else cost[number[move.state]]
    return 1 + after + (0 if move.pushed is None else cost[number[move.pushed]])

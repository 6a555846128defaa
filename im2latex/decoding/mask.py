"""GrammarMask: follows the grammar in every row of a batch at once, and says which tokens may not come next."""

import torch
from torch import Tensor, nn

from im2latex.latex.grammar import Grammar

MAX_DEPTH = 64
"""Places on the stack of a row."""
DEEP = 40
"""Frames open at once beyond which a formula is brought to its end; training formulas open at most 24."""
CHECK_EVERY = 16
"""Tokens between two looks for formulas that run away; DEEP + CHECK_EVERY stays below MAX_DEPTH."""
WINDOW, LONGEST_PERIOD = 64, 32
"""A formula runs away when its last 64 tokens repeat those up to 32 before: 2 of 170,212 training formulas do."""


class GrammarMask(nn.Module):
    """The grammar as tensors. A position holds state (B,), depth (B,), slack (B,) and stack (B, MAX_DEPTH).

    The slack is how many tokens may still be written in the frame in hand, up to its end: what remains of
    `max_tokens` without what closes the frames around it. So every formula is complete in time.
    """

    moves: Tensor
    spent: Tensor
    cost: Tensor
    class_of: Tensor

    def __init__(self, grammar: Grammar) -> None:
        super().__init__()
        states, classes = len(grammar.cost), len(grammar.spent[0])
        self.classes = classes
        self.start_state = grammar.start
        self.window, self.longest_period, self.deep, self.max_depth = WINDOW, LONGEST_PERIOD, DEEP, MAX_DEPTH
        columns = [grammar.target, grammar.pushed, grammar.growth, grammar.spent]
        moves = torch.tensor(columns, dtype=torch.int16).permute(1, 2, 0)  # (states, classes, 4)
        self.register_buffer("moves", moves.reshape(states * classes, 4).contiguous())
        self.register_buffer("spent", torch.tensor(grammar.spent, dtype=torch.int16))  # (states, classes)
        self.register_buffer("cost", torch.tensor(grammar.cost, dtype=torch.int16))  # (states,)
        self.register_buffer("class_of", torch.tensor(grammar.class_of, dtype=torch.int32))  # (V,)

    def start(self, batch: int, max_tokens: int) -> list[Tensor]:
        """The position before the first token, for formulas of at most `max_tokens` with their end."""
        device = self.cost.device
        state = torch.full((batch,), self.start_state, dtype=torch.long, device=device)
        slack = torch.full((batch,), max_tokens, dtype=torch.long, device=device)
        stack = torch.zeros((batch, self.max_depth), dtype=torch.long, device=device)
        return [state, torch.zeros_like(state), slack, stack]

    def forbidden(self, position: list[Tensor]) -> Tensor:
        """True (B, V) for tokens that lead to no formula, or to one that is too long."""
        spent = self.spent.index_select(0, position[0]).index_select(1, self.class_of)  # (B, V)
        return spent > position[2].unsqueeze(1)

    def allows(self, position: list[Tensor], token_ids: Tensor) -> Tensor:
        """True (B,) where a token (B,) may come next: not `forbidden`."""
        spent = self.spent[position[0], self.class_of.index_select(0, token_ids).long()]
        return spent <= position[2]

    def advance(self, position: list[Tensor], token_ids: Tensor) -> list[Tensor]:
        """The position after a token (B,) more, which must not be a forbidden one."""
        state, depth, slack, stack = position[0], position[1], position[2], position[3]
        key = self.class_of.index_select(0, token_ids) + state * self.classes
        move = self.moves.index_select(0, key).long().unbind(1)
        target, pushed, growth, spent = move[0], move[1], move[2], move[3]
        stack = stack.scatter(1, depth.unsqueeze(1), pushed.unsqueeze(1))
        depth = depth + growth
        top = stack.gather(1, depth.unsqueeze(1)).squeeze(1)
        state = torch.where(growth < 0, target + top, target)
        slack = slack - spent + self.cost.index_select(0, state)
        return [state, depth, slack, stack]

    def walk(self, position: list[Tensor], token_ids: Tensor) -> tuple[int, list[Tensor]]:
        """How many of the tokens (k,) may follow one another in one formula, and the position after those.

        As `advance` token by token, where they are allowed; in plain numbers, which are sooner followed than tensors.
        """
        state, depth, slack = int(position[0]), int(position[1]), int(position[2])
        stack: list[int] = position[3][0].tolist()
        classes: list[int] = self.class_of.index_select(0, token_ids).long().tolist()
        taken = 0
        for token_class in classes:
            move: list[int] = self.moves[state * self.classes + token_class].long().tolist()
            if move[3] > slack:
                break
            stack[depth] = move[1]
            depth += move[2]
            state = move[0] + (stack[depth] if move[2] < 0 else 0)
            slack += int(self.cost[state]) - move[3]
            taken += 1
        after = [torch.tensor([number], device=self.cost.device) for number in (state, depth, slack)]
        after.append(torch.tensor([stack], device=self.cost.device))
        return taken, after

    def end_runaways(self, position: list[Tensor], written: Tensor) -> list[Tensor]:
        """The position from which formulas that repeat themselves, or nest without end, close what is open and end.

        `written` (B, T) are their tokens so far.
        """
        runs_away = position[1] >= self.deep
        if written.shape[1] > self.window:
            tail = written[:, -(self.window + self.longest_period) :]
            windows = tail.unfold(1, self.window, 1)  # (B, periods + 1, window)
            repeats = (windows[:, :-1] == windows[:, -1:]).all(2).any(1)
            runs_away = runs_away | repeats
        slack = torch.where(runs_away, self.cost.index_select(0, position[0]).long(), position[2])
        return [position[0], position[1], slack, position[3]]

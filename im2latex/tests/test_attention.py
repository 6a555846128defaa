"""Promises of the attention that the older systems share."""

import torch

from im2latex.models.attention import AdditiveAttention, padding_scores


def test_additive_attention_weighs_cells_as_the_paper_does_and_never_padding():
    torch.manual_seed(0)
    attention = AdditiveAttention(5, 6, 7)
    memory, query = torch.randn(2, 4, 5), torch.randn(2, 6)
    padding = padding_scores(memory, torch.tensor([4, 3]))
    _, weights = attention(query, attention.project_memory(memory), memory, padding)
    mixed = torch.tanh(attention.of_memory(memory) + attention.of_query(query).unsqueeze(1))
    scores = attention.score(mixed).squeeze(2)
    scores[1, 3] = float("-inf")
    torch.testing.assert_close(weights, scores.softmax(-1))
    assert weights[1, 3] == 0

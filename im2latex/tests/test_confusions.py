"""Errors are counted for the token they concern, and together they are the edit distance."""

from hypothesis import given
from hypothesis import strategies as st

from im2latex.confusions import count_confusions
from im2latex.metrics import edit_distance

corpus = st.lists(st.tuples(*[st.lists(st.sampled_from("abc{}"), max_size=8)] * 2), max_size=5)


def test_each_kind_of_error_is_counted_for_its_token():
    errors = {row.token: row for row in count_confusions([["a", "c", "b", "d"]], [["a", r"\nu", "b"]])}
    assert (errors[r"\nu"].replaced, errors[r"\nu"].occurrences) == (1, 1)
    assert errors[r"\nu"].read_as == {"c": 1}
    assert errors["d"].added == 1
    assert errors["a"].errors == errors["b"].errors == 0
    assert count_confusions([["a"]], [["a", "x"]])[0].left_out == 1


def test_most_errors_come_first_and_equals_in_the_order_of_the_alphabet():
    rows = count_confusions([["x"], ["x"], ["x"], []], [["b"], ["b"], ["a"], []])
    assert [(row.token, row.errors) for row in rows] == [("b", 2), ("a", 1)]


@given(corpus)
def test_all_errors_together_are_the_edit_distance(pairs):
    predictions, references = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    rows = count_confusions(predictions, references)
    assert sum(row.errors for row in rows) == sum(map(edit_distance, predictions, references))
    assert sum(row.occurrences for row in rows) == sum(map(len, references))

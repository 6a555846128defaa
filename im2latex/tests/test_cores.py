"""Work is spread over the cores, one thread on each, and nothing of that is left behind."""

import threading

import pytest
import torch

from im2latex.cores import on_each_core, one_thread


@pytest.mark.parametrize("count", [0, 1, 2, 10])
def test_answers_come_in_order_and_the_number_of_threads_is_as_before(threads, count):
    assert on_each_core(lambda item: 2 * item, range(count)) == [2 * item for item in range(count)]
    assert torch.get_num_threads() == threads


def test_every_core_has_a_thread_that_keeps_to_itself(threads):
    meeting = threading.Barrier(threads)

    def meet(_):
        meeting.wait(30)    # so nobody takes two
        return threading.get_ident(), torch.get_num_threads()

    found = on_each_core(meet, range(threads))
    assert len({thread for thread, _ in found}) == threads
    assert {count for _, count in found} == {1}


def test_one_item_is_worked_on_where_it_was_asked_for(threads):
    assert on_each_core(lambda _: threading.get_ident(), [0]) == [threading.get_ident()]


@pytest.mark.parametrize("count", [1, 5])
def test_what_work_raises_is_raised_and_the_number_of_threads_is_as_before(threads, count):
    with pytest.raises(ZeroDivisionError):
        on_each_core(lambda item: 1 // item, [0] * count)
    assert torch.get_num_threads() == threads


def test_one_thread_works_alone_and_the_number_of_threads_is_as_before(threads):
    @one_thread()
    def fail():
        assert torch.get_num_threads() == 1
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert torch.get_num_threads() == threads

"""Benchmarks tell what they measured, of the same work; how long it took is no matter of tests."""

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from im2latex.bundle import load_bundle, save_bundle
from im2latex.data.im2latex100k import SMALL
from im2latex.decoding import Decoder
from im2latex.errors import ConfigError
from im2latex.images import ImageSpec
from im2latex.models import describe_model
from im2latex.predictor import Predictor
from im2latex.tests.packed_sets import make_packed_set
from im2latex.tests.test_decoding import IMAGES, SIZES
from im2latex.tests.test_grammar import GRAMMAR, TOKENIZER
from im2latex.tests.test_images import OFFICIAL
from training import benchmark
from training.benchmark import ARMS, BenchmarkConfig, main, run_arm, why_skipped
from training.benchmark_arm import Arm, NaiveDecoder, build_eager, measure
from training.benchmark_limit import Machine, Sizes, count_sizes, least_seconds
from training.benchmark_start import Start, measure_start
from training.export_bundle import prove_same_tokens, read_set
from training.labelled import LabelledSet
from training.timing import PARTS, Stopwatch, percentile, split_reading


@pytest.fixture
def bundle(tmp_path):
    torch.manual_seed(0)
    decoder = Decoder(SIZES.build(len(TOKENIZER)), SIZES.max_tokens, GRAMMAR).eval()
    save_bundle(tmp_path / "model.pt", decoder, TOKENIZER, ImageSpec(), {"model": describe_model(SIZES)})
    return tmp_path / "model.pt"


@pytest.fixture
def threads():
    """Measuring sets the threads of its process: others shall have theirs again."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads")
def test_the_command_writes_a_row_for_every_way_of_reading(bundle, tmp_path, capsys, monkeypatch):
    make_packed_set(tmp_path / "set", samples=3)
    arms = (Arm(threads=1), Arm("naive", threads=1), Arm("eager", "int8", threads=1), Arm("eager", threads=1))

    def run_here(arm, config):  # since a process takes seconds to start
        if arm == arms[-1]:
            raise ConfigError("its process ended with 1")
        return measure(arm, config)

    monkeypatch.setattr(benchmark, "ARMS", arms)
    monkeypatch.setattr(benchmark, "run_arm", run_here)
    monkeypatch.setattr(benchmark, "measure_start", lambda picture, bundle, starts: Start(1.5, 2.5, 400.0, starts))
    flags = ["--data.data", str(tmp_path / "set"), "--bundle", str(bundle), "--starts", "1", "--clock", "cpu"]
    flags += ["--json_path", str(tmp_path / "out.json"), "--chart", str(tmp_path / "out.png")]
    assert main(flags) == 0
    report = json.loads((tmp_path / "out.json").read_text())
    shipped, naive, _ = report["rows"]
    assert [row["same_tokens"] for row in (shipped, naive)] == [1, 1]
    assert report["skipped"] == {arms[-1].title: "its process ended with 1"}, "and costs none of the others"
    assert (report["pictures"], report["set"]) == (3, "set")
    assert set(shipped["parts"]) == {*PARTS, "the rest"} - {"guesses"}
    assert not naive["parts"]
    assert shipped["p50"] <= shipped["p95"] <= shipped["p99"]
    assert len(report["limits"]) == 1
    pairs, ways = ("naive / shipped", "shipped / limit"), ("alone", "in batches")
    assert set(report["ratios"]) == {f"{pair}, {way}, 1 threads" for pair in pairs for way in ways}
    assert "cold start: 1.50 s (2.50 s of CPU), 400 MB at most, median of 1" in capsys.readouterr().out
    assert (tmp_path / "out.png").stat().st_size > 1000


def test_a_way_of_reading_is_measured_in_a_process_of_its_own(bundle, tmp_path):
    make_packed_set(tmp_path / "set", samples=3)
    config = BenchmarkConfig(data=LabelledSet(data=str(tmp_path / "set"), limit=2), bundle=str(bundle), clock="cpu")
    found = run_arm(Arm(threads=1), config)
    assert found.arm == Arm(threads=1)
    assert sorted(place for batch in found.batches for place in batch) == [0, 1]
    assert found.peak_megabytes > 50
    predictor = Predictor.load(bundle)
    assert found.tokens == [predictor.predict(config.data.open().read(place)).tokens for place in range(2)]


def test_a_cold_start_is_that_of_the_command(bundle, tmp_path):
    OFFICIAL.save(tmp_path / "picture.png")
    start = measure_start((tmp_path / "picture.png").read_bytes(), str(bundle), 1)
    assert start.peak_megabytes > 50
    with pytest.raises(ConfigError, match="read nothing"):
        measure_start(b"no picture", str(bundle), 1)


def test_bfloat16_is_skipped_with_a_reason_where_it_is_slow(monkeypatch):
    monkeypatch.setattr(benchmark, "multiplies_bf16", lambda: False)
    reasons = {arm.precision: why_skipped(arm) for arm in ARMS}
    assert "bfloat16" in reasons["bf16"]
    assert "bfloat16" in reasons["mixed"]
    assert not reasons["fp32"]


def test_a_way_of_reading_that_is_not_there_is_refused(capsys):
    assert main(["--only", '["quantum"]']) == 1
    assert "naive fp32, 2 threads, greedy" in capsys.readouterr().err


def test_all_pictures_are_of_the_small_set_unless_others_are_named():
    assert len(BenchmarkConfig().data.open().names) == 54


@pytest.mark.parametrize(("percent", "expected"), [(50, 2), (75, 3), (76, 4), (99, 4), (1, 1)])
def test_a_percentile_is_a_value_that_was_seen(percent, expected):
    assert percentile([4, 1, 3, 2], percent) == expected


def test_the_naive_loop_reads_what_the_decoder_reads(bundle):
    eager = build_eager(load_bundle(bundle))
    with torch.inference_mode():
        wanted_ids, wanted = eager(IMAGES)
        found_ids, found = NaiveDecoder(eager)(IMAGES)
    assert torch.equal(found_ids, wanted_ids)
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)


def test_a_reading_split_into_parts_stops_where_the_reading_stops(bundle):
    loaded, steps = load_bundle(bundle), []

    class Counting(Stopwatch):
        def note(self, part):
            steps.append(part)
            super().note(part)

    eager = replace(loaded, decoder=build_eager(loaded))
    OFFICIAL.save(bundle.with_name("picture.png"))
    picture = bundle.with_name("picture.png").read_bytes()
    tokens = Predictor(eager).predict(picture).tokens.split()
    with torch.inference_mode():
        split_reading(Predictor(eager), picture, Counting(lambda: 0.0))
    assert set(steps) == set(PARTS) - {"guesses"}
    assert steps.count("decoder") == 1 + len(tokens) + 1  # the memory, and the end


def test_a_reading_with_guesses_is_split_into_guessing_and_verifying():
    shipped, watch = Predictor.load(), Stopwatch(time.perf_counter)
    with torch.inference_mode():
        split_reading(shipped, LabelledSet(data=str(Path(SMALL) / "val")).open().read(0), watch)
    assert set(watch.seconds) == set(PARTS) - {"grammar mask"}
    assert all(seconds > 0 for seconds in watch.seconds.values())


def test_the_limit_is_set_by_what_is_slower_memory_or_arithmetic():
    sizes, both = Sizes(weights=100, memory_cell=10, past_token=20), [2, 1]  # two heads share what a cell says
    reading = Machine(1, multiply_adds=1e12, bandwidth=4.0)  # one number a second
    assert least_seconds(reading, sizes, [0], [3], [1]) == pytest.approx(100 + 30 + 20)
    assert least_seconds(reading, sizes, [0, 0], [3, 3], both) == pytest.approx((100 + 100) + (100 + 30 + 40))
    multiplying = Machine(1, multiply_adds=1.0, bandwidth=1e15)
    assert least_seconds(multiplying, sizes, [7, 7], [3, 3], both) == pytest.approx(14 + (200 + 160) + (100 + 100))


def test_the_limit_counts_the_products_of_a_step():
    model = SIZES.build(len(TOKENIZER)).eval()
    state = model.start(model.encode(IMAGES[:1]))
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        model.step(torch.tensor([5]), state)
    products = sum(
        flops for name, flops in counter.get_flop_counts()["Global"].items() if str(name).endswith((".mm", ".addmm"))
    )
    assert count_sizes(model).weights == pytest.approx(products / 2, rel=0.05)


def test_the_shipped_decoder_reads_what_its_weights_read_in_python_on_the_whole_small_set():
    shipped = Predictor.load().bundle
    for part in ("val", "test"):
        prove_same_tokens(shipped, build_eager(shipped), read_set(Path(SMALL) / part, 1000, shipped.spec))


def test_arms_have_names_of_their_own():
    assert len({arm.title for arm in ARMS}) == len(ARMS)
    assert Arm(threads=1).title == "torchscript fp32, 1 thread, greedy"
    assert Arm(threads=1, guesses=False).title == "torchscript fp32, 1 thread, greedy, no guesses"

"""Runs are compared by what differs between them, by their best scores, and by their curves."""

import json
from pathlib import Path

import pytest

from training.compare_runs import best_of, main, read_run, tell_apart


@pytest.fixture
def folders(tmp_path):
    for name, rate, losses in (("one", 0.001, (3.0, 1.0, 2.0)), ("two", 0.002, (3.5, 2.5, 1.5))):
        logs = tmp_path / name / "logs"
        logs.mkdir(parents=True)
        sizes = "model:\n  blocks: !!python/tuple\n  - 2\n  - 1\n"
        settings = f"name: {name}\n{sizes}optimizer:\n  learning_rate: {rate}\n"
        vocab = f"vocab: [{name}{', x' * 30}]\nexperiment:\n  optimizer:\n    learning_rate: {rate}\n"
        (logs / "hparams.yaml").write_text(settings + vocab)
        rows = [f"{10 * step},{loss},{50 + step}" for step, loss in enumerate(losses)]
        (logs / "metrics.csv").write_text("\n".join(["step,val/loss,val/bleu", *rows]) + "\n")
    report = {"set": "official", "beam": 4, "scores": {"bleu": 81.5}}
    (tmp_path / "two" / "scores.json").write_text(json.dumps(report))
    return [str(tmp_path / "one"), str(tmp_path / "two")]


def rows_of(text):
    return {line.split("  ")[0]: line.split("  ", 1)[-1].split() for line in text.splitlines() if line}


def test_the_terminal_shows_what_differs_and_the_best_scores(folders, capsys):
    assert main(folders) == 0
    rows = rows_of(capsys.readouterr().out)
    assert rows["optimizer.learning_rate"] == ["0.001", "0.002"]
    assert "name" not in rows
    assert "model.blocks" not in rows
    assert "experiment.optimizer.learning_rate" not in rows  # said once
    assert rows["vocab"][:2] == ["31", "values,"]
    assert rows["best val/loss"] == ["1", "(10)", "1.5", "(20)"]  # a loss is best when low, at the step in brackets
    assert rows["best val/bleu"] == ["52", "(20)", "52", "(20)"]
    assert rows["official, beam 4: bleu"] == ["-", "81.50"]


def test_the_page_holds_tables_and_curves_and_is_the_same_when_written_again(folders, tmp_path, capsys):
    pages = []
    for name in ("a.html", "b.html"):
        assert main([*folders, "--out", str(tmp_path / name)]) == 0
        pages.append((tmp_path / name).read_text())
    assert pages[0] == pages[1]
    assert "<svg" in pages[0]
    assert pages[0].count("<table>") == 2
    assert "optimizer.learning_rate" in pages[0]


def test_a_run_without_curves_yet_is_compared_by_its_settings(folders, tmp_path, capsys):
    (tmp_path / "one" / "logs" / "metrics.csv").unlink()
    assert main([*folders, "--out", str(tmp_path / "a.html")]) == 0
    assert rows_of(capsys.readouterr().out)["best val/loss"] == ["-", "1.5", "(20)"]


@pytest.mark.parametrize("content", [None, "a: [", "a: !!python/object/apply:os.system [ls]"])
def test_what_is_no_run_is_refused(tmp_path, capsys, content):
    if content:
        (tmp_path / "logs").mkdir()
        (tmp_path / "logs" / "hparams.yaml").write_text(content)
    assert main([str(tmp_path)]) == 1
    assert tmp_path.name in capsys.readouterr().err


def write_run(folder, settings="a: 1\n", curve="step,val/loss\n10,1.0\n", logs="logs"):
    (folder / logs).mkdir(parents=True)
    (folder / logs / "hparams.yaml").write_text(settings)
    (folder / logs / "metrics.csv").write_text(curve)
    return folder


def write_scores(folder, bleu, **report):
    folder.mkdir(exist_ok=True)
    (folder / "scores.json").write_text(json.dumps({"set": "official", "scores": {"bleu": bleu}, **report}))


def test_two_evaluations_of_one_set_keep_a_row_each(tmp_path):
    run = write_run(tmp_path / "run")
    write_scores(run, 1.0)
    for name, bleu in (("before", 2.0), ("after", 3.0)):
        write_scores(run / name, bleu)
    write_scores(run / "beam", 4.0, beam=5)
    assert read_run(run).scores == {
        "official: bleu": 1.0,
        "official (before): bleu": 2.0,
        "official (after): bleu": 3.0,
        "official, beam 5: bleu": 4.0,
    }


def test_a_setting_that_a_resumption_changed_is_shown_as_it_was_and_is(tmp_path):
    run = write_run(tmp_path / "run", "ema: 0.999\nrate: 1\n")
    write_run(run, "ema: 0.99\nrate: 1\n", logs="logs_2")
    write_run(run, "ema: 0.99\nrate: 1\nnew: 3\n", logs="logs_10")
    assert read_run(run).settings == {"ema": "0.999 then 0.99", "rate": "1", "new": "- then 3"}


@pytest.mark.parametrize(
    ("points", "name", "told"),
    [
        ([(1, float("nan")), (2, 5.0), (3, 7.0), (4, float("inf"))], "val/bleu", "7 (3)"),
        ([(1, 2.0), (2, float("nan")), (3, float("-inf"))], "val/loss", "2 (1)"),
        ([(1, 5.0), (2, 5.0)], "val/bleu", "5 (1)"),
        ([(1, float("nan"))], "val/bleu", "-"),
    ],
)
def test_a_diverged_validation_does_not_hide_the_best(points, name, told):
    assert best_of(points, name) == told


def test_of_several_tests_the_last_counts(tmp_path, capsys):
    run = write_run(tmp_path / "run", curve="step,test/bleu\n10,90.0\n20,80.0\n")
    assert main([str(run)]) == 0
    assert rows_of(capsys.readouterr().out)["last test/bleu"] == ["80", "(20)"]


def test_runs_of_one_name_are_told_apart_by_their_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for paths, names in (
        (["x/a", "y/a"], ["x/a", "y/a"]),
        (["x/a", "y/b"], ["a", "b"]),
        (["x/a", "x/a"], ["a", "a"]),
        (["."], [tmp_path.name]),
    ):
        assert tell_apart([Path(path) for path in paths]) == names


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("logs/hparams.yaml", "a: [\nb: c: d\n"),
        ("logs/hparams.yaml", "[1, 2]"),
        ("logs/hparams.yaml", "just words"),
        ("scores.json", "{"),
        ("scores.json", "[]"),
        ("scores.json", '{"set": "x", "scores": null}'),
        ("scores.json", "{}"),
        ("sub/scores.json", '{"set": "x", "scores": {"bleu": null}}'),
    ],
)
def test_a_broken_file_is_answered_in_one_line(tmp_path, capsys, file, content):
    run = write_run(tmp_path / "run")
    (run / file).parent.mkdir(exist_ok=True)
    (run / file).write_text(content)
    assert main([str(run)]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"error: {run} cannot be read: ")
    assert said.count("\n") == 1

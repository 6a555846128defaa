"""Runs are compared by what differs between them, by their best scores, and by their curves."""

import json

import pytest

from training.compare_runs import main


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

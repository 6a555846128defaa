"""The page holds what it shows: chosen formulas, pictures as data, differences marked, and nothing from elsewhere."""

from html.parser import HTMLParser

import pytest
from PIL import Image

from training.evaluate import main as evaluate
from training.gallery import choose, main
from training.gallery_parts import WIDEST, figure, mark_differences


class Addresses(HTMLParser):
    """Collects what a page would load."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.found += [value for name, value in attrs if name in ("src", "href", "srcset", "action")]


def rows(*scores: int) -> list[dict[str, str]]:
    return [
        {"name": str(place), "edit_score": str(score), "edit_distance": str(100 - score), "reference": "x" * place}
        for place, score in enumerate(scores)
    ]


def test_worst_typical_and_best_are_chosen_without_showing_one_twice():
    chosen = choose(rows(100, 10, 60, 50, 55, 100, 90, 20, 100), 2)
    assert [row["name"] for row in chosen["Worst"]] == ["1", "7"]
    assert {row["edit_score"] for row in chosen["Typical"]} <= {"55", "60", "90"}
    assert [row["name"] for row in chosen["Best"]] == ["8", "5"]


@pytest.mark.parametrize("count", range(6))
def test_a_small_set_is_shown_once(count):
    shown = [row["name"] for part in choose(rows(*range(count)), 2).values() for row in part]
    assert len(shown) == len(set(shown)) == count


@pytest.mark.parametrize(
    ("reference", "prediction", "left", "right"),
    [
        ("a b c", "a x c", "a <del>b</del> c", "a <ins>x</ins> c"),
        ("a < b", "a < b", "a &lt; b", "a &lt; b"),
        ("a", "a b", 'a <del class="gap">&nbsp;&nbsp;</del>', "a <ins>b</ins>"),
        ("a b", "b", "<del>a</del> b", '<ins class="gap">&nbsp;&nbsp;</ins> b'),
    ],
)
def test_differences_are_marked_and_text_is_escaped(reference, prediction, left, right):
    assert mark_differences(reference.split(), prediction.split()) == (left, right)


def test_wide_pictures_are_shrunk():
    assert f'width="{WIDEST}"' in figure(Image.new("L", (4 * WIDEST, 40), 255), "picture")


@pytest.mark.needs_latex
def test_the_page_is_whole_in_one_file(files):
    source = ["--images", str(files / "set"), "--labels", str(files / "set" / "labels.tsv")]
    assert evaluate(["--bundle", str(files / "model.pt"), "--out", str(files / "out"), *source]) == 0
    assert main(["--scores", str(files / "out"), "--out", str(files / "page.html"), "--count", "1"]) == 0
    page = (files / "page.html").read_text()
    loaded = Addresses()
    loaded.feed(page)
    assert len(loaded.found) >= 5
    assert all(address.startswith("data:image/png;base64,") for address in loaded.found)
    assert page.count("<article>") == 3
    assert "the picture is blank" in page
    assert "<del>2</del>" in page
    assert "$" not in page.partition("</style>")[2]


@pytest.mark.needs_latex
def test_an_evaluation_makes_the_page_that_the_gallery_makes_of_it(files):
    source = ["--images", str(files / "set"), "--labels", str(files / "set" / "labels.tsv")]
    assert evaluate(["--bundle", str(files / "model.pt"), "--out", str(files / "out"), "--gallery=1", *source]) == 0
    assert main(["--scores", str(files / "out"), "--out", str(files / "page.html"), "--count", "1"]) == 0
    assert (files / "out" / "gallery.html").read_text() == (files / "page.html").read_text()


def test_a_folder_without_an_evaluation_is_refused(tmp_path, capsys):
    assert main(["--scores", str(tmp_path)]) == 1
    assert "holds no evaluation" in capsys.readouterr().err

"""`im2latex explain` draws what was looked at, and says what is doubtful, without anything but the core."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from im2latex.cli import main
from im2latex.explain.animation import draw_frames
from im2latex.explain.command import write
from im2latex.explain.palette import BLUE, VERMILLION, Overlay
from im2latex.explain.sheet import draw_attention, draw_features
from im2latex.explanation import Attention, Explanation
from im2latex.images import ImageSpec, prepare_scales
from im2latex.prediction import Prediction
from im2latex.tests.test_explanation import README, two_bars


def explained(
    tokens: str = r"x ^ { </script> }", doubtful: int = 1, background: str = "white", size: tuple[int, int] = (200, 100)
) -> Explanation:
    """A picture whose tokens were all read from its middle."""
    image = two_bars(size, 1, background)
    prepared = prepare_scales(image, ImageSpec())[0]
    count = len(tokens.split())
    height, width = prepared.image.shape[1:]
    maps = np.zeros((count, height // 8, width // 8), dtype=np.float32)
    maps[:, maps.shape[1] // 2, maps.shape[2] // 2] = 1.0
    confidences = [0.5] * doubtful + [0.99] * (count - doubtful) if count else []
    attention = Attention(maps, prepared.image, prepared.placement)
    return Explanation(image, Prediction(tokens, tokens, 0.75, confidences), attention, attention.boxes())


def count_pixels(image: Image.Image, colour: tuple[int, int, int]) -> int:
    return int((np.asarray(image.convert("RGB")) == colour).all(-1).sum())


@pytest.mark.parametrize("background", ["white", "black"])
def test_heat_lies_on_white_paper_whatever_the_colours_of_the_picture(background):
    drawn = np.asarray(Overlay(explained(background=background), 200, 100).draw(0)).astype(int)
    warm = drawn[..., 0] - drawn[..., 2]
    row, column = np.unravel_index(warm.argmax(), warm.shape)
    assert abs(row - 50) < 20
    assert abs(column - 100) < 20
    assert (drawn[2, 2] > 240).all()
    assert warm[2, 2] < 10


def test_the_sheet_marks_doubtful_tokens_by_a_bar_and_boxes_all():
    sure, unsure = draw_attention(explained(doubtful=0)), draw_attention(explained(doubtful=3))
    assert count_pixels(sure, VERMILLION) == 0 < count_pixels(unsure, VERMILLION)
    assert count_pixels(sure, BLUE) > 100


@pytest.mark.parametrize(("size", "tokens"), [((1008, 270), 30), ((200, 100), 250), ((80, 400), 60), ((200, 100), 5)])
def test_a_sheet_of_many_tokens_or_a_wide_picture_once_was_ten_thousand_pixels_high(size, tokens):
    sheet = draw_attention(explained("x " * tokens, doubtful=0, size=size))
    assert sheet.width == 1280
    assert sheet.height <= 4000
    assert count_pixels(sheet, BLUE) > 100 * tokens / 5


def test_the_animation_has_a_frame_a_token_and_waits_at_doubtful_ones(tmp_path):
    write(explained(), tmp_path / "a.gif")
    with Image.open(tmp_path / "a.gif") as image:
        assert image.n_frames == 5
        shown = []
        for place in range(5):
            image.seek(place)
            shown.append(image.info["duration"])
    assert shown[0] > shown[1] == shown[2] < shown[4]


def test_the_page_holds_everything_and_no_token_ends_its_script(tmp_path):
    write(explained(), tmp_path / "a.html")
    text = (tmp_path / "a.html").read_text()
    assert "http" not in re.sub(r'http-equiv="Content-Security-Policy"', "", text)
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    data = json.loads(found[1])
    assert [token["token"] for token in data["tokens"]] == ["x", "^", "{", "</script>", "}"]
    assert all(0 <= edge <= 1 for token in data["tokens"] for edge in token["box"])
    assert data["picture"].startswith("data:image/png;base64,")


@pytest.mark.parametrize("kind", ["png", "gif", "html"])
def test_a_picture_in_which_nothing_was_read_can_be_drawn(tmp_path, kind):
    write(explained(""), tmp_path / f"a.{kind}")
    assert (tmp_path / f"a.{kind}").stat().st_size


def test_the_feature_maps_that_vary_most_come_first():
    maps = np.zeros((3, 4, 6), dtype=np.float32)
    maps[2, :, ::2] = 1.0  # the only one that varies
    first = np.asarray(draw_features(maps).crop((16, 40, 400, 100)).convert("L"))
    assert np.ptp(first) > 150


def test_frames_are_as_many_as_tokens():
    assert len(draw_frames(explained("x " * 120, doubtful=7))) == 120


def test_the_command_writes_all_kinds_and_says_what_is_doubtful(tmp_path, capsys):
    out, features = tmp_path / "sheet.png", tmp_path / "maps.png"
    assert main(["explain", str(README), "--out", str(out), "--features", str(features)]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("x_{1,2}=")
    assert printed[1].startswith("unsure: ")
    assert all(Image.open(path).width > 500 for path in (out, features))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "name one that ends in .html, .gif, .png with --out"),
        (["--out", "a.jpg"], "--out must end in .html or .gif or .png, got a.jpg"),
        (["--features", "a.gif"], "--features must end in .png, got a.gif"),
        (["--out", "nowhere/a.gif"], "there is no folder nowhere"),
    ],
)
def test_what_cannot_be_written_is_refused_before_anything_is_read(capsys, flags, message):
    assert main(["explain", "missing.png", *flags]) == 1
    assert message in capsys.readouterr().err


def test_a_picture_that_cannot_be_explained_is_named(tmp_path, capsys):
    Image.new("L", (40, 20), 255).save(tmp_path / "blank.png")
    assert main(["explain", str(tmp_path / "blank.png"), "--out", str(tmp_path / "a.html")]) == 1
    assert f"{tmp_path / 'blank.png'}: the picture is blank" in capsys.readouterr().err


def test_a_page_in_place_of_a_folder_is_refused_in_a_line(tmp_path, capsys):
    (tmp_path / "d.html").mkdir()
    assert main(["explain", str(README), "--out", str(tmp_path / "d.html")]) == 1
    assert capsys.readouterr().err.startswith("im2latex: [Errno 21] Is a directory")


def test_explaining_needs_neither_matplotlib_nor_anything_of_training(tmp_path):
    code = (
        "import sys; from im2latex.cli import main\n"
        f"assert main(['explain', {str(README)!r}, '--out', {str(tmp_path / 'a.gif')!r}]) == 0\n"
        "found = {'matplotlib', 'pytorch_lightning', 'torchvision', 'wandb', 'im2latex.data'} & set(sys.modules)\n"
        "assert not found, found"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

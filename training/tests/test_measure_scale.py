"""The figures that scale.py rests on can be measured again."""

import zipfile
from io import BytesIO

from PIL import Image

from im2latex.tests.test_images import draw_formula
from training.measure_scale import main


def test_a_200_dpi_picture_measures_twice_its_half(tmp_path, capsys):
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        for name, picture in (("a.png", draw_formula(200)), ("blank.png", Image.new("L", (50, 50), 255))):
            stream = BytesIO()
            picture.save(stream, "PNG")
            archive.writestr(name, stream.getvalue())
    assert main(["--images", str(tmp_path / "images.zip"), "--expected", "0.5"]) == 0
    printed = capsys.readouterr().out
    assert "blank.png: the picture is blank" in printed
    assert "1 pictures" in printed
    assert "factor 0.5 within 5 %: 100.0%; the same relative to its own half: 100.0%" in printed


def test_what_is_no_zip_is_refused(tmp_path, capsys):
    assert main(["--images", str(tmp_path / "none.zip")]) == 1
    assert "none.zip is no zip" in capsys.readouterr().err

"""Any picture of a formula, in any format and colour, becomes the same tensor; anything else is refused."""

import contextlib
import io
import struct

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from im2latex.errors import ImageError
from im2latex.images import FORMATS, ImageSpec, open_image, prepare

SPEC = ImageSpec()


def draw_formula(dpi: int = 200) -> Image.Image:
    """A picture "L" whose strokes are as wide as those of 12 pt Computer Modern: 1.4 px at 200 dpi."""
    image = Image.new("L", (1280, 384), 255)
    draw = ImageDraw.Draw(image)
    for line in ((64, 64, 240, 304), (240, 64, 64, 304), (400, 160, 720, 160), (400, 240, 720, 240)):
        draw.line(line, fill=0, width=11)
    draw.rectangle((880, 64, 1120, 304), outline=0, width=11)
    return image.resize((160 * dpi // 200, 48 * dpi // 200), Image.Resampling.BOX)


def halve(image: Image.Image) -> Image.Image:
    return image.resize((image.width // 2, image.height // 2), Image.Resampling.LANCZOS)


def saved(image: Image.Image, file_format: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, file_format, **options)
    return stream.getvalue()


OFFICIAL = halve(draw_formula())


def difference(image: Image.Image, other: Image.Image = OFFICIAL) -> float:
    """Mean difference per pixel of two prepared pictures; 1 if their shapes differ."""
    first, second = prepare(image, SPEC), prepare(other, SPEC)
    return 1.0 if first.size() != second.size() else float((first - second).abs().mean())


def test_a_picture_in_the_official_look_keeps_its_pixels():
    tensor = prepare(OFFICIAL, SPEC)
    assert tensor.dtype == torch.float32
    assert tensor.shape[0] == 1
    assert all(side % SPEC.multiple == 0 for side in tensor.shape[1:])
    original = 255 - np.asarray(OFFICIAL, dtype=np.float32)
    original = np.clip(original / np.sort(original, axis=None)[-4], 0, 1)
    rows, columns = np.flatnonzero((original > 1 / 8).any(1)), np.flatnonzero((original > 1 / 8).any(0))
    box = original[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    ink = tensor[0, SPEC.margin :, SPEC.margin :].numpy()
    assert ink[: box.shape[0], : box.shape[1]] == pytest.approx(box, abs=0.005)


def test_the_tensor_is_paper_0_and_ink_1_with_the_margin_of_the_spec():
    tensor = prepare(OFFICIAL, SPEC)[0]
    assert [float(tensor.min()), float(tensor.max())] == [0, 1]
    assert tensor[: SPEC.margin].max() < 1 / 8
    assert tensor[:, : SPEC.margin].max() < 1 / 8
    assert tensor[SPEC.margin].max() > 1 / 8
    assert tensor[:, SPEC.margin].max() > 1 / 8


@pytest.mark.parametrize("dpi", [200, 300])
def test_a_larger_print_is_brought_to_the_official_scale(dpi):
    found, wanted = (prepare(image, SPEC)[0] > 0.2 for image in (draw_formula(dpi), OFFICIAL))
    width, wanted_width = (int(ink.any(0).nonzero().max()) for ink in (found, wanted))
    assert width == pytest.approx(wanted_width, rel=0.03)


def test_the_official_picture_before_halving_gives_the_tensor_of_its_half():
    assert difference(draw_formula(200)) < 0.005


def test_margins_do_not_matter():
    framed = Image.new("L", (OFFICIAL.width + 90, OFFICIAL.height + 50), 255)
    framed.paste(OFFICIAL, (61, 7))
    assert difference(framed) == 0


def as_mode(mode: str) -> Image.Image:
    if mode.startswith("I;16"):
        return Image.fromarray(np.asarray(OFFICIAL).astype(np.uint16) * 257)
    if mode in ("LA", "RGBA"):
        layer = Image.new(mode, OFFICIAL.size, (0,) * len(mode))
        layer.putalpha(OFFICIAL.point(lambda level: 255 - level))
        return layer
    if mode == "PA":
        return as_mode("RGBA").convert("PA")
    return OFFICIAL.convert(mode)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F"])
def test_every_mode_gives_the_same_tensor(mode):
    assert difference(as_mode(mode)) < 0.005


def test_two_colours_are_enough():
    assert difference(OFFICIAL.convert("1", dither=Image.Dither.NONE)) < 0.08


@pytest.mark.parametrize("ink", ["black", "white", "#3050ff", "#ffe080"])
def test_ink_on_transparent_ground_shows_whatever_its_colour(ink):
    layer = Image.new("RGBA", OFFICIAL.size, ink)
    layer.putalpha(OFFICIAL.point(lambda level: 255 - level))
    assert difference(open_image(saved(layer, "PNG"))) < 0.01


def test_one_transparent_colour_of_a_palette_is_paper():
    palette = OFFICIAL.convert("1", dither=Image.Dither.NONE).convert("P")
    paper = int(np.bincount(np.asarray(palette).ravel()).argmax())
    palette.putpalette([0, 0, 0] * 256)
    assert difference(open_image(saved(palette, "GIF", transparency=paper))) < 0.08


def test_light_ink_on_a_dark_ground_is_inverted():
    assert difference(OFFICIAL.point(lambda level: 255 - level)) == 0


def test_faint_and_grey_pictures_are_stretched():
    assert difference(OFFICIAL.point(lambda level: 150 + level // 5)) < 0.01


@pytest.mark.parametrize(
    ("file_format", "mode"),
    [*((name, "RGB") for name in FORMATS), *((name, "L") for name in FORMATS), ("JPEG", "CMYK"), ("PNG", "I;16")],
)
def test_every_format_is_read(file_format, mode):
    options = {"quality": 95} if file_format in ("JPEG", "WEBP") else {}
    assert difference(open_image(saved(as_mode(mode), file_format, **options))) < (0.05 if options else 0.001)


def test_the_first_frame_of_an_animation_is_read():
    frames = [Image.new("L", OFFICIAL.size, 255), Image.new("L", OFFICIAL.size, 0)]
    data = saved(OFFICIAL, "GIF", save_all=True, append_images=frames)
    assert difference(open_image(data)) < 0.01


def test_a_picture_is_turned_as_its_exif_says():
    turned = OFFICIAL.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held 90 degrees to the left
    assert difference(open_image(saved(turned, "PNG", exif=exif))) == 0


@pytest.mark.parametrize("kind", ["bytes", "path", "text", "image"])
def test_bytes_paths_and_images_are_the_same_picture(kind, tmp_path):
    path = tmp_path / "formula.png"
    OFFICIAL.save(path)
    source = {"bytes": path.read_bytes(), "path": path, "text": str(path), "image": OFFICIAL}[kind]
    assert difference(open_image(source)) == 0


@pytest.mark.parametrize(("mode", "ground"), [("L", 255), ("L", 0), ("RGBA", (0, 0, 0, 0)), ("I", 7), ("F", 0.5)])
def test_a_picture_that_shows_nothing_is_refused(mode, ground):
    with pytest.raises(ImageError, match="blank"):
        prepare(Image.new(mode, (60, 40), ground), SPEC)


@pytest.mark.parametrize(
    ("data", "seen"),
    [(b"", "not a picture"), (b"%PDF-1.7 secret", "not a picture"), (saved(OFFICIAL, "PNG")[:150], "damaged")],
)
def test_what_is_not_a_whole_picture_is_refused_without_showing_it(data, seen):
    with pytest.raises(ImageError, match=seen) as caught:
        open_image(data)
    assert "secret" not in str(caught.value)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ImageError, match="FileNotFoundError"):
        open_image(tmp_path / "nowhere.png")


def test_a_vector_format_that_starts_other_programs_is_not_opened():
    with pytest.raises(ImageError, match="not a picture"):
        open_image(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n")


@pytest.mark.parametrize("side", [6_000, 60_000])
def test_a_decompression_bomb_is_refused_before_it_is_decoded(side):
    data = bytearray(saved(Image.new("L", (1, 1)), "BMP"))
    data[18:26] = struct.pack("<ii", side, side)
    with pytest.raises(ImageError, match=r"too large|Bomb"):
        open_image(bytes(data))


@pytest.mark.parametrize("size", [(4, 1), (3000, 2), (2, 3000), (1500, 1500)])
def test_no_shape_fills_the_memory(size):
    noise = np.random.default_rng(0).integers(0, 2, size, dtype=np.uint8) * 255
    noise[:4, 0] = 255
    tensor = prepare(Image.fromarray(np.pad(noise, 20)), SPEC)
    assert tensor.numel() < 1.2 * SPEC.max_area
    assert max(tensor.shape) <= SPEC.max_side + 4 * SPEC.multiple


def test_thick_handwriting_is_read_without_a_crash():
    image = Image.new("L", (900, 700), 255)
    ImageDraw.Draw(image).ellipse((100, 100, 800, 600), outline=0, width=90)
    assert prepare(image, SPEC).max() == 1


VALID = [saved(OFFICIAL.convert("RGB"), name) for name in FORMATS]


@pytest.mark.filterwarnings("ignore::UserWarning")
@settings(deadline=None, max_examples=150)
@given(
    data=st.sampled_from(VALID),
    cut=st.integers(min_value=0, max_value=400),
    edits=st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255)), max_size=6),
)
def test_damaged_files_raise_image_error_and_nothing_else(data, cut, edits):
    broken = bytearray(data[: len(data) - cut])
    for place, value in edits:
        if place < len(broken):
            broken[place] = value
    with contextlib.suppress(ImageError):
        prepare(open_image(bytes(broken), max_pixels=2**20), SPEC)

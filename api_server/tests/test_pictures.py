"""Whatever bytes come, a picture is read or refused with a sentence; nothing large is decoded to find that out."""

import io
import struct
import tracemalloc

import pytest
from PIL import Image

from api_server.pictures import prepare_picture
from api_server.settings import Settings
from api_server.tests.fakes import picture, serving
from api_server.tests.fuzzing import VARIANTS, broken_pictures, judge, whole_pictures
from im2latex.errors import ImageError
from im2latex.images import FORMATS, ImageSpec

SPEC = ImageSpec()


def saved(image, kind="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def bmp_head(width, height):
    """A BMP that claims a size it does not have."""
    data = bytearray(saved(Image.new("L", (1, 1)), "BMP"))
    data[18:26] = struct.pack("<ii", width, height)
    return bytes(data)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("size", [(1, 1), (1, 3), (3, 1)])
def test_the_smallest_pictures_are_a_clean_422(kind, size):
    with serving() as client:
        data = saved(Image.new("RGB", size, "white"), kind)
        answer = client.post("/v1/predict", files={"file": data})
    assert (answer.status_code, answer.json()["code"]) == (422, "unreadable_image")


@pytest.mark.parametrize(
    ("width", "height"),
    [(10_001, 1), (1, 10_001), (5001, 5000), (10_000, 2501), (2**31 - 1, 2**31 - 1), (60_000, 60_000)],
)
def test_a_size_beyond_the_limits_is_refused_from_the_head_alone(width, height):
    judge(picture("BMP"), Settings())    # so that the reader itself is loaded
    tracemalloc.start()
    with pytest.raises(ImageError, match=r"too large|Bomb"):
        prepare_picture(bmp_head(width, height), SPEC, Settings())
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


@pytest.mark.parametrize(("width", "height"), [(10_000, 1), (10_000, 2500), (1, 10_000)])
def test_a_size_at_the_limit_is_not_what_is_wrong(width, height):
    with pytest.raises(ImageError, match=r"damaged|blank"):
        prepare_picture(bmp_head(width, height), SPEC, Settings())


def test_every_variant_of_a_whole_picture_is_read():
    assert len(VARIANTS) > 35
    for (kind, mode, options), data in zip(VARIANTS, whole_pictures(), strict=True):
        assert judge(data, Settings()) == "read", (kind, mode, options)


def test_broken_pictures_are_read_or_refused_and_nothing_else():
    outcomes = {judge(data, Settings(max_pixels=2**20)) for data in broken_pictures(2000, seed=1)}
    assert {"read", "not a picture", "the picture is damaged or cut short"} <= outcomes


def test_broken_pictures_are_no_fault_of_the_server():
    with serving() as client:
        for data in broken_pictures(150, seed=2):
            answer = client.post("/v1/predict", files={"file": data})
            assert answer.status_code in (200, 422)


def test_a_picture_that_unpacks_to_much_more_is_refused():
    """A deflate bomb: 81 million pixels are some ten thousand bytes of PNG."""
    with pytest.raises(ImageError, match="too large"):
        prepare_picture(saved(Image.new("1", (9_000, 9_000))), SPEC, Settings())


def test_a_text_chunk_that_unpacks_to_much_more_is_refused_or_passed_over():
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("comment", "x" * 5_000_000, zip=True)
    image = Image.open(io.BytesIO(picture()))
    assert judge(saved(image, pnginfo=info), Settings()) in ("read", "the picture is damaged or cut short",
                                                              "the picture cannot be opened")  # fmt: skip

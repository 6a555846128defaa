"""Pictures broken at random: what is read, and what is refused. `python -m api_server.tests.fuzzing --inputs 100000`"""

import argparse
import io
import random
import struct
import tempfile
import time
import warnings
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from api_server.pictures import prepare_picture
from api_server.settings import Settings
from im2latex.errors import ImageError
from im2latex.images import ImageSpec

VARIANTS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    *(("PNG", mode, {}) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")),
    ("PNG", "RGB", {"save_all": True}),
    *(("JPEG", mode, {}) for mode in ("L", "RGB", "CMYK")),
    ("JPEG", "RGB", {"progressive": True}),
    *(("WEBP", mode, {"lossless": lossless}) for mode in ("RGB", "RGBA") for lossless in (False, True)),
    ("WEBP", "RGB", {"save_all": True}),
    *(("GIF", mode, {}) for mode in ("L", "P")),
    ("GIF", "P", {"save_all": True, "transparency": 0}),
    *(("BMP", mode, {}) for mode in ("1", "L", "P", "RGB", "RGBA")),
    *(("TIFF", mode, {}) for mode in ("1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F")),
    *(("TIFF", "RGB", {"compression": name}) for name in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg")),
    ("TIFF", "1", {"compression": "group4"}),
    ("TIFF", "L", {"save_all": True}),
)
"""Format, mode and options of the whole pictures that are broken; save_all makes an animation of three frames."""
SPECIAL = (b"\0", b"\xff", b"\x7f", b"\x80", b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f")


def whole_pictures() -> list[bytes]:
    """A small picture in every variant."""
    ink = Image.new("L", (48, 24), 255)
    ImageDraw.Draw(ink).line((6, 4, 30, 20), fill=0, width=2)
    files = []
    for kind, mode, options in VARIANTS:
        image = ink.convert("I").point(lambda level: level * 257).convert(mode) if mode == "I;16" else ink.convert(mode)
        frames = {"append_images": [image.rotate(90), image.rotate(180)]} if options.get("save_all") else {}
        stream = io.BytesIO()
        image.save(stream, kind, **options, **frames)
        files.append(stream.getvalue())
    return files


def break_picture(data: bytes, rng: random.Random) -> bytes:
    """Change a file at a few places; most PNG get right checksums again, or nothing behind them would be met."""
    broken = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        place = min(int(rng.expovariate(4 / len(data))), len(broken))    # heads are where the traps are
        change = rng.randrange(6)
        if change == 0 and place < len(broken):
            broken[place] ^= 1 << rng.randrange(8)
        elif change == 1:
            special = rng.choice(SPECIAL)
            broken[place : place + len(special)] = special
        elif change == 2:
            broken[place : place + rng.randrange(1, 9)] = b""
        elif change == 3:
            broken[place:place] = rng.randbytes(rng.randrange(1, 9))
        elif change == 4:
            start = rng.randrange(len(data))
            broken[place:place] = data[start : start + rng.randrange(1, 65)]
        elif rng.random() < 0.3:
            del broken[place:]
    return right_png(bytes(broken)) if data.startswith(b"\x89PNG") and rng.random() < 0.7 else bytes(broken)


def right_png(data: bytes) -> bytes:
    """The file with the checksum of every chunk made right."""
    fixed, place = bytearray(data), 8
    while place + 12 <= len(fixed):
        (length,) = struct.unpack_from(">I", fixed, place)
        end = place + 8 + length
        if end + 4 > len(fixed):
            break
        struct.pack_into(">I", fixed, end, zlib.crc32(fixed[place + 4 : end]))
        place = end + 4
    return bytes(fixed)


def broken_pictures(count: int, seed: int) -> Iterator[bytes]:
    """The same broken files for the same seed, every variant in turn."""
    rng = random.Random(seed)
    files = whole_pictures()
    for number in range(count):
        yield break_picture(files[number % len(files)], rng)


def judge(data: bytes, settings: Settings) -> str:
    """What the server makes of a file; anything but an ImageError comes out as it is, and is a fault."""
    try:
        prepare_picture(data, ImageSpec(), settings)
    except ImageError as error:
        return str(error).partition(":")[0].partition(" (")[0]
    return "read"


def resident_bytes() -> int:
    """Memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def main() -> None:
    """Judge many broken pictures; a fault, a crash too, leaves its picture behind and stops the run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fault", type=Path, default=Path(tempfile.gettempdir()) / "fault.bin")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    outcomes: Counter[str] = Counter()
    started = time.monotonic()
    for number, data in enumerate(broken_pictures(arguments.inputs, arguments.seed), 1):
        arguments.fault.write_bytes(data)
        outcomes[judge(data, Settings())] += 1
        if number % 5000 == 0 or number == arguments.inputs:
            seconds, megabytes = time.monotonic() - started, resident_bytes() >> 20
            print(f"{number} inputs, {seconds:.0f} s, {megabytes} MB: {dict(outcomes)}", flush=True)
    arguments.fault.unlink()


if __name__ == "__main__":
    main()

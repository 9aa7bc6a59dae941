"""The command line of `python -m palette_worker.rendering`: words in, checked values out.

The ranges are the API's. What is wrong is one sentence that begins with the argument it is about;
whatever can be known without opening the picture is said before it is opened.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from colorway.errors import InvalidRequest
from colorway.job import OutputFormat
from colorway.palette import CATALOGUE, MAX_COLORS, MIN_COLORS, Palette
from palette_worker.rendering.whole_file import naming

STREAM = "-"
"""As IN, standard input; as OUT, standard output."""

_EDGES = (16, 16_383)  # pixels; the API's, as all ranges here

_FORMATS: dict[str, OutputFormat] = {
    ".png": "png",
    ".webp": "webp",
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
}

_EXAMPLES = """examples:
  photo.jpg nord.webp --colors '#2e3440,#88c0d0,#eceff4'
  photo.jpg colorways/ --palette nord --palette ink --max-edge 1600
  photo.jpg nord.png --palette nord --lut nord.cube --report
  photo.jpg --extract 5
"""


@dataclass(frozen=True, slots=True)
class Order:
    """One palette of the command, and what its files are called in a folder."""

    slug: str
    palette: Palette


class Wanted(argparse.Namespace):
    """The command line, checked as far as it can be without opening the picture."""

    picture: str
    out: str | None
    orders: list[Order]
    strength: float
    preserve_luminance: bool
    format: OutputFormat
    quality: int | None
    max_edge: int | None
    lut: str | None
    report: bool
    extract: int | None


def wanted(arguments: Sequence[str] | None) -> Wanted:
    """Return what the arguments ask for, or raise InvalidRequest with one line."""
    asked = _parser().parse_args(arguments, namespace=Wanted())
    if asked.extract is not None:
        if asked.out is not None or asked.orders or asked.lut is not None:
            raise InvalidRequest("--extract: it prints the colours of IN and takes nothing else")
        return asked
    if asked.out is None:
        raise InvalidRequest("OUT: missing; say which file, or which folder, to write")
    if not asked.orders:
        raise InvalidRequest("--colors: missing; such as --colors '#2e3440,#88c0d0,#eceff4'")
    slugs = [order.slug for order in asked.orders]
    if len(set(slugs)) < len(slugs):
        raise InvalidRequest("--colors: the same palette twice would be written to the same file")
    _check_out(asked, asked.out)
    if asked.lut is not None:
        _check_lut(asked, asked.lut)
    return asked


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m palette_worker.rendering",
        description="Recolour a picture with palettes, without any service. Prints one line of "
        "JSON per palette.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    take = parser.add_argument
    take("picture", metavar="IN", help="PNG, JPEG, WebP, GIF, AVIF or TIFF; - is standard input")
    take(
        "out",
        metavar="OUT",
        nargs="?",
        help="a .png, .webp or .jpg file; a folder where there are several palettes, or where it "
        "exists or ends in /; - is standard output, and the JSON goes to standard error",
    )
    take(
        "--colors",
        dest="orders",
        metavar="#RRGGBB,…",
        action="append",
        default=[],
        type=_order_of_colors,
        help=f"{MIN_COLORS} to {MAX_COLORS} colours of a palette; may be repeated, for several "
        "palettes",
    )
    take(
        "--palette",
        dest="orders",
        metavar="NAME",
        action="append",
        type=_order_of_name,
        help=f"a built-in palette: {_names()}; may be repeated",
    )
    take(
        "--strength",
        type=_number(float, 0, 1),
        default=1.0,
        help="from 0, the picture as it is, to 1, the palette (the default)",
    )
    take(
        "--no-preserve-luminance",
        dest="preserve_luminance",
        action="store_false",
        help="hue leads: red becomes the palette's red, even where that is darker",
    )
    take(
        "--format",
        choices=("png", "webp", "jpeg", "auto"),
        default="auto",
        help="auto, the default, is what OUT's ending says, else a small lossless file",
    )
    take(
        "--quality",
        type=_number(int, 1, 100),
        help="of JPEG (90 unless given); WebP is lossless unless this is given",
    )
    take(
        "--max-edge",
        type=_number(int, *_EDGES),
        metavar="PIXELS",
        help="make the longer side at most so long",
    )
    take("--lut", metavar="OUT.cube", help="write the recolouring as a 3D table too")
    take("--report", action="store_true", help="add how near the result is to the palette, in ΔE")
    take(
        "--extract",
        type=_number(int, 1, MAX_COLORS),
        metavar="K",
        help="print the picture's own K main colours and do nothing else",
    )
    return parser


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        # argparse prints its usage first, of ten lines, and the reason below them
        raise InvalidRequest(message.removeprefix("argument "))


def _number(kind: type[int] | type[float], least: int, most: int) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            number = kind(text)
        except ValueError:
            number = math.nan
        if not least <= number <= most:
            whole = "a whole number" if kind is int else "a number"
            raise argparse.ArgumentTypeError(f"{text!r} is not {whole} from {least} to {most}")
        return number

    return read


def _order_of_colors(text: str) -> Order:
    try:
        palette = Palette("colors", tuple(color.strip() for color in text.split(",")))
    except InvalidRequest as error:
        raise argparse.ArgumentTypeError("; ".join(f.detail for f in error.flaws)) from error
    return Order("-".join(color[1:] for color in palette.colors), palette)


def _order_of_name(text: str) -> Order:
    for palette in CATALOGUE:
        if palette.name.lower() == text.lower():
            return Order(palette.default_key(), palette)
    raise argparse.ArgumentTypeError(f"there is no {text!r} among {_names()}")


def _names() -> str:
    return ", ".join(palette.name.lower() for palette in CATALOGUE)


def _check_out(asked: Wanted, out: str) -> None:
    """Settle the format, or raise InvalidRequest for what cannot be written."""
    if out == STREAM:
        if len(asked.orders) > 1:
            raise InvalidRequest("OUT: standard output takes one palette; name a folder")
        return
    ending = Path(out).suffix.lower()
    if is_folder(asked, out):
        if ending in _FORMATS and not Path(out).is_dir():
            raise InvalidRequest(f"{out}: several palettes are written to a folder, not to a file")
        return
    _check_file(asked, out)
    named = _FORMATS.get(ending)
    if named is None and ending and asked.format == "auto":
        raise InvalidRequest(f"{out}: no format is called {ending}; write .png, .webp or .jpg")
    if named is not None and asked.format not in (named, "auto"):
        raise InvalidRequest(f"{out}: the ending says {named}, --format says {asked.format}")
    asked.format = named or asked.format


def _check_lut(asked: Wanted, lut: str) -> None:
    if is_folder(asked, lut):
        return
    if Path(lut).suffix.lower() != ".cube":
        raise InvalidRequest(f"{lut}: a table is written to a .cube file")
    _check_file(asked, lut)


def is_folder(asked: Wanted, place: str) -> bool:
    """Whether the place is a folder, made where it is missing; several palettes need one."""
    with naming(place):
        return len(asked.orders) > 1 or place.endswith("/") or Path(place).is_dir()


def require_another_file(asked: Wanted, place: Path) -> None:
    """Raise InvalidRequest where the place is the source, by whatever name."""
    source = Path(asked.picture)
    with naming(place):
        if asked.picture == STREAM or not (source.exists() and place.exists()):
            return
        if place.samefile(source):
            raise InvalidRequest(f"{place}: this is the picture itself, which is not overwritten")


def _check_file(asked: Wanted, place: str) -> None:
    with naming(place):
        if not Path(place).parent.is_dir():
            raise InvalidRequest(f"{place}: there is no folder {Path(place).parent}")
    require_another_file(asked, Path(place))

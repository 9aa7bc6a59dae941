"""What rendering takes, step by step: `python -m benchmarks.render`.

A photograph and a logo, of 1 and 12 megapixels: milliseconds and memory of every step, and how much
sooner two threads do it. Every time is also told as a ratio to what a plain script would do with
the same picture in the same run: Pillow's table lookup, and PNG at its quickest level. What the
machine can do at all is told by copying the pixels, and by fpng where that is installed. Rivals run
in turn, back and forth; ratios are medians over the rounds.

Bars, exit code 1 if one is missed: with decoding and analysis shared, a photo of 1 MP as PNG costs
at most half of the plain script, and a logo a twentieth (its thumbnail apart); writing a PNG takes
a fifth of Pillow's default at 1.2 times its size; two threads gain 0.8 of what two processes gain;
the command renders 12 MP within 250 MB.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from importlib import import_module
from importlib.util import find_spec
from io import BytesIO
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from subprocess import run
from tempfile import TemporaryDirectory
from time import sleep
from typing import Annotated, Any

import numpy as np
import typer
from PIL import Image, ImageDraw, ImageFilter
from rich.console import Console
from rich.table import Table

from benchmarks.pictures import encoded as file_of
from benchmarks.stopwatch import Call, gains_of_two_threads, growth, in_turn, ratio
from colorway.job import OutputFormat, OutputOptions, RenderOptions
from colorway.palette import CATALOGUE
from palette_worker.rendering import Limits, Source, decode, render
from palette_worker.rendering.analyse import analyse
from palette_worker.rendering.base_palette import base_palette
from palette_worker.rendering.edges import edges_of
from palette_worker.rendering.encode import encoded, encoded_thumbnail
from palette_worker.rendering.hashing import hashes_of
from palette_worker.rendering.lut import recolored
from palette_worker.rendering.picture import open_picture
from palette_worker.rendering.rendition import lut_for
from palette_worker.rendering.scale import fitted
from palette_worker.rendering.template import FEW, template_file, template_of

MAX_PHOTO_RATIO = 0.5
MAX_FLAT_RATIO = 0.05
MAX_PNG_TIME = 0.2
MAX_PNG_SIZE = 1.2
MIN_THREADS_GAIN = 0.8
MAX_COMMAND_MB = 250

_COFFEE = Path(__file__).parent.parent / "demo" / "pictures" / "coffee.jpg"
_PALETTE = next(palette for palette in CATALOGUE if palette.name == "Harbour")
_OPTIONS = RenderOptions()
_PLAIN = "plain script: lookup, PNG level 1"
_RENDER, _BARE = "render() as PNG", "render() as PNG, no thumbnail"
_OURS, _DEFAULT = "ours", "Pillow, its default"

console = Console(width=None if sys.stdout.isatty() else 120)


@dataclass(frozen=True, slots=True)
class Scene:
    """A picture, and what each step is given."""

    name: str
    body: bytes
    source: Source
    lut: ImageFilter.Color3DLUT
    recolored: Image.Image

    @property
    def size(self) -> str:
        """The rounded megapixels."""
        return f"{self.source.width * self.source.height / 1e6:.0f} MP"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A figure against its bar."""

    about: str
    value: float
    bar: float
    at_least: bool = False

    @property
    def holds(self) -> bool:
        """Whether the bar is reached."""
        return self.value >= self.bar if self.at_least else self.value <= self.bar


def main(
    rounds: Annotated[int, typer.Option(help="turns of each rival at 1 MP")] = 9,
    large_rounds: Annotated[int, typer.Option(help="turns of each rival at 12 MP")] = 3,
) -> None:
    """Measure, print, and judge."""
    verdicts = []
    for megapixels, turns in ((1, rounds), (12, large_rounds)):
        photo = _scene("photo", file_of(_photo(megapixels), "jpeg"))
        flat = _scene("flat art", file_of(_logo(megapixels), "png"))
        for scene, bar in ((photo, MAX_PHOTO_RATIO), (flat, MAX_FLAT_RATIO)):
            ratios = _show_steps(scene, turns)
            if megapixels == 1:
                verdicts += _render_verdicts(scene, ratios, bar)
        verdicts += _show_writers(photo, turns)
    verdicts.append(_show_threads_and_processes(rounds))
    verdicts.append(_show_command())
    _show_verdicts(verdicts)
    sys.exit(0 if all(verdict.holds for verdict in verdicts) else 1)


def _photo(megapixels: int) -> Image.Image:
    with Image.open(_COFFEE) as image:
        edge = (megapixels * 1e6 * image.width / image.height) ** 0.5
        size = (round(edge), round(edge * image.height / image.width))
        return image.convert("RGB").resize(size, Image.Resampling.BICUBIC)


def _logo(megapixels: int) -> Image.Image:
    """Return a badge of four colours with antialiased edges."""
    edge = round((megapixels * 1e6) ** 0.5)
    large = Image.new("P", (edge * 2, edge * 2), 0)
    large.putpalette(bytes.fromhex("ffffff1f3a93e74c3cf1c40f"))
    draw, unit = ImageDraw.Draw(large), edge / 50
    draw.ellipse((10 * unit, 10 * unit, 90 * unit, 90 * unit), fill=1)
    draw.polygon([(50 * unit, 18 * unit), (78 * unit, 66 * unit), (22 * unit, 66 * unit)], fill=2)
    draw.rectangle((30 * unit, 70 * unit, 70 * unit, 78 * unit), fill=3)
    return large.convert("RGB").resize((edge, edge), Image.Resampling.BOX)


def _scene(name: str, body: bytes) -> Scene:
    source = decode(body)
    lut = lut_for(source, _PALETTE, _OPTIONS)
    if lut is None or source.analysis.is_flat != (name == "flat art"):
        raise SystemExit(f"the {name} is no longer what this measures")
    return Scene(name, body, source, lut, recolored(source.image, lut))


def _steps(scene: Scene) -> dict[str, Call]:
    source, lut, picture = scene.source, scene.lut, scene.recolored
    is_flat = source.analysis.is_flat
    small = fitted(source.image, OutputOptions().thumbnail_edge)
    colors = len(set(_PALETTE.colors))
    bare = OutputOptions(thumbnail_edge=1)

    def a_file(kind: OutputFormat, *, lossless: bool = True) -> Call:
        return partial(
            encoded, picture, kind, OutputOptions(kind, lossless=lossless), is_flat=is_flat
        )

    def a_thumbnail() -> bytes:
        return encoded_thumbnail(recolored(small, lut), is_flat=is_flat)

    return {
        "decode": partial(open_picture, scene.body, Limits()),
        "analysis": partial(analyse, source.image),
        "base palette": partial(base_palette, source.analysis, colors),
        **_steps_of_flat_art(source),
        "all that palettes share": partial(decode, scene.body),
        "perceptual hashes, once": partial(hashes_of, source.image),
        "table build": partial(lut_for, source, _PALETTE, _OPTIONS),
        "table apply": partial(recolored, source.image, lut),
        "PNG": a_file("png"),
        "lossless WebP": a_file("webp"),
        "WebP": a_file("webp", lossless=False),
        "JPEG": a_file("jpeg"),
        "thumbnail": a_thumbnail,
        _RENDER: partial(render, source, _PALETTE, _OPTIONS, OutputOptions()),
        # of one pixel: as good as none; a source of its own, which keeps its copy of that size
        _BARE: partial(render, decode(scene.body), _PALETTE, _OPTIONS, bare),
        _PLAIN: partial(_plainly, source.image, lut),
        "copying the pixels": np.asarray(picture).copy,
        **_fpng(picture),
    }


def _steps_of_flat_art(source: Source) -> dict[str, Call]:
    if source.drawing.template is None:
        return {}
    edges = edges_of(source.image, source.mode_levels)
    return {
        "edges": partial(edges_of, source.image, source.mode_levels),
        "indexed template": partial(template_of, source.image, edges, FEW),
        "file of the template": partial(template_file, source.drawing.template),
    }


def _plainly(image: Image.Image, lut: ImageFilter.Color3DLUT) -> bytes:
    return _pillow_png(image.filter(lut), compress_level=1)


def _pillow_png(image: Image.Image, **options: int) -> bytes:
    file = BytesIO()
    image.save(file, "PNG", **options)
    return file.getvalue()


def _fpng(image: Image.Image) -> dict[str, Callable[[], bytes]]:
    if find_spec("fpng") is None:
        return {}
    fpng: Any = import_module("fpng")
    return {"fpng": lambda: bytes(fpng.from_ndarray(np.asarray(image)))}


def _show_steps(scene: Scene, rounds: int) -> dict[str, float]:
    """Print every step, and return its time as a ratio to the plain script's."""
    steps = _steps(scene)
    seconds = in_turn(steps, rounds)
    gains = gains_of_two_threads(steps, rounds)
    ratios = {step: ratio(seconds[step], seconds[_PLAIN]) for step in steps}
    columns = ("", "ms", "to the plain script", "two threads' gain", "peak grows by MB")
    table = _table(f"A {scene.name} of {scene.size}", columns)
    for step, call in steps.items():
        table.add_row(
            step,
            f"{median(seconds[step]) * 1e3:.2f}",
            f"{ratios[step]:.3f}",
            f"{gains[step]:.2f}",
            _megabytes(growth(call)),
        )
    console.print(table)
    return ratios


def _render_verdicts(scene: Scene, ratios: Mapping[str, float], bar: float) -> list[Verdict]:
    about = f"{scene.name} of {scene.size} as PNG, to the plain script"
    if scene.source.analysis.is_flat:
        return [Verdict(f"{about}, without its thumbnail", ratios[_BARE], bar)]
    return [Verdict(about, ratios[_RENDER], bar)]


def _show_writers(scene: Scene, rounds: int) -> list[Verdict]:
    picture = scene.recolored
    output = OutputOptions()
    writers: dict[str, Callable[[], bytes]] = {
        _OURS: partial(encoded, picture, "png", output, is_flat=False),
        _DEFAULT: partial(_pillow_png, picture),
        "Pillow, level 1": partial(_pillow_png, picture, compress_level=1),
        "Pillow, level 1, run lengths": partial(
            _pillow_png, picture, compress_level=1, compress_type=zlib.Z_RLE
        ),
        **_fpng(picture),
    }
    seconds = in_turn(writers, rounds)
    sizes = {writer: len(write()) for writer, write in writers.items()}
    columns = ("", "ms", "time to the default's", "MB", "size to the default's")
    table = _table(f"PNG of the recoloured {scene.name} of {scene.size}", columns)
    for writer in writers:
        table.add_row(
            writer,
            f"{median(seconds[writer]) * 1e3:.1f}",
            f"{ratio(seconds[writer], seconds[_DEFAULT]):.3f}",
            f"{sizes[writer] / 1e6:.2f}",
            f"{sizes[writer] / sizes[_DEFAULT]:.3f}",
        )
    console.print(table)
    about = f"PNG of the {scene.name} of {scene.size}, to Pillow's default"
    return [
        Verdict(f"{about}: time", ratio(seconds[_OURS], seconds[_DEFAULT]), MAX_PNG_TIME),
        Verdict(f"{about}: size", sizes[_OURS] / sizes[_DEFAULT], MAX_PNG_SIZE),
    ]


def _show_threads_and_processes(rounds: int) -> Verdict:
    with (
        TemporaryDirectory() as folder,
        ThreadPoolExecutor(2) as threads,
        ProcessPoolExecutor(2, mp_context=get_context("forkserver")) as processes,
    ):
        picture = Path(folder) / "photo.jpg"
        picture.write_bytes(file_of(_photo(1), "jpeg"))
        for pool in (threads, processes):
            list(pool.map(_warm_up, [picture] * 8))

        def both(pool: ThreadPoolExecutor | ProcessPoolExecutor, count: int) -> None:
            list(pool.map(_render_often, [(picture, count)] * 2))

        count = 10
        seconds = in_turn(
            {
                "one thread": partial(_render_often, (picture, 2 * count)),
                "two threads": partial(both, threads, count),
                "two processes": partial(both, processes, count),
            },
            rounds,
        )
    gain = {who: ratio(seconds["one thread"], took) for who, took in seconds.items()}
    table = _table("The photo of 1 MP as PNG, two at once", ("", "ms each", "gain"))
    for who, took in seconds.items():
        table.add_row(who, f"{median(took) * 1e3 / (2 * count):.1f}", f"{gain[who]:.2f}")
    console.print(table)
    share = ratio(seconds["two processes"], seconds["two threads"])
    about = "what two threads gain, to what two processes gain"
    return Verdict(about, share, MIN_THREADS_GAIN, at_least=True)


def _render_often(task: tuple[Path, int]) -> None:
    picture, count = task
    for _ in range(count):
        render(_source(picture), _PALETTE, _OPTIONS, OutputOptions())


def _warm_up(picture: Path) -> None:
    _render_often((picture, 1))
    sleep(0.05)  # so that every process of the pool gets some


@cache
def _source(picture: Path) -> Source:
    return decode(picture.read_bytes())


# Linux reports as a child's peak what its parent held when it started it; this parent is small.
_WATCH = """
import os, subprocess, sys
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, used = os.wait4(child.pid, 0)
print(used.ru_maxrss * (1 if sys.platform == "darwin" else 1024))
sys.exit(os.waitstatus_to_exitcode(status))
"""


def _show_command() -> Verdict:
    with TemporaryDirectory() as folder:
        picture = Path(folder) / "photo.jpg"
        picture.write_bytes(file_of(_photo(12), "jpeg"))
        peaks = {
            kind: _command_peak(picture, picture.with_name(f"out.{kind}"))
            for kind in ("png", "jpg", "webp")
        }
    told = ", ".join(f"{kind} {peak / 1e6:.0f}" for kind, peak in peaks.items())
    console.print(f"MB at the most of the command, 12 MP photo, by kind of file: {told}\n")
    return Verdict("MB of the command, 12 MP photo as PNG", peaks["png"] / 1e6, MAX_COMMAND_MB)


def _command_peak(picture: Path, out: Path) -> int:
    """Return the command's largest resident set, in bytes, as the kernel tells its parent."""
    colors = ",".join(_PALETTE.colors)
    rendering = [sys.executable, "-m", "palette_worker.rendering", str(picture), str(out)]
    watched = [sys.executable, "-c", _WATCH, *rendering, "--colors", colors]
    done = run(watched, check=True, capture_output=True, text=True)  # noqa: S603 - our own command
    return int(done.stdout)


def _table(title: str, columns: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left", min_width=60)
    for column in columns:
        table.add_column(column, justify="right" if column else "left")
    return table


def _megabytes(size: int | None) -> str:
    return "–" if size is None else f"{size / 1e6:.1f}"  # noqa: RUF001


def _show_verdicts(verdicts: Sequence[Verdict]) -> None:
    table = _table("Bars", ("", "found", "bar", "held"))
    for verdict in verdicts:
        bar = f"{'≥' if verdict.at_least else '≤'} {verdict.bar:g}"
        held = "yes" if verdict.holds else "MISSED"
        table.add_row(verdict.about, f"{verdict.value:.3g}", bar, held)
    console.print(table)


if __name__ == "__main__":
    typer.run(main)

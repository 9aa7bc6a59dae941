"""Renders a picture without any service: `python -m palette_worker.rendering IN OUT --colors …`.

Each palette's picture is told on standard output as one line of JSON. What cannot be done is one
line on standard error and exit code 2. Files are written whole or not at all.
"""

from __future__ import annotations

import io
import json
import resource
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, TextIO

from PIL import Image

from colorway.errors import Hopeless, InvalidRequest
from colorway.job import OutputOptions, RenderOptions
from colorway.palette import Palette
from palette_worker.rendering import Limits, Rendition, Source, decode, render
from palette_worker.rendering.arguments import (
    STREAM,
    Order,
    Wanted,
    is_folder,
    require_another_file,
    wanted,
)
from palette_worker.rendering.cube import cube_file
from palette_worker.rendering.oklab import levels_of
from palette_worker.rendering.rendition import lut_for, matching
from palette_worker.rendering.report import difference_report, hex_of, own_palette
from palette_worker.rendering.whole_file import naming, read_at_most, write_whole

_ENDINGS = {"png": ".png", "webp": ".webp", "jpeg": ".jpg"}


@dataclass(frozen=True, slots=True)
class Opened:
    """The source, and what the line about each of its pictures says of it."""

    source: Source
    told: dict[str, Any]
    seconds: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0, 2 for what cannot be done, 130 for Ctrl-C."""
    try:
        _run(wanted(arguments))
    except (InvalidRequest, Hopeless) as error:
        return _stop(str(error))
    except BrokenPipeError:  # nobody reads on: as quiet as a command that SIGPIPE ends
        return 141
    except OSError as error:
        return _stop(f"standard output: {error.strerror}")
    except MemoryError:
        return _stop("there is not enough memory for this picture")
    except KeyboardInterrupt:
        return 130
    return 0


def _run(asked: Wanted) -> None:
    opened = _opened(asked.picture)
    if asked.extract is not None:
        colors, shares = own_palette(opened.source.analysis, asked.extract)
        _tell({"colors": colors, "shares": [round(share, 4) for share in shares]}, sys.stdout)
        return
    for order in asked.orders:
        told = _rendered(asked, order, opened)
        _tell(told, sys.stderr if asked.out == STREAM else sys.stdout)


def _opened(place: str) -> Opened:
    most = Limits().max_bytes
    with naming(place):
        if place == STREAM:
            body = read_at_most(sys.stdin.buffer, most, name=place)
        else:
            with Path(place).open("rb") as file:
                body = read_at_most(file, most, name=place)
    started = perf_counter()
    try:
        source = decode(body)
    except Hopeless as error:
        raise InvalidRequest(f"{place}: {error}") from error
    told = {
        "path": place,
        "width": source.width,
        "height": source.height,
        "format": source.format,
        "frames": source.frames,
        "bytes": len(body),
    }
    return Opened(source, told, perf_counter() - started)


def _rendered(asked: Wanted, order: Order, opened: Opened) -> dict[str, Any]:
    """Render one palette, write its files and return the line about it."""
    source = opened.source
    options = RenderOptions(asked.strength, asked.preserve_luminance)
    output = OutputOptions(
        format=asked.format,
        quality=asked.quality or OutputOptions().quality,
        lossless=asked.quality is None,
        max_edge=asked.max_edge,
    )
    rendition = render(source, order.palette, options, output)
    out = _write(asked, order, str(asked.out), _ENDINGS[rendition.format], rendition.body)
    base, targets = (hex_of(levels_of(lab)) for lab in matching(source, order.palette, options))
    told = {
        "source": opened.told,
        "result": {
            "path": out,
            "width": rendition.width,
            "height": rendition.height,
            "format": rendition.format,
            "bytes": len(rendition.body),
        },
        "palette": list(order.palette.colors),
        "flat": source.analysis.is_flat,
        "flatness": round(source.analysis.flatness, 3),
        "base_palette": base,
        "matching": [{"from": b, "to": t} for b, t in zip(base, targets, strict=True)],
    }
    if asked.lut is not None:
        title = f"Colorway {' '.join(order.palette.colors)}"
        table = cube_file(lut_for(source, order.palette, options), title=title)
        told["lut"] = _write(asked, order, asked.lut, ".cube", table)
    if asked.report:
        told["report"] = _report(rendition, order.palette)
    told["seconds"] = {
        "decode": round(opened.seconds, 4),
        "render": round(rendition.render_seconds, 4),
        "encode": round(rendition.encode_seconds, 4),
    }
    told["peak_memory_mb"] = round(_peak_memory() / 1e6, 1)
    return told


def _report(rendition: Rendition, palette: Palette) -> dict[str, Any]:
    with Image.open(io.BytesIO(rendition.body)) as image:
        return difference_report(image, palette.colors)


def _write(asked: Wanted, order: Order, out: str, ending: str, body: bytes) -> str:
    """Write the file where OUT and its kin say, and return its path."""
    if out == STREAM:
        _send(body, sys.stdout)
        return out
    place = Path(out)
    if is_folder(asked, out):
        with naming(place):
            place.mkdir(parents=True, exist_ok=True)
        stem = "picture" if asked.picture == STREAM else Path(asked.picture).stem
        place /= f"{stem}-{order.slug}{ending}"
    require_another_file(asked, place)
    write_whole(place, body)
    return str(place)


def _tell(facts: dict[str, Any], stream: TextIO) -> None:
    _send(json.dumps(facts).encode("ascii") + b"\n", stream)


def _send(body: bytes, stream: TextIO) -> None:
    stream.buffer.write(body)
    stream.flush()


def _stop(why: str) -> int:
    sys.stderr.write(" ".join(why.splitlines()) + "\n")
    return 2


def _peak_memory() -> int:
    """Return the most memory this process ever held, in bytes (resident set size)."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux; there, ru_maxrss counts what the parent held when it started us
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    sys.exit(main())

"""Damages files at random and decodes them: what comes back is a picture or one of two refusals.

Anything else is a finding: another exception, a crash, a hang, too much memory, a sentence that is
none. A case is known by its seed and number alone, so a finding can be had again:

    make fuzz SECONDS=600            for ten minutes, from a seed that is printed
    make fuzz SEED=7 CASE=1234       that case once more

Cases run in a child that says which one it begins. So its parent knows what killed it or kept it
for too long, and begins another behind that case. The memory of a case is the peak of the child's
resident set above what it had before: Linux resets that peak on request (proc(5), clear_refs).
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import selectors
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from colorway.errors import Hopeless
from colorway.job import OutputOptions, RenderOptions
from colorway.palette import Palette
from palette_worker.rendering import Limits, Source, render
from palette_worker.rendering.picture import Picture, open_picture
from tests.palette_worker.rendering.damaged_files import damaged

HOUSE = Path(__file__).parents[3]
LIMITS = Limits(max_pixels=2_000_000)
PALETTE = Palette("fuzz", ("#14213d", "#fca311", "#e5e5e5"))
CODES = {"image-undecodable", "image-too-many-pixels"}
SLOW_S = 5.0  # of the processors' time; an honest picture of this size takes 0.1
HUNG_S = 20.0
SPARE_BYTES = 150_000_000
ADDRESS_SPACE = 8 << 30  # a child that asks for more is refused it, not the machine


@dataclass(frozen=True)
class Finding:
    seed: int
    number: int
    name: str
    what: str

    def __str__(self) -> str:
        return f"{self.what}\n    {self.name}: make fuzz SEED={self.seed} CASE={self.number}"


def case(seed: int, number: int) -> tuple[str, bytes]:
    """Return what was damaged and how, and the file."""
    return damaged(random.Random(f"{seed} {number}"))  # noqa: S311 - to be had again


def broken_promise(body: bytes, *, whole: bool) -> str | None:
    """Decode, and if `whole` render too; return what was not as promised."""
    before = _reset_peak()
    started = time.process_time()
    pixels = LIMITS.max_pixels
    try:
        picture = open_picture(body, LIMITS)
        pixels = picture.image.width * picture.image.height
        wrong = _wrong_picture(picture)
        if whole and wrong is None:
            render(Source(picture), PALETTE, RenderOptions(), OutputOptions())
    except Hopeless as refusal:
        wrong = _wrong_refusal(refusal)
    except Exception as error:  # the very thing looked for
        wrong = f"raised {type(error).__name__}: {error}"
    took = time.process_time() - started
    grown = _peak() - before
    if wrong is None and took > SLOW_S:
        wrong = f"took {took:.1f} s"
    if wrong is None and grown > 5 * 4 * pixels + SPARE_BYTES:
        wrong = f"took {grown / 1e6:.0f} MB for {pixels / 1e6:.2f} megapixels"
    return wrong


def _wrong_picture(picture: Picture) -> str | None:
    image = picture.image
    if image.mode not in ("RGB", "RGBA"):
        return f"came out in mode {image.mode}"
    if image.width * image.height > LIMITS.max_pixels or max(image.size) > LIMITS.max_side:
        return f"came out with {image.width} x {image.height} pixels"
    if image.info:
        return f"kept {sorted(map(str, image.info))}"
    if not 1 <= picture.frames < 1 << 31:
        return f"has {picture.frames} frames"
    return None


def _wrong_refusal(refusal: Hopeless) -> str | None:
    sentence = str(refusal)
    is_one = sentence and "\n" not in sentence and "object at" not in sentence
    if refusal.code in CODES and refusal.phase == "decode" and is_one and len(sentence) < 200:
        return None
    return f"refused as {refusal.code}, {refusal.phase}: {sentence!r}"


def _reset_peak() -> int:
    Path("/proc/self/clear_refs").write_text("5")
    return _peak()


def _peak() -> int:
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.partition("VmHWM:")[2].split(maxsplit=1)[0])


def run(seed: int, *, first: int = 0, last: int, until: float = float("inf")) -> Iterator[Finding]:
    """Run the cases `first` to `last`, or as many as begin before `until` (monotonic seconds)."""
    next_one = first
    while next_one < last and time.monotonic() < until:
        running = None
        with _started("child", seed, next_one, last) as process:
            for line in _lines(process, until):
                running = int(line[0])
                if len(line) > 1:
                    yield Finding(seed, running, case(seed, running)[0], line[1])
            is_alive = process.poll() is None
            process.kill()
        if running is None:
            raise RuntimeError("the fuzz itself does not run")
        if time.monotonic() < until:
            if is_alive:
                how = f"still ran after {HUNG_S:.0f} s"
                yield Finding(seed, running, case(seed, running)[0], how)
            elif process.returncode:
                how = f"ended its process: {process.returncode}"
                yield Finding(seed, running, case(seed, running)[0], how)
        next_one = running + 1


def _started(*arguments: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - ourselves
        [sys.executable, __file__, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # libtiff's complaints
        env=os.environ
        | {
            "PYTHONPATH": str(HOUSE),
            # else what a case has freed is kept, and hides what the next one takes
            "MALLOC_MMAP_THRESHOLD_": "65536",
            "MALLOC_TRIM_THRESHOLD_": "65536",
        },
    )


def _lines(child: subprocess.Popen[bytes], until: float) -> Iterator[list[str]]:
    """Yield what the child says, until it ends, hangs, or has had its time."""
    assert child.stdout is not None
    rest = b""
    with selectors.DefaultSelector() as ready:
        ready.register(child.stdout, selectors.EVENT_READ)
        while ready.select(min(HUNG_S, max(0.0, until - time.monotonic()))):
            told = os.read(child.stdout.fileno(), 1 << 16)
            if not told:
                child.wait()
                return
            *lines, rest = (rest + told).split(b"\n")
            for line in lines:
                yield line.decode().split(" ", 1)


def child(seed: int, first: int, last: int) -> None:
    """Say each case's number as it begins, and again with what was wrong with it."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for number in range(first, last):
        os.write(1, b"%d\n" % number)
        _, body = case(seed, number)
        wrong = broken_promise(body, whole=number % 8 == 0)
        if wrong is not None:
            os.write(1, f"{number} {' '.join(wrong.split())}\n".encode())


def main() -> int:
    parser = argparse.ArgumentParser(description="damage files at random and decode them")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--case", type=int)
    parser.add_argument("--into", type=Path, default=Path("fuzz-findings"))
    asked = parser.parse_args()
    first, last = (0, sys.maxsize) if asked.case is None else (asked.case, asked.case + 1)
    print(f"seed {asked.seed}, {asked.seconds:.0f} seconds", flush=True)  # noqa: T201
    found = 0
    until = time.monotonic() + asked.seconds
    for finding in run(asked.seed, first=first, last=last, until=until):
        found += 1
        asked.into.mkdir(exist_ok=True)
        file = asked.into / f"{finding.seed}-{finding.number}"
        file.write_bytes(case(finding.seed, finding.number)[1])
        print(f"{finding}\n    kept as {file}", flush=True)  # noqa: T201
    print(f"{found} findings")  # noqa: T201
    return 1 if found else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["child"]:
        child(*map(int, sys.argv[2:]))
    else:
        sys.exit(main())

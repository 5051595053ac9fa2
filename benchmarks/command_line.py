"""Time and memory of the command line, from process start to files on disk.

    python -m benchmarks.command_line

Makes four principal colorings of a photo of one megapixel with the shipped weights, in a new
process each time, imports included. Prints a Markdown table with the median and range of the
seconds and the largest peak memory. The photo is scikit-image's astronaut, enlarged and gray.
"""

from __future__ import annotations

import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import cv2
import skimage.data

RUNS = 5
SIZE = (1155, 866)
COLORINGS = 4


def main() -> None:
    """Runs the command and prints the table."""
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder) / "photo.jpg"
        gray = cv2.cvtColor(skimage.data.astronaut(), cv2.COLOR_RGB2GRAY)
        cv2.imwrite(str(photo), cv2.resize(gray, SIZE, interpolation=cv2.INTER_CUBIC))
        command = [sys.executable, "-m", "colorflow.cli", "colorize", str(photo)]
        command += ["-o", str(Path(folder) / "out"), "-n", str(COLORINGS), "--overwrite"]
        seconds = []
        for _ in range(RUNS):
            began = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            seconds.append(time.perf_counter() - began)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"{date.today()}, {platform.machine()}, Python {platform.python_version()}")
    print("| task | seconds, median (range) | peak memory, MB |")
    print("|---|---|---|")
    print(
        f"| {COLORINGS} principal colorings of {SIZE[0]}x{SIZE[1]}, process start to files "
        f"| {statistics.median(seconds):.2f} ({min(seconds):.2f} to {max(seconds):.2f}) "
        f"| {peak:.0f} |"
    )


if __name__ == "__main__":
    main()

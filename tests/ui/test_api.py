"""The interface for programs, as documented and when misused; a server with small weights."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError, ValidationError
from PIL import Image
from skimage import data
from skimage.color import rgb2lab

from colorflow.photo import read_photo
from tests.quiz.album import save_album
from tests.small_weights import save_small_weights
from tests.statements import colors_of
from tests.ui.bad_inputs import BAD_INPUTS, OPTIONS
from tests.ui.page_process import PATIENCE, ROOT, WAITING, Page, running_page

pytestmark = pytest.mark.slow

PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
DOCUMENTED_ADDRESS = "http://127.0.0.1:7860"
_PATIENT = f"""
import functools, gradio_client
gradio_client.Client = functools.partial(gradio_client.Client, httpx_kwargs={WAITING})
"""
ENDPOINTS = ("/colorize", "/enlarge")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a photo, and what the server needs."""
    folder = tmp_path_factory.mktemp("api")
    Image.fromarray(data.camera()).save(folder / "photo.jpg", quality=95)
    Image.fromarray(data.camera()[::4, ::4]).save(folder / "small.png")
    save_small_weights(folder / "w.safetensors", extra_planes=3)
    save_album(folder / "album", 8)
    (folder / "temporary").mkdir()
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Page]:
    with running_page(
        folder / "temporary",
        *("--weights", folder / "w.safetensors"),
        *("--quiz-db", folder / "quiz.sqlite"),
        *("--photos", folder / "album"),
        *OPTIONS,
    ) as page:
        yield page


@pytest.fixture(scope="module")
def client(server: Page, tmp_path_factory: pytest.TempPathFactory) -> Client:
    return server.client(tmp_path_factory.mktemp("downloads"))


def blocks(language: str, *, with_password: bool = False) -> str:
    """The examples of docs/api.md in one language, one after the other."""
    usual, _, password = PAGE.partition("## A page with passwords")
    found = re.findall(f"```{language}\n(.*?)```", password if with_password else usual, re.S)
    assert found
    return "\n".join(found)


def run_example(command: list[str], server: Page, script: str, folder: Path) -> str:
    if command[0] == sys.executable:
        script = _PATIENT + script
    script = script.replace(DOCUMENTED_ADDRESS, server.address.rstrip("/"))
    done = subprocess.run(
        command, input=script, cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def refusal(client: Client, *arguments: Any, **named: Any) -> str:
    """The sentence that a call is refused with."""
    with pytest.raises(AppError) as error:
        client.predict(*arguments, **named)
    said = str(error.value)
    assert said[-1] in ".?"
    assert "Traceback" not in said
    assert "\n" not in said
    return said


# as documented


def test_the_examples_in_python_run(server: Page, folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "photo.jpg", tmp_path)
    said = run_example([sys.executable, "-"], server, blocks("python"), tmp_path).splitlines()
    for number in (0, 1):
        path = tmp_path / f"colored-{number}.jpg"
        assert read_photo(path).pixels.shape == (512, 512, 3)
        assert colors_of(path).spec.seed == 8
    digits = r"\d\.\d\d bits per dimension, model [0-9a-f]{16}"
    assert re.fullmatch(rf"colored-0\.jpg: 100%, {digits}", said[1])
    assert read_photo(tmp_path / "larger.jpg").pixels.shape == (1024, 1024, 3)
    assert said[-1] == "n: expected a whole number from 1 to 8, got 99."
    lab = rgb2lab(read_photo(tmp_path / "hinted.png").pixels)
    for row, column, sign in ((20, 200, (-1, -1)), (300, 220, (1, 1))):
        assert (np.sign(lab[row, column, 1:]) == sign).all()


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on this machine")
def test_the_examples_with_curl_run(server: Page, folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "photo.jpg", tmp_path)
    run_example(["bash", "-eu"], server, blocks("sh"), tmp_path)
    for name in ("photo_a.jpg", "photo_b.jpg", "hinted.jpg"):
        assert read_photo(tmp_path / name).pixels.shape == (512, 512, 3), name


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on this machine")
def test_the_examples_with_a_password_run(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "photo.jpg", tmp_path)
    accounts = tmp_path / "accounts.txt"
    accounts.write_text("bob:other\nada:her password\n")
    accounts.chmod(0o600)
    (tmp_path / "temporary").mkdir()
    quiz = ("--quiz-db", folder / "quiz.sqlite")
    with running_page(tmp_path / "temporary", "--auth", accounts, *quiz) as page:
        script = blocks("python", with_password=True)
        imports = "from gradio_client import Client, handle_file\n"
        said = run_example([sys.executable, "-"], page, imports + script, tmp_path)
        assert "Loaded as API" in said
        run_example(["bash", "-eu"], page, blocks("sh", with_password=True), tmp_path)
        for account in (("ada", "other"), ("eve", "her password"), ("ada", "")):
            with pytest.raises(ValueError, match="Could not login"):
                Client(page.address, httpx_kwargs=WAITING, auth=account, verbose=False)
        with pytest.raises(ValueError, match="credentials were not provided"):
            Client(page.address, httpx_kwargs=WAITING, verbose=False)
        account = {"username": "ada", "password": "her password"}
        login = httpx.post(f"{page.address}login", data=account, trust_env=False, timeout=PATIENCE)
        cookie = {"Cookie": "; ".join(f"{name}={value}" for name, value in login.cookies.items())}
        for method, path, headers, expected in (
            ("POST", "gradio_api/upload", {}, 401),
            ("POST", "gradio_api/call/colorize", {}, 401),
            ("GET", "config", {**cookie, "Origin": "http://127.0.0.1:3000"}, 403),
            ("GET", "logout", {**cookie, "Referer": page.address}, 302),
            ("GET", "gradio_api/info", cookie, 401),
        ):
            assert status(page, method, path, headers=headers) == expected, (method, path)


def status(page: Page, method: str, path: str, **options: Any) -> int:
    """Of an answer, which may be a stream without end."""
    with httpx.stream(
        method, page.address + path, trust_env=False, timeout=PATIENCE, **options
    ) as answer:
        return answer.status_code


def test_documents_and_server_agree(client: Client) -> None:
    info = client.view_api(return_format="dict", print_info=False)
    assert isinstance(info, dict)
    assert tuple(info["named_endpoints"]) == ENDPOINTS
    assert info["unnamed_endpoints"] == {}
    table = re.findall(r"^\| `(/\w+)` \| (.*?) \|", PAGE, re.M)
    assert tuple(name for name, _ in table) == ENDPOINTS
    for name, parameters in table:
        known = info["named_endpoints"][name]["parameters"]
        assert re.findall("`(.*?)`", parameters) == [one["parameter_name"] for one in known]
    colorize = info["named_endpoints"]["/colorize"]["parameters"]
    lines = re.findall(r"^\| `(\w+)` \|.*\|(.*?)\|$", PAGE.partition("## Hints")[0], re.M)
    for (name, default), known in zip(lines, colorize, strict=True):
        assert name == known["parameter_name"]
        documented = default.strip(" `")
        assert known["parameter_has_default"] == bool(documented)
        if documented:
            assert str(known["parameter_default"]).removesuffix(".0") == documented


# results


@pytest.mark.parametrize(
    ("format", "suffix"),
    [("same", ".png"), ("png", ".png"), ("jpeg", ".jpg"), ("tiff", ".tif"), ("webp", ".webp")],
)
def test_formats(client: Client, folder: Path, format: str, suffix: str) -> None:
    photo = handle_file(folder / "small.png")
    (file,), about = client.predict(photo, 1, 1.0, 5, format, api_name="/colorize")
    assert Path(file).name == f"small_a{suffix}"
    assert read_photo(file).pixels.shape == (128, 128, 3)
    assert (about["seeds"], about["shares"]) == ([5], [1])
    assert 0 < about["bits_per_dim"][0] < 20


@pytest.mark.parametrize(("scale", "format"), [(2, "same"), (4, "jpeg")])
def test_a_photo_is_enlarged(client: Client, folder: Path, scale: int, format: str) -> None:
    """Its average over squares is the photo."""
    photo = handle_file(folder / "small.png")
    file = client.predict(photo, scale, format, api_name="/enlarge")
    assert Path(file).name == f"small_x{scale}_mean.{'png' if format == 'same' else 'jpg'}"
    large = read_photo(file).pixels.astype(float)
    small = large.reshape(128, scale, 128, scale).mean(axis=(1, 3))
    assert np.abs(small - read_photo(folder / "small.png").pixels).mean() < 2


def test_seeds_and_shares(client: Client, folder: Path) -> None:
    photo = handle_file(folder / "small.png")
    options = {"samples": True, "api_name": "/colorize"}
    files, about = client.predict(photo, n=3, seed=1, **options)
    assert [Path(file).name for file in files] == [f"small_s{seed}.png" for seed in (1, 2, 3)]
    assert about["shares"] == [None] * 3
    (again,), _ = client.predict(photo, n=1, seed=2, **options)
    one, two, _ = (read_photo(file).pixels.astype(int) for file in files)
    assert np.abs(two - read_photo(again).pixels).max() <= 1
    assert np.abs(two - one).max() > 8
    files, about = client.predict(photo, n=4, seed=1, api_name="/colorize")
    assert [Path(file).name for file in files] == [f"small_{letter}.png" for letter in "abcd"]
    mean, *modes = about["shares"]
    assert (mean, sum(modes)) == pytest.approx((1, 1))
    assert modes == sorted(modes, reverse=True)


def test_a_hint_changes_the_color_at_its_point(client: Client, folder: Path) -> None:
    photo = handle_file(folder / "small.png")
    for a, b in ((30, 30), (-30, 30)):
        hint = {"row": 110, "column": 100, "a": a, "b": b}
        files, _ = client.predict(photo, 1, hints=[hint], api_name="/colorize")
        at = rgb2lab(read_photo(files[0]).pixels)[110, 100]
        assert np.abs(at[1:] - (a, b)).max() < 6


# misuse


def test_too_large_a_file(client: Client, tmp_path: Path) -> None:
    """Whatever opens a photo is the same as on the page."""
    path = tmp_path / "heavy.png"
    path.write_bytes(next(bad.content for bad in BAD_INPUTS if bad.name == path.name))
    with pytest.raises(ValueError, match="exceeds the maximum file size"):
        client.predict(handle_file(path), 1, api_name="/colorize")


def test_no_file_of_the_server_can_be_had(client: Client, server: Page, folder: Path) -> None:
    """Neither others' files, nor what else the user of the server may read."""
    client.predict(handle_file(folder / "small.png"), 1, api_name="/colorize")
    (upload,) = {path.parent for path in server.temporary.glob("*/files/*/small.png")}
    for path in (folder / "photo.jpg", ROOT / "docs" / "hints.png"):
        assert path.exists()
        for name in (str(path), f"{upload}/../../../{path.relative_to('/')}"):
            with pytest.raises(ValidationError, match="Expected a file that was uploaded"):
                client.predict({"path": name}, api_name="/colorize")


def test_the_server_fetches_nothing_from_elsewhere(client: Client) -> None:
    with pytest.raises(ValidationError, match="fetches nothing from other addresses"):
        client.predict(handle_file("http://example.com/a.jpg"), api_name="/colorize")

"""The Dockerfile and the configuration of the Hugging Face Space fit the package and the page.

They are checked without a Docker engine: read, and what they start is started by itself.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import httpx
import pytest
import yaml
from gradio_client import Client, handle_file
from PIL import Image
from skimage import data

from benchmarks.page_server import free_port
from tests.test_docs import help_of, options_of
from tests.test_package import build, contents
from tests.ui.page_process import PATIENCE, WAITING, running_page, wait_until

ROOT = Path(__file__).resolve().parent.parent
SPACE = ROOT / "deploy" / "huggingface"
NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin")
SPACE_HOST = "someone-colorflow.hf.space"
DOCKER_IGNORE = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def instructions(*files: Path) -> list[tuple[str, str]]:
    """The instructions of Dockerfiles, one appended to the other: name and arguments."""
    text = "".join(file.read_text(encoding="utf-8") for file in files)
    text = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", "")
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line.strip()]
    return [(name, arguments) for name, arguments in lines]


IMAGE = instructions(ROOT / "Dockerfile")
SPACE_IMAGE = instructions(ROOT / "Dockerfile", SPACE / "Dockerfile")


def last(name: str, image: list[tuple[str, str]] = IMAGE) -> str:
    """The arguments of the last instruction of a name, which is the one that counts."""
    return [arguments for found, arguments in image if found == name][-1]


def ignored_by_docker(folder: str, names: list[str]) -> list[str]:
    """For `shutil.copytree`: what .dockerignore leaves out of a folder."""
    patterns = [line.removeprefix("**/") for line in DOCKER_IGNORE if re.match(r"[\w*]+/", line)]
    paths = [Path(folder, name).relative_to(ROOT) for name in names]
    return [path.name for path in paths if any(path.match(pattern) for pattern in patterns)]


def health_check() -> list[str]:
    return json.loads(last("HEALTHCHECK").partition("CMD ")[2])


def front_matter() -> dict[str, object]:
    """The settings of the Space, at the head of its README."""
    return yaml.safe_load((SPACE / "README.md").read_text(encoding="utf-8").split("---\n")[1])


def space_command(tmp_path: Path) -> list[str]:
    """What the Space's entry point calls, with the variables of its shell filled in."""
    spy = tmp_path / "colorflow"
    spy.write_text('#!/bin/sh\nprintf "%s\\n" colorflow "$@"\n', encoding="utf-8")
    spy.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        json.loads(last("ENTRYPOINT", SPACE_IMAGE)),
        env={"PATH": path, "SPACE_HOST": SPACE_HOST},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def test_the_image_has_the_cpu_build_and_no_cache() -> None:
    installs = [
        line for name, line in IMAGE if name == "RUN" and re.search(r"pip\d? install", line)
    ]
    assert installs
    assert all(re.search(r"--no-cache(-dir)?\b", line) for line in installs)
    assert "--torch-backend cpu" in installs[-1]
    extras = {
        name for names in re.findall(r"\.\[(.*?)\]", installs[-1]) for name in names.split(",")
    }
    assert extras <= PROJECT["optional-dependencies"].keys()


@pytest.mark.slow
@pytest.mark.long
def test_the_copied_files_give_the_whole_wheel(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    copies = [line.split() for name, line in IMAGE if name == "COPY" and "--from" not in line]
    for *names, target in copies:
        for name in names:
            assert f"!{name}" in DOCKER_IGNORE, f".dockerignore leaves {name} out"
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, source / target, ignore=ignored_by_docker)
            else:
                shutil.copy(ROOT / name, source / target)
    inside = build("wheel", source, tmp_path / "inside")
    assert contents(inside) == contents(build("wheel", ROOT, tmp_path / "outside"))


def test_the_user_is_not_root_and_stays_so() -> None:
    (user,) = [arguments for name, arguments in SPACE_IMAGE if name == "USER"]
    assert user not in ("root", "0")
    names = [name for name, _ in IMAGE]
    created = [bool(re.search(rf"useradd .*\b{user}\b", line)) for _, line in IMAGE].index(True)
    assert created < names.index("USER")
    assert "FROM" not in names[names.index("USER") :]
    assert ("FROM", "page") in SPACE_IMAGE[len(IMAGE) :]


def test_commands_have_the_options_of_the_app(tmp_path: Path) -> None:
    for command in (json.loads(last("ENTRYPOINT")), space_command(tmp_path)):
        assert command[:2] == ["colorflow", "app"]
        assert {one for one in command if one.startswith("-")} <= options_of(help_of("app"))


def test_everybody_names_the_app_s_port() -> None:
    (default,) = re.findall(r"--port N [^[]*\[default: (\d+);", help_of("app"))
    assert last("EXPOSE") == default
    assert f"'127.0.0.1', {default}" in health_check()[-1]
    assert front_matter()["app_port"] == int(default)


@pytest.mark.slow
@pytest.mark.long
def test_the_page_answers_the_health_check_and_the_space_s_name(tmp_path: Path) -> None:
    """With passwords, so that the check sees what a visitor sees who is not logged in."""
    accounts = tmp_path / "accounts.txt"
    accounts.write_text("ada:secret word\n", encoding="utf-8")
    accounts.chmod(0o600)
    own, space = json.loads(last("ENTRYPOINT")), space_command(tmp_path)
    assert space[: len(own)] == own
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with running_page(temporary, *space[2:], "--auth", accounts) as page:
        _, *arguments = health_check()
        check = [sys.executable, *(one.replace("7860", str(page.port)) for one in arguments)]
        wait_until(lambda: subprocess.run(check, check=False).returncode == 0)  # asked repeatedly
        for host, status in ((SPACE_HOST, 200), ("other.example.org", 403)):
            connection = HTTPConnection("127.0.0.1", page.port, timeout=PATIENCE)
            connection.request("GET", "/", headers={"Host": host})
            assert connection.getresponse().status == status
            connection.close()
    done = subprocess.run(check, check=False, capture_output=True)
    assert done.returncode != 0


# nginx


@contextmanager
def nginx(folder: Path, page_port: int) -> Iterator[str]:
    """The proxy with its configuration, without TLS and on a free port; yields its address."""
    assert NGINX
    port = free_port()
    text = (ROOT / "deploy" / "nginx.conf").read_text(encoding="utf-8")
    text, count = re.subn(r"^ *ssl_certificate.*\n", "", text, flags=re.MULTILINE)
    assert count == 2
    for before, after in (
        ("listen 443 ssl;", f"listen 127.0.0.1:{port};"),
        ("/etc/nginx/colorflow.users", str(folder / "users")),
        ("http://127.0.0.1:7860", f"http://127.0.0.1:{page_port}"),
    ):
        assert before in text
        text = text.replace(before, after)
    (folder / "colorflow.conf").write_text(text, encoding="utf-8")
    (folder / "users").write_text("ada:{PLAIN}secret word\n", encoding="utf-8")
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    user = "user root;" if os.getuid() == 0 else ""  # else root's workers are those of nobody
    (folder / "nginx.conf").write_text(
        f"{user} daemon off; pid {folder}/pid; error_log {folder}/errors; events {{}}\n"
        f"http {{ access_log off; {paths} include {folder}/colorflow.conf; }}\n",
        encoding="utf-8",
    )
    command = [NGINX, "-p", folder, "-e", folder / "errors", "-c", folder / "nginx.conf"]
    with subprocess.Popen(command) as process:
        try:
            yield f"http://127.0.0.1:{port}/"
        finally:
            process.terminate()


@pytest.mark.slow
@pytest.mark.skipif(NGINX is None, reason="no nginx on this machine (Debian's nginx-light)")
def test_nginx_asks_for_a_password_and_passes_on_what_is_not_too_much(tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    photo = tmp_path / "photo.png"
    Image.fromarray(data.camera()[::8, ::8]).save(photo)
    options = ("--quiz-db", tmp_path / "quiz.sqlite", "--allowed-host", "photos.example.org")
    ada = httpx.BasicAuth("ada", "secret word")
    with (
        running_page(temporary, *options) as page,
        nginx(tmp_path, page.port) as address,
        httpx.Client(base_url=address, trust_env=False, timeout=PATIENCE) as client,
    ):

        def answers() -> bool:
            try:
                return client.get("config").status_code == 401
            except httpx.ConnectError:
                return False

        wait_until(answers)
        assert client.get("config", auth=("ada", "guess")).status_code == 401
        for host, status in (("photos.example.org", 200), ("other.example.org", 403)):
            headers = {"Host": host, "Origin": f"https://{host}"}
            answer = client.get("config", auth=ada, headers=headers)
            assert answer.status_code == status
        program = Client(
            address,
            httpx_kwargs=WAITING,
            headers={"Authorization": f"Basic {b64encode(b'ada:secret word').decode()}"},
            verbose=False,
            download_files=tmp_path / "downloads",
        )
        files, _ = program.predict(handle_file(photo), 2, api_name="/colorize")
        assert len(files) == 2
        connection = HTTPConnection(*address.removeprefix("http://").rstrip("/").split(":"))
        large = {"Content-Length": f"{1001 * 2**20}"}
        connection.request("POST", "/gradio_api/upload", headers=large)
        assert connection.getresponse().status == 413
        connection.close()
        body = {"data": [], "session_hash": "a b"}  # the page answers this one at once
        statuses = [
            client.post("gradio_api/queue/join", auth=ada, json=body).status_code for _ in range(60)
        ]
        assert set(statuses) == {400, 429}
        assert statuses.count(400) >= 25

"""The server: what it gives, what it refuses, and how it ends."""

from __future__ import annotations

import base64
import gzip
import hashlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from zero1toa import cli_view
from zero1toa.cli import main
from zero1toa.errors import InputError, OutputError
from zero1toa.motion import BUILTIN_NAMES
from zero1toa.viewer import ViewerServer, standalone_page
from zero1toa.viewer.page import CLIENT_FILES, client_file


def ask(
    server: ViewerServer, path: str, *, method: str = "GET", **headers: str
) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=10)
    connection.putrequest(method, path, skip_host="Host" in headers, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response, body


def test_the_page_the_avatar_and_the_motions_are_given(server, painted_file):
    response, body = ask(server, "/")
    assert response.status == 200
    assert body == client_file("index.html")
    response, body = ask(server, "/avatar.glb?again")
    assert (response.status, response.headers["Content-Type"]) == (200, "model/gltf-binary")
    assert body == painted_file.read_bytes()
    data = json.loads(ask(server, "/data.json")[1])
    assert data["name"] == "painted.glb"
    assert [motion["name"] for motion in data["motions"]] == list(BUILTIN_NAMES)
    assert data["tracker"] is None


def test_text_is_compressed_where_the_browser_wants_it(server):
    response, body = ask(server, "/app.js", Accept_Encoding="gzip, br")
    assert response.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(body) == client_file("app.js")
    assert ask(server, "/app.js")[0].headers["Content-Encoding"] is None


def test_head_gives_the_length_and_no_body(server, painted_file):
    response, body = ask(server, "/avatar.glb", method="HEAD")
    assert int(response.headers["Content-Length"]) == painted_file.stat().st_size
    assert body == b""


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/../pyproject.toml", "/..%2f..%2fetc%2fpasswd", "/static/app.js", "//etc/passwd", "/app.js/",
     "/%2e%2e/", "/./app.js", "/painted.glb", "/etc/passwd", "/tracker/face_landmarker.task",
     "/\\..\\", "/index.html%00", "//[", "/%61vatar.glb", "/avatar.glb/..", "/..;/avatar.glb",
     "/tracker/../avatar.glb", "http://127.0.0.1/avatar.glb", "/AVATAR.GLB", "/avatar.glb%2f", "avatar.glb", "*",
     "/avatar.glb;x", "/%c0%ae%c0%ae/x", "/" + "a" * 9000],
)  # fmt: skip
def test_nothing_else_is_reachable(server, path):
    assert ask(server, path)[0].status == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "https://127.0.0.1"},
        {"Origin": "http://localhost:1"},
        {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "cors"},
        {"Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": "no-cors"},
    ],
)
def test_pages_of_other_sites_get_nothing(server, headers):
    response, body = ask(server, "/avatar.glb", **headers)
    assert response.status == 403
    assert len(body) < 100


def test_our_own_page_and_links_from_elsewhere_are_answered(server):
    assert ask(server, "/avatar.glb", Origin=f"http://127.0.0.1:{server.port}")[0].status == 200
    assert ask(server, "/avatar.glb", Sec_Fetch_Site="same-origin", Sec_Fetch_Mode="cors")[0].status == 200
    assert ask(server, "/", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate")[0].status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_can_be_sent(server, method):
    assert ask(server, "/", method=method)[0].status == 501


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "[::", "10.0.0.1"])
def test_a_page_that_makes_its_name_point_here_gets_nothing(server, host):
    response, body = ask(server, "/avatar.glb", Host=host)
    assert response.status == 421
    assert len(body) < 100


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:1234", "LOCALHOST", "[::1]:80"])
def test_this_machine_goes_by_its_usual_names(server, host):
    assert ask(server, "/", Host=host)[0].status == 200


@pytest.fixture
def open_server(painted_file):
    """For the whole network."""
    server = ViewerServer(painted_file.read_bytes(), "a.glb", host="0.0.0.0")
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    yield server
    server.close()
    thread.join(5)


def test_a_server_for_the_network_answers_to_addresses_but_not_to_foreign_names(open_server):
    assert not open_server.is_private
    assert open_server.url == f"http://127.0.0.1:{open_server.port}/{open_server.token}/"
    open_server.host = "127.0.0.1"
    page = f"/{open_server.token}/"
    assert ask(open_server, page, Host="192.168.1.7:8000")[0].status == 200
    assert ask(open_server, page, Host=socket.gethostname())[0].status == 200
    assert ask(open_server, page, Host="evil.example")[0].status == 421


def test_a_server_for_the_network_gives_nothing_without_its_token(open_server, painted_file):
    token, open_server.host = open_server.token, "127.0.0.1"
    assert len(token) >= 20
    assert ask(open_server, f"/{token}/avatar.glb")[1] == painted_file.read_bytes()
    wrong = token[:-1] + ("a" if token[-1] != "a" else "b")
    for path in (
        "/",
        "/avatar.glb",
        "/data.json",
        f"/{wrong}/avatar.glb",
        f"/{token}",
        f"/{token}avatar.glb",
        f"/{token}//avatar.glb",
        f"/{token[:-1]}/",
        "/%c3%a9/",
        f"/?{token}",
        f"/%{token}/",
    ):
        response, body = ask(open_server, path)
        assert response.status == 404, path
        assert len(body) < 100


def test_every_server_has_another_token(painted_file):
    content = painted_file.read_bytes()
    servers = [*(ViewerServer(content, "a.glb", host="0.0.0.0") for _ in range(2)), ViewerServer(content, "a.glb")]
    for server in servers:
        server.release()
    assert servers[0].token != servers[1].token
    assert servers[2].token == ""


def test_every_answer_forbids_what_the_page_does_not_need(server):
    for path in ("/", "/app.js", "/nothing"):
        headers = ask(server, path)[0].headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
        assert "'unsafe-eval'" not in policy.replace("'wasm-unsafe-eval'", "")
        assert "http" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_only_this_machine_can_connect_by_default(server):
    assert server.is_private
    assert server._server.server_address[0] == "127.0.0.1"


def test_a_taken_port_and_a_wrong_one_are_one_sentence(server, painted_file):
    content = painted_file.read_bytes()
    with pytest.raises(OutputError, match=f"Port {server.port} .*--port"):
        ViewerServer(content, "a.glb", port=server.port)
    with pytest.raises(InputError, match="65535"):
        ViewerServer(content, "a.glb", port=70000)
    with pytest.raises(InputError, match="no address"):
        ViewerServer(content, "a.glb", host="no.such.host.invalid")


def test_the_users_tracker_is_served_and_nothing_else_of_its_folder(painted_file, tmp_path):
    (tmp_path / "wasm").mkdir()
    for name in (
        "vision_bundle.mjs",
        "wasm/vision_wasm_internal.js",
        "wasm/vision_wasm_internal.wasm",
        "my_model.task",
    ):
        (tmp_path / name).write_text(name)
    (tmp_path / "secret.txt").write_text("secret")
    server = ViewerServer(painted_file.read_bytes(), "a.glb", tracker=tmp_path)
    threading.Thread(target=server.serve, daemon=True).start()
    try:
        tracker = json.loads(ask(server, "/data.json")[1])["tracker"]
        for address in tracker.values():
            assert ask(server, f"/{address}")[0].status == 200
        assert ask(server, "/tracker/vision_wasm_internal.wasm")[0].headers["Content-Type"] == "application/wasm"
        assert ask(server, "/tracker/secret.txt")[0].status == 404
    finally:
        server.close()
    (tmp_path / "my_model.task").unlink()
    with pytest.raises(InputError, match=r"face_landmarker\.task"):
        ViewerServer(painted_file.read_bytes(), "a.glb", tracker=tmp_path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_prints_its_address_and_ends_cleanly(painted_file, number):
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    environment.pop("DISPLAY", None)
    environment.pop("WAYLAND_DISPLAY", None)
    command = [sys.executable, "-m", "zero1toa", "view", str(painted_file)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        first = process.stdout.readline()
        address = re.search(r"http://127\.0\.0\.1:(\d+)/", first)
        assert address, first + process.stderr.read()
        connection = http.client.HTTPConnection("127.0.0.1", int(address[1]), timeout=10)
        connection.request("GET", "/")
        with connection.getresponse() as answer:
            assert answer.status == 200
        connection.close()
        process.send_signal(number)
        assert process.wait(20) == 0
        assert "Traceback" not in process.stderr.read()
        assert "ended" in process.stdout.read()


def test_a_browser_is_opened_only_where_it_can_be_seen(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert not cli_view.has_display()
    monkeypatch.setenv("DISPLAY", ":0")
    assert cli_view.has_display()
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.delenv("SSH_TTY", raising=False)
    monkeypatch.setenv("SSH_CONNECTION", "1")
    assert not cli_view.has_display()


@pytest.mark.parametrize("command", [("view",), ("export", "--to", "html")])
@pytest.mark.parametrize("content", [None, b"no avatar"])
def test_what_is_no_avatar_is_refused_with_a_sentence(command, content, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "x.glb"
    if content is not None:
        path.write_bytes(content)
    assert main([command[0], str(path), *command[1:]]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("zero1toa: ") and lines[0].endswith(".")
    assert {p.name for p in tmp_path.iterdir()} <= {"x.glb"}


def test_export_names_its_file_and_refuses_another_ending(painted_file, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["export", str(painted_file), "--to", "html"]) == 0
    assert "Wrote painted.html" in capsys.readouterr().out
    assert (tmp_path / "painted.html").stat().st_size > painted_file.stat().st_size
    assert main(["export", str(painted_file), "--to", "html", "-o", "page.glb"]) == 2
    assert "page.html" in capsys.readouterr().err


def test_the_single_file_names_no_address_and_carries_the_licences():
    page = standalone_page(b"glTF", "</script><b>.glb").decode()
    assert page.count("<script") == page.count("</script")
    assert "</script><b>" not in page
    assert "The MIT License" in page and "three.js authors" in page
    assert not re.search(r"""(?:src|href)=["']?(?:https?:|//|style\.css|app\.js)""", page)
    assert standalone_page(b"glTF", "a.glb") == standalone_page(b"glTF", "a.glb")


def test_the_single_file_runs_its_own_script_and_no_other():
    page = standalone_page(b"glTF", "'\"><script>alert(1)</script><img src=x onerror=alert(1)>.glb").decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy and "default-src 'none'" in policy[1] and "http" not in policy[1]
    assert "'unsafe-inline'" not in policy[1].replace("style-src-attr 'unsafe-inline'", "")
    script = re.search(r'<script type="module">(.*?)</script>', page, re.DOTALL)
    assert script
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy[1]
    assert "<script>alert" not in page and "<img" not in page


def test_the_client_is_whole_and_says_what_it_contains():
    folder = Path(cli_view.__file__).parent / "viewer" / "static"
    assert {path.name for path in folder.iterdir()} == set(CLIENT_FILES)
    text = client_file("licences.txt").decode()
    for name in ("three 0.187.0", "@sparkjsdev/spark 2.2.0", "fflate"):
        assert name in text

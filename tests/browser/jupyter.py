"""A JupyterLab server on this machine, a headless Chromium, and a notebook opened in them.

Both are started from nothing, with folders of their own, and stopped by process id whatever happens in between.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 120.0
"""Seconds that a server, a kernel or a page may take to be ready."""

PICTURE = "img.widget-image"

# the time from the key to the next picture that is loaded, taken where both happen
CLOCK = """
() => {
    window.times = [];
    window.pictures = 0;
    let began = null;
    document.addEventListener("keydown", () => { began = performance.now(); }, true);
    document.querySelector("img.widget-image").addEventListener("load", () => {
        window.pictures += 1;
        if (began !== null) window.times.push(performance.now() - began);
        began = null;
    });
}
"""
BYTES = """
async () => {
    const image = document.querySelector("img.widget-image");
    const answer = await fetch(image.src);
    return Array.from(new Uint8Array(await answer.arrayBuffer()));
}
"""


@dataclass
class Server:
    url: str
    token: str
    root: Path

    def ask(self, path: str, method: str = "GET") -> Any:
        head = {"Authorization": f"token {self.token}"}
        request = urllib.request.Request(f"{self.url}{path}", headers=head, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def wait_for_kernel(self, path: str) -> None:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            for session in self.ask("/api/sessions"):
                if session["path"] == path and session["kernel"]["execution_state"] == "idle":
                    return
            time.sleep(0.1)
        raise TimeoutError(f"no kernel for {path} after {PATIENCE:.0f} s")

    def end_kernels(self) -> None:
        for session in self.ask("/api/sessions"):
            self.ask(f"/api/sessions/{session['id']}", "DELETE")


@contextlib.contextmanager
def running_server(folder: Path) -> Iterator[Server]:
    port, token = free_port(), secrets.token_hex(16)
    process = start(folder, port, token)
    try:
        server = Server(f"http://127.0.0.1:{port}", token, folder / "root")
        end = time.monotonic() + PATIENCE
        while True:
            try:
                server.ask("/api/status")
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > end:
                    log = (folder / "server.log").read_text()[-3000:]
                    raise RuntimeError(f"the server did not start:\n{log}") from None
                time.sleep(0.1)
        yield server
    finally:
        stop(process)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(folder: Path, port: int, token: str) -> subprocess.Popen[bytes]:
    places = {
        name: folder / name for name in ("config", "data", "runtime", "settings", "workspaces", "ipython", "root")
    }
    for place in places.values():
        place.mkdir()
    (places["config"] / "labconfig").mkdir()
    (places["config"] / "labconfig" / "page_config.json").write_text(
        json.dumps({"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}})
    )
    environment = {
        **os.environ,
        "JUPYTER_CONFIG_DIR": str(places["config"]),
        "JUPYTER_DATA_DIR": str(places["data"]),
        "JUPYTER_RUNTIME_DIR": str(places["runtime"]),
        "JUPYTERLAB_SETTINGS_DIR": str(places["settings"]),
        "JUPYTERLAB_WORKSPACES_DIR": str(places["workspaces"]),
        "IPYTHONDIR": str(places["ipython"]),
        "JUPYTER_TOKEN": token,
        "OMP_NUM_THREADS": "1",
    }
    options = [
        "--no-browser",
        "--allow-root",
        "--expose-app-in-browser",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={places['root']}",
        "--ServerApp.shutdown_no_activity_timeout=600",  # should whoever started it be killed before stopping it
        "--MappingKernelManager.cull_idle_timeout=300",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    with (folder / "server.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options],
            env=environment,
            cwd=places["root"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def stop(process: subprocess.Popen[bytes]) -> None:
    """End the server, which ends its kernels; whatever is left of its session after that is ended as well."""
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(20)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


@contextlib.contextmanager
def running_browser(folder: Path) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch_persistent_context(
            str(folder), executable_path=CHROMIUM, args=FLAGS, viewport={"width": 1400, "height": 1200}
        )
        try:
            yield browser
        finally:
            browser.close()


def open_notebook(server: Server, browser: Any, name: str, source: str, *, patience: float = PATIENCE) -> Any:
    """Open a new notebook of one cell, run it, and wait for its picture; returns the page."""
    import nbformat

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source, id="only")])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, server.root / f"{name}.ipynb")
    page = browser.new_page()
    page.goto(f"{server.url}/lab/tree/{name}.ipynb?token={server.token}&reset")
    page.wait_for_function("window.jupyterapp !== undefined", timeout=PATIENCE * 1000)
    page.locator(".jp-Notebook .jp-CodeCell").first.wait_for(timeout=PATIENCE * 1000)
    server.wait_for_kernel(f"{name}.ipynb")
    page.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')")
    try:
        page.locator(PICTURE).wait_for(timeout=patience * 1000)
    except Exception as error:
        output = page.locator(".jp-OutputArea").all_inner_texts()
        raise RuntimeError(f"the notebook shows no picture: {output}") from error
    page.evaluate(CLOCK)
    return page


def hold(page: Any, place: Any) -> None:
    """Give a place the keyboard, and see to it that it keeps it: a notebook that has just run takes it away again."""
    end = time.monotonic() + 20
    kept = 0
    while kept < 3:
        if not place.evaluate("e => e === document.activeElement"):
            kept = 0
            place.focus()
        kept += 1
        if time.monotonic() > end:
            raise TimeoutError("the keyboard was taken away again and again")
        page.wait_for_timeout(150)


def press(page: Any, key: str) -> None:
    """Press a key and wait for the picture that follows."""
    before = page.evaluate("window.pictures")
    page.keyboard.press(key)
    page.wait_for_function("before => window.pictures > before", arg=before, timeout=20_000)

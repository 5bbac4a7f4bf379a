"""The Dagster UI in a real browser: what a person does on the first day."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tdml_assets.environment import child_environment, project_root
from tdml_assets.settings import load_settings
from tests.e2e.conftest import Home

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs the package chromium: apt-get install chromium")
_START_SECONDS, _STOP_SECONDS, _LOAD_MS, _RUN_MS = 120, 20, 60_000, 180_000


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture
def server(finished_home: Home, copy_of: Callable[[Home], Home]) -> Iterator[str]:
    """``make ui`` on a state where everything was materialised once; ends with the test."""
    home = copy_of(finished_home)
    port = free_port()
    log = (home.folder / "ui.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "tdml_assets", "ui", "--port", str(port)],
        env=child_environment(load_settings(home.environment), {**os.environ, **home.environment}),
        stdout=log,
        stderr=subprocess.STDOUT,
        cwd=project_root(),
        start_new_session=True,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(_START_SECONDS * 2):
            assert process.poll() is None, (home.folder / "ui.log").read_text()[-3000:]
            try:
                urllib.request.urlopen(f"{url}/server_info", timeout=5).close()
                break
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.5)
        yield url
    finally:
        # As Ctrl-C in a terminal: to the server and to all it started.
        os.killpg(process.pid, signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)
        # What it started and has not ended itself must not outlive the test.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(_STOP_SECONDS)
        log.close()


def test_a_newcomer_sees_the_graph_and_a_plot_and_launches_a_run(server: str, tmp_path: Path) -> None:
    from playwright.sync_api import expect, sync_playwright

    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=[*arguments, "--disable-sync", "--no-first-run"]
        )
        page = browser.new_page(viewport={"width": 1800, "height": 1000})
        page.set_default_timeout(_LOAD_MS)
        pictures = Path(os.environ.get("PICTURES", tmp_path))

        page.goto(f"{server}/asset-groups")
        for group in ("raw", "features", "cltv", "monitoring", "audience"):
            expect(page.get_by_text(group, exact=True).first).to_be_visible()
        page.screenshot(path=pictures / "graph.png")
        page.goto(f"{server}/locations/tdml_assets/asset-groups/cltv/lineage")
        for asset in ("training_table", "candidate_model", "predictions"):
            expect(page.get_by_text(asset, exact=True).first).to_be_visible()
        page.screenshot(path=pictures / "workflow.png")

        page.goto(f"{server}/assets/cltv/evaluation")
        page.get_by_text("[Show Markdown]").first.click()
        plot = page.locator("img[src^='data:image/png;base64']").first
        expect(plot).to_be_visible()
        assert plot.evaluate("image => image.naturalWidth") > 300
        page.screenshot(path=pictures / "plot.png")

        page.goto(f"{server}/assets/features/snapshots")
        page.get_by_role("button", name="Materialize").first.click()
        page.get_by_text("Launched").first.wait_for()
        newest = "{ runsOrError(limit: 1) { ... on Runs { results { runId } } } }"
        answer = page.request.post(f"{server}/graphql", data={"query": newest}).json()
        page.goto(f"{server}/runs/{answer['data']['runsOrError']['results'][0]['runId']}")
        expect(page.get_by_text("Success", exact=True).first).to_be_visible(timeout=_RUN_MS)
        page.screenshot(path=pictures / "runs.png")
        browser.close()

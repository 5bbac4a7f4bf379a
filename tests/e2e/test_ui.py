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
from typing import Any

import pytest

from tdml_assets.platform.environment import child_environment, project_root
from tdml_assets.settings import load_settings
from tests.e2e.conftest import Home
from tests.pictures import keep

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs the package chromium: apt-get install chromium")
WORKFLOWS = ("churn", "cltv", "next_best_product", "segments")
NEWEST = "{ runsOrError(limit: 1) { ... on Runs { results { runId } } } }"
_START_SECONDS, _STOP_SECONDS, _LOAD_MS, _RUN_MS = 120, 20, 60_000, 180_000


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Ui:
    """Addresses of the UI and of the reports next to it."""

    def __init__(self, port: int, reports_port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.reports = f"http://127.0.0.1:{reports_port}"


@pytest.fixture
def ui(finished_home: Home, copy_of: Callable[[Home], Home]) -> Iterator[Ui]:
    """``make ui`` on a state where everything was materialised once, and snapshots once more by the command line."""
    home, found = copy_of(finished_home), Ui(free_port(), free_port())
    own = {**home.environment, "TDML_REPORTS_URL": found.reports}
    environment = child_environment(load_settings(own), {**os.environ, **own})
    log = (home.folder / "ui.log").open("wb")

    def start(*arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", *arguments],
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=project_root(),
            start_new_session=True,
        )

    command = ("dagster", "asset", "materialize", "--select", "features/snapshots", "-m", "tdml_assets.definitions")
    assert start(*command).wait(_START_SECONDS) == 0, (home.folder / "ui.log").read_text()[-3000:]
    process = start("tdml_assets", "ui", "--port", found.url.rsplit(":", 1)[1])
    try:
        for _ in range(_START_SECONDS * 2):
            assert process.poll() is None, (home.folder / "ui.log").read_text()[-3000:]
            try:
                urllib.request.urlopen(f"{found.url}/server_info", timeout=5).close()
                break
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.5)
        yield found
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


@pytest.fixture
def page() -> Iterator[Any]:
    """A page of a browser that talks to nobody but this machine."""
    from playwright.sync_api import expect, sync_playwright

    # Next to other tests on two cores a page of the UI takes longer than the usual five seconds.
    expect.set_options(timeout=_LOAD_MS)
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=[*arguments, "--disable-sync", "--no-first-run"]
        )
        opened = browser.new_page(viewport={"width": 1400, "height": 800})
        opened.set_default_timeout(_LOAD_MS)
        yield opened
        browser.close()


def test_a_newcomer_sees_graph_plots_reports_and_the_run_and_launches_another(ui: Ui, page: Any) -> None:
    from playwright.sync_api import expect

    page.goto(f"{ui.url}/asset-groups")
    for group in ("raw", "features", *WORKFLOWS, "audience"):
        expect(page.get_by_text(group, exact=True).first).to_be_visible()
    assert page.get_by_text("monitoring", exact=True).count() == 0, "monitoring is in the group of its workflow"
    # The last node on the right, behind the list of groups on the left, lies within the window.
    box = page.get_by_text("audience", exact=True).last.bounding_box()
    assert box["x"] + box["width"] < 1400
    keep(page, "graph")

    page.goto(f"{ui.url}/locations/tdml_assets/asset-groups/cltv/lineage")
    for asset in ("training_table", "candidate_model", "predictions", "drift", "triage", "session_report"):
        expect(page.get_by_text(asset, exact=True).first).to_be_visible()
    keep(page, "workflow")

    page.goto(f"{ui.url}/assets/cltv/evaluation")
    small = page.locator("img[src^='data:image/svg+xml,']").first
    expect(small).to_be_visible()
    assert small.evaluate("image => image.naturalWidth") > 200
    expect(page.get_by_text("When red:").first).to_be_visible()
    page.set_viewport_size({"width": 1500, "height": 1500})
    table = page.locator("table", has=small).last
    assert table.evaluate("table => table.scrollWidth - table.parentElement.clientWidth") <= 1, (
        "metadata are cut at the right"
    )
    keep(page, "asset")
    page.set_viewport_size({"width": 1400, "height": 800})
    page.get_by_text("[Show Markdown]").first.click()
    plot = page.locator("img[src^='data:image/svg+xml;base64']").first
    expect(plot).to_be_visible()
    assert plot.evaluate("image => image.naturalWidth") > 300

    page.goto(f"{ui.url}/assets/cltv/session_report")
    link = page.locator(f"a[href='{ui.reports}/cltv/latest.html']").first
    expect(link).to_be_visible()
    page.goto(str(link.get_attribute("href")))
    expect(page.get_by_role("heading", level=1)).to_contain_text("Customer lifetime value")
    page.get_by_text("All workflows").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("All workflows")

    answer = page.request.post(f"{ui.url}/graphql", data={"query": NEWEST}).json()
    page.goto(f"{ui.url}/overview/activity/timeline")
    expect(page.get_by_text("Jobless asset materializations").first).to_be_visible()
    keep(page, "timeline")
    page.goto(f"{ui.url}/runs/{answer['data']['runsOrError']['results'][0]['runId']}")
    expect(page.get_by_text("Success", exact=True).first).to_be_visible()
    expect(page.get_by_text("features__snapshots").first).to_be_visible()
    expect(page.get_by_text("RUN_SUCCESS").first).to_be_visible()
    assert page.get_by_text("different code location").count() == 0
    keep(page, "run")

    page.goto(f"{ui.url}/assets/features/snapshots")
    page.get_by_role("button", name="Materialize").first.click()
    page.get_by_text("Launched").first.wait_for()
    answer = page.request.post(f"{ui.url}/graphql", data={"query": NEWEST}).json()
    page.goto(f"{ui.url}/runs/{answer['data']['runsOrError']['results'][0]['runId']}")
    expect(page.get_by_text("Success", exact=True).first).to_be_visible(timeout=_RUN_MS)


#: Texts of drawings that are cut by their frame, words of tables that run out of their cell.
CUT = """() => [
    ...[...document.querySelectorAll('svg text')].filter(text => {
        const own = text.getBoundingClientRect(), around = text.ownerSVGElement.getBoundingClientRect();
        return own.width > 0 && (own.right > around.right + 1 || own.left < around.left - 1);
    }),
    ...[...document.querySelectorAll('th, td, dd, .tile')].filter(cell => cell.scrollWidth > cell.clientWidth + 1),
].map(found => found.textContent)"""


def test_every_report_of_a_real_session_can_be_read_at_1280_and_400_pixels(finished_home: Home, page: Any) -> None:
    reports = finished_home.folder / "home" / "reports"
    for width in (1280, 400):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto((reports / "index.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(CUT) == []
        keep(page, f"overview-{width}", height=1000)
        for workflow in WORKFLOWS:
            page.goto((reports / workflow / "latest.html").as_uri())
            assert page.evaluate("document.documentElement.scrollWidth") <= width, workflow
            assert page.evaluate(CUT) == [], workflow
            text = page.inner_text("body")
            assert "bin 1" not in text, workflow
            assert text.count("Nothing to compare with yet") >= 2, workflow
            assert "What the model does" in text, workflow
            assert "Nothing is recorded about the test" not in text, workflow
            if width == 1280:
                keep(page, f"report-{workflow}", height=1700)
        assert page.locator("#model tbody tr").count() >= 2, "groups are shown with their profile"

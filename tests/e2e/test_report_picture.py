"""The session report in a real browser: it is there to be looked at."""

import io
import shutil
from pathlib import Path

import pytest

from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.stages.session_report.page import render_report
from tdml_assets.stages.session_report.reading import read_facts
from tests.pictures import keep
from tests.report_history import LAST, REFERENCE, spec, write_history

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs the package chromium: apt-get install chromium")
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


@pytest.fixture
def report(tmp_path: Path) -> Path:
    warehouse = Warehouse(database=str(tmp_path / "w.duckdb"), temp_directory=str(tmp_path / "tmp"), threads=1)
    with warehouse.write() as database:
        page = render_report(read_facts(database, spec(), write_history(database), LAST, (REFERENCE,)))
    path = tmp_path / "report.html"
    path.write_text(page, encoding="utf-8")
    return path


def colours(png: bytes) -> int:
    """Different colours in a picture."""
    import numpy as np
    from PIL import Image

    picture = np.asarray(Image.open(io.BytesIO(png)))
    pixels = picture.reshape(-1, picture.shape[-1])
    return len({tuple(pixel) for pixel in pixels[:: max(1, len(pixels) // 200_000)]})


def test_heat_map_realised_line_and_decision_are_visible_and_nothing_is_fetched(report: Path, tmp_path: Path) -> None:
    from playwright.sync_api import expect, sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=[*_ARGUMENTS, "--disable-sync", "--no-first-run"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        said: list[str] = []
        asked: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(report.as_uri())
        keep(page, "report-history", height=1750)
        page.pdf(path=tmp_path / "session_report.pdf", prefer_css_page_size=True, print_background=False)

        assert page.evaluate("document.documentElement.scrollWidth") <= 1280
        expect(page.get_by_text("Retraining called for").first).to_be_in_viewport()
        shapes = {
            "#decision .sentence": 2,
            "#heat-map": 20,
            "#heat-map rect.cell.alarm": 2,
            "#measure0 polyline.realised": 2,
            "#measure0 polyline.test": 2,
            "#spike-history line.limit": 2,
            "#distribution0": 5,
        }
        for selector, fewest in shapes.items():
            box = page.locator(selector).first.bounding_box()
            assert box, selector
            assert max(box["width"], box["height"]) > 0, selector
            # A level line has no height of its own, and counts as invisible when asked for a picture of it alone.
            clip = {"x": box["x"], "y": box["y"] - 1, "width": box["width"] + 1, "height": box["height"] + 2}
            assert colours(page.screenshot(clip=clip, full_page=True)) >= fewest, selector
        overlapping = page.evaluate(
            """() => [...document.querySelectorAll('svg text.label, svg text.tick')].filter(text => {
                const own = text.getBoundingClientRect(), around = text.ownerSVGElement.getBoundingClientRect();
                return own.right > around.right + 1 || own.left < around.left - 1;
            }).map(text => text.textContent)"""
        )
        assert overlapping == []
        browser.close()
    assert said == []
    assert asked == [report.as_uri()]
    assert (tmp_path / "session_report.pdf").stat().st_size > 10_000

"""The dashboard in a real browser: its pictures are there to be looked at, and nothing is fetched."""

import shutil
from pathlib import Path

import pytest

from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.stages.session_report.dashboard import latest_exports, read_dashboard, render_dashboard
from tests.dashboard_history import NOW, SPECS, write_exports, write_history
from tests.e2e.test_report_picture import colours
from tests.pictures import keep

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs the package chromium: apt-get install chromium")
_CUT = """() => [...document.querySelectorAll('svg text')].filter(text => {
    const own = text.getBoundingClientRect(), around = text.ownerSVGElement.getBoundingClientRect();
    return own.right > around.right + 1 || own.left < around.left - 1 || own.top < around.top - 1;
}).map(text => text.textContent)"""
_SHAPES = {
    "#bands-churn rect.band": 52,
    "#movement-segments rect.stayed": 6,
    "#deciles-cltv rect.value": 10,
    "#grades-churn rect.grade": 4,
    "#drift-cltv polyline": 2,
    "#drift-cltv .alarm-mark": 1,
    "#lift-churn .interval": 4,
    "#lift-time-churn polyline": 4,
}


def test_every_picture_is_visible_at_both_widths_and_nothing_is_fetched(tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    warehouse = Warehouse(database=str(tmp_path / "w.duckdb"), temp_directory=str(tmp_path / "tmp"), threads=1)
    with warehouse.write() as database:
        write_history(database)
        write_exports(database, tmp_path)
        path = tmp_path / "dashboard.html"
        path.write_text(
            render_dashboard(read_dashboard(database, SPECS, NOW, latest_exports(str(tmp_path)))), encoding="utf-8"
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--no-first-run"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        said: list[str] = []
        asked: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(path.as_uri())
        keep(page, "dashboard", height=1500)
        for selector, count in _SHAPES.items():
            assert page.locator(selector).count() == count, selector
            box = page.locator(selector).first.bounding_box()
            assert box, selector
            assert max(box["width"], box["height"]) > 0, selector
        for name in ("bands-churn", "movement-segments", "deciles-cltv", "drift-cltv", "lift-churn"):
            assert colours(page.locator(f"#{name}").screenshot()) > 8, name
        for width in (1280, 400):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            scrolls = (
                "[...document.querySelectorAll('.scroll')].filter(one => one.scrollWidth > one.clientWidth).length"
            )
            assert page.evaluate(scrolls) == 0, width
            assert page.evaluate(_CUT) == [], width
            smallest = (
                "Math.min(...[...document.querySelectorAll('svg')].map(one => one.getBoundingClientRect().width / 420))"
            )
            assert page.evaluate(smallest) > 0.85, "letters of 11 pixels are shown with 9 at least"
        browser.close()
    assert (said, asked) == ([], [path.as_uri()])

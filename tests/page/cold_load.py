"""`make cold-load`: from an empty cache to the first decision of the site, over the loopback, in Chromium."""

import argparse
import statistics
import sys

from playwright.sync_api import Browser, expect

from tests.page.serving import SITE, StaticHost, chromium

WAIT_MS = 60_000
WATCH = """
new MutationObserver((_, watcher) => {
  if (!/erson — /.test(document.getElementById("decision")?.textContent ?? "")) return;
  window.decidedMs = performance.now();
  watcher.disconnect();
}).observe(document, { childList: true, subtree: true, characterData: true });
"""
"""Notes when the first decision stands on the page, ms since the address was opened."""


def load(browser: Browser, url: str) -> tuple[float, int]:
    """Loads the site anew and scans a photograph at the sensor's own pace.

    Returns:
        Milliseconds to the decision, and bytes that the page fetched before it, without the worker's.
    """
    context = browser.new_context()
    page = context.new_page()
    page.add_init_script(WATCH)
    page.goto(f"{url}/?slow=1&sample=astronaut")
    expect(page.locator("#decision")).to_contain_text("erson — ", timeout=WAIT_MS)
    decided_ms: float = page.evaluate("window.decidedMs")
    fetched: int = page.evaluate(
        "performance.getEntriesByType('resource').filter(({ responseEnd }) => responseEnd <= window.decidedMs)"
        ".reduce((sum, { transferSize }) => sum + transferSize, 0)"
    )
    context.close()
    return decided_ms, fetched


def main() -> None:
    """Loads, and prints the median."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    if not (SITE / "index.html").is_file():
        sys.exit("the site is not built: make site")
    host = StaticHost(SITE)
    try:
        with chromium() as browser:
            found = [load(browser, host.url) for _ in range(rounds)]
    finally:
        host.stop()
    times = [decided_ms for decided_ms, _ in found]
    print(
        f"first decision after {statistics.median(times):.0f} ms "
        f"(median of {rounds}; {min(times):.0f} to {max(times):.0f}), {found[0][1] / 1000:.0f} kB fetched until then"
    )


if __name__ == "__main__":
    main()

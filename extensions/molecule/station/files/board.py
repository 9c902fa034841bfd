# SPDX-License-Identifier: GPL-3.0-or-later
"""Operate the board in a real Chromium, like a technician with a scanner, and save screenshots.

Arguments: the folder that contains preprovision_service, and the folder for screenshots. The first finding ends the run.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

PORT = 8641
BASE = f"http://127.0.0.1:{PORT}/board/"
TIMEOUT = 60
HOSTILE = "<script>document.title='broken'</script><img src=x onerror=\"document.title='broken'\">"
PUBLISHED = "656af3b1-2f1"
MINUTE = 60_000

package, shots = Path(sys.argv[1]), Path(sys.argv[2])
sys.path.insert(0, str(package))

from preprovision_service import clock  # noqa: E402
from preprovision_service.cli import migrate  # noqa: E402
from preprovision_service.http import auth  # noqa: E402
from preprovision_service.store.connection import engine_of, open_database  # noqa: E402
from preprovision_service.store.tables import Event, Operator, Phone, Report, Shipment  # noqa: E402
from sqlalchemy import select, update  # noqa: E402


def mac(number: int) -> str:
    return f"00005e0053{number:02x}"


def label(number: int) -> str:
    return f"00:00:5E:00:53:{number:02X}"


def check(passed: object, finding: str) -> None:
    if not passed:
        raise SystemExit(f"board: {finding}")


# ---- the station


# Columns that the batch plot counts, by the event that sets them
FIRST = {"lease": "leased", "profile": "profile", "resync": "resynced", "packed": "packed"}


STATES = ("expected", "leased", "bootstrap", "profile", "resynced", "reported", "packed")
# Event kind, minutes after the scan, the first state that includes it, and the details
EVENTS = (
    ("scanned", 0, 1, '{"operator": "ann"}'),
    ("lease", 2, 1, '{"what": "ack"}'),
    ("profile", 4, 3, "{}"),
    ("resync", 5, 4, json.dumps({"what": "success", "text": "tftp://192.0.2.1/x.cfg", "product": "ATA192-MPP"})),
    ("packed", 40, 6, '{"operator": "ann"}'),
)


def fill(sessions: Any) -> None:
    """Add an operator and 160 phones in all states."""
    begin = clock.now() - 180 * MINUTE
    with sessions.begin() as session:
        session.add(Operator(name="ann", password=auth.hash_password("for tests only")))
        for number in range(1, 161):
            add_phone(session, number, begin + number * MINUTE)
        session.flush()
        session.execute(update(Phone).where(Phone.mac == mac(61)).values(name=HOSTILE, firmware=HOSTILE, reason=HOSTILE))
        detail = json.dumps({"agent": HOSTILE, "path": "/ata192.cfg"})
        session.add(Event(key="h", time=begin, mac=mac(61), kind="http", address="192.0.2.81", detail=detail))
        session.add(
            Report(mac=mac(61), time=begin, address="192.0.2.81", agent=HOSTILE, body=f"<status>{HOSTILE}</status>".encode())
        )


def add_phone(session: Any, number: int, came: int) -> None:
    """Add a phone, its events, and its shipment if it was packed; *came* is the time of its scan in ms."""
    models = (("ATA192", "ata19x"), ("CP-8851-3PCC", "mpp"), ("SPA504G", "spa"))
    model, family = models[0 if number < 90 else 1 if number < 140 else 2]
    reached = 6 if number < 40 else 5 if number < 60 else 4 if number < 100 else 0
    reached = {104: 3, 105: 2, 106: 1, 107: 3, 20: 4}.get(number, reached)
    failed = number in (61, 103)
    phone = Phone(
        mac=mac(number),
        name=f"{'ata192' if family == 'ata19x' else 'desk'}-{number:03}",
        serial=f"FCH2443D{number:03}",
        model=model,
        family=family,
        customer=("Example Ltd", "Nordlicht Telefonie", "Practice Dr. Adler")[number % 7 % 3],
        state="failed" if failed else STATES[reached],
        since=min(came + 20 * MINUTE, clock.now() - (number * 7 % 90) * 1000) if reached or failed else 0,
        reason="it could not decrypt its profile: Resync failed: decryption error" if failed else "",
        address=f"192.0.2.{number + 20}" if reached or failed else "",
        firmware="11-2-4MPP0001-61" if reached > 2 else "",
        profile_hash=PUBLISHED if reached > 2 else "",
        packed_by="ann" if reached == 6 else "",
        arrived=came if reached or failed else 0,
    )
    session.add(phone)
    if STATES[reached] == "packed":
        same = {name: getattr(phone, name) for name in ("mac", "name", "serial", "model", "customer", "firmware", "profile_hash")}
        times = {"arrived": came, "fetched": came + 4 * MINUTE, "time": came + 40 * MINUTE}
        session.add(Shipment(**same, **times, operator="ann", subject=""))
    for kind, minutes, least, detail in EVENTS:
        if reached >= least:
            when = came + (minutes + number % 5) * MINUTE
            session.add(Event(key=f"{kind}{number}", time=when, mac=mac(number), kind=kind, detail=detail, address=phone.address))
            if kind in FIRST:
                setattr(phone, f"first_{FIRST[kind]}", when)


@contextmanager
def service(folder: Path) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Yield a function that starts the application; stop all started processes at the end."""
    started: list[subprocess.Popen[bytes]] = []
    environment = {**os.environ, "PREPROVISION_SERVICE_CONFIG": str(folder / "config.json"), "STATE_DIRECTORY": str(folder)}

    def start() -> subprocess.Popen[bytes]:
        call = [
            "gunicorn",
            "--workers=2",
            f"--bind=127.0.0.1:{PORT}",
            f"--chdir={package}",
            "preprovision_service.app:application()",
        ]
        with (folder / "gunicorn.log").open("ab") as log:
            started.append(subprocess.Popen(call, env=environment, stdout=log, stderr=log))
        end = time.monotonic() + TIMEOUT
        while time.monotonic() < end:
            try:
                with urlopen(f"http://127.0.0.1:{PORT}/health", timeout=5):
                    return started[-1]
            except OSError:
                time.sleep(0.1)
        raise SystemExit(f"board: the service does not start: {(folder / 'gunicorn.log').read_text()[-2000:]}")

    try:
        yield start
    finally:
        for process in started:
            process.send_signal(signal.SIGTERM)
            process.wait()


# ---- the technician


class Browser:
    """Drive Chromium with a bench's screen and scanner."""

    def __init__(self, downloads: Path) -> None:
        options = webdriver.ChromeOptions()
        for argument in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "disable-gpu", "hide-scrollbars"):
            options.add_argument(f"--{argument}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
        self.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(downloads))
        self.screen()

    def call(self, command: str, **arguments: object) -> None:
        self.driver.execute_cdp_cmd(command, arguments)

    def screen(self, width: int = 1600, height: int = 1000, *, dark: bool = False, still: bool = False) -> None:
        features = [
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce" if still else "no-preference"},
        ]
        self.call("Emulation.setEmulatedMedia", features=features)
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 700)

    def shoot(self, name: str) -> None:
        self.driver.save_screenshot(str(shots / f"{name}.png"))

    def go(self, path: str) -> None:
        self.driver.get(BASE + path)

    def type(self, *keys: str) -> None:
        """Type into the focused element, like a scanner."""
        ActionChains(self.driver).send_keys(*keys).perform()

    def run(self, script: str, *arguments: object) -> Any:
        return self.driver.execute_script(script, *arguments)

    def text_of(self, selector: str) -> str:
        return " ".join(element.text for element in self.driver.find_elements(By.CSS_SELECTOR, selector))

    def wait(self, condition: Callable[[], object], finding: str) -> None:
        try:
            WebDriverWait(self.driver, TIMEOUT, 0.05).until(lambda _driver: condition())
        except Exception:
            self.shoot("finding")
            raise SystemExit(f"board: {finding}; the page says: {self.text_of('main')[:1500]}") from None

    def scan(self, code: str, verdict: str) -> None:
        self.run("document.querySelectorAll('[data-verdict]').forEach((one) => one.remove())")
        self.type(code, Keys.ENTER)
        self.wait(lambda: self.verdict() == verdict, f"{code} is not {verdict}")

    def verdict(self) -> str:
        return self.run("return document.querySelector('[data-verdict]')?.dataset.verdict || ''")

    def focus(self) -> str:
        return self.run("return document.activeElement.id")

    def complaints(self) -> list[str]:
        """Return the browser's own complaints: refused scripts and styles, errors in scripts."""
        # Expected: the status of a refused scan, focus set before autofocus, and the outage made by this script
        known = ("status of 40", "status of 422", "Autofocus processing", "ERR_CONNECTION_REFUSED")
        return [entry["message"] for entry in self.driver.get_log("browser") if not any(text in entry["message"] for text in known)]


def main() -> None:
    folder = shots / "state"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    url = f"sqlite:///{folder}/service.sqlite"
    (folder / "config.json").write_text(json.dumps({"DATABASE": url}))
    sessions = open_database(url, create=True)
    migrate.upgrade(engine_of(sessions))
    fill(sessions)

    def row(number: int) -> Phone:
        with sessions() as session:
            return session.scalars(select(Phone).where(Phone.mac == mac(number))).one()

    def change(number: int, **values: object) -> None:
        with sessions.begin() as session:
            session.execute(update(Phone).where(Phone.mac == mac(number)).values(since=clock.now(), **values))

    with service(folder) as start:
        process = start()
        browser = Browser(folder)
        try:
            log_in(browser)
            look_at_pages(browser)
            scan_in(browser, row)
            follow_live(browser, change)
            process.terminate()
            process.wait()
            outage(browser, start, row)
            name_what_is_down(browser)
            scan_out(browser, row)
            download_manifest(browser, folder)
            scan_without_script(browser, row)
            complaints = browser.complaints()
            check(not complaints, f"the browser complains: {complaints}")
        finally:
            browser.driver.quit()


def log_in(browser: Browser) -> None:
    browser.go("?state=failed")
    browser.shoot("login")
    browser.type("ann", Keys.TAB, "wrong", Keys.ENTER)
    browser.wait(lambda: "Wrong" in browser.text_of(".problem"), "a wrong password is not reported")
    browser.type("ann", Keys.TAB, "for tests only", Keys.ENTER)
    browser.wait(
        lambda: "state=failed" in browser.driver.current_url and browser.text_of("h1, .done"),
        "the login does not return to the requested page",
    )


def look_at_pages(browser: Browser) -> None:
    """Look at every page in every layout; no input from others may be executed."""
    pages = {"board": "", "phone": f"phones/{mac(20)}", "hostile": f"phones/{mac(61)}", "batch": "batch", "failed": "?state=failed"}
    for name, path in pages.items():
        browser.go(path)
        check(browser.focus() == "code", f"the scan field on {name} is not focused")
        check("broken" not in browser.driver.title, f"input from others was executed on {name}")
        for layout, screen in (("light", {}), ("dark", {"dark": True}), ("narrow", {"width": 390, "height": 844})):
            browser.screen(**screen)
            wide = browser.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
            check(wide <= 0, f"{name} is {wide} pixels too wide for the {layout} screen")
            browser.shoot(f"{name}-{layout}")
        browser.screen()
    check("<script>" in browser.text_of("main"), "input from others is not shown")


def scan_in(browser: Browser, row: Callable[[int], Phone]) -> None:
    browser.go("scan-in")
    browser.run("window.kept = true")
    browser.scan(label(110), "found")
    check(row(110).arrived and browser.focus() == "code", "the scanned unit is not recorded, or the focus is lost")
    browser.shoot("scan-in-found")
    # Codes that arrive faster than answers
    for number in (111, 112, 113):
        browser.type(label(number), Keys.ENTER)
    browser.wait(lambda: all(row(number).arrived for number in (111, 112, 113)), "codes scanned in quick succession were lost")
    browser.scan(label(110), "duplicate")
    browser.shoot("scan-in-duplicate")
    flashing = "return getComputedStyle(document.querySelector('[data-verdict]')).animationName"
    check(browser.run(flashing) == "flash", "a duplicate does not flash")
    browser.screen(still=True)
    check(browser.run(flashing) == "none", "a duplicate flashes although reduced motion is preferred")
    browser.screen(dark=True)
    browser.scan("00:00:5E:00:53:FE", "unknown")
    browser.shoot("scan-in-unknown-dark")
    browser.screen(390, 844)
    browser.scan("FCH9999X999", "unknown")
    browser.shoot("scan-in-unknown-narrow")
    browser.screen()
    browser.run("document.querySelector('[name=model]').value = 'ATA192'; document.querySelector('[name=add]').click()")
    browser.scan(label(150), "wrong")
    browser.shoot("scan-in-wrong")
    browser.scan("00:00:5E:00:53:FE", "added")
    check(row(0xFE).source == "scan", "the unknown unit was not added")
    browser.scan(HOSTILE, "unreadable")
    check(
        "broken" not in browser.driver.title and "<script>" in browser.text_of(".verdict"), "the label was executed or is not shown"
    )
    check(browser.run("return window.kept"), "the page was reloaded between scans")


def follow_live(browser: Browser, change: Callable[..., None]) -> None:
    """Watch a phone go from leased to done while the page is open."""
    browser.go("?text=" + mac(106))
    state = f"return document.getElementById('phone-{mac(106)}')?.dataset.state"
    check(browser.run(state) == "leased", "the phone is not shown as leased")
    browser.run("window.kept = true")
    browser.type("00:00")
    seen = {kind: [clock.now(), "k", PUBLISHED, "address"] for kind in ("profile", "hash", "succeeded")}
    for new in ("bootstrap", "profile", "resynced"):
        change(106, state=new, profile_hash=PUBLISHED, facts=json.dumps(seen if new == "resynced" else {}))
        browser.wait(lambda new=new: browser.run(state) == new, f"the change to {new} is not shown")
    check("1 of 1 done" in browser.text_of("#summary"), f"the summary is not updated: {browser.text_of('#summary')}")
    check(browser.run("return window.kept && document.getElementById('code').value") == "00:00", "typed text is lost")
    check(browser.focus() == "code", "the focus is lost")
    browser.shoot("live")


def outage(browser: Browser, start: Callable[[], object], row: Callable[[int], Phone]) -> None:
    """Watch the board report that the service is down, and recover."""
    browser.wait(lambda: browser.text_of("#connection"), "the board does not show that the station is down")
    browser.shoot("outage")
    start()
    browser.wait(lambda: not browser.text_of("#connection"), "the board does not recover")
    check(row(106).state == "resynced", "the phone has changed")


def name_what_is_down(browser: Browser) -> None:
    """Stop a daemon of the station; the head of each page says so, and no longer once it runs."""
    unit = "preprovision-log.service"
    told = "p.trouble[data-service='log']"
    subprocess.run(["systemctl", "stop", unit], check=True)
    try:
        browser.wait(lambda: browser.go("") or browser.text_of(told), "the board does not name the service that is down")
        check(f"systemctl start {unit}" in browser.text_of(told), f"the board does not say what to do: {browser.text_of(told)}")
        browser.shoot("down")
        browser.screen(390, 844)
        browser.go("scan-in")
        browser.shoot("down-narrow")
        browser.screen()
    finally:
        subprocess.run(["systemctl", "start", unit], check=True)
    browser.wait(lambda: browser.go("") or not browser.text_of(told), "the board still names a service that runs")


def scan_out(browser: Browser, row: Callable[[int], Phone]) -> None:
    browser.go("scan-out")
    browser.scan(label(103), "refused")
    browser.shoot("scan-out-refused")
    browser.scan(label(106), "ready")
    browser.shoot("scan-out-ready")
    browser.scan("FCH2443D107", "wrong")
    browser.screen(dark=True)
    browser.shoot("scan-out-wrong-dark")
    check(row(106).state == "resynced", "a unit was packed into another unit's box")
    browser.scan(label(106), "ready")
    browser.scan("FCH2443D106", "packed")
    browser.shoot("scan-out-packed-dark")
    browser.screen()
    browser.shoot("scan-out-packed")
    packed = row(106)
    check((packed.state, packed.packed_by) == ("packed", "ann"), "the packed unit is not recorded")
    browser.type("board", Keys.ENTER)
    browser.wait(lambda: browser.driver.current_url == BASE, "the code 'board' does not open the board")


def download_manifest(browser: Browser, folder: Path) -> None:
    browser.go("batch")
    browser.driver.find_element(By.CSS_SELECTOR, "[formaction$='manifest.zip']").click()
    browser.wait(lambda: list(folder.glob("manifest-*.zip")), "the manifest is not downloaded")
    with zipfile.ZipFile(next(folder.glob("manifest-*.zip"))) as archive:
        archive.extractall(folder)
    document = json.loads((folder / "manifest.json").read_text())
    item = next(phone for phone in document["phones"] if phone["mac"] == label(106).lower())
    check((item["operator"], item["serial"]) == ("ann", "FCH2443D106"), "the manifest does not list the packed unit")
    command = next(line.split() for line in (folder / "README.txt").read_text().splitlines() if line.startswith("    openssl"))
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    print(f"manifest: {document['count']} phones, verified with openssl")


def scan_without_script(browser: Browser, row: Callable[[int], Phone]) -> None:
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    browser.go("scan-in")
    # What is typed before the page has its focus is lost
    browser.wait(lambda: browser.driver.switch_to.active_element.tag_name == "input", "the field for codes has no focus")
    browser.type(label(114), Keys.ENTER)
    browser.wait(lambda: "FOUND" in browser.text_of(".title"), "scanning does not work without JavaScript")
    check(row(114).arrived, "the unit scanned without JavaScript is not recorded")
    browser.call("Emulation.setScriptExecutionDisabled", value=False)


main()

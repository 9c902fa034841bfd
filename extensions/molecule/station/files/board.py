# SPDX-License-Identifier: GPL-3.0-or-later
"""Work with the board in a real Chromium, as a technician with a scanner does; leave screenshots.

Arguments: the folder that holds preprovision_service, and the folder for screenshots. A finding ends the run with its sentence.
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
PATIENCE = 60
HOSTILE = "<script>document.title='broken'</script><img src=x onerror=\"document.title='broken'\">"
PUBLISHED = "656af3b1-2f1"
MINUTE = 60_000

package, shots = Path(sys.argv[1]), Path(sys.argv[2])
sys.path.insert(0, str(package))

from preprovision_service import clock, operators  # noqa: E402
from preprovision_service.database import Base, Event, Operator, Phone, Report, Shipment, engine_of, open_database  # noqa: E402
from sqlalchemy import select, update  # noqa: E402


def mac(number: int) -> str:
    return f"00005e0053{number:02x}"


def label(number: int) -> str:
    return f"00:00:5E:00:53:{number:02X}"


def judge(good: object, finding: str) -> None:
    if not good:
        raise SystemExit(f"board: {finding}")


# ---- the station's side


# What the plot of a batch counts, by the event that says so
FIRST = {"lease": "leased", "profile": "profile", "resync": "resynced", "packed": "packed"}


def fill(sessions: Any) -> None:
    """Put in an operator, and 160 phones of which some have come far."""
    begin = clock.now() - 180 * MINUTE
    models = (("ATA192", "ata19x"), ("CP-8851-3PCC", "mpp"), ("SPA504G", "spa"))
    with sessions.begin() as session:
        session.add(Operator(name="ann", password=operators.hash_password("for tests alone")))
        for number in range(1, 161):
            model, family = models[0 if number < 90 else 1 if number < 140 else 2]
            came = begin + number * MINUTE
            states = ["expected", "leased", "bootstrap", "profile", "resynced", "reported", "packed"]
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
                state="failed" if failed else states[reached],
                since=min(came + 20 * MINUTE, clock.now() - (number * 7 % 90) * 1000) if reached or failed else 0,
                reason="it could not decrypt its profile: Resync failed: decryption error" if failed else "",
                address=f"192.0.2.{number + 20}" if reached or failed else "",
                firmware="11-2-4MPP0001-61" if reached > 2 else "",
                profile_hash=PUBLISHED if reached > 2 else "",
                packed_by="ann" if reached == 6 else "",
                arrived=came if reached or failed else 0,
            )
            session.add(phone)
            if reached == 6:
                same = {
                    name: getattr(phone, name)
                    for name in ("mac", "name", "serial", "model", "customer", "firmware", "profile_hash")
                }
                times = {"arrived": came, "fetched": came + 4 * MINUTE, "time": came + 40 * MINUTE}
                session.add(Shipment(**same, **times, operator="ann", subject=""))
            told = json.dumps({"what": "success", "text": "tftp://192.0.2.1/x.cfg", "product": "ATA192-MPP"})
            kinds = (
                ("scanned", 0, '{"operator": "ann"}'),
                ("lease", 2, '{"what": "ack"}'),
                ("profile", 4, "{}"),
                ("resync", 5, told),
            )
            for kind, minutes, detail in (*kinds, ("packed", 40, '{"operator": "ann"}')):
                order = ("scanned", "lease", "profile", "resync", "packed").index(kind)
                if reached > (0, 0, 2, 3, 5)[order]:
                    when = came + (minutes + number % 5) * MINUTE
                    session.add(
                        Event(key=f"{kind}{number}", time=when, mac=mac(number), kind=kind, detail=detail, address=phone.address)
                    )
                    if kind in FIRST:
                        setattr(phone, f"first_{FIRST[kind]}", when)
        session.flush()
        session.execute(update(Phone).where(Phone.mac == mac(61)).values(name=HOSTILE, firmware=HOSTILE, reason=HOSTILE))
        detail = json.dumps({"agent": HOSTILE, "path": "/ata192.cfg"})
        session.add(Event(key="h", time=begin, mac=mac(61), kind="http", address="192.0.2.81", detail=detail))
        session.add(
            Report(mac=mac(61), time=begin, address="192.0.2.81", agent=HOSTILE, body=f"<status>{HOSTILE}</status>".encode())
        )


@contextmanager
def service(folder: Path) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Yield what starts the application; stop what it has started."""
    started: list[subprocess.Popen[bytes]] = []
    environment = {**os.environ, "PREPROVISION_SERVICE_CONFIG": str(folder / "config.json"), "STATE_DIRECTORY": str(folder)}

    def start() -> subprocess.Popen[bytes]:
        call = [
            "gunicorn",
            "--workers=2",
            f"--bind=127.0.0.1:{PORT}",
            f"--chdir={package}",
            "preprovision_service.web:application()",
        ]
        with (folder / "gunicorn.log").open("ab") as log:
            started.append(subprocess.Popen(call, env=environment, stdout=log, stderr=log))
        end = time.monotonic() + PATIENCE
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


# ---- the technician's side


class Browser:
    """Chromium, with the screen and the scanner of a bench."""

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
        """Type as a scanner does: to whatever has the focus."""
        ActionChains(self.driver).send_keys(*keys).perform()

    def run(self, script: str, *arguments: object) -> Any:
        return self.driver.execute_script(script, *arguments)

    def see(self, selector: str) -> str:
        return " ".join(element.text for element in self.driver.find_elements(By.CSS_SELECTOR, selector))

    def wait(self, condition: Callable[[], object], finding: str) -> None:
        try:
            WebDriverWait(self.driver, PATIENCE, 0.05).until(lambda _driver: condition())
        except Exception:
            self.shoot("finding")
            raise SystemExit(f"board: {finding}; the page says: {self.see('main')[:1500]}") from None

    def scan(self, code: str, verdict: str) -> None:
        self.run("document.querySelectorAll('[data-verdict]').forEach((one) => one.remove())")
        self.type(code, Keys.ENTER)
        self.wait(lambda: self.verdict() == verdict, f"{code} is not {verdict}")

    def verdict(self) -> str:
        return self.run("return document.querySelector('[data-verdict]')?.dataset.verdict || ''")

    def focus(self) -> str:
        return self.run("return document.activeElement.id")

    def complaints(self) -> list[str]:
        """What the browser itself complains of: refused scripts and styles, errors in scripts."""
        # A refused scan is told by its status; the scan field has the focus before the browser gives it; and the outage is ours
        known = ("status of 40", "status of 422", "Autofocus processing", "ERR_CONNECTION_REFUSED")
        return [entry["message"] for entry in self.driver.get_log("browser") if not any(text in entry["message"] for text in known)]


def main() -> None:
    folder = shots / "state"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    url = f"sqlite:///{folder}/service.sqlite"
    (folder / "config.json").write_text(json.dumps({"DATABASE": url}))
    sessions = open_database(url)
    Base.metadata.create_all(engine_of(sessions))
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
            look(browser)
            scan_in(browser, row)
            live(browser, change)
            process.terminate()
            process.wait()
            outage(browser, start, row)
            scan_out(browser, row)
            take_manifest(browser, folder)
            without_script(browser, row)
            complaints = browser.complaints()
            judge(not complaints, f"the browser complains: {complaints}")
        finally:
            browser.driver.quit()


def log_in(browser: Browser) -> None:
    browser.go("?state=failed")
    browser.shoot("login")
    browser.type("ann", Keys.TAB, "wrong", Keys.ENTER)
    browser.wait(lambda: "wrong" in browser.see(".problem"), "a wrong password is not told")
    browser.type("ann", Keys.TAB, "for tests alone", Keys.ENTER)
    browser.wait(lambda: "state=failed" in browser.driver.current_url and browser.see("h1, .done"), "the login does not lead back")


def look(browser: Browser) -> None:
    """Look at every page, and find nothing executed that others wrote."""
    pages = {"board": "", "phone": f"phones/{mac(20)}", "hostile": f"phones/{mac(61)}", "batch": "batch", "failed": "?state=failed"}
    for name, path in pages.items():
        browser.go(path)
        judge(browser.focus() == "code", f"the scan field of {name} has no focus")
        judge("broken" not in browser.driver.title, f"what others wrote was executed on {name}")
        for look_name, screen in (("light", {}), ("dark", {"dark": True}), ("narrow", {"width": 390, "height": 844})):
            browser.screen(**screen)
            wide = browser.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
            judge(wide <= 0, f"{name} is {wide} pixels too wide for the screen {look_name}")
            browser.shoot(f"{name}-{look_name}")
        browser.screen()
    judge("<script>" in browser.see("main"), "what others wrote is not shown")


def scan_in(browser: Browser, row: Callable[[int], Phone]) -> None:
    browser.go("scan-in")
    browser.run("window.kept = true")
    browser.scan(label(110), "found")
    judge(row(110).arrived and browser.focus() == "code", "the scanned unit is not noted, or the focus is lost")
    browser.shoot("scan-in-found")
    # Codes that come faster than answers
    for number in (111, 112, 113):
        browser.type(label(number), Keys.ENTER)
    browser.wait(lambda: all(row(number).arrived for number in (111, 112, 113)), "codes that came fast were lost")
    browser.scan(label(110), "duplicate")
    browser.shoot("scan-in-duplicate")
    flashing = "return getComputedStyle(document.querySelector('[data-verdict]')).animationName"
    judge(browser.run(flashing) == "flash", "a duplicate does not flash")
    browser.screen(still=True)
    judge(browser.run(flashing) == "none", "a duplicate flashes where motion is unwanted")
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
    judge(row(0xFE).source == "scan", "the unknown unit is not added")
    browser.scan(HOSTILE, "unreadable")
    judge("broken" not in browser.driver.title and "<script>" in browser.see(".verdict"), "a label was executed, or not shown")
    judge(browser.run("return window.kept"), "the page was loaded again between scans")


def live(browser: Browser, change: Callable[..., None]) -> None:
    """See a phone go from leased to done while the page is open."""
    browser.go("?text=" + mac(106))
    state = f"return document.getElementById('phone-{mac(106)}')?.dataset.state"
    judge(browser.run(state) == "leased", "the phone is not shown as leased")
    browser.run("window.kept = true")
    browser.type("00:00")
    for new in ("bootstrap", "profile", "resynced"):
        change(106, state=new, profile_hash=PUBLISHED)
        browser.wait(lambda new=new: browser.run(state) == new, f"the change to {new} is not seen")
    judge("1 of 1 done" in browser.see("#summary"), f"the summary does not follow: {browser.see('#summary')}")
    judge(browser.run("return window.kept && document.getElementById('code').value") == "00:00", "what was typed is lost")
    judge(browser.focus() == "code", "the focus is lost")
    browser.shoot("live")


def outage(browser: Browser, start: Callable[[], object], row: Callable[[int], Phone]) -> None:
    """Scan while the service is down; nothing may be lost."""
    browser.wait(lambda: browser.see("#connection"), "the board hides that the station does not answer")
    browser.shoot("outage")
    start()
    browser.wait(lambda: not browser.see("#connection"), "the board does not come back")
    judge(row(106).state == "resynced", "the phone has changed")


def scan_out(browser: Browser, row: Callable[[int], Phone]) -> None:
    browser.go("scan-out")
    browser.scan(label(103), "refused")
    browser.shoot("scan-out-refused")
    browser.scan(label(106), "ready")
    browser.shoot("scan-out-ready")
    browser.scan("FCH2443D107", "wrong")
    browser.screen(dark=True)
    browser.shoot("scan-out-wrong-dark")
    judge(row(106).state == "resynced", "a unit is packed into another's box")
    browser.scan(label(106), "ready")
    browser.scan("FCH2443D106", "packed")
    browser.shoot("scan-out-packed-dark")
    browser.screen()
    browser.shoot("scan-out-packed")
    packed = row(106)
    judge((packed.state, packed.packed_by) == ("packed", "ann"), "the packed unit is not noted")
    browser.type("board", Keys.ENTER)
    browser.wait(lambda: browser.driver.current_url == BASE, "the word board does not lead there")


def take_manifest(browser: Browser, folder: Path) -> None:
    browser.go("batch")
    browser.driver.find_element(By.CSS_SELECTOR, "[formaction$='manifest.zip']").click()
    browser.wait(lambda: list(folder.glob("manifest-*.zip")), "the manifest does not arrive")
    with zipfile.ZipFile(next(folder.glob("manifest-*.zip"))) as archive:
        archive.extractall(folder)
    document = json.loads((folder / "manifest.json").read_text())
    item = next(phone for phone in document["phones"] if phone["mac"] == label(106).lower())
    judge((item["operator"], item["serial"]) == ("ann", "FCH2443D106"), "the manifest does not say what was packed")
    command = next(line.split() for line in (folder / "README.txt").read_text().splitlines() if line.startswith("    openssl"))
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    print(f"manifest: {document['count']} phones, verified with openssl")


def without_script(browser: Browser, row: Callable[[int], Phone]) -> None:
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    browser.go("scan-in")
    browser.type(label(114), Keys.ENTER)
    browser.wait(lambda: "FOUND" in browser.see(".title"), "scanning does not work without script")
    judge(row(114).arrived, "what was scanned without script is not noted")
    browser.call("Emulation.setScriptExecutionDisabled", value=False)


main()

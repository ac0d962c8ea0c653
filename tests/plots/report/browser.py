"""Headless Chromium through chromedriver, which speaks W3C WebDriver: plain JSON over HTTP.

The standard library is client enough: https://www.w3.org/TR/webdriver2.
"""

import base64
import json
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync "
    "--disable-dev-shm-usage --hide-scrollbars --force-device-scale-factor=1"
).split()
_PATIENCE = 30.0
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
"""The key under which WebDriver names an element."""


def missing() -> str | None:
    """What has to be installed before a browser can be driven; None if it is there."""
    lacking = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    if not lacking:
        return None
    return f"install Debian's chromium and chromium-driver: there is no {', '.join(lacking)}"


class Browser:
    """One tab. Raises RuntimeError with what the driver says."""

    def __init__(self, session: str) -> None:
        self._session = session

    def send(self, method: str, path: str, **body: Any) -> Any:
        return _send(method, f"{self._session}{path}", body if method == "POST" else None)

    def open(self, page: Path, fragment: str = "") -> None:
        """Opens a file and waits until its script has run."""
        self.send("POST", "/url", url=page.absolute().as_uri() + fragment)
        until(lambda: self.run("return document.documentElement.dataset.ready === 'true'"))

    def run(self, script: str, *arguments: Any) -> Any:
        """The value that a script returns; `arguments` are the script's."""
        return self.send("POST", "/execute/sync", script=script, args=list(arguments))

    def devtools(self, command: str, **parameters: Any) -> Any:
        return self.send("POST", "/goog/cdp/execute", cmd=command, params=parameters)

    def click(self, selector: str) -> None:
        """A real click: what is covered by something else cannot be clicked."""
        self.send("POST", f"/element/{self._find(selector)}/click")

    def type(self, selector: str, text: str) -> None:
        self.send("POST", f"/element/{self._find(selector)}/value", text=text)

    def press(self, key: str) -> None:
        """One key, to whatever has the focus."""
        actions = [{"type": kind, "value": key} for kind in ("keyDown", "keyUp")]
        self.send("POST", "/actions", actions=[{"type": "key", "id": "keys", "actions": actions}])

    def resize(self, width: int, height: int) -> None:
        """The page's own size in CSS pixels, phones' too."""
        self.devtools(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 500,
        )

    def prefer(self, **features: str) -> None:
        """Media features, such as `prefers_color_scheme="dark"`."""
        listed = [
            {"name": name.replace("_", "-"), "value": value} for name, value in features.items()
        ]
        self.devtools("Emulation.setEmulatedMedia", features=listed)

    def messages(self) -> list[str]:
        """What the console has said since the last call: errors, warnings, violations."""
        return [entry["message"] for entry in self.send("POST", "/se/log", type="browser")]

    def screenshot(self, file: Path, *, whole: bool = False) -> None:
        shot = self.devtools("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        file.write_bytes(base64.b64decode(shot["data"]))

    def _find(self, selector: str) -> str:
        found = self.send("POST", "/element", using="css selector", value=selector)
        return str(found[ELEMENT])


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser with a profile of its own; it ends with the block, its driver too."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        log = Path(folder) / "driver.log"
        with log.open("wb") as output:
            driver = subprocess.Popen(
                [shutil.which("chromedriver") or "", "--port=0"], stdout=output, stderr=output
            )
        try:
            address = f"http://127.0.0.1:{until(lambda: _port(log))}"
            options = {
                "args": [*_FLAGS, f"--user-data-dir={folder}/profile"],
                "binary": shutil.which("chromium"),
            }
            wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
            made = _send("POST", f"{address}/session", {"capabilities": {"alwaysMatch": wanted}})
            session = f"{address}/session/{made['sessionId']}"
            yield Browser(session)
            _send("DELETE", session, None)
        finally:
            driver.terminate()
            driver.wait(timeout=_PATIENCE)


def until(found: Any) -> Any:
    """Waits for something that is true; returns it."""
    end = time.monotonic() + _PATIENCE
    while not (value := found()):
        if time.monotonic() > end:
            raise RuntimeError(f"waited {_PATIENCE:.0f} s in vain")
        time.sleep(0.02)
    return value


def _port(log: Path) -> int | None:
    """The port that the driver has chosen, from its first words."""
    _, _, after = log.read_text(encoding="utf-8").partition("started successfully on port ")
    digits = after.partition(".")[0]
    return int(digits) if digits.isdecimal() else None


def _send(method: str, url: str, body: dict[str, Any] | None) -> Any:
    content = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, content, headers, method=method)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=120) as response:  # noqa: S310
            return json.load(response)["value"]
    except urllib.error.HTTPError as error:
        told = json.load(error)["value"]
        raise RuntimeError(f"{told['error']}: {told['message']}") from None

"""A page in headless Chromium, driven over its debugging pipe: no package needed, real clicks and keys."""

import itertools
import json
import select
import shutil
import subprocess
import time

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--remote-debugging-pipe",
]
# Chromium reads commands from descriptor 3 and answers on 4.
PIPED = 'exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null 2>&1'
KEYS = {"ArrowLeft": 37, "ArrowRight": 39, " ": 32, "End": 35}


class Chromium:
    """One tab; `trouble` holds the errors in the console since the last page was opened."""

    def __init__(self, profile):
        flags = [*FLAGS, f"--user-data-dir={profile}", "--window-size=1000,900", "about:blank"]
        self.process = subprocess.Popen(
            ["sh", "-c", PIPED, PROGRAM, *flags], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        self.to, self.of = self.process.stdin, self.process.stdout
        self.numbers, self.rest, self.session, self.trouble = itertools.count(1), b"", {}, []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self.session = {"sessionId": attached["sessionId"]}
        for domain in ("Runtime", "Page", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method, **params):
        """Answer of one command of the DevTools protocol."""
        number = next(self.numbers)
        command = {"id": number, "method": method, "params": params} | self.session
        self.to.write(json.dumps(command).encode() + b"\0")
        while (message := self._read()).get("id") != number:
            entry = message.get("params", {}).get("entry", {})
            if message.get("method") == "Runtime.exceptionThrown" or entry.get("level") == "error":
                self.trouble.append(message["params"])
        assert "error" not in message, message
        return message["result"]

    def _read(self, seconds=60):
        while b"\0" not in self.rest:
            assert select.select([self.of], [], [], seconds)[0], "Chromium does not answer"
            read = self.of.read(1 << 16)
            assert read, "Chromium has ended"
            self.rest += read
        message, _, self.rest = self.rest.partition(b"\0")
        return json.loads(message)

    def open(self, path, width=1000, motion="reduce"):
        self.trouble.clear()
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        features = [{"name": "prefers-reduced-motion", "value": motion}]
        self.call("Emulation.setEmulatedMedia", features=features)
        self.call("Page.navigate", url=path.as_uri())
        self.until("document.readyState === 'complete'")

    def value(self, expression):
        """Value of a JavaScript expression (awaited) inside the page."""
        found = self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, userGesture=True
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def until(self, expression, seconds=60):
        """Wait for an expression to become true, and return its value."""
        end = time.monotonic() + seconds
        while not (value := self.value(expression)):
            assert time.monotonic() < end, f"never true: {expression}"
            time.sleep(0.02)
        return value

    def click(self, selector, across=0.5):
        """Press and release the mouse on an element, at a share of its width."""
        self.drag(selector, across, across)

    def drag(self, selector, across, to):
        """Press the mouse at one share of an element's width and release it at another."""
        element = f"document.querySelector({json.dumps(selector)})"
        self.value(f"{element}.scrollIntoView({{block: 'center'}})")
        box = self.value(f"{element}.getBoundingClientRect().toJSON()")
        for kind, share in (("mousePressed", across), ("mouseMoved", to), ("mouseReleased", to)):
            place = {"x": box["x"] + share * box["width"], "y": box["y"] + box["height"] / 2}
            self.call("Input.dispatchMouseEvent", type=kind, button="left", buttons=1, clickCount=1, **place)

    def choose(self, selector, value):
        """Give an input or a select a value, as a hand would."""
        element = f"document.querySelector({json.dumps(selector)})"
        self.value(
            f"{element}.value = {json.dumps(value)}; for (const kind of ['input', 'change'])"
            f"{element}.dispatchEvent(new Event(kind)); 0"
        )

    def press(self, key, shift=False):
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code="Space" if key == " " else key,
                windowsVirtualKeyCode=KEYS[key],
                modifiers=8 if shift else 0,
                **({"text": " "} if key == " " and kind == "keyDown" else {}),
            )

    def close(self):
        self.process.terminate()
        self.process.wait(20)
        self.to.close()
        self.of.close()

"""An integration as it is often written: in another language, with the standard library alone.

It verifies signatures, and does nothing else of what the checklist asks for: no idempotency key, no
retry, no renewal, no field errors, no look at the timestamp, no deduplication, and it answers a
webhook when the work is done. It reads its secrets once, at start, and logs the requests that fail
with all their headers; it counts calls, but not how they end; and it looks for stuck customers on the
first page of the list.
"""

import base64
import datetime
import hashlib
import hmac
import json
import os
import sys
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BASE = os.environ["GOLIVE_BASE_URL"]
LOGIN = f'{os.environ["GOLIVE_CLIENT_ID"]}:{os.environ["GOLIVE_CLIENT_SECRET"]}'
KEY = base64.b64decode(os.environ["GOLIVE_WEBHOOK_SECRET"].removeprefix("whsec_") + "==")

open_url = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
token_lock, token_kept = threading.Lock(), []
effects_lock, effects = threading.Lock(), {}
log, calls = ["started"], [0]


def token():
    with token_lock:
        if not token_kept:
            login = base64.b64encode(LOGIN.encode()).decode()
            headers = {
                "Authorization": f"Basic {login}",
                "Content-Type": "application/x-www-form-urlencoded",
            }
            request = urllib.request.Request(
                f"{BASE}/auth/token", b"grant_type=client_credentials", headers
            )
            with open_url(request, timeout=20) as answer:
                token_kept.append(json.load(answer)["access_token"])
        return token_kept[0]


def call(method, path, body=None):
    """Whether it worked, and what the user sees."""
    headers = {"Authorization": f"Bearer {token()}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(BASE + path, data, headers, method=method)
    calls[0] += 1
    try:
        with open_url(request, timeout=20) as answer:
            return True, answer.read().decode()
    except urllib.error.HTTPError as error:
        log.append(f"{error.code} for {method} {path} {headers}")
        return False, f"Something went wrong ({error.code})"
    except OSError:
        return False, "Something went wrong"


def cpf(mark):
    """A valid number for each mark."""
    digits = [int(d) for d in f"{int(hashlib.sha256(mark.encode()).hexdigest(), 16) % 10**9:09}"]
    for start in (10, 11):
        rest = sum(d * f for d, f in zip(digits, range(start, 1, -1))) * 10 % 11
        digits.append(rest % 10)
    return "".join(map(str, digits))


def create(mark):
    return call("POST", "/customers", {"name": "Ana", "cpf": cpf(mark), "external_id": mark})


def create_many(mark, n):
    results = []
    threads = [
        threading.Thread(target=lambda i=i: results.append(create(f"{mark}-{i}")))
        for i in range(n)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return all(ok for ok, _ in results), "\n".join(text for _, text in results)


def hook(name, mark, n):
    match name:
        case "create":
            return create(mark)
        case "create-many":
            return create_many(mark, n)
        case "list" | "read":
            return call("GET", "/customers?limit=5")
        case "effects":
            return True, str(effects.get(mark, 0))
        case "logs":
            # Of what is printed, the start is kept.
            return True, "\n".join(log[:100])
        case "rotate-credential":
            return True, "written down, for the next start"
        case "metrics":
            return True, f"# TYPE calls_total counter\ncalls_total {calls[0]}\n"
        case "stuck":
            return stuck()
    return None


def stuck():
    # A job of its own, with a token of its own.
    token_kept.clear()
    lines = []
    for status in ("pending_kyc", "under_review"):
        ok, page = call("GET", f"/customers?limit=100&status={status}")
        if not ok:
            return False, page
        long_ago = time.time() - 3 * 86_400
        for customer in json.loads(page)["data"]:
            since = datetime.datetime.fromisoformat(customer["updated_at"]).timestamp()
            if since < long_ago:
                lines.append(customer["id"])
    return True, "\n".join(lines)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/webhooks":
            self.answer(self.webhook(body), b"")
            return
        asked = json.loads(body or b"{}")
        name = self.path.removeprefix("/golive/")
        result = hook(name, asked.get("mark", ""), asked.get("n", 1))
        if result is None:
            self.answer(404, b"")
            return
        ok, output = result
        self.answer(200, json.dumps({"ok": ok, "output": output}).encode())

    def webhook(self, body):
        signed = f'{self.headers["webhook-id"]}.{self.headers["webhook-timestamp"]}.'.encode()
        mac = base64.b64encode(hmac.digest(KEY, signed + body, "sha256")).decode()
        listed = (self.headers["webhook-signature"] or "").split()
        if not any(hmac.compare_digest(f"v1,{mac}", one) for one in listed):
            return 401
        data = json.loads(body)["data"]
        call("GET", f'/customers/{data["id"]}')
        with effects_lock:
            mark = data.get("external_id")
            effects[mark] = effects.get(mark, 0) + 1
        return 200

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


ThreadingHTTPServer.request_queue_size = 128
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()

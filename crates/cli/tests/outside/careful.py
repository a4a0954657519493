"""An integration that does what the checklist asks for, and its supervisor, which has the hooks.

    careful.py supervisor HOOKS_PORT APP_PORT DIRECTORY
    careful.py app APP_PORT DIRECTORY

The app keeps its events in SQLite and its log in a file, reads its credential from a file at each
renewal, counts what it does by how it ended, and follows lists to their end. The supervisor starts
it, kills it, hands it new credentials, and passes on whatever else it is asked to do.
"""

import base64
import datetime
import hashlib
import hmac
import json
import logging
import os
import random
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ROLE, PORT, DIRECTORY = sys.argv[1], int(sys.argv[2]), sys.argv[-1]
CREDENTIAL = os.path.join(DIRECTORY, "credential.json")
LOG = os.path.join(DIRECTORY, "app.log")
open_url = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, text = self.server.answer(self.path, self.headers, body)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


def serve(port, answer):
    ThreadingHTTPServer.request_queue_size = 128
    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.answer = answer
    server.serve_forever()


# --- the client ---

token_lock, token_kept = threading.Lock(), []
counts_lock, counts = threading.Lock(), {}


def count(name, **labels):
    series = name + "{" + ",".join(f'{k}="{v}"' for k, v in labels.items()) + "}"
    with counts_lock:
        counts[series] = counts.get(series, 0) + 1


def send(request):
    try:
        with open_url(request, timeout=20) as answer:
            status, headers, body = answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as error:
        status, headers, body = error.code, error.headers, error.read().decode()
    except OSError:
        status, headers, body = 599, {}, ""
    count("http_client_requests_total", method=request.method, status=status)
    return status, headers, body


def token(rejected=None):
    with token_lock:
        if token_kept and token_kept[0] != rejected:
            return token_kept[0]
        token_kept.clear()
        with open(CREDENTIAL, encoding="utf-8") as file:
            credential = json.load(file)
        login = f'{credential["client_id"]}:{credential["client_secret"]}'
        headers = {
            "Authorization": "Basic " + base64.b64encode(login.encode()).decode(),
            "Content-Type": "application/x-www-form-urlencoded",
        }
        url = os.environ["GOLIVE_BASE_URL"] + "/auth/token"
        request = urllib.request.Request(url, b"grant_type=client_credentials", headers)
        request.method = "POST"
        status, _, body = send(request)
        if status != 200:
            logging.warning("no token: %d", status)
            return None
        token_kept.append(json.loads(body)["access_token"])
        return token_kept[0]


def call(method, path, body=None):
    """Whether it worked, and what the user sees."""
    key, renewed, data = str(uuid.uuid4()), False, body and json.dumps(body).encode()
    for attempt in range(4):
        bearer = token()
        if bearer is None:
            return False, "not signed in"
        headers = {"Authorization": f"Bearer {bearer}", "Content-Type": "application/json"}
        if method == "POST":
            headers["Idempotency-Key"] = key
        url = os.environ["GOLIVE_BASE_URL"] + path
        status, _, text = send(urllib.request.Request(url, data, headers, method=method))
        if status < 300:
            return True, text
        logging.warning("%s %s was answered %d", method, path.split("?")[0], status)
        if status == 401 and not renewed:
            renewed = True
            token(rejected=bearer)
        elif status == 429 or status >= 500:
            time.sleep(random.uniform(0.5, 1) * 0.1 * 2**attempt)
        else:
            break
    return False, text or "no answer"


def cpf(mark):
    digits = [int(d) for d in f"{int(hashlib.sha256(mark.encode()).hexdigest(), 16) % 10**9:09}"]
    for start in (10, 11):
        rest = sum(d * f for d, f in zip(digits, range(start, 1, -1))) * 10 % 11
        digits.append(rest % 10)
    return "".join(map(str, digits))


def stuck():
    found, long_ago = [], time.time() - 3 * 86_400
    for status in ("pending_kyc", "under_review"):
        after = ""
        while True:
            ok, text = call("GET", f"/customers?limit=100&status={status}{after}")
            if not ok:
                return False, text
            page = json.loads(text)
            for customer in page["data"]:
                since = datetime.datetime.fromisoformat(customer["updated_at"]).timestamp()
                if since < long_ago:
                    found.append(customer["id"])
            if not page["has_more"]:
                break
            after = "&starting_after=" + page["data"][-1]["id"]
    return True, "\n".join(found)


# --- the inbox ---


def events(statement, *values):
    with sqlite3.connect(os.path.join(DIRECTORY, "events.db"), timeout=20) as database:
        database.execute("pragma synchronous = full")
        rows = database.execute(statement, values)
        return rows.rowcount if statement.startswith("insert") else rows.fetchall()


def webhook(headers, body):
    signed = f'{headers["webhook-id"]}.{headers["webhook-timestamp"]}.'.encode() + body
    key = base64.b64decode(os.environ["GOLIVE_WEBHOOK_SECRET"].removeprefix("whsec_") + "==")
    mac = "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    verdict = "accepted"
    if not any(hmac.compare_digest(mac, one) for one in (headers["webhook-signature"] or "").split()):
        verdict = "rejected_signature"
    elif abs(time.time() - int(headers["webhook-timestamp"])) > 300:
        verdict = "rejected_age"
    count("webhook_deliveries_total", verdict=verdict)
    if verdict != "accepted":
        return 401
    events("insert or ignore into events values (?, ?, 0)", headers["webhook-id"], body.decode())
    return 200


def work():
    """One event after the other; what was left undone is done again."""
    while True:
        for key, body in events("select key, body from events where done = 0"):
            if call("GET", "/customers/" + json.loads(body)["data"]["id"])[0]:
                events("update events set done = 1 where key = ?", key)
        time.sleep(0.05)


def effects(mark):
    rows = events("select body from events where done = 1")
    return sum(json.loads(body)["data"].get("external_id") == mark for (body,) in rows)


# --- the two roles ---


def app(path, headers, body):
    if path == "/webhooks":
        return webhook(headers, body), ""
    asked = json.loads(body)
    mark = asked["mark"]
    match path.removeprefix("/golive/"):
        case "create":
            new = {"name": "Ana", "cpf": cpf(mark), "external_id": mark}
            ok, output = call("POST", "/customers", new)
        case "read" | "list":
            ok, output = call("GET", "/customers?limit=5")
        case "effects":
            ok, output = True, str(effects(mark))
        case "stuck":
            ok, output = stuck()
        case "metrics":
            with counts_lock:
                ok, output = True, "".join(f"{k} {v}\n" for k, v in counts.items())
        case _:
            return 404, ""
    return 200, json.dumps({"ok": ok, "output": output})


def write_credential(client_id, client_secret):
    with open(CREDENTIAL + ".new", "w", encoding="utf-8") as file:
        json.dump({"client_id": client_id, "client_secret": client_secret}, file)
    os.replace(CREDENTIAL + ".new", CREDENTIAL)


running = []


def end():
    while running:
        process = running.pop()
        process.kill()
        process.wait()


def start():
    end()
    line = [sys.executable, __file__, "app", sys.argv[3], DIRECTORY]
    # It ends when this pipe does, and so with its supervisor, however that ends.
    running.append(subprocess.Popen(line, stdin=subprocess.PIPE))


def supervisor(path, _, body):
    done = 200, '{"ok": true}'
    match path.removeprefix("/golive/"):
        case "kill":
            end()
            return done
        case "restart":
            start()
            return done
        case "rotate-credential":
            asked = json.loads(body)
            write_credential(asked["client_id"], asked["client_secret"])
            return done
        case "logs":
            return 200, json.dumps({"ok": True, "output": LOG})
    request = urllib.request.Request(f"http://127.0.0.1:{sys.argv[3]}{path}", body)
    try:
        with open_url(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""


if ROLE == "app":
    logging.basicConfig(filename=LOG, level=logging.INFO)
    logging.info("started")
    events("create table if not exists events (key text primary key, body text, done integer)")
    threading.Thread(target=work, daemon=True).start()
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    serve(PORT, app)
else:
    write_credential(os.environ["GOLIVE_CLIENT_ID"], os.environ["GOLIVE_CLIENT_SECRET"])
    start()
    serve(PORT, supervisor)

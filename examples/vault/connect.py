"""Connects a user by the vault, calls the API as them, and gives the connection back. Standard library only.

KEYFOB_VAULT_URL=http://127.0.0.1:4400 KEYFOB_VAULT_KEY=keyfobvk_… python3 connect.py APP USER
"""

import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

VAULT = os.environ["KEYFOB_VAULT_URL"].rstrip("/")
KEY = os.environ["KEYFOB_VAULT_KEY"]


class Refused(Exception):
    """An answer that is not 2xx. `code` is the vault's and stable; None where it is the API that refused."""

    def __init__(self, status, code, message):
        super().__init__(f"{status} {code or 'from the API'}: {message}")
        self.status, self.code = status, code


def vault(method, path, body=None):
    request = urllib.request.Request(VAULT + path, method=method)
    request.add_header("Authorization", f"Bearer {KEY}")
    if body is not None:
        request.add_header("Content-Type", "application/json")
        request.data = json.dumps(body).encode()
    try:
        # Longer than the longest wait for events.
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise Refused(error.code, error.headers["Keyfob-Vault-Error"], error.read().decode(errors="replace")) from None


def newest_event():
    """Where the feed ends. A service keeps the last `next` in its database and goes on from there."""
    after = 0
    while (page := vault("GET", f"/events?after={after}&limit=1000"))["events"]:
        after = page["next"]
    return after


def wait_until_connected(app, user, after, seconds):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        page = vault("GET", f"/events?after={after}&wait=25")
        for event in page["events"]:
            if (event["app"], event["id"]) == (app, user):
                if event["to"] != "connected":
                    raise SystemExit(f"not connected: {event['to']}")
                return
        after = page["next"]
    raise SystemExit("not connected in time")


def is_connected(connection):
    """Whether calls can be made. Another consent then changes nothing, and there would be no event to wait for."""
    try:
        return vault("GET", f"/connections/{connection}")["state"] in ("connected", "degraded", "account_locked")
    except Refused as refused:
        if refused.code != "not_connected":
            raise
        return False


def main(app, user):
    connection = f"{urllib.parse.quote(app)}/{urllib.parse.quote(user)}"
    if not is_connected(connection):
        after = newest_event()
        started = vault("POST", "/connections/start", {"app": app, "id": user})
        # Show it to this user and to nobody else: whoever opens it connects their account under this id.
        print("open", started["url"], flush=True)
        wait_until_connected(app, user, after, seconds=15 * 60)
    people = vault("GET", f"/proxy/{connection}/v1/people?limit=3")["people"]
    print("people", ", ".join(person["name"] for person in people))
    vault("DELETE", f"/connections/{connection}")
    try:
        vault("GET", f"/proxy/{connection}/v1/people")
    except Refused as refused:
        print("afterwards", refused.code)


if __name__ == "__main__":
    main(*sys.argv[1:])

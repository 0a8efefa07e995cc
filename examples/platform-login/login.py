"""A platform's login page for Keyfob (docs/sign-in.md), with one user and no password: put your own session in the place of `signed_in`.

Needs PyJWT with cryptography.

KEYFOB_ISSUER   Keyfob's issuer
LOGIN_URL       where this page lies, as Keyfob's configuration names it
PRIVATE_KEY     file of the Ed25519 private key (PEM), of which Keyfob has the public half
LISTEN_PORT     a port on this machine
"""

import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import jwt

ISSUER, LOGIN_URL = os.environ["KEYFOB_ISSUER"], os.environ["LOGIN_URL"]
KEY = Path(os.environ["PRIVATE_KEY"]).read_text()
JWKS = jwt.PyJWKClient(f"{ISSUER}/oauth/jwks")
ORIGIN = "{0.scheme}://{0.netloc}".format(urlsplit(LOGIN_URL))


def ticket_of(text):
    """What a ticket of Keyfob's says; raises if it is none, for us, now."""
    key = JWKS.get_signing_key_from_jwt(text)
    # The key says how it is used; the header only names it.
    decoded = jwt.decode_complete(
        text, key, algorithms=[key.algorithm_name], issuer=ISSUER, audience=LOGIN_URL, options={"require": ["exp", "jti"]}
    )
    if decoded["header"].get("typ") != "keyfob-ticket+jwt":
        raise jwt.InvalidTokenError("not a ticket")
    return decoded["payload"]


def signed_in(handler, fresh):
    """Who sits there. With `fresh` your page must ask again, whatever session there is.

    `auth_time` is when they last proved who they are, and never simply now: this page has just asked.
    """
    return {
        "auth_time": int(time.time()),
        "sub": "u-1",
        "email": "una@example.com",
        "name": "Una User",
        "role": "Owner",
        "account": {"id": "a-1", "name": "Una's Homes", "domain": "una"},
    }


def assertion(ticket, user):
    now = int(time.time())
    parties = {"iss": ORIGIN, "aud": ISSUER, "ticket": ticket["jti"], "iat": now, "exp": now + 60}
    return jwt.encode({**parties, **user}, KEY, algorithm="EdDSA", headers={"typ": "keyfob-assertion+jwt"})


class Login(BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            ticket = ticket_of(parse_qs(urlsplit(self.path).query).get("ticket", [""])[0])
        except jwt.PyJWTError as error:
            print(f"refused: {error}", file=sys.stderr)
            return self.answer(400, b"This is not a valid request to sign in.\n", {"Content-Type": "text/plain"})
        user = signed_in(self, ticket.get("prompt") == "login")
        location = f"{ticket['return_to']}?assertion={assertion(ticket, user)}"
        self.answer(303, b"", {"Location": location, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})

    def answer(self, status, body, headers):
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Nothing: the query of both URLs is secret."""


server = ThreadingHTTPServer(("127.0.0.1", int(os.environ["LISTEN_PORT"])), Login)
print(f"listening on {server.server_port}", flush=True)
server.serve_forever()

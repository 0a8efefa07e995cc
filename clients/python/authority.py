"""What a script is told of the authority and its app, and the one thing it cannot do itself: a person with a browser opens the authorize
URL, signs in and decides. Lines of JSON: ours on standard output, the callback that the browser ended on comes back on standard input."""

import importlib.metadata
import json
import os

AUTHORITY = os.environ["AUTHORITY"]
CLIENT_ID = os.environ["CLIENT_ID"]
CLIENT_SECRET = os.environ["CLIENT_SECRET"]
REDIRECT_URI = os.environ["REDIRECT_URI"]
# For scripts that are no client but an API.
ACCESS_TOKEN = os.environ.get("ACCESS_TOKEN")
AUTHORIZE_URL = AUTHORITY + "/oauth/authorize"
TOKEN_URL = AUTHORITY + "/oauth/token"
IDENTITY_URL = AUTHORITY + "/v1/identity"

# The test speaks plain HTTP on the loopback address.
os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"


def callback_of(authorize_url, decision="approve"):
    """Where the browser lands after the person's decision, "approve" or "deny"."""
    print(json.dumps({"open": authorize_url, "decision": decision}), flush=True)
    return input()


def finished(library, proved=()):
    """Ends the script: everything worked, with this version of this library; what was proved, where the wire does not show it."""
    print(json.dumps({"version": importlib.metadata.version(library), "proved": proved}), flush=True)


class raises:
    """A block that must raise this, and `error` afterwards."""

    def __init__(self, kind):
        self.kind = kind

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _):
        assert kind is not None, f"no {self.kind.__name__}"
        self.error = error
        return issubclass(kind, self.kind)

"""Follow Up Boss's dialect with requests-oauthlib. The exchange goes by the method in the argument, GET (the legacy envelope, which the
library's own compliance hook unwraps) or POST; the library refreshes by POST alone."""

import json
import sys

from authority import AUTHORIZE_URL, CLIENT_ID, CLIENT_SECRET, IDENTITY_URL, REDIRECT_URI, TOKEN_URL, callback_of, finished, raises
from oauthlib.oauth2 import InvalidClientError, MissingCodeError
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session

METHOD = sys.argv[1]


def unwrapped(response):
    """The legacy envelope as RFC 6749 writes it."""
    envelope = response.json()
    if "data" in envelope:
        data = envelope["data"]
        response._content = json.dumps({**data, "expires_in": int(data["ttl"])}).encode()
    return response


def authorize(decision):
    session = OAuth2Session(CLIENT_ID, redirect_uri=REDIRECT_URI)
    session.register_compliance_hook("access_token_response", unwrapped)
    url, state = session.authorization_url(AUTHORIZE_URL)
    # The library can only say response_type=code; with it the answer would be spelled as RFC 6749 does.
    url = url.replace("response_type=code", "response_type=auth_code")
    callback = callback_of(url, decision)
    # The state goes to the token endpoint too, as Follow Up Boss wants it.
    session.fetch_token(
        TOKEN_URL, client_secret=CLIENT_SECRET, authorization_response=callback, method=METHOD, state=state
    )
    return session


session = authorize("approve")
first = dict(session.token)
assert first["refresh_token"] and 3500 < first["expires_in"] <= 3600, sorted(first)
user = session.get(IDENTITY_URL).json()["user"]

with raises(InvalidClientError):
    session.refresh_token(TOKEN_URL, auth=HTTPBasicAuth(CLIENT_ID, "wrong"))
session.refresh_token(TOKEN_URL, auth=HTTPBasicAuth(CLIENT_ID, CLIENT_SECRET))
assert session.token["access_token"] != first["access_token"]
assert session.get(IDENTITY_URL).json()["user"] == user

# It knows no response=denied: an answer without a code is all that it sees.
with raises(MissingCodeError):
    authorize("deny")

finished("requests-oauthlib")

"""Standard OAuth with Authlib's session for requests: PKCE, and Basic without form-encoding, which is its default."""

from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.common.security import generate_token
from authority import AUTHORITY, CLIENT_ID, CLIENT_SECRET, IDENTITY_URL, REDIRECT_URI, callback_of, finished, raises
from urllib.parse import parse_qsl, urlsplit
import requests

metadata = requests.get(AUTHORITY + "/.well-known/oauth-authorization-server", timeout=30).json()


def session(secret, **more):
    return OAuth2Session(CLIENT_ID, secret, redirect_uri=REDIRECT_URI, code_challenge_method="S256", **more)


def authorize(decision):
    client = session(CLIENT_SECRET)
    verifier = generate_token(48)
    url, state = client.create_authorization_url(metadata["authorization_endpoint"], code_verifier=verifier)
    callback = callback_of(url, decision)
    # As the library's integrations for web frameworks do before they call the session, which takes a callback without a code for
    # no callback at all and asks for client_credentials.
    answer = dict(parse_qsl(urlsplit(callback).query))
    if "error" in answer:
        raise OAuthError(answer["error"], answer.get("error_description"))
    client.fetch_token(
        metadata["token_endpoint"], authorization_response=callback, code_verifier=verifier, state=state
    )
    return client


client = authorize("approve")
first = dict(client.token)
assert first["token_type"] == "Bearer" and first["expires_in"] == 3600, sorted(first)
user = client.get(IDENTITY_URL).json()["user"]

with raises(OAuthError) as refused:
    session("wrong", token=first).refresh_token(metadata["token_endpoint"])
assert refused.error.error == "invalid_client", refused.error
client.refresh_token(metadata["token_endpoint"])
assert client.token["access_token"] != first["access_token"]
assert client.get(IDENTITY_URL).json()["user"] == user

with raises(OAuthError) as denied:
    authorize("deny")
assert denied.error.error == "access_denied", denied.error

client.revoke_token(metadata["revocation_endpoint"], token=client.token["refresh_token"])
with raises(OAuthError) as ended:
    client.refresh_token(metadata["token_endpoint"])
assert ended.error.error == "invalid_grant", ended.error

finished("Authlib")

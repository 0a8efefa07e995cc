"""An API that verifies access tokens with PyJWT and the published keys, as RFC 9068 section 4 says."""

import base64
import json

import jwt
from authority import ACCESS_TOKEN, AUTHORITY, CLIENT_ID, finished, raises

keys = jwt.PyJWKClient(AUTHORITY + "/oauth/jwks")


def verify(token, audience=AUTHORITY):
    key = keys.get_signing_key_from_jwt(token)
    return jwt.decode(
        token,
        key,
        algorithms=["EdDSA", "ES256"],
        audience=audience,
        issuer=AUTHORITY,
        options={"require": ["exp", "iat", "jti", "sub"]},
    )


header = jwt.get_unverified_header(ACCESS_TOKEN)
assert header["typ"] == "at+jwt", header
claims = verify(ACCESS_TOKEN)
assert claims["client_id"] == CLIENT_ID, claims

head, _, signature = ACCESS_TOKEN.split(".")
forged = base64.urlsafe_b64encode(json.dumps({**claims, "sub": "999"}).encode()).decode().rstrip("=")
with raises(jwt.InvalidSignatureError):
    verify(f"{head}.{forged}.{signature}")
with raises(jwt.InvalidAudienceError):
    verify(ACCESS_TOKEN, "https://other.example.com")

finished("PyJWT", [f"{header['alg']} verified", "altered refused", "of another audience refused"])

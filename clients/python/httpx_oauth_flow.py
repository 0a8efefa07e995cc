"""Standard OAuth with httpx-oauth, which FastAPI applications use: PKCE, revocation, and its default, the secret in the body."""

import asyncio
import secrets
from urllib.parse import parse_qsl, urlsplit

import httpx
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authority import AUTHORITY, AUTHORIZE_URL, CLIENT_ID, CLIENT_SECRET, IDENTITY_URL, REDIRECT_URI, TOKEN_URL, callback_of, finished, raises
from httpx_oauth.oauth2 import BaseOAuth2, RefreshTokenError


def client(secret):
    return BaseOAuth2(
        CLIENT_ID,
        secret,
        AUTHORIZE_URL,
        TOKEN_URL,
        refresh_token_endpoint=TOKEN_URL,
        revoke_token_endpoint=AUTHORITY + "/oauth/revoke",
        revocation_endpoint_auth_method="client_secret_post",
    )


async def authorize(decision):
    state, verifier = secrets.token_urlsafe(), secrets.token_urlsafe(48)
    url = await client(CLIENT_SECRET).get_authorization_url(
        REDIRECT_URI, state=state, code_challenge=create_s256_code_challenge(verifier), code_challenge_method="S256"
    )
    # The answer is the application's to read.
    answer = dict(parse_qsl(urlsplit(callback_of(url, decision)).query))
    assert answer["state"] == state
    if "error" in answer:
        return answer
    return await client(CLIENT_SECRET).get_access_token(answer["code"], REDIRECT_URI, verifier)


async def identity(token):
    async with httpx.AsyncClient() as http:
        answer = await http.get(IDENTITY_URL, headers={"Authorization": f"Bearer {token['access_token']}"})
        return answer.json()["user"]


async def main():
    token = await authorize("approve")
    assert not token.is_expired()
    user = await identity(token)
    with raises(RefreshTokenError) as refused:
        await client("wrong").refresh_token(token["refresh_token"])
    assert refused.error.response.status_code == 401
    refreshed = await client(CLIENT_SECRET).refresh_token(token["refresh_token"])
    assert refreshed["access_token"] != token["access_token"]
    assert await identity(refreshed) == user
    assert (await authorize("deny"))["error"] == "access_denied"
    await client(CLIENT_SECRET).revoke_token(refreshed["refresh_token"], "refresh_token")
    with raises(RefreshTokenError):
        await client(CLIENT_SECRET).refresh_token(refreshed["refresh_token"])


asyncio.run(main())
finished("httpx-oauth")

"""An authorization server with Authlib and Flask, for our own client: PKCE required, the secret in the body, rotating refresh tokens,
revocation, and an API. Its one page stands for sign-in and consent: whoever opens it again with decision=approve or decision=deny has
decided."""

import importlib.metadata
import json
import os
import time

from authlib.integrations.flask_oauth2 import AuthorizationServer, ResourceProtector, current_token
from authlib.oauth2.rfc6749 import AuthorizationCodeMixin, ClientMixin, TokenMixin
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant, RefreshTokenGrant
from authlib.oauth2.rfc6750 import BearerTokenValidator
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7636 import CodeChallenge
from flask import Flask, jsonify, request
from werkzeug.serving import make_server

# The test speaks plain HTTP on the loopback address.
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"


class Client(ClientMixin):
    client_id = os.environ["CLIENT_ID"]

    def get_client_id(self):
        return self.client_id

    def get_allowed_scope(self, scope):
        return scope or "people"

    def check_redirect_uri(self, redirect_uri):
        return redirect_uri == os.environ["REDIRECT_URI"]

    def check_client_secret(self, client_secret):
        return client_secret == os.environ["CLIENT_SECRET"]

    def check_endpoint_auth_method(self, method, endpoint):
        return method == "client_secret_post"

    def check_response_type(self, response_type):
        return response_type == "code"

    def check_grant_type(self, grant_type):
        return grant_type in ("authorization_code", "refresh_token")


class Code(AuthorizationCodeMixin):
    def __init__(self, request):
        self.redirect_uri, self.scope, self.user = request.payload.redirect_uri, request.payload.scope, request.user
        self.code_challenge = request.payload.data["code_challenge"]
        self.code_challenge_method = request.payload.data["code_challenge_method"]

    def get_redirect_uri(self):
        return self.redirect_uri

    def get_scope(self):
        return self.scope


class Token(TokenMixin):
    def __init__(self, token, user):
        self.access_token, self.refresh_token, self.expires_in = token["access_token"], token["refresh_token"], token["expires_in"]
        self.issued_at, self.user, self.revoked, self.scope = time.time(), user, False, token.get("scope", "")

    def check_client(self, client):
        return True

    def get_scope(self):
        return self.scope

    def get_expires_in(self):
        return self.expires_in

    def is_expired(self):
        return time.time() > self.issued_at + self.expires_in

    def is_revoked(self):
        return self.revoked

    def get_user(self):
        return self.user


client, codes, tokens = Client(), {}, []


def token_by(**wanted):
    ((name, value),) = wanted.items()
    return next((token for token in tokens if getattr(token, name) == value), None)


class CodeGrant(AuthorizationCodeGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_post"]

    def save_authorization_code(self, code, request):
        codes[code] = Code(request)

    def query_authorization_code(self, code, client):
        return codes.get(code)

    def delete_authorization_code(self, authorization_code):
        for code in [code for code, known in codes.items() if known is authorization_code]:
            del codes[code]

    def authenticate_user(self, authorization_code):
        return authorization_code.user


class RotatingGrant(RefreshTokenGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_post"]
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token):
        token = token_by(refresh_token=refresh_token)
        return token if token and not token.revoked else None

    def authenticate_user(self, refresh_token):
        return refresh_token.user

    def revoke_old_credential(self, refresh_token):
        refresh_token.revoked = True


class Revocation(RevocationEndpoint):
    CLIENT_AUTH_METHODS = ["client_secret_post"]

    def query_token(self, token, token_type_hint):
        return token_by(refresh_token=token) or token_by(access_token=token)

    def revoke_token(self, token, request):
        token.revoked = True


class Validator(BearerTokenValidator):
    def authenticate_token(self, token_string):
        return token_by(access_token=token_string)


app = Flask(__name__)
app.config["OAUTH2_REFRESH_TOKEN_GENERATOR"] = True
server = AuthorizationServer(
    app,
    query_client=lambda client_id: client if client_id == client.client_id else None,
    save_token=lambda token, request: tokens.append(Token(token, request.user)),
)
server.register_grant(CodeGrant, [CodeChallenge(required=True)])
server.register_grant(RotatingGrant)
server.register_endpoint(Revocation)
protect = ResourceProtector()
protect.register_token_validator(Validator())


@app.get("/authorize")
def authorize():
    user = {"approve": "42", "deny": None}
    if "decision" not in request.args:
        return "Approve or deny?"
    grant = server.get_consent_grant(end_user="42")
    return server.create_authorization_response(grant_user=user[request.args["decision"]], grant=grant)


@app.post("/token")
def token():
    return server.create_token_response()


@app.post("/revoke")
def revoke():
    return server.create_endpoint_response(Revocation.ENDPOINT_NAME)


@app.get("/me")
@protect()
def me():
    return jsonify(sub=current_token.user)


@app.get("/.well-known/oauth-authorization-server")
def metadata():
    return jsonify(
        issuer=issuer,
        authorization_endpoint=issuer + "/authorize",
        token_endpoint=issuer + "/token",
        revocation_endpoint=issuer + "/revoke",
        response_types_supported=["code"],
        grant_types_supported=["authorization_code", "refresh_token"],
        token_endpoint_auth_methods_supported=["client_secret_post"],
        revocation_endpoint_auth_methods_supported=["client_secret_post"],
        code_challenge_methods_supported=["S256"],
    )


listening = make_server("127.0.0.1", 0, app, threaded=True)
issuer = f"http://127.0.0.1:{listening.server_port}"
print(json.dumps({"issuer": issuer, "version": importlib.metadata.version("Authlib"), "api": issuer + "/me"}), flush=True)
listening.serve_forever()

"""Follow Up Boss as its documentation page has it, everything by GET, with a backend for social-auth-core as an integrator writes one."""

from authority import AUTHORIZE_URL, CLIENT_ID, CLIENT_SECRET, IDENTITY_URL, REDIRECT_URI, TOKEN_URL, callback_of, finished, raises
from social_core.backends.oauth import BaseOAuth2
from social_core.exceptions import AuthCanceled, SocialAuthBaseException
from social_core.storage import BaseStorage, NonceMixin
from social_core.strategy import BaseStrategy
from urllib.parse import parse_qsl, urlsplit


class FollowUpBossOAuth2(BaseOAuth2):
    name = "followupboss"
    AUTHORIZATION_URL = AUTHORIZE_URL
    ACCESS_TOKEN_URL = TOKEN_URL
    ACCESS_TOKEN_METHOD = REFRESH_TOKEN_METHOD = "GET"
    RESPONSE_TYPE = "auth_code"
    REDIRECT_STATE = False
    USE_BASIC_AUTH = True

    def process_error(self, data, *, stage="callback"):
        super().process_error(data, stage=stage)
        if data.get("response") == "denied":
            raise AuthCanceled(self, stage=stage)

    def auth_complete_params(self, state=None):
        return {**super().auth_complete_params(state), "grant_type": "auth_code", "state": state}

    def request_access_token(self, *args, **kwargs):
        return super().request_access_token(*args, **kwargs)["data"]

    def refresh_token_params(self, token, *args, **kwargs):
        return {"grant_type": "refresh_token", "refresh_token": token}

    def refresh_token_auth(self):
        return self.get_key_and_secret()

    def process_refresh_token_response(self, response, *args, **kwargs):
        return response.json()["data"]

    def user_data(self, access_token, *args, **kwargs):
        return self.get_json(IDENTITY_URL, headers={"Authorization": f"Bearer {access_token}"})


class Nonces(NonceMixin):
    kept = set()

    @classmethod
    def use(cls, server_url, timestamp, salt):
        cls.kept.add((server_url, timestamp, salt))
        return True

    @classmethod
    def consume(cls, server_url, timestamp, salt):
        known = (server_url, timestamp, salt) in cls.kept
        cls.kept.discard((server_url, timestamp, salt))
        return known


class Storage(BaseStorage):
    nonce = Nonces


class Site(BaseStrategy):
    """The web framework's part: settings, a session, the request. Instead of making a user it hands out what the backend learned."""

    def __init__(self, secret):
        super().__init__(Storage)
        self.settings = {"SOCIAL_AUTH_FOLLOWUPBOSS_KEY": CLIENT_ID, "SOCIAL_AUTH_FOLLOWUPBOSS_SECRET": secret}
        self.session, self.data = {}, {}

    def get_setting(self, name):
        return self.settings[name]

    def request_data(self, merge=True):
        return self.data

    def build_absolute_uri(self, path=None):
        return path

    def session_get(self, name, default=None):
        return self.session.get(name, default)

    def session_set(self, name, value):
        self.session[name] = value

    def session_pop(self, name):
        return self.session.pop(name, None)

    def authenticate(self, *args, **kwargs):
        return kwargs["response"]


def backend(site):
    return FollowUpBossOAuth2(site, redirect_uri=REDIRECT_URI)


def authorize(decision):
    site = Site(CLIENT_SECRET)
    site.data = dict(parse_qsl(urlsplit(callback_of(backend(site).auth_url(), decision)).query))
    return backend(site).auth_complete()


connection = authorize("approve")
user = connection["user"]
assert connection["token_type"] == "bearer" and connection["ttl"] == "3600", sorted(connection)

with raises(SocialAuthBaseException):
    backend(Site("wrong")).refresh_token(connection["refresh_token"])
known = backend(Site(CLIENT_SECRET))
refreshed = known.refresh_token(connection["refresh_token"])
assert refreshed["access_token"] != connection["access_token"]
assert known.user_data(refreshed["access_token"])["user"] == user

with raises(AuthCanceled):
    authorize("deny")

finished("social-auth-core")

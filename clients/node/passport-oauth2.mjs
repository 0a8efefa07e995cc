// Standard OAuth with passport-oauth2 as a site uses it: its state and PKCE kept in the session, credentials in the body. The refresh goes
// through the strategy's own `oauth` client, as the plug-ins for it do.
import assert from 'node:assert/strict';
import OAuth2Strategy from 'passport-oauth2';
import { authority, callbackOf, clientId, clientSecret, finished, redirectUri } from './authority.mjs';

class Strategy extends OAuth2Strategy {
  constructor(secret) {
    super(
      {
        authorizationURL: `${authority}/oauth/authorize`,
        tokenURL: `${authority}/oauth/token`,
        clientID: clientId,
        clientSecret: secret,
        callbackURL: redirectUri,
        state: true,
        pkce: true,
      },
      (accessToken, refreshToken, params, profile, done) => done(null, { accessToken, refreshToken, ...profile }),
    );
    this._oauth2.useAuthorizationHeaderforGET(true);
  }

  userProfile(accessToken, done) {
    this._oauth2.get(`${authority}/v1/identity`, accessToken, (error, body) => done(error, error ? null : JSON.parse(body)));
  }

  refresh(refreshToken) {
    return new Promise((resolve, reject) => {
      this._oauth2.getOAuthAccessToken(refreshToken, { grant_type: 'refresh_token' }, (error, accessToken) =>
        error ? reject(error) : resolve(accessToken),
      );
    });
  }

  profile(accessToken) {
    return new Promise((resolve, reject) => this.userProfile(accessToken, (error, it) => (error ? reject(error) : resolve(it))));
  }
}

const strategy = new Strategy(clientSecret);

/** What passport does with a request. */
const authenticate = (session, query) =>
  new Promise((resolve, error) => {
    const passed = Object.create(strategy);
    const redirect = (url) => resolve({ url });
    Object.assign(passed, { redirect, success: (user) => resolve({ user }), fail: (why) => resolve({ why }), error });
    passed.authenticate({ session, query }, {});
  });

async function authorize(decision) {
  const session = {};
  const { url } = await authenticate(session, {});
  const callback = new URL(await callbackOf(url, decision));
  return authenticate(session, Object.fromEntries(callback.searchParams));
}

const { user } = await authorize('approve');
await assert.rejects(new Strategy('wrong').refresh(user.refreshToken), (error) => error.statusCode === 401);
const accessToken = await strategy.refresh(user.refreshToken);
assert.notEqual(accessToken, user.accessToken);
assert.deepEqual((await strategy.profile(accessToken)).user, user.user);

// A failed sign-in, not an error.
assert.ok('why' in (await authorize('deny')));

finished('passport-oauth2');

// Follow Up Boss's dialect with simple-oauth2 as Nango configures it: credentials in the body, response_type and the state at the token
// endpoint as extra parameters.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { AuthorizationCode } from 'simple-oauth2';
import { authority, callbackOf, clientId, clientSecret, finished, redirectUri } from './authority.mjs';

const client = (secret) =>
  new AuthorizationCode({
    client: { id: clientId, secret },
    auth: { tokenHost: authority, tokenPath: '/oauth/token', authorizePath: '/oauth/authorize' },
    options: { authorizationMethod: 'body', bodyFormat: 'form' },
  });

const authorizeUrl = (state) =>
  client(clientSecret).authorizeURL({ redirect_uri: redirectUri, state, response_type: 'auth_code' });

const identity = async ({ token }) => {
  const answer = await fetch(`${authority}/v1/identity`, { headers: { authorization: `Bearer ${token.access_token}` } });
  return answer.json();
};

const state = randomUUID();
const callback = new URL(await callbackOf(authorizeUrl(state)));
assert.equal(callback.searchParams.get('response'), 'approved');
assert.equal(callback.searchParams.get('state'), state);

const connection = await client(clientSecret).getToken({
  code: callback.searchParams.get('code'),
  redirect_uri: redirectUri,
  state,
});
assert.equal(connection.expired(), false);
const { user } = await identity(connection);

await assert.rejects(
  client('wrong').createToken(connection.token).refresh(),
  (error) => error.data.payload.error === 'invalid_client',
);
const refreshed = await client(clientSecret).createToken(connection.token).refresh();
assert.notEqual(refreshed.token.access_token, connection.token.access_token);
assert.deepEqual((await identity(refreshed)).user, user);

const denied = new URL(await callbackOf(authorizeUrl(randomUUID()), 'deny'));
assert.equal(denied.searchParams.get('response'), 'denied');
assert.equal(denied.searchParams.get('code'), null);

finished('simple-oauth2');

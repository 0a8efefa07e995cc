// Standard OAuth with openid-client: everything from the metadata, PKCE, and its checks of state, iss (RFC 9207) and JARM as they are.
import assert from 'node:assert/strict';
import * as client from 'openid-client';
import { authority, callbackOf, clientId, clientSecret, finished, redirectUri } from './authority.mjs';

const discovered = (secret) =>
  client.discovery(new URL(authority), clientId, secret, undefined, {
    algorithm: 'oauth2',
    execute: [client.allowInsecureRequests], // The test speaks plain HTTP on the loopback address.
  });
const config = await discovered(clientSecret);

async function authorize(decision) {
  const pkceCodeVerifier = client.randomPKCECodeVerifier();
  const expectedState = client.randomState();
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: redirectUri,
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    state: expectedState,
  });
  const callback = new URL(await callbackOf(url, decision));
  const checks = { pkceCodeVerifier, expectedState };
  for (const [name, value] of [['iss', 'https://other.example.com'], ['iss', ''], ['response', 'approved'], ['state', 'another']]) {
    const tampered = new URL(callback);
    tampered.searchParams.set(name, value);
    if (!value) tampered.searchParams.delete(name);
    // Its checks are on: each of these ends before anything is sent.
    await assert.rejects(client.authorizationCodeGrant(config, tampered, checks), { code: 'OAUTH_INVALID_RESPONSE' });
  }
  return client.authorizationCodeGrant(config, callback, checks);
}

const identity = async (tokens) => {
  const url = new URL('/v1/identity', authority);
  return (await client.fetchProtectedResource(config, tokens.access_token, url, 'GET')).json();
};

assert.ok(config.serverMetadata().supportsPKCE());
const tokens = await authorize('approve');
// It counts down.
assert.ok(tokens.expiresIn() > 3500 && tokens.expiresIn() <= 3600, `${tokens.expiresIn()}`);
const { user } = await identity(tokens);

const mistaken = await discovered('wrong');
// It puts the challenge of a 401 above the error in the body.
await assert.rejects(client.refreshTokenGrant(mistaken, tokens.refresh_token), (error) => error.status === 401);
const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token);
assert.notEqual(refreshed.access_token, tokens.access_token);
assert.deepEqual((await identity(refreshed)).user, user);

await assert.rejects(authorize('deny'), (error) => error.error === 'access_denied');

await client.tokenRevocation(config, refreshed.refresh_token);
await assert.rejects(client.refreshTokenGrant(config, refreshed.refresh_token), (error) => error.error === 'invalid_grant');

finished('openid-client');

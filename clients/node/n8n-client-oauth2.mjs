// Follow Up Boss with n8n's generic OAuth2 credential: it can only say response_type=code, sends its empty scope, and the constant state
// at the token endpoint that people add to its body for Follow Up Boss.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { ClientOAuth2 } from '@n8n/client-oauth2';
import { authority, callbackOf, clientId, clientSecret, finished, redirectUri } from './authority.mjs';

const client = new ClientOAuth2({
  clientId,
  clientSecret,
  accessTokenUri: `${authority}/oauth/token`,
  authorizationUri: `${authority}/oauth/authorize`,
  redirectUri,
  scopes: [''],
});

const identity = async (token) => {
  const { url, headers } = token.sign({ method: 'GET', url: `${authority}/v1/identity` });
  return (await fetch(url, { headers })).json();
};

const state = randomUUID();
const callback = await callbackOf(client.code.getUri({ state }));
const token = await client.code.getToken(callback, { state, body: { state: 'dummy' } });
assert.equal(token.tokenType, 'bearer');
assert.equal(token.expired(), false);
const { user } = await identity(token);

await assert.rejects(token.refresh({ clientSecret: 'wrong' }), (error) => error.body.error === 'invalid_client');
const refreshed = await token.refresh();
assert.notEqual(refreshed.accessToken, token.accessToken);
assert.deepEqual((await identity(refreshed)).user, user);

const denied = await callbackOf(client.code.getUri({ state }), 'deny');
await assert.rejects(client.code.getToken(denied, { state }), (error) => error.body.error === 'access_denied');

finished('@n8n/client-oauth2');

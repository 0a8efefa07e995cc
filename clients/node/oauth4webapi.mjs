// Standard OAuth with oauth4webapi, step by step as its example for RFC 6749: discovery, PKCE, form-encoded Basic, revocation.
import assert from 'node:assert/strict';
import * as oauth from 'oauth4webapi';
import { authority, callbackOf, clientId, clientSecret, finished, redirectUri } from './authority.mjs';

const insecure = { [oauth.allowInsecureRequests]: true }; // The test speaks plain HTTP on the loopback address.
const issuer = new URL(authority);
const as = await oauth
  .discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure })
  .then((response) => oauth.processDiscoveryResponse(issuer, response));
const client = { client_id: clientId };
const clientAuth = oauth.ClientSecretBasic(clientSecret);

async function authorize(decision) {
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const url = new URL(as.authorization_endpoint);
  url.searchParams.set('client_id', clientId);
  url.searchParams.set('redirect_uri', redirectUri);
  url.searchParams.set('response_type', 'code');
  url.searchParams.set('code_challenge', await oauth.calculatePKCECodeChallenge(verifier));
  url.searchParams.set('code_challenge_method', 'S256');
  url.searchParams.set('state', state);
  const callback = new URL(await callbackOf(url, decision));
  const parameters = oauth.validateAuthResponse(as, client, callback, state);
  const response = await oauth.authorizationCodeGrantRequest(as, client, clientAuth, parameters, redirectUri, verifier, insecure);
  return oauth.processAuthorizationCodeResponse(as, client, response);
}

async function refresh(tokens, auth = clientAuth) {
  const response = await oauth.refreshTokenGrantRequest(as, client, auth, tokens.refresh_token, insecure);
  return oauth.processRefreshTokenResponse(as, client, response);
}

const identity = async (tokens) => {
  const url = new URL('/v1/identity', authority);
  return (await oauth.protectedResourceRequest(tokens.access_token, 'GET', url, undefined, undefined, insecure)).json();
};

const tokens = await authorize('approve');
const { user } = await identity(tokens);

const wrong = oauth.ClientSecretBasic('wrong');
await assert.rejects(refresh(tokens, wrong), (error) => error.code === oauth.WWW_AUTHENTICATE_CHALLENGE && error.status === 401);
const refreshed = await refresh(tokens);
assert.notEqual(refreshed.access_token, tokens.access_token);
assert.deepEqual((await identity(refreshed)).user, user);

await assert.rejects(authorize('deny'), (error) => error.error === 'access_denied');

await oauth.revocationRequest(as, client, clientAuth, refreshed.refresh_token, insecure).then(oauth.processRevocationResponse);
await assert.rejects(refresh(refreshed), (error) => error.error === 'invalid_grant');

finished('oauth4webapi');

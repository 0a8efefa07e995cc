// An API that checks its callers with oauth4webapi, which holds access tokens to RFC 9068.
import assert from 'node:assert/strict';
import * as oauth from 'oauth4webapi';
import { accessToken, authority, clientId, finished } from './authority.mjs';

const insecure = { [oauth.allowInsecureRequests]: true }; // The test speaks plain HTTP on the loopback address.
const issuer = new URL(authority);
const as = await oauth
  .discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure })
  .then((response) => oauth.processDiscoveryResponse(issuer, response));

const check = (token, audience = authority) => {
  const request = new Request('https://api.example.com/', { headers: { authorization: `Bearer ${token}` } });
  return oauth.validateJwtAccessToken(as, request, audience, insecure);
};

const claims = await check(accessToken);
assert.equal(claims.client_id, clientId);

const [header, , signature] = accessToken.split('.');
const forged = Buffer.from(JSON.stringify({ ...claims, sub: '999' })).toString('base64url');
await assert.rejects(check(`${header}.${forged}.${signature}`));
await assert.rejects(check(accessToken, 'https://other.example.com'));

const { alg } = JSON.parse(Buffer.from(header, 'base64url'));
finished('oauth4webapi', [`${alg} verified`, 'altered refused', 'of another audience refused']);

// An API that verifies access tokens with jose and the published keys, as RFC 9068 section 4 says.
import assert from 'node:assert/strict';
import { createRemoteJWKSet, decodeProtectedHeader, errors, jwtVerify } from 'jose';
import { accessToken, authority, clientId, finished } from './authority.mjs';

const keys = createRemoteJWKSet(new URL('/oauth/jwks', authority));
const verify = (token, audience = authority) =>
  jwtVerify(token, keys, { issuer: authority, audience, typ: 'at+jwt', requiredClaims: ['exp', 'iat', 'jti', 'sub'] });

const { payload } = await verify(accessToken);
assert.equal(payload.client_id, clientId);

const [header, , signature] = accessToken.split('.');
const forged = Buffer.from(JSON.stringify({ ...payload, sub: '999' })).toString('base64url');
await assert.rejects(verify(`${header}.${forged}.${signature}`), errors.JWSSignatureVerificationFailed);
await assert.rejects(verify(accessToken, 'https://other.example.com'), errors.JWTClaimValidationFailed);

finished('jose', [`${decodeProtectedHeader(accessToken).alg} verified`, 'altered refused', 'of another audience refused']);

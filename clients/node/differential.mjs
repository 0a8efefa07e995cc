// The differential test: the same requests to Keyfob and to oidc-provider, and what both answered, as far as it is compared.
// Arguments: where Keyfob listens, its public client, and its resource server's name and secret.
import { createHash } from 'node:crypto';
import { request as send } from 'node:http';
import { authority, callbackOf, clientId, clientSecret, finished, redirectUri } from './authority.mjs';
import { VERIFIER, cases, exchanges } from './malformed-requests.mjs';

// It has things to say while it starts, and standard output is for the test.
console.info = console.warn = console.error;
const { start } = await import('./oidc-provider-alike.mjs');

const [listens, publicId, resourceServerId, resourceServerSecret] = process.argv.slice(2);
const challenge = createHash('sha256').update(VERIFIER).digest('base64url');
const setup = { clientId, clientSecret, publicId, resourceServerId, resourceServerSecret, redirectUri, challenge };
const AT_ONCE = 8;

const keyfob = {
  issuer: listens,
  endpoints: {
    authorize: '/oauth/authorize',
    token: '/oauth/token',
    revoke: '/oauth/revoke',
    introspect: '/oauth/introspect',
    metadata: '/.well-known/oauth-authorization-server',
    jwks: '/oauth/jwks',
    resource: '/v1/identity',
  },
  callbackOf: (query) => callbackOf(`${authority}/oauth/authorize?${query}`),
};
const foreign = await start(setup);

// Keyfob makes whoever fails too often wait, by address, and believes this proxy; so each request comes from somewhere else.
let senders = 0;
function address() {
  senders += 1;
  return `10.0.${senders >> 8}.${senders & 255}`;
}

/** One request as it stands, byte by byte. */
function ask(server, { endpoint, method = 'GET', query, headers = [], type, body }) {
  const path = server.endpoints[endpoint] + (query === undefined ? '' : `?${query}`);
  const { hostname, port } = new URL(server.issuer);
  const lines = [['Host', `${hostname}:${port}`], ['X-Forwarded-For', address()], ['Connection', 'close'], ...headers];
  if (type) lines.push(['Content-Type', type]);
  if (body !== undefined) lines.push(['Content-Length', String(Buffer.byteLength(body))]);
  return new Promise((resolve, reject) => {
    const asked = send({ hostname, port, path, method, headers: lines.flat(), agent: false }, (answer) => {
      const parts = [];
      answer.on('data', (part) => parts.push(part));
      answer.on('end', () => resolve({ answer, text: Buffer.concat(parts).toString() }));
    });
    // Whoever refuses by size may close before it has read everything, once it has answered.
    asked.on('error', (error) => (asked.res ? undefined : reject(new Error(`${server.issuer}${path}: ${error}`))));
    asked.end(body);
  });
}

/** The error code of a body, as OAuth's endpoints and APIs spell it. */
function codeIn(text) {
  try {
    const { error, active } = JSON.parse(text);
    return error ?? (active === undefined ? undefined : `active=${active}`);
  } catch {
    return undefined;
  }
}

/** What is compared. */
function outcome({ answer, text }, endpoint) {
  const { location, 'content-type': type = '', 'www-authenticate': challenged, 'cache-control': cached = '' } = answer.headers;
  // The one shows its page at once, the other redirects to it; either way the request was accepted.
  const asks = endpoint === 'authorize' && (answer.statusCode === 200 || location?.startsWith('/interaction/'));
  if (asks) return `accepted${/no-store/.test(cached) ? ', no-store' : ''}`;
  const told = [String(answer.statusCode)];
  if (location?.startsWith(redirectUri)) {
    const { searchParams, hash } = new URL(location);
    const error = (searchParams.size > 0 ? searchParams : new URLSearchParams(hash.slice(1))).get('error');
    told.push(`to the app${error ? `: ${error}` : ''}`);
  } else if (location) {
    told.push('to a page');
  } else if (type.startsWith('text/html')) {
    told.push('page');
  } else if (codeIn(text)) {
    told.push(codeIn(text));
  }
  if (challenged) {
    const [, error] = /error="([^"]*)"/.exec(challenged) ?? [];
    told.push(`${challenged.split(' ')[0]} challenge${error ? ` (${error})` : ''}`);
  }
  if (/no-store/.test(cached)) told.push('no-store');
  return told.join(', ');
}

async function compared(one) {
  const [ours, theirs] = await Promise.all([ask(keyfob, one), ask(foreign, one)]);
  return [one.name, outcome(ours, one.endpoint), outcome(theirs, one.endpoint)].join('\t');
}

/** What one server answers to the last step of an exchange. */
async function exchanged(server, { steps }) {
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: clientId,
    redirect_uri: redirectUri,
    scope: 'read',
    state: 's1',
    code_challenge: challenge,
    code_challenge_method: 'S256',
  });
  const has = { code: new URL(await server.callbackOf(query)).searchParams.get('code') };
  const proof = [clientId, clientSecret].map(encodeURIComponent).join(':');
  const headers = [['Authorization', `Basic ${Buffer.from(proof).toString('base64')}`]];
  let last;
  for (const step of steps) {
    const { anonymous, ...form } = step(has);
    last = await ask(server, { endpoint: 'token', method: 'POST', headers: anonymous ? [] : headers, ...form });
    if (last.answer.statusCode === 200) has.refresh = JSON.parse(last.text).refresh_token;
  }
  return outcome(last, 'token');
}

const told = [];
const left = cases(setup);
await Promise.all(
  Array.from({ length: AT_ONCE }, async () => {
    for (let one = left.shift(); one; one = left.shift()) told.push(await compared(one));
  }),
);
// One browser, so one after the other.
for (const one of exchanges(setup)) {
  told.push([one.name, await exchanged(keyfob, one), await exchanged(foreign, one)].join('\t'));
}
finished('oidc-provider', told.sort());

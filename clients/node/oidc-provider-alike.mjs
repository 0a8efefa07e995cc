// An authorization server with oidc-provider that is set up as the Keyfob beside it: the same clients, one scope, codes only, PKCE required,
// refresh tokens rotate, revocation, introspection. Whoever opens its page has approved.
import { createServer } from 'node:http';
import { Provider } from 'oidc-provider';
import { approved } from './oidc-provider-person.mjs';

/** Starts it. Where its endpoints are, and what a browser does there: the callback's parameters. */
export async function start({ clientId, clientSecret, publicId, resourceServerId, resourceServerSecret, redirectUri }) {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const client = {
    redirect_uris: [redirectUri],
    response_types: ['code'],
    grant_types: ['authorization_code', 'refresh_token'],
  };
  const provider = new Provider(issuer, {
    clients: [
      { ...client, client_id: clientId, client_secret: clientSecret, token_endpoint_auth_method: 'client_secret_basic' },
      { ...client, client_id: publicId, token_endpoint_auth_method: 'none' },
      {
        client_id: resourceServerId,
        client_secret: resourceServerSecret,
        redirect_uris: [],
        response_types: [],
        grant_types: [],
        token_endpoint_auth_method: 'client_secret_basic',
      },
    ],
    // It takes POST at the authorization endpoint only where its cookies travel across sites.
    enableHttpPostMethods: true,
    cookies: { keys: ['of a test'], long: { sameSite: 'none' } },
    // Else it may be left out where one is registered.
    allowOmittingSingleRegisteredRedirectUri: false,
    pkce: { required: () => true },
    responseTypes: ['code'],
    scopes: ['read'],
    issueRefreshToken: async () => true,
    rotateRefreshToken: true,
    findAccount: (_, accountId) => ({ accountId, claims: async () => ({ sub: accountId }) }),
    features: { devInteractions: { enabled: false }, revocation: { enabled: true }, introspection: { enabled: true } },
    interactions: { url: (_, { uid }) => `/interaction/${uid}` },
  });
  const oauth = provider.callback();

  server.on('request', async (request, response) => {
    if (!request.url.startsWith('/interaction/')) return oauth(request, response);
    await provider.interactionFinished(request, response, await approved(provider, '42', request, response));
  });

  /** Follows redirects with the cookies of one browser until the callback. */
  async function callbackOf(query) {
    const cookies = new Map();
    let url = `${issuer}/auth?${query}`;
    while (!url.startsWith(redirectUri)) {
      const cookie = [...cookies].map((pair) => pair.join('=')).join('; ');
      const answer = await fetch(url, { redirect: 'manual', headers: { cookie } });
      for (const set of answer.headers.getSetCookie()) {
        const [, name, value] = /^([^=]+)=([^;]*)/.exec(set);
        if (value) cookies.set(name, value);
        else cookies.delete(name);
      }
      const location = answer.headers.get('location');
      if (!location) throw new Error(`${answer.status} at ${url}: ${await answer.text()}`);
      url = new URL(location, url).href;
    }
    return url;
  }

  const endpoints = {
    authorize: '/auth',
    token: '/token',
    revoke: '/token/revocation',
    introspect: '/token/introspection',
    metadata: '/.well-known/oauth-authorization-server',
    jwks: '/jwks',
    resource: '/me',
  };
  return { issuer, endpoints, callbackOf };
}

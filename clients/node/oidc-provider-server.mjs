// An authorization server with oidc-provider, for our own client: PKCE required, rotating refresh tokens, revocation. Its one page stands
// for sign-in and consent: whoever opens it again with ?decision=approve or ?decision=deny has decided.
import { createServer } from 'node:http';
import { Provider } from 'oidc-provider';
import { serve, version } from './oidc-provider-person.mjs';

const { CLIENT_ID, CLIENT_SECRET, REDIRECT_URI } = process.env;

const server = createServer().listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: CLIENT_ID,
        client_secret: CLIENT_SECRET,
        redirect_uris: [REDIRECT_URI],
        response_types: ['code'],
        grant_types: ['authorization_code', 'refresh_token'],
        token_endpoint_auth_method: 'client_secret_basic',
      },
    ],
    cookies: { keys: ['of a test'] },
    pkce: { required: () => true },
    issueRefreshToken: async () => true,
    rotateRefreshToken: true,
    findAccount: (_, accountId) => ({ accountId, claims: async () => ({ sub: accountId }) }),
    features: { devInteractions: { enabled: false }, revocation: { enabled: true } },
    interactions: { url: (_, { uid }) => `/interaction/${uid}` },
  });
  serve(server, provider, '42', 'Approve or deny?');
  console.log(JSON.stringify({ issuer, version: version(), api: `${issuer}/me`, scope: 'openid' }));
});

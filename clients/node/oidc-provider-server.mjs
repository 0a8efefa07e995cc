// An authorization server with oidc-provider, for our own client: PKCE required, rotating refresh tokens, revocation. Its one page stands
// for sign-in and consent: whoever opens it again with ?decision=approve or ?decision=deny has decided.
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import { Provider } from 'oidc-provider';

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
  const oauth = provider.callback();

  async function interact(request, response) {
    const { prompt, params, session } = await provider.interactionDetails(request, response);
    if (prompt.name === 'login') return { login: { accountId: '42' } };
    const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
    grant.addOIDCScope(params.scope);
    return { consent: { grantId: await grant.save() } };
  }

  server.on('request', async (request, response) => {
    const { pathname, searchParams } = new URL(request.url, issuer);
    if (!pathname.startsWith('/interaction/')) return oauth(request, response);
    const decision = searchParams.get('decision');
    if (!decision) return response.end('Approve or deny?');
    const result = decision === 'approve' ? await interact(request, response) : { error: 'access_denied' };
    await provider.interactionFinished(request, response, result);
  });
  const { version } = JSON.parse(readFileSync('node_modules/oidc-provider/package.json', 'utf8'));
  console.log(JSON.stringify({ issuer, version, api: `${issuer}/me`, scope: 'openid' }));
});

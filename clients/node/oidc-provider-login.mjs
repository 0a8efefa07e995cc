// An OpenID provider with oidc-provider, for people who sign in at Keyfob. Its settings are the package's own: PKCE, thin ID tokens, and claims
// at the userinfo endpoint. Its one page stands for signing in: whoever opens it again with ?decision=approve or ?decision=deny has.
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import { Provider } from 'oidc-provider';

const { CLIENT_ID, CLIENT_SECRET, REDIRECT_URI } = process.env;

const server = createServer().listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const person = { email: 'una@example.com', email_verified: true, name: 'Una User', groups: ['staff', 'keyfob-admins'] };
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: CLIENT_ID,
        client_secret: CLIENT_SECRET,
        redirect_uris: [REDIRECT_URI],
        response_types: ['code'],
        grant_types: ['authorization_code'],
      },
    ],
    cookies: { keys: ['of a test'] },
    pkce: { required: () => true },
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'], groups: ['groups'] },
    findAccount: (_, accountId) => ({ accountId, claims: async () => ({ sub: accountId, ...person }) }),
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_, { uid }) => `/interaction/${uid}` },
  });
  const oauth = provider.callback();

  async function interact(request, response) {
    const { prompt, params, session } = await provider.interactionDetails(request, response);
    if (prompt.name === 'login') return { login: { accountId: 'u-1' } };
    const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
    grant.addOIDCScope(params.scope);
    return { consent: { grantId: await grant.save() } };
  }

  server.on('request', async (request, response) => {
    const { pathname, searchParams } = new URL(request.url, issuer);
    if (!pathname.startsWith('/interaction/')) return oauth(request, response);
    const decision = searchParams.get('decision');
    if (!decision) return response.end('Sign in?');
    const result = decision === 'approve' ? await interact(request, response) : { error: 'access_denied' };
    await provider.interactionFinished(request, response, result);
  });
  const { version } = JSON.parse(readFileSync('node_modules/oidc-provider/package.json', 'utf8'));
  console.log(JSON.stringify({ issuer, version }));
});

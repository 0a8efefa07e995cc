// An OpenID provider with oidc-provider, for people who sign in at Keyfob. Its settings are the package's own: PKCE, thin ID tokens, and claims
// at the userinfo endpoint. Its one page stands for signing in: whoever opens it again with ?decision=approve or ?decision=deny has.
import { createServer } from 'node:http';
import { Provider } from 'oidc-provider';
import { serve, version } from './oidc-provider-person.mjs';

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
  serve(server, provider, 'u-1', 'Sign in?');
  console.log(JSON.stringify({ issuer, version: version() }));
});

// oidc-provider in memory with one confidential client, one refresh token and one opaque access token. Prints both tokens. Without
// `openid` in the scope, so that a refresh signs no id token: Keyfob does not either.
//
//   node oidc-provider.mjs PORT
import { Provider } from 'oidc-provider';

const port = Number(process.argv[2]);
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{
    client_id: 'bench',
    client_secret: 'bench-secret-bench-secret-bench-secret',
    grant_types: ['authorization_code', 'refresh_token'],
    redirect_uris: ['https://app.example.com/callback'],
  }],
  features: { introspection: { enabled: true }, devInteractions: { enabled: false } },
  findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  rotateRefreshToken: false,
});

const client = await provider.Client.find('bench');
const grant = new provider.Grant({ accountId: 'user', clientId: 'bench' });
grant.addOIDCScope('offline_access');
const grantId = await grant.save();
const common = { accountId: 'user', client, grantId, gty: 'authorization_code', scope: 'offline_access' };
const refresh = new provider.RefreshToken({ ...common, authTime: Math.floor(Date.now() / 1000), rotations: 0 });
const access = new provider.AccessToken(common);
const tokens = [await refresh.save(), await access.save()];
provider.listen(port, '127.0.0.1', () => console.log(`refresh ${tokens[0]}\naccess ${tokens[1]}`));

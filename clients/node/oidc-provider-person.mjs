// The person at the one page of an oidc-provider: its sign-in and consent.
import { readFileSync } from 'node:fs';

/** What whoever approves has decided: to be this account, or that the app may have what it asks for. */
export async function approved(provider, accountId, request, response) {
  const { prompt, params, session } = await provider.interactionDetails(request, response);
  if (prompt.name === 'login') return { login: { accountId } };
  const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  return { consent: { grantId: await grant.save() } };
}

/** Serves the provider and its page, which asks until it is opened again with ?decision=approve or ?decision=deny. */
export function serve(server, provider, accountId, asks) {
  const oauth = provider.callback();
  server.on('request', async (request, response) => {
    const { pathname, searchParams } = new URL(request.url, provider.issuer);
    if (!pathname.startsWith('/interaction/')) return oauth(request, response);
    const decision = searchParams.get('decision');
    if (!decision) return response.end(asks);
    const denied = { error: 'access_denied' };
    const result = decision === 'approve' ? await approved(provider, accountId, request, response) : denied;
    await provider.interactionFinished(request, response, result);
  });
}

/** The installed version. */
export function version() {
  return JSON.parse(readFileSync('node_modules/oidc-provider/package.json', 'utf8')).version;
}

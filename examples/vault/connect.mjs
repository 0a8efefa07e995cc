// Connects a user by the vault, calls the API as them, and gives the connection back. Node.js 20 or later, nothing else.
//
// KEYFOB_VAULT_URL=http://127.0.0.1:4400 KEYFOB_VAULT_KEY=keyfobvk_… node connect.mjs APP USER

const VAULT = process.env.KEYFOB_VAULT_URL.replace(/\/$/, "");
const KEY = process.env.KEYFOB_VAULT_KEY;

/** An answer that is not 2xx. `code` is the vault's and stable; null where it is the API that refused. */
class Refused extends Error {
  constructor(status, code, message) {
    super(`${status} ${code ?? "from the API"}: ${message}`);
    Object.assign(this, { status, code });
  }
}

async function vault(method, path, body) {
  const headers = { Authorization: `Bearer ${KEY}` };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  // Longer than the longest wait for events.
  const signal = AbortSignal.timeout(60_000);
  const answer = await fetch(VAULT + path, { method, headers, body: body && JSON.stringify(body), signal });
  if (!answer.ok) throw new Refused(answer.status, answer.headers.get("Keyfob-Vault-Error"), await answer.text());
  return answer.json();
}

/** Where the feed ends. A service keeps the last `next` in its database and goes on from there. */
async function newestEvent() {
  for (let after = 0; ; ) {
    const page = await vault("GET", `/events?after=${after}&limit=1000`);
    if (page.events.length === 0) return after;
    after = page.next;
  }
}

async function waitUntilConnected(app, user, after, seconds) {
  for (const deadline = Date.now() + seconds * 1000; Date.now() < deadline; ) {
    const page = await vault("GET", `/events?after=${after}&wait=25`);
    const event = page.events.find((event) => event.app === app && event.id === user);
    if (event?.to === "connected") return;
    if (event) throw new Error(`not connected: ${event.to}`);
    after = page.next;
  }
  throw new Error("not connected in time");
}

/** Whether calls can be made. Another consent then changes nothing, and there would be no event to wait for. */
async function isConnected(connection) {
  try {
    const { state } = await vault("GET", `/connections/${connection}`);
    return ["connected", "degraded", "account_locked"].includes(state);
  } catch (refused) {
    if (refused.code !== "not_connected") throw refused;
    return false;
  }
}

const [app, user] = process.argv.slice(2);
const connection = `${encodeURIComponent(app)}/${encodeURIComponent(user)}`;
if (!(await isConnected(connection))) {
  const after = await newestEvent();
  const started = await vault("POST", "/connections/start", { app, id: user });
  // Show it to this user and to nobody else: whoever opens it connects their account under this id.
  console.log("open", started.url);
  await waitUntilConnected(app, user, after, 15 * 60);
}
const { people } = await vault("GET", `/proxy/${connection}/v1/people?limit=3`);
console.log("people", people.map((person) => person.name).join(", "));
await vault("DELETE", `/connections/${connection}`);
try {
  await vault("GET", `/proxy/${connection}/v1/people`);
} catch (refused) {
  if (!(refused instanceof Refused)) throw refused;
  console.log("afterwards", refused.code);
}

// A platform's login page for Keyfob (docs/sign-in.md), with one user and no password: put your own session in the place of `signedIn`.
//
// KEYFOB_ISSUER   Keyfob's issuer
// LOGIN_URL       where this page lies, as Keyfob's configuration names it
// PRIVATE_KEY     file of the Ed25519 private key (PEM), of which Keyfob has the public half
// LISTEN_PORT     a port on this machine
import { createPublicKey, createPrivateKey, sign, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

const { KEYFOB_ISSUER: issuer, LOGIN_URL: loginUrl, PRIVATE_KEY: keyFile, LISTEN_PORT: port } = process.env;
const key = createPrivateKey(readFileSync(keyFile));
const now = () => Math.floor(Date.now() / 1000);
const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const decode = (part) => JSON.parse(Buffer.from(part, "base64url").toString());

/** What a ticket of Keyfob's says; throws if it is none, for us, now. */
async function ticketOf(text) {
  const [header, payload, signature] = text.split(".");
  const { alg, typ, kid } = decode(header);
  const { keys } = await (await fetch(`${issuer}/oauth/jwks`)).json();
  const jwk = keys.find((jwk) => jwk.kid === kid);
  // The key says how it is used; the header only names it.
  if (typ !== "keyfob-ticket+jwt" || !jwk || alg !== jwk.alg) throw new Error("not a ticket");
  const [digest, dsaEncoding] = jwk.alg === "ES256" ? ["sha256", "ieee-p1363"] : [null, undefined];
  const publicKey = { key: createPublicKey({ key: jwk, format: "jwk" }), dsaEncoding };
  if (!verify(digest, Buffer.from(`${header}.${payload}`), publicKey, Buffer.from(signature, "base64url"))) {
    throw new Error("not signed by Keyfob");
  }
  const ticket = decode(payload);
  if (ticket.iss !== issuer || ticket.aud !== loginUrl || now() >= ticket.exp) throw new Error("not for us, or too late");
  return ticket;
}

/**
 * Who sits there. With `fresh` your page must ask again, whatever session there is; `authTime` is when they last proved who they are, and never
 * simply now: this page has just asked.
 */
function signedIn(request, fresh) {
  return {
    authTime: now(),
    id: "u-1",
    email: "una@example.com",
    name: "Una User",
    role: "Owner",
    account: { id: "a-1", name: "Una's Homes", domain: "una" },
  };
}

function assertion(ticket, user) {
  const { id, authTime, email, name, role, account } = user;
  const parties = { iss: new URL(loginUrl).origin, aud: issuer, ticket: ticket.jti, iat: now(), exp: now() + 60 };
  const claims = { ...parties, sub: id, auth_time: authTime, email, name, role, account };
  const input = `${encode({ alg: "EdDSA", typ: "keyfob-assertion+jwt" })}.${encode(claims)}`;
  return `${input}.${sign(null, Buffer.from(input), key).toString("base64url")}`;
}

createServer(async (request, response) => {
  try {
    const ticket = await ticketOf(new URL(request.url, loginUrl).searchParams.get("ticket") ?? "");
    const user = signedIn(request, ticket.prompt === "login");
    const location = `${ticket.return_to}?assertion=${assertion(ticket, user)}`;
    response.writeHead(303, { location, "cache-control": "no-store", "referrer-policy": "no-referrer" }).end();
  } catch (error) {
    console.error(`refused: ${error.message}`);
    response.writeHead(400, { "content-type": "text/plain" }).end("This is not a valid request to sign in.\n");
  }
}).listen(Number(port), "127.0.0.1", function () {
  console.log(`listening on ${this.address().port}`);
});

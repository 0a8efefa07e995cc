// Verifies the vault's webhooks. `node --test signature.test.mjs` checks the function against a known signature.
//
// KEYFOB_WEBHOOK_SECRET=… node signature.mjs "$KEYFOB_SIGNATURE" < body

import { createHmac, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import { argv, env } from "node:process";
import { pathToFileURL } from "node:url";

/** Whether `body`, the bytes exactly as they came, was signed with `secret` at most `tolerance` seconds ago. */
export function isFromVault(secret, header, body, now, tolerance = 300) {
  const parts = /^t=(\d{1,12}),v1=([0-9a-f]{64})$/.exec(header);
  if (!parts || Math.abs(now - Number(parts[1])) > tolerance) return false;
  const expected = createHmac("sha256", secret).update(`${parts[1]}.`).update(body).digest();
  return timingSafeEqual(expected, Buffer.from(parts[2], "hex"));
}

if (import.meta.url === pathToFileURL(argv[1]).href) {
  const genuine = isFromVault(env.KEYFOB_WEBHOOK_SECRET, argv[2], readFileSync(0), Date.now() / 1000);
  console.log(genuine ? "genuine" : "forged or old");
  process.exitCode = genuine ? 0 : 1;
}

// What a script is told of the authority and its app, and the one thing it cannot do itself: a person with a browser opens the authorize
// URL, signs in and decides. Lines of JSON: ours on standard output, the callback that the browser ended on comes back on standard input.
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

export const {
  AUTHORITY: authority,
  CLIENT_ID: clientId,
  CLIENT_SECRET: clientSecret,
  REDIRECT_URI: redirectUri,
  ACCESS_TOKEN: accessToken, // For scripts that are no client but an API.
} = process.env;

const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** Where the browser lands after the person's decision, "approve" or "deny". */
export async function callbackOf(authorizeUrl, decision = 'approve') {
  console.log(JSON.stringify({ open: String(authorizeUrl), decision }));
  return (await answers.next()).value;
}

/** Ends the script: everything worked, with this version of this library; what was proved, where the wire does not show it. */
export function finished(library, proved = []) {
  const { version } = JSON.parse(readFileSync(`node_modules/${library}/package.json`, 'utf8'));
  console.log(JSON.stringify({ version, proved }));
  process.exit(0);
}

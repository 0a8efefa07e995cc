// The requests of the differential test, as data: every one is sent to Keyfob and to oidc-provider. Most are malformed; the well-formed
// ones among them show that both are set up alike. A name is "endpoint/group/what".

const FORM = 'application/x-www-form-urlencoded';
export const VERIFIER = 'a-verifier-of-forty-three-characters-or-more-0123456789';

/** Parameters to text: a list of pairs, so that repeats and odd encodings can be said. A value that is `raw` is not encoded. */
const encode = (pairs) =>
  pairs.map(([name, value]) => `${name}=${value?.raw ?? encodeURIComponent(value)}`).join('&');
const raw = (text) => ({ raw: text });
/** The pairs with these changed, where `undefined` takes one away. */
const but = (pairs, changes) => [
  ...pairs.filter(([name]) => !(name in changes)),
  ...Object.entries(changes).filter(([, value]) => value !== undefined),
];
const without = (pairs, name) => but(pairs, { [name]: undefined });
const long = (length) => 'x'.repeat(length);
const scheme = (name, text) => `${name} ${Buffer.from(text).toString('base64')}`;
/** Both form-encoded first, as RFC 6749 section 2.3.1 has it. */
const basic = (id, secret) => scheme('Basic', `${encodeURIComponent(id)}:${encodeURIComponent(secret)}`);

function authorize({ clientId, publicId, redirectUri, challenge }) {
  const good = [
    ['response_type', 'code'],
    ['client_id', clientId],
    ['redirect_uri', redirectUri],
    ['state', 'af0ifjsldkj'],
    ['code_challenge', challenge],
    ['code_challenge_method', 'S256'],
  ];
  const variants = [['well-formed/all', good], ['well-formed/no state', without(good, 'state')]];
  const add = (name, pairs) => variants.push([name, pairs]);
  for (const name of ['response_type', 'client_id', 'redirect_uri', 'code_challenge', 'code_challenge_method']) {
    add(`missing/${name}`, without(good, name));
    add(`empty/${name}`, but(good, { [name]: '' }));
  }
  add('empty/state', but(good, { state: '' }));
  add('empty/scope', but(good, { scope: '' }));
  for (const [name, value] of good) {
    add(`repeated/${name}`, [...good, [name, value]]);
    add(`repeated/${name} with another value`, [...good, [name, 'other']]);
  }
  add('repeated/unknown', [...good, ['foo', '1'], ['foo', '2']]);
  add('unknown/parameter', [...good, ['foo', 'bar']]);
  add('unknown/__proto__', [...good, ['__proto__', 'x']]);
  add('unknown/brackets', [...good, ['client_id[]', 'x']]);
  add('unknown/no name', [...good, ['', 'x']]);
  for (const type of ['token', 'id_token', 'code token', 'code id_token', 'none', 'Code', 'CODE', ' code', 'code ', 'code code', 'password', 'null', 'code,token', long(200)]) {
    add(`response_type/${type.slice(0, 20)}`, but(good, { response_type: type }));
  }
  const uri = new URL(redirectUri);
  for (const [name, value] of [
    ['another host', 'https://attacker.example/callback'],
    ['look-alike suffix', `https://${uri.host}.attacker.example${uri.pathname}`],
    ['look-alike prefix', `https://attacker-${uri.host}${uri.pathname}`],
    ['user info', `https://${uri.host}@attacker.example${uri.pathname}`],
    ['own host as user', `https://attacker.example@${uri.host}${uri.pathname}`],
    ['slash at the end', `${redirectUri}/`],
    ['longer path', `${redirectUri}/more`],
    ['dots', `https://${uri.host}/x/..${uri.pathname}`],
    ['encoded dots', `https://${uri.host}/x/%2e%2e${uri.pathname}`],
    ['a query', `${redirectUri}?a=b`],
    ['an empty query', `${redirectUri}?`],
    ['a fragment', `${redirectUri}#x`],
    ['an empty fragment', `${redirectUri}#`],
    ['default port', `https://${uri.host}:443${uri.pathname}`],
    ['another port', `https://${uri.host}:8443${uri.pathname}`],
    ['http', redirectUri.replace('https:', 'http:')],
    ['upper-case scheme', redirectUri.replace('https:', 'HTTPS:')],
    ['upper-case host', redirectUri.replace(uri.host, uri.host.toUpperCase())],
    ['upper-case path', redirectUri.replace(uri.pathname, uri.pathname.toUpperCase())],
    ['encoded letter', redirectUri.replace('callback', '%63allback')],
    ['backslash', redirectUri.replace('https://', 'https:\\\\')],
    ['relative', uri.pathname],
    ['without scheme', `//${uri.host}${uri.pathname}`],
    ['javascript', 'javascript:alert(1)'],
    ['data', 'data:text/html,x'],
    ['space before', ` ${redirectUri}`],
    ['space behind', `${redirectUri} `],
    ['line break behind', `${redirectUri}\r\nX: y`],
    ['NUL behind', `${redirectUri}\0`],
    ['tab inside', redirectUri.replace('call', 'ca\tll')],
    ['two', `${redirectUri} ${redirectUri}`],
    ['twice encoded', encodeURIComponent(redirectUri)],
    ['nonsense', 'nonsense'],
    ['over-long', `${redirectUri}?${long(1500)}`],
  ]) add(`redirect_uri/${name}`, but(good, { redirect_uri: value }));
  for (const [name, value] of [
    ['unknown', 'nobody'],
    ['upper case', clientId.toUpperCase()],
    ['space behind', `${clientId} `],
    ['NUL behind', `${clientId}\0`],
    ['over-long', long(2000)],
    ['markup', '<script>alert(1)</script>'],
    ['letters of the world', 'ключ'],
  ]) add(`client_id/${name}`, but(good, { client_id: value }));
  for (const [name, changes] of [
    ['plain', { code_challenge_method: 'plain' }],
    ['plain by default', { code_challenge_method: undefined }],
    ['s256 in lower case', { code_challenge_method: 's256' }],
    ['S512', { code_challenge_method: 'S512' }],
    ['method without challenge', { code_challenge: undefined }],
    ['no challenge at all', { code_challenge: undefined, code_challenge_method: undefined }],
    ['42 characters', { code_challenge: challenge.slice(1) }],
    ['44 characters', { code_challenge: `${challenge}A` }],
    ['129 characters', { code_challenge: long(129) }],
    ['padded', { code_challenge: `${challenge}=` }],
    ['plus and slash', { code_challenge: `+/${challenge.slice(2)}` }],
    ['space', { code_challenge: ` ${challenge.slice(1)}` }],
    ['not ASCII', { code_challenge: `é${challenge.slice(1)}` }],
  ]) add(`PKCE/${name}`, but(good, changes));
  for (const [name, value] of [
    ['known', 'read'], ['unknown', 'everything'], ['known and unknown', 'read everything'], ['twice', 'read read'],
    ['upper case', 'READ'], ['quotation mark', '"read"'], ['backslash', 'read\\'], ['comma', 'read,write'], ['not ASCII', 'lesen-é'],
    ['control character', 'read\u0001'], ['line break', 'read\nwrite'], ['spaces only', '   '], ['space around', ' read '],
    ['two spaces', 'read  read'], ['tab', 'read\tread'], ['over-long', long(3000)], ['200 unknown', Array.from({ length: 200 }, (_, i) => `s${i}`).join(' ')],
  ]) add(`scope/${name}`, but(good, { scope: value }));
  for (const value of ['none', 'login', 'consent', 'login consent', 'none login', 'select_account', 'unknown', 'Login', '', ' ']) {
    add(`prompt/${value || 'empty'}`, but(good, { prompt: value }));
  }
  for (const value of ['query', 'fragment', 'form_post', 'query.jwt', 'jwt', 'web_message', 'unknown', 'Query', '']) {
    add(`response_mode/${value || 'empty'}`, but(good, { response_mode: value }));
  }
  for (const [name, value] of [
    ['2 kB', long(2000)], ['3 kB', long(3000)], ['markup', '"><script>'], ['line break', 'a\r\nSet-Cookie: b=c'], ['NUL', 'a\0b'],
    ['letters of the world', 'состояние'], ['all that needs encoding', '+ %&#="<'],
  ]) add(`state/${name}`, but(good, { state: value }));
  for (const [name, more] of [
    ['request', ['request', 'e30.e30.']], ['request_uri', ['request_uri', 'https://attacker.example/r']],
    ['request_uri of a pushed request', ['request_uri', 'urn:ietf:params:oauth:request_uri:nothing']],
    ['registration', ['registration', '{}']], ['resource', ['resource', 'https://elsewhere.example/']],
    ['resource with a fragment', ['resource', 'https://elsewhere.example/#x']], ['resource no URI', ['resource', 'nonsense']],
    ['max_age not a number', ['max_age', 'soon']], ['max_age negative', ['max_age', '-1']], ['nonce', ['nonce', 'n']],
    ['claims no JSON', ['claims', '{']], ['client_secret', ['client_secret', 'oops']], ['ui_locales', ['ui_locales', '??']],
    ['id_token_hint', ['id_token_hint', 'nonsense']], ['login_hint', ['login_hint', 'x']], ['dpop_jkt', ['dpop_jkt', 'x']],
  ]) add(`extension/${name}`, [...good, more]);
  for (const [name, changes] of [
    ['percent alone', { state: raw('%') }], ['bad hexadecimal', { state: raw('%zz') }], ['cut escape', { state: raw('%4') }],
    ['not UTF-8', { state: raw('%ff%fe') }], ['over-long UTF-8', { state: raw('%c0%af') }], ['half a surrogate', { state: raw('%ed%a0%80') }],
    ['bad client_id', { client_id: raw('%zz') }], ['client_id not UTF-8', { client_id: raw('%ff') }],
    ['bad redirect_uri', { redirect_uri: raw('%zz') }], ['NUL as escape', { state: raw('%00') }], ['plus for space', { scope: raw('read+read') }],
    ['semicolons', { state: raw('a;b=c') }], ['two equals signs', { state: raw('a==b') }], ['raw brackets', { state: raw('[x]{y}') }],
  ]) add(`encoding/${name}`, but(good, changes));
  add('encoding/name in escapes', [...without(good, 'response_type'), ['%72esponse_type', 'code']]);
  add('encoding/upper-case names', good.map(([name, value]) => [name.toUpperCase(), value]));
  add('public/well-formed', but(good, { client_id: publicId }));
  add('public/no challenge', but(good, { client_id: publicId, code_challenge: undefined, code_challenge_method: undefined }));
  add('nothing/nothing', []);

  const cases = variants.map(([name, pairs]) => ({ name: `authorize GET/${name}`, endpoint: 'authorize', query: encode(pairs) }));
  for (const [name, pairs] of variants) {
    if (!/^(well-formed|missing|repeated|response_type|PKCE|encoding|nothing)\//.test(name)) continue;
    cases.push({ name: `authorize POST/${name}`, endpoint: 'authorize', method: 'POST', type: FORM, body: encode(pairs) });
  }
  const post = (name, more) => cases.push({ name: `authorize POST/${name}`, endpoint: 'authorize', method: 'POST', ...more });
  post('body/JSON', { type: 'application/json', body: JSON.stringify(Object.fromEntries(good)) });
  post('body/no content type', { body: encode(good) });
  post('body/in query too', { type: FORM, query: encode(good), body: encode(good) });
  post('body/only in query', { type: FORM, query: encode(good), body: '' });
  post('body/with charset', { type: `${FORM}; charset=utf-8`, body: encode(good) });
  post('body/70 kB', { type: FORM, body: `${encode(good)}&foo=${long(70_000)}` });
  for (const method of ['PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
    cases.push({ name: `authorize ${method}/method/as GET`, endpoint: 'authorize', method, query: encode(good) });
  }
  cases.push({ name: 'authorize HEAD/method/as GET', endpoint: 'authorize', method: 'HEAD', query: encode(good) });
  return cases;
}

/** Ways to fail to prove who one is, for an endpoint that wants these parameters. */
function authentication(endpoint, parameters, { clientId, clientSecret, publicId }) {
  const form = (name, more, pairs = parameters) => ({ name: `${endpoint}/authentication/${name}`, endpoint, method: 'POST', type: FORM, body: encode(pairs), ...more });
  const header = (name, value) => form(name, { headers: [['Authorization', value]] });
  const good = basic(clientId, clientSecret);
  const body = (name, pairs, more) => form(name, more, [...parameters, ...pairs]);
  return [
    form('none', {}),
    header('Basic, right', good),
    body('in the body, right', [['client_id', clientId], ['client_secret', clientSecret]]),
    header('wrong secret', basic(clientId, 'wrong')),
    header('unknown client', basic('nobody', clientSecret)),
    header('empty secret', basic(clientId, '')),
    header('empty client', basic('', clientSecret)),
    header('only a colon', basic('', '')),
    header('no colon', scheme('Basic', clientId)),
    header('not base64', 'Basic !!!!'),
    header('no credentials', 'Basic'),
    header('only a space', 'Basic '),
    header('two spaces', good.replace(' ', '  ')),
    header('lower-case scheme', good.replace('Basic', 'basic')),
    header('more behind', `${good} more`),
    header('not UTF-8', `Basic ${Buffer.from([0xff, 0x3a, 0xfe]).toString('base64')}`),
    header('NUL in the secret', basic(clientId, `${clientSecret}\0`)),
    header('bad escape in the secret', scheme('Basic', `${clientId}:%zz`)),
    header('Bearer', 'Bearer nonsense'),
    header('Digest', 'Digest username="x"'),
    header('unknown scheme', scheme('Keyfob', `${clientId}:${clientSecret}`)),
    header('no scheme', good.slice(6)),
    header('URL-safe base64', scheme('Basic', `${clientId}:>>>???`).replaceAll('+', '-').replaceAll('/', '_')),
    header('over-long', basic(clientId, long(4000))),
    header('secret of another case', basic(clientId, clientSecret.toUpperCase())),
    form('two headers', { headers: [['Authorization', good], ['Authorization', good]] }),
    body('Basic and body', [['client_id', clientId], ['client_secret', clientSecret]], { headers: [['Authorization', good]] }),
    body('Basic and another client_id', [['client_id', publicId]], { headers: [['Authorization', good]] }),
    body('Basic and the same client_id', [['client_id', clientId]], { headers: [['Authorization', good]] }),
    body('wrong secret in the body', [['client_id', clientId], ['client_secret', 'wrong']]),
    body('unknown client in the body', [['client_id', 'nobody'], ['client_secret', 'x']]),
    body('empty secret in the body', [['client_id', clientId], ['client_secret', '']]),
    body('secret without client_id', [['client_secret', clientSecret]]),
    body('only client_id of a confidential client', [['client_id', clientId]]),
    body('only client_id of nobody', [['client_id', 'nobody']]),
    body('public client with a secret', [['client_id', publicId], ['client_secret', 'x']]),
    body('client_id twice', [['client_id', clientId], ['client_id', clientId], ['client_secret', clientSecret]]),
    body('secret twice', [['client_id', clientId], ['client_secret', clientSecret], ['client_secret', clientSecret]]),
    body('assertion of nothing', [['client_assertion_type', 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'], ['client_assertion', 'a.b.c']]),
    { ...form('secret in the URL', {}), query: encode([['client_id', clientId], ['client_secret', clientSecret]]) },
  ];
}

/** Ways to say nothing that can be read, for an endpoint that takes a form from whoever proves this. */
function bodies(endpoint, good, authorization) {
  const headers = [['Authorization', authorization]];
  const one = (name, more) => ({ name: `${endpoint}/body/${name}`, endpoint, method: 'POST', type: FORM, headers, body: encode(good), ...more });
  return [
    one('JSON', { type: 'application/json', body: JSON.stringify(Object.fromEntries(good)) }),
    one('form, called JSON', { type: 'application/json' }),
    one('JSON, called a form', { body: JSON.stringify(Object.fromEntries(good)) }),
    one('multipart', { type: 'multipart/form-data; boundary=x', body: '--x--' }),
    one('plain text', { type: 'text/plain' }),
    one('no content type', { type: undefined }),
    one('content type nonsense', { type: 'nonsense' }),
    one('with charset', { type: `${FORM}; charset=UTF-8` }),
    one('upper-case content type', { type: FORM.toUpperCase() }),
    one('empty', { body: '' }),
    one('in the query', { body: '', query: encode(good) }),
    one('in both', { query: encode(good) }),
    one('bad escape', { body: `${encode(good)}&foo=%zz` }),
    one('not UTF-8', { body: `${encode(good)}&foo=%ff` }),
    one('NUL', { body: `${encode(good)}&foo=%00` }),
    one('unknown parameter', { body: `${encode(good)}&foo=bar` }),
    one('unknown parameter twice', { body: `${encode(good)}&foo=bar&foo=bar` }),
    one('everything twice', { body: `${encode(good)}&${encode(good)}` }),
    one('70 kB', { body: `${encode(good)}&foo=${long(70_000)}` }),
    ...['GET', 'PUT', 'DELETE', 'PATCH'].map((method) =>
      method === 'GET'
        ? { name: `${endpoint}/method/GET`, endpoint, method, headers, query: encode(good) }
        : { name: `${endpoint}/method/${method}`, endpoint, method, type: FORM, headers, body: encode(good) }),
  ];
}

function token(setup) {
  const { clientId, clientSecret, publicId, redirectUri } = setup;
  const authorization = basic(clientId, clientSecret);
  const code = [['grant_type', 'authorization_code'], ['code', 'nonsense'], ['redirect_uri', redirectUri], ['code_verifier', VERIFIER]];
  const refresh = [['grant_type', 'refresh_token'], ['refresh_token', 'nonsense']];
  const one = (name, pairs, more) => ({ name: `token/${name}`, endpoint: 'token', method: 'POST', type: FORM, headers: [['Authorization', authorization]], body: encode(pairs), ...more });
  const cases = [...authentication('token', code, setup), ...bodies('token', code, authorization)];
  for (const type of ['', 'password', 'implicit', 'client_credentials', 'nonsense', 'Authorization_Code', 'authorization_code ', 'urn:ietf:params:oauth:grant-type:device_code', 'urn:ietf:params:oauth:grant-type:jwt-bearer', 'urn:ietf:params:oauth:grant-type:token-exchange', 'code', long(300)]) {
    cases.push(one(`grant_type/${type.slice(0, 48) || 'empty'}`, but(code, { grant_type: type })));
  }
  cases.push(one('grant_type/missing', without(code, 'grant_type')));
  for (const [name] of code) {
    cases.push(one(`code/repeated ${name}`, [...code, code.find(([known]) => known === name)]));
    if (name === 'grant_type') continue;
    cases.push(one(`code/missing ${name}`, without(code, name)), one(`code/empty ${name}`, but(code, { [name]: '' })));
  }
  for (const [name, value] of [['over-long', long(5000)], ['not ASCII', 'é'], ['control character', 'a\u0001b'], ['space', 'a b'], ['a JWT', 'e30.e30.x'], ['markup', '<x>']]) {
    cases.push(one(`code/${name}`, but(code, { code: value })), one(`refresh/${name}`, but(refresh, { refresh_token: value })));
  }
  for (const [name, value] of [['short', 'short'], ['over-long', long(129)], ['bad characters', `${'ä'.repeat(43)}`]]) {
    cases.push(one(`code/verifier ${name}`, but(code, { code_verifier: value })));
  }
  cases.push(
    one('refresh/nonsense', refresh),
    one('refresh/missing', without(refresh, 'refresh_token')),
    one('refresh/empty', but(refresh, { refresh_token: '' })),
    one('refresh/repeated', [...refresh, refresh[1]]),
    one('refresh/unknown scope', [...refresh, ['scope', 'everything']]),
    one('refresh/of a public client', [...refresh, ['client_id', publicId]], { headers: [] }),
    one('code/of a public client', [...code, ['client_id', publicId]], { headers: [] }),
  );
  return cases;
}

function aboutToken(endpoint, setup, asks) {
  const authorization = basic(asks.clientId, asks.clientSecret);
  const good = [['token', 'nonsense']];
  const one = (name, pairs) => ({ name: `${endpoint}/token/${name}`, endpoint, method: 'POST', type: FORM, headers: [['Authorization', authorization]], body: encode(pairs) });
  return [
    ...authentication(endpoint, good, { ...setup, ...asks }),
    ...bodies(endpoint, good, authorization),
    one('missing', []),
    one('empty', [['token', '']]),
    one('repeated', [...good, ...good]),
    one('over-long', [['token', long(5000)]]),
    one('not ASCII', [['token', 'é']]),
    one('a JWT of nobody', [['token', 'eyJhbGciOiJub25lIn0.e30.']]),
    one('hint access_token', [...good, ['token_type_hint', 'access_token']]),
    one('hint refresh_token', [...good, ['token_type_hint', 'refresh_token']]),
    one('unknown hint', [...good, ['token_type_hint', 'nonsense']]),
    one('empty hint', [...good, ['token_type_hint', '']]),
    one('hint twice', [...good, ['token_type_hint', 'access_token'], ['token_type_hint', 'access_token']]),
  ];
}

function documents() {
  const cases = [];
  for (const endpoint of ['metadata', 'jwks']) {
    for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
      cases.push({ name: `${endpoint}/method/${method}`, endpoint, method });
    }
    cases.push({ name: `${endpoint}/query/ignored`, endpoint, query: 'a=b&a=%zz' });
  }
  return cases;
}

function resource({ clientId, clientSecret }) {
  const one = (name, ...values) => ({ name: `resource/header/${name}`, endpoint: 'resource', headers: values.map((value) => ['Authorization', value]) });
  return [
    one('none'),
    one('nonsense', 'Bearer nonsense'),
    one('no token', 'Bearer'),
    one('only a space', 'Bearer '),
    one('two tokens', 'Bearer a b'),
    one('lower-case scheme', 'bearer nonsense'),
    one('two spaces', 'Bearer  nonsense'),
    one('comma', 'Bearer a,b'),
    one('not a token68', 'Bearer "x"'),
    one('Basic', basic(clientId, clientSecret)),
    one('unknown scheme', 'Keyfob nonsense'),
    one('no scheme', 'nonsense'),
    one('two headers', 'Bearer a', 'Bearer b'),
    one('over-long', `Bearer ${long(5000)}`),
    one('unsigned JWT', 'Bearer eyJhbGciOiJub25lIn0.e30.'),
    one('DPoP', 'DPoP nonsense'),
    { name: 'resource/elsewhere/query', endpoint: 'resource', query: 'access_token=nonsense' },
    { name: 'resource/elsewhere/query and header', endpoint: 'resource', query: 'access_token=nonsense', headers: [['Authorization', 'Bearer nonsense']] },
    { name: 'resource/method/DELETE', endpoint: 'resource', method: 'DELETE', headers: [['Authorization', 'Bearer nonsense']] },
  ];
}

/**
 * Exchanges of a real code or refresh token: each has connections of its own. A step is the form of one request to the token endpoint;
 * the last one's answer is compared. `code` and `refresh` stand for what the connection, or the step before, gave.
 */
export function exchanges({ redirectUri, publicId }) {
  const exchange = (code, changes = {}) =>
    but([['grant_type', 'authorization_code'], ['code', code], ['redirect_uri', redirectUri], ['code_verifier', VERIFIER]], changes);
  const refresh = (token, changes = {}) => but([['grant_type', 'refresh_token'], ['refresh_token', token]], changes);
  const last = (name, changes, more) => ({ name: `exchange/code/${name}`, steps: [({ code }) => ({ pairs: exchange(code, changes), ...more })] });
  const after = (name, changes, more) => ({
    name: `exchange/refresh/${name}`,
    steps: [({ code }) => ({ pairs: exchange(code) }), ({ refresh: token }) => ({ pairs: refresh(token, changes), ...more })],
  });
  const asPublic = { anonymous: true };
  return [
    last('right', {}),
    last('another redirect_uri', { redirect_uri: `${redirectUri}/` }),
    last('no redirect_uri', { redirect_uri: undefined }),
    last('wrong verifier', { code_verifier: `${VERIFIER}x` }),
    last('no verifier', { code_verifier: undefined }),
    last('empty verifier', { code_verifier: '' }),
    last('short verifier', { code_verifier: 'short' }),
    last('over-long verifier', { code_verifier: long(200) }),
    last('by another client', { client_id: publicId }, asPublic),
    last('as a refresh token', { grant_type: 'refresh_token' }),
    { name: 'exchange/code/twice with another verifier', steps: [({ code }) => ({ pairs: exchange(code) }), ({ code }) => ({ pairs: exchange(code, { code_verifier: `${VERIFIER}x` }) })] },
    { name: 'exchange/code/twice', steps: [({ code }) => ({ pairs: exchange(code) }), ({ code }) => ({ pairs: exchange(code) })] },
    { name: 'exchange/code/right after wrong verifier', steps: [({ code }) => ({ pairs: exchange(code, { code_verifier: `${VERIFIER}x` }) }), ({ code }) => ({ pairs: exchange(code) })] },
    after('right', {}),
    after('more scope', { scope: 'everything' }),
    after('by another client', { client_id: publicId }, asPublic),
    { name: 'exchange/refresh/as a code', steps: [({ code }) => ({ pairs: exchange(code) }), ({ refresh: token }) => ({ pairs: exchange(token) })] },
  ].map(({ name, steps }) => ({ name, steps: steps.map((step) => (has) => { const { pairs, anonymous } = step(has); return { type: FORM, body: encode(pairs), anonymous }; }) }));
}

/** Every request that needs no connection. */
export function cases(setup) {
  const resourceServer = { clientId: setup.resourceServerId, clientSecret: setup.resourceServerSecret };
  return [
    ...authorize(setup),
    ...token(setup),
    ...aboutToken('revoke', setup, setup),
    ...aboutToken('introspect', setup, resourceServer),
    ...documents(),
    ...resource(setup),
  ];
}

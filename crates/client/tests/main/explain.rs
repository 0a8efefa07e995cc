//! `explain`: every mistake of the list is found, nothing is found in what our own client sends, and no secret is ever quoted.

use crate::golden;
use keyfob_client::explain::*;
use proptest::prelude::*;

const ID: &str = "08589cfccce6efca0dfa3c4a945d41e84cce1974503414ea28aad56431a7b708";
const STATE: &str = "nvV8Q2mQ3yBqk1rZlT5b7cUu0DgW9xS4hJ6aKpE2oFs";
const BACK: &str = "https%3A%2F%2Fcrm.example.com%2Fcb";
/// Basic of an id and a secret.
const BASIC: &str = "-H 'Authorization: Basic YXBwMTpzM2NyZXQ='";

/// A line of a log that tells everything.
const LOGGED: &str = "2025-11-26 12:00:01 DEBUG token response: {\"access_token\":\"abcdefgh\",\"token_type\":\"Bearer\",\"expires_in\":3600,\"refresh_token\":\"r3fr3sh-1\"} (312 ms)";

/// A good exchange in Python.
const PYTHON: &str = r#"
resp = requests.post(
    "https://app.followupboss.com/oauth/token",
    data={"grant_type": "authorization_code", "code": request.args["code"], "state": state, "redirect_uri": "https://crm.example.com/cb"},
    auth=(os.environ["ID"], os.environ["SECRET"]),  # from https://console.example.com
    timeout=10,
)
"#;
/// A good exchange in JavaScript.
const FETCH: &str = r#"const body = new URLSearchParams({ grant_type: 'authorization_code', code, state, redirect_uri: 'https://crm.example.com/cb' });
const response = await fetch('https://app.followupboss.com/oauth/token', {
  method: 'POST',
  headers: { 'Content-Type': 'application/x-www-form-urlencoded', Authorization: 'Basic ' + btoa(id + ':' + secret) },
  body,
});"#;

fn about(inputs: &[&str]) -> Explanation {
    explain(inputs, &ExplainOptions::default())
}

fn authorize(query: &str) -> String {
    format!("https://app.followupboss.com/oauth/authorize?{query}")
}

/// A good authorize URL with one thing changed.
fn authorize_but(from: &str, to: &str) -> String {
    let good = authorize(&format!("response_type=auth_code&client_id={ID}&redirect_uri={BACK}&state={STATE}"));
    assert!(good.contains(from), "{from}");
    good.replace(from, to)
}

/// A good exchange by POST with one thing changed.
fn exchange_but(from: &str, to: &str) -> String {
    let good = format!(
        "curl -s {BASIC} https://app.followupboss.com/oauth/token -d grant_type=authorization_code -d code=c0de-1234 -d redirect_uri={BACK} -d state={STATE}"
    );
    assert!(good.contains(from), "{from}");
    good.replace(from, to)
}

/// A good exchange by GET with one thing changed.
fn legacy_but(from: &str, to: &str) -> String {
    let good = format!(
        "curl {BASIC} 'https://app.followupboss.com/oauth/token?grant_type=auth_code&code=c0de-1234&redirect_uri={BACK}&state={STATE}'"
    );
    assert!(good.contains(from), "{from}");
    good.replace(from, to)
}

/// A good call with one thing changed.
fn call_but(from: &str, to: &str) -> String {
    let good = "curl -H 'Authorization: Bearer abc.def-ghi' -H 'X-System: Acme' -H 'X-System-Key: 0123456789abcdef' 'https://api.followupboss.com/v1/people?limit=5'";
    assert!(good.contains(from), "{from}");
    good.replace(from, to)
}

fn callback(query: &str) -> String {
    format!("https://crm.example.com/cb?{query}")
}

/// Each mistake, the severity and the part that must be named.
#[expect(clippy::too_many_lines, reason = "one row for each mistake")]
fn corpus() -> Vec<(&'static str, String, Severity, &'static str)> {
    use Severity::*;
    let refresh = |basic: &str| {
        format!(
            "curl {basic} https://app.followupboss.com/oauth/token -d grant_type=refresh_token -d refresh_token=r3fr3sh-1"
        )
    };
    vec![
        ("response_type=code", authorize_but("auth_code", "code"), Wrong, "response_type"),
        ("response_type in capitals", authorize_but("auth_code", "AUTH_CODE"), Wrong, "response_type"),
        ("response_type=token", authorize_but("auth_code", "token"), Wrong, "response_type"),
        ("no response_type", authorize_but("response_type=auth_code&", ""), Wrong, "response_type"),
        ("no client_id", authorize_but(&format!("client_id={ID}&"), ""), Wrong, "client_id"),
        ("no state", authorize_but(&format!("&state={STATE}"), ""), Wrong, "state"),
        ("short state", authorize_but(STATE, "xyz"), Risky, "state"),
        ("state is a number", authorize_but(STATE, "1764064800000000"), Risky, "state"),
        ("state is words", authorize_but(STATE, "my-static-state-value"), Risky, "state"),
        ("state names the user", authorize_but(STATE, "user_1234_login_session"), Risky, "state"),
        ("state is data", authorize_but(STATE, "eyJ1c2VyIjo0MiwibmV4dCI6Ii9ob21lIn0"), Risky, "state"),
        ("http", authorize_but(BACK, "http%3A%2F%2Fcrm.example.com%2Fcb"), Wrong, "redirect_uri"),
        ("localhost", authorize_but(BACK, "http%3A%2F%2Flocalhost%3A3000%2Fcb"), Wrong, "redirect_uri"),
        ("fragment", authorize_but(BACK, "https%3A%2F%2Fcrm.example.com%2Fcb%23x"), Wrong, "redirect_uri"),
        ("bare fragment", authorize_but(BACK, "https://crm.example.com/#/cb"), Wrong, "#"),
        ("private address", authorize_but(BACK, "https%3A%2F%2F192.168.0.7%2Fcb"), Wrong, "redirect_uri"),
        ("query not encoded", authorize_but(BACK, "https://crm.example.com/cb?x=1"), Risky, "redirect_uri"),
        ("encoded twice", authorize_but(BACK, "https%253A%252F%252Fcrm.example.com%252Fcb"), Wrong, "redirect_uri"),
        ("no redirect_uri", authorize_but(&format!("redirect_uri={BACK}&"), ""), Wrong, "redirect_uri"),
        ("redirect_url", authorize_but("redirect_uri", "redirect_url"), Wrong, "redirect_uri"),
        ("scope", authorize_but("&state", "&scope=people.read&state"), Risky, "scope"),
        ("prompt=consent", authorize_but("&state", "&prompt=consent&state"), Wrong, "prompt"),
        ("access_type", authorize_but("&state", "&access_type=offline&state"), Note, "access_type"),
        ("wrong host", authorize_but("app.", "api."), Wrong, "host"),
        ("wrong path", authorize_but("/oauth/", "/oauth2/"), Wrong, "path"),
        ("http authority", authorize_but("https://app", "http://app"), Wrong, "http://"),
        ("secret in the authorize URL", authorize_but("&state", "&client_secret=s3cr3t-s3cr3t&state"), Wrong, "client_secret"),
        ("repeated", authorize_but("&state", "&client_id=other&state"), Wrong, "client_id"),
        ("&amp;", authorize_but("&client_id", "&amp;client_id"), Wrong, "&amp;"),
        ("broken escape", authorize_but("%2Fcb", "%2Gcb"), Wrong, "redirect_uri"),
        ("white space", authorize_but("&state", " &state"), Wrong, "white space in the URL"),
        ("placeholder", authorize_but(ID, "<client_id>"), Note, "client_id"),
        ("plain PKCE", authorize_but("&state", "&code_challenge=abc&code_challenge_method=plain&state"), Wrong, "code_challenge_method"),
        ("denied", callback(&format!("response=denied&state={STATE}")), Note, "response=denied"),
        ("denied in standard OAuth", callback(&format!("error=access_denied&state={STATE}")), Note, "error=access_denied"),
        ("approved without code", callback(&format!("response=approved&state={STATE}")), Wrong, "code"),
        ("denied with code", callback(&format!("response=denied&code=c0de-1234&state={STATE}")), Wrong, "code"),
        ("approved and denied", callback(&format!("response=approved&response=denied&code=c0de-1234&state={STATE}")), Wrong, "response"),
        ("both markers", callback(&format!("response=approved&code=c0de-1234&error=access_denied&state={STATE}")), Wrong, "response and error"),
        ("doubled in one", callback(&format!("response=approved&code=c0de-1234&state={STATE}&code=c0de-1234")), Wrong, "code"),
        ("callback without state", callback("response=approved&code=c0de-1234"), Wrong, "state"),
        ("callback in a fragment", "https://crm.example.com/cb#code=c0de-1234&state=x".into(), Wrong, "#"),
        ("callback with an error", callback(&format!("error=invalid_scope&state={STATE}")), Wrong, "error=invalid_scope"),
        ("Approved", callback(&format!("response=Approved&code=c0de-1234&state={STATE}")), Wrong, "response"),
        ("exchange without state", exchange_but(&format!(" -d state={STATE}"), ""), Wrong, "state"),
        ("legacy exchange without state", legacy_but(&format!("&state={STATE}"), ""), Wrong, "state"),
        ("exchange without redirect_uri", exchange_but(&format!(" -d redirect_uri={BACK}"), ""), Wrong, "redirect_uri"),
        ("exchange without code", exchange_but(" -d code=c0de-1234", ""), Wrong, "code"),
        ("exchange at api.", exchange_but("app.", "api."), Wrong, "host"),
        ("no grant_type", exchange_but(" -d grant_type=authorization_code", ""), Wrong, "grant_type"),
        ("grant_type=code", exchange_but("=authorization_code", "=code"), Wrong, "grant_type"),
        ("client_credentials", exchange_but("=authorization_code", "=client_credentials"), Wrong, "grant_type"),
        ("GET with the spelling of the POST", legacy_but("=auth_code", "=authorization_code"), Risky, "grant_type"),
        ("refresh_token with a code", exchange_but("=authorization_code", "=refresh_token"), Wrong, "grant_type"),
        ("no credentials", exchange_but(BASIC, ""), Wrong, "Authorization"),
        ("credentials in JSON", exchange_but(&format!("{BASIC} https"), "--json '{\"client_id\":\"a\",\"client_secret\":\"s3cr3t-s3cr3t\",\"code\":\"c\"}' https"), Wrong, "JSON body"),
        ("credentials in the URL", legacy_but("grant_type", "client_secret=s3cr3t-s3cr3t&grant_type"), Wrong, "client_secret"),
        ("credentials in the body", exchange_but(BASIC, "-d client_id=app1 -d client_secret=s3cr3t-s3cr3t"), Wrong, "client_secret"),
        ("Basic in clear", exchange_but("YXBwMTpzM2NyZXQ=", "app1:s3cr3t-s3cr3t"), Wrong, "Authorization"),
        ("Basic with a line end", exchange_but("YXBwMTpzM2NyZXQ=", "YXBwMTpzM2NyZXQK"), Wrong, "Authorization"),
        ("Basic without a colon", exchange_but("YXBwMTpzM2NyZXQ=", "YXBwMXMzY3JldA=="), Wrong, "Authorization"),
        ("Basic without a secret", exchange_but("YXBwMTpzM2NyZXQ=", "YXBwMTo="), Wrong, "Authorization"),
        ("Basic encoded twice", exchange_but(BASIC, "-u YXBwMTpzM2NyZXQ="), Wrong, "Authorization"),
        ("Bearer at the token endpoint", refresh("-H 'Authorization: Bearer abc'"), Wrong, "Authorization"),
        ("client_id differs from Basic", exchange_but(" -d state", " -d client_id=other -d state"), Wrong, "client_id"),
        ("parameters of a POST in the URL", legacy_but("curl ", "curl -X POST "), Wrong, "parameters in the URL"),
        ("GET with -d", exchange_but("curl -s", "curl -s -X GET"), Wrong, "-X GET with -d"),
        ("PUT", exchange_but("curl -s", "curl -s -X PUT"), Wrong, "method"),
        ("scope at a refresh", refresh(&format!("{BASIC} -d scope=offline_access")), Risky, "scope"),
        ("scope at the exchange", exchange_but("-d state", "-d scope=read -d state"), Risky, "scope"),
        ("multipart", exchange_but("-d", "-F"), Wrong, "multipart body"),
        ("& outside quotes", legacy_but("'https", "https").replace(&format!("{STATE}'"), STATE), Wrong, "& outside quotes"),
        ("typographic quotes", call_but("'X-System: Acme'", "“X-System: Acme”"), Wrong, "typographic quote"),
        ("open quote", call_but("limit=5'", "limit=5"), Wrong, "quote"),
        ("broken continuation", call_but("'X-System: Acme' ", "'X-System: Acme' \\ \n"), Wrong, "\\ before a space"),
        ("encoded twice by curl", exchange_but("-d redirect_uri", "--data-urlencode redirect_uri"), Wrong, "redirect_uri"),
        ("plus in a code", exchange_but("c0de-1234", "c0de+1234"), Wrong, "code"),
        ("insecure", call_but("curl ", "curl -k "), Risky, "-k"),
        ("unknown option", call_but("curl ", "curl --ntlm "), Note, "--ntlm"),
        ("API at app.", call_but("api.", "app."), Wrong, "host"),
        ("token as Basic", call_but("Bearer abc.def-ghi", "Basic ZXlKaGJHLmV5SnpkLnNpZzo="), Wrong, "Authorization"),
        ("API key as Basic", call_but("Bearer abc.def-ghi", "Basic ZmthXzBhYmNkZWY6"), Note, "API key"),
        ("client credentials at the API", call_but("Bearer abc.def-ghi", "Basic YXBwMTpzM2NyZXQ="), Wrong, "Authorization"),
        ("token without a scheme", call_but("Bearer abc", "abc"), Wrong, "Authorization"),
        ("token in the URL", call_but("limit=5", "access_token=abcdefgh"), Wrong, "token in the URL"),
        ("no token", call_but("-H 'Authorization: Bearer abc.def-ghi' ", ""), Wrong, "Authorization"),
        ("no X-System", call_but("-H 'X-System: Acme' -H 'X-System-Key: 0123456789abcdef' ", ""), Risky, "X-System and X-System-Key"),
        ("no X-System-Key", call_but("-H 'X-System-Key: 0123456789abcdef' ", ""), Risky, "X-System-Key"),
        ("/v1/me", call_but("people?limit=5", "me"), Note, "/v1/me"),
        ("HTML", "HTTP/1.1 200 OK\ncontent-type: text/html\n\n<!doctype html><p>Sign in".into(), Wrong, "HTML"),
        ("HTML without a head", "<html><body>502 Bad Gateway".into(), Wrong, "HTML"),
        ("cut off", "HTTP/1.1 200 OK\n\n{\"access_token\":\"abc".into(), Wrong, "body"),
        ("no access_token", "{\"token_type\":\"Bearer\",\"expires_in\":3600}".into(), Wrong, "access_token"),
        ("no token_type", "{\"access_token\":\"abcdefgh\",\"expires_in\":3600}".into(), Wrong, "token_type"),
        ("no refresh_token", "{\"access_token\":\"abcdefgh\",\"token_type\":\"Bearer\",\"expires_in\":3600}".into(), Risky, "refresh_token"),
        ("expires_in as a string", "{\"access_token\":\"abcdefgh\",\"token_type\":\"Bearer\",\"expires_in\":\"3600\",\"refresh_token\":\"r3fr3sh-1\"}".into(), Risky, "expires_in"),
        ("no expiry", "{\"access_token\":\"abcdefgh\",\"token_type\":\"Bearer\",\"refresh_token\":\"r3fr3sh-1\"}".into(), Risky, "expires_in"),
        ("legacy ttl", "{\"success\":true,\"data\":{\"access_token\":\"abcdefgh\",\"token_type\":\"bearer\",\"refresh_token\":\"r3fr3sh-1\",\"ttl\":\"3600\"}}".into(), Note, "ttl"),
        ("id_token", "{\"access_token\":\"abcdefgh\",\"token_type\":\"Bearer\",\"expires_in\":1,\"refresh_token\":\"r3fr3sh-1\",\"id_token\":\"abcdefgh\"}".into(), Note, "id_token"),
        ("403 of the API", "HTTP/1.1 403 Forbidden\nFUB-Account-ID: 1\n\n{\"errorMessage\":\"no\"}".into(), Wrong, "403"),
        ("401 of the API", "HTTP/1.1 401 Unauthorized\nWWW-Authenticate: Basic realm=\"Follow Up Boss API\"\n\n{\"errorMessage\":\"no\"}".into(), Wrong, "401"),
        ("requests without state", PYTHON.replace("\"state\": state,", ""), Wrong, "state"),
        ("requests with JSON", PYTHON.replace("data=", "json="), Wrong, "JSON body"),
        ("fetch without credentials", FETCH.replace("Authorization", "Accept"), Wrong, "Authorization"),
        ("axios with JSON", "axios.post('https://app.followupboss.com/oauth/token', { grant_type: 'refresh_token', refresh_token: rt }, { auth: { username: id, password: secret } })".into(), Wrong, "JSON body"),
        ("a call in another language", "Net::HTTP.post_form(URI('https://app.followupboss.com/oauth/token'), code: params[:code])".into(), Wrong, "input"),
        ("a call without its address", "r = requests.post(TOKEN_URL, data=data)".into(), Wrong, "address"),
        ("in a log", LOGGED.into(), Risky, "tokens in a log"),
        ("a refusal in a log", "12:00:01 WARN oauth: refresh failed, response: {\"error\":\"invalid_grant\"}".into(), Wrong, "invalid_grant"),
        ("an escaped refusal in a log", r#"level=warn body="{\"error\":\"invalid_grant\"}""#.into(), Wrong, "invalid_grant"),
        ("nothing to revoke", "HTTP/1.1 404 Not Found\nContent-Type: application/json\n\n{\"errorMessage\":\"OAuth application not found or not connected.\"}".into(), Note, "not connected"),
        ("nothing to revoke, without a head", "{\"errorMessage\":\"OAuth application not found or not connected.\"}".into(), Note, "not connected"),
        ("nothing to revoke, the text alone", "OAuth application not found or not connected.".into(), Note, "not connected"),
        ("429", "HTTP/1.1 429 Too Many Requests\nRetry-After: 7\nX-RateLimit-Limit: 125\n\n{\"errorMessage\":\"no\"}".into(), Wrong, "429"),
        ("500", "HTTP/1.1 500 Oops\n\n".into(), Wrong, "500"),
        ("redirected", "HTTP/1.1 302 Found\nLocation: /login\n\n".into(), Wrong, "302"),
        ("nothing of the flow", "hello".into(), Wrong, "input"),
        ("another page", "https://app.followupboss.com/2/people?x=1".into(), Wrong, "path"),
    ]
}

#[test]
fn every_mistake_of_the_list_is_found() {
    for (mistake, input, severity, what) in corpus() {
        let explanation = about(&[&input]);
        let found = explanation.findings.iter().any(|finding| finding.severity == severity && finding.what == what);
        assert!(found, "{mistake}: {input}\n{explanation:#?}");
        for finding in &explanation.findings {
            assert!(finding.at <= input.len(), "{mistake}: {finding:?}");
        }
        assert!(explanation.findings.is_sorted_by_key(|finding| (finding.input, finding.at)), "{mistake}");
        assert_eq!(explanation.is_sound(), severity == Severity::Note, "{mistake}: {explanation:#?}");
    }
}

#[test]
fn the_position_is_the_byte_where_the_value_begins() {
    let url = authorize_but("auth_code", "code");
    let finding = about(&[&url]).findings.remove(0);
    assert_eq!(&url[finding.at..finding.at + 5], "code&");
    let command = exchange_but("YXBwMTpzM2NyZXQ=", "app1:s3cr3t-s3cr3t");
    let finding = about(&[&command]).findings.remove(0);
    assert!(command[finding.at..].starts_with("app1:s3cr3t"), "{finding:?}");
}

#[test]
fn every_code_of_the_documents_has_a_cause_and_a_next_step() {
    let facts = include_str!("../../../../docs/followupboss-facts.md");
    let table = facts.split_once("### Error codes").unwrap().1.split_once("\n## ").unwrap().0;
    let codes: Vec<&str> = table.split('`').skip(1).step_by(2).collect();
    assert!(codes.len() >= 25, "{codes:?}");
    for code in codes {
        for reply in [
            format!("{{\"error\":\"{code}\"}}"),
            format!(
                "HTTP/1.1 400 Bad Request\r\n\r\n{{\"success\":false,\"errorCode\":\"{code}\",\"errorMessage\":\"no\"}}"
            ),
        ] {
            let explanation = about(&[&reply]);
            assert_eq!(explanation.kinds, [Kind::TokenReply]);
            assert_eq!(explanation.findings.len(), 1, "{reply}");
            assert_eq!(explanation.findings[0].what, code);
        }
    }
}

#[test]
fn a_reason_is_explained_beside_its_error_and_an_unknown_word_is_not() {
    for (reason, known) in [("revoked_by_user", true), ("moon_phase", false)] {
        let reply = format!("{{\"error\":\"invalid_grant\",\"reason\":\"{reason}\"}}");
        let explanation = about(&[&reply]);
        assert_eq!(explanation.findings.iter().any(|finding| finding.what == reason), known, "{explanation:#?}");
    }
}

#[test]
fn each_spelling_of_a_denial_is_told_as_what_it_is() {
    for (query, dialect) in
        [("response=denied", "Follow Up Boss sends no error"), ("error=access_denied", "standard OAuth")]
    {
        let explanation = about(&[&callback(&format!("{query}&state={STATE}"))]);
        assert_eq!(explanation.findings.len(), 1, "{explanation:#?}");
        assert_eq!(explanation.findings[0].why.contains("sends no error"), query == "response=denied");
        assert!(explanation.findings[0].why.contains(dialect), "{explanation:#?}");
    }
}

#[test]
fn a_call_in_a_program_is_read_as_the_request_that_it_sends() {
    let refresh = r#"s = requests.Session()
payload = {'grant_type': 'refresh_token', 'refresh_token': f'{token}'}
r = s.post('https://app.followupboss.com/oauth/token', payload, headers={"Authorization": f"Basic {basic}"})"#;
    let call = r#"fetch(`https://api.followupboss.com/v1/people?limit=${n}`, { headers: { Authorization: `Bearer ${token}`, 'X-System': 'Acme', 'X-System-Key': key } })"#;
    let asked = r#"requests.request("POST", "https://app.followupboss.com/oauth/token", data="grant_type=refresh_token&refresh_token=r3fr3sh-1", auth=HTTPBasicAuth("app1", "s3cr3t"))"#;
    for (kind, program) in [
        (Kind::Exchange, PYTHON),
        (Kind::Exchange, FETCH),
        (Kind::Refresh, refresh),
        (Kind::ApiCall, call),
        (Kind::Refresh, asked),
    ] {
        let explanation = about(&[program]);
        assert_eq!(explanation.kinds, [kind], "{program}");
        assert!(explanation.is_sound(), "{program}\n{explanation:#?}");
    }
    let other = PYTHON.replace("example.com/cb", "example.com/cb/");
    let finding = about(&[&authorize_but("", ""), &other]).findings.remove(0);
    assert_eq!((finding.input, finding.what.as_str()), (1, "redirect_uri"));
    assert!(other[finding.at..].starts_with("https://crm.example.com/cb/"), "{finding:?}");
}

#[test]
fn what_our_client_sends_is_sound() {
    let requests = golden::requests();
    assert!(requests.len() >= 12, "{}", requests.len());
    for request in requests {
        let explanation = about(&[&request]);
        assert!(!explanation.kinds.contains(&Kind::Unknown), "{request}");
        assert!(explanation.is_sound(), "{request}\n{explanation:#?}");
    }
}

#[test]
fn what_is_written_instead_is_sound() {
    for (mistake, input, ..) in corpus() {
        for instead in about(&[&input]).instead.into_iter().flatten() {
            let again = about(&[&instead]);
            assert!(again.is_sound(), "{mistake}: {instead}\n{again:#?}");
        }
    }
}

#[test]
fn the_steps_of_one_attempt_are_compared() {
    let asked = authorize_but("auth_code", "auth_code");
    let came = callback(&format!("response=approved&code=c0de-1234&state={STATE}"));
    let exchanged = exchange_but("", "");
    assert!(about(&[&asked, &came, &exchanged]).is_sound());

    let names = |inputs: &[&str]| -> Vec<(usize, String)> {
        about(inputs).findings.into_iter().map(|finding| (finding.input, finding.what)).collect()
    };
    let slash = exchange_but("%2Fcb", "%2Fcb%2F");
    assert_eq!(names(&[&asked, &slash]), [(1, "redirect_uri".to_owned())]);
    assert!(about(&[&asked, &slash]).findings[0].why.contains("from byte 26 on"));
    let corrected = about(&[&asked, &slash]).instead[1].clone().unwrap();
    assert!(corrected.contains("redirect_uri=https://crm.example.com/cb'"), "{corrected}");
    assert_eq!(names(&[&asked, &came.replace(STATE, &STATE.to_lowercase())]), [(1, "state".to_owned())]);
    assert_eq!(names(&[&came, &exchange_but("c0de-1234", "c0de-9999")]), [(1, "code".to_owned())]);
    assert_eq!(names(&[&came, &came]), [(1, "code".to_owned())], "a doubled callback");
    assert_eq!(names(&[&asked, &asked]), [(1, "state".to_owned())], "a fixed state");
    assert!(about(&[&asked, &asked.replace(STATE, &STATE.to_lowercase())]).is_sound());
    assert_eq!(names(&[&exchanged, &exchanged]), [(1, "code".to_owned())], "a code sent twice");
    assert_eq!(names(&[&asked, &came.replace("crm.", "www.")]), [(1, "redirect_uri".to_owned())]);
}

#[test]
fn the_registered_redirect_uri_and_the_authority_can_be_given() {
    let with = |authority, redirect_uri: Option<&str>, input: &str| {
        explain(&[input], &ExplainOptions { authority, redirect_uri: redirect_uri.map(str::to_owned) })
    };
    let url = authorize_but("auth_code", "auth_code");
    assert!(with(Authority::ByHost, Some("https://crm.example.com/cb"), &url).is_sound());
    let differs = with(Authority::ByHost, Some("https://crm.example.com/CB"), &url);
    assert!(differs.findings[0].why.contains("from byte 24 on"), "{differs:#?}");
    assert!(differs.instead[0].as_ref().unwrap().contains("%2FCB"));

    let elsewhere = url.replace("app.followupboss.com", "id.example.com");
    assert_eq!(with(Authority::FollowUpBoss, None, &elsewhere).findings[0].what, "host");
    assert!(with(Authority::Keyfob, None, &elsewhere).is_sound());
    let at = |url: &str| Authority::At(keyfob_client::safe_url::parse(url).unwrap());
    assert!(with(at("https://id.example.com"), None, &elsewhere).is_sound());
    assert_eq!(with(at("https://sso.example.com"), None, &elsewhere).findings[0].what, "host");
}

#[test]
fn the_texts() {
    let mut text = String::new();
    for (mistake, input, ..) in corpus() {
        text += &format!("# {mistake}\n");
        let explanation = about(&[&input]);
        for finding in &explanation.findings {
            text += &format!("{:?} {}: {} | {}\n", finding.severity, finding.what, finding.why, finding.write);
        }
        for instead in explanation.instead.into_iter().flatten() {
            text += &format!("> {instead}\n");
        }
    }
    insta::assert_snapshot!("explain_texts", text);
}

/// Everything that a finding could say.
fn whole(explanation: &Explanation) -> String {
    let findings = explanation.findings.iter().map(|f| format!("{} {} {}", f.what, f.why, f.write));
    findings.chain(explanation.instead.iter().flatten().cloned()).collect::<Vec<_>>().join("\n")
}

/// Where a secret may stand in a message.
const PLACES: [&str; 20] = [
    "requests.post('https://api.followupboss.com/oauth/token', json={'client_secret': 'SECRET', 'code': 'SECRET'}, auth=('id', 'SECRET'), headers={'X-System-Key': 'SECRET'})",
    "fetch('https://app.followupboss.com/oauth/token?code=SECRET', { body: 'refresh_token=SECRET', headers: { Authorization: 'Basic SECRET' } })",
    "12:00 DEBUG SECRET response: {\"access_token\":\"SECRET\",\"refresh_token\":\"SECRET\",\"error\":\"SECRET\"}",
    "https://app.followupboss.com/oauth/authorize?response_type=code&client_secret=SECRET&redirect_uri=http://x.example/SECRET",
    "https://app.followupboss.com/oauth/authorize?response_type=code&clientSecret=SECRET&state=SECRET&scope=SECRET",
    "https://user:SECRET@app.followupboss.com/oauth/authorize?response_type=code",
    "http://crm.example.com/cb?response=approved&code=SECRET&state=SECRET&error=SECRET",
    "https://crm.example.com/cb#access_token=SECRET&state=x",
    "response=approved&code=SECRET&state=SECRET",
    "curl -u app:SECRET https://api.followupboss.com/oauth/token -d grant_type=x -d code=SECRET",
    "curl -u SECRET https://api.followupboss.com/oauth/token?code=SECRET&state=SECRET",
    "curl -H 'Authorization: Basic app:SECRET' https://app.followupboss.com/oauth/token -d grant_type=refresh_token",
    "curl -H 'Authorization: SECRET' https://app.followupboss.com/v1/people?access_token=SECRET",
    "curl -H 'Authorization: Basic SECRET' -H 'X-System-Key: SECRET' https://app.followupboss.com/v1/people",
    "curl --json '{\"client_secret\":\"SECRET\",\"code\":\"SECRET\"}' https://app.followupboss.com/oauth/token",
    "curl -F client_secret=SECRET -F refresh_token=SECRET https://app.followupboss.com/oauth/token",
    "POST https://app.followupboss.com/oauth/token\nAuthorization: Bearer SECRET\n\ngrant_type=x&refresh_token=SECRET",
    "{\"access_token\":\"SECRET\",\"refresh_token\":\"SECRET\",\"expires_in\":\"SECRET\"}",
    "HTTP/1.1 401 x\n\n{\"success\":false,\"data\":{\"access_token\":\"SECRET\"},\"error\":\"SECRET\"}",
    "curl --SECRET https://app.followupboss.com/v1/me -H 'Authorization: Bearer SECRET'",
];

proptest! {
    #[test]
    fn no_input_makes_it_panic(text in ".{0,200}", inputs in proptest::collection::vec(0usize..1000, 0..3)) {
        let corpus = corpus();
        let _ = about(&[&text]);
        let inputs: Vec<&str> = inputs.iter().map(|index| corpus[index % corpus.len()].1.as_str()).collect();
        let _ = about(&inputs);
    }

    #[test]
    fn no_damage_to_a_message_makes_it_panic(row in 0usize..1000, at in 0usize..400, insert in "[\\PC\\n]{0,4}", cut in 0usize..40) {
        let corpus = corpus();
        let mut text: Vec<char> = corpus[row % corpus.len()].1.chars().collect();
        let at = at % text.len();
        let end = (at + cut).min(text.len());
        text.splice(at..end, insert.chars());
        let text: String = text.into_iter().collect();
        for finding in about(&[&text]).findings {
            prop_assert!(finding.at <= text.len());
        }
    }

    #[test]
    fn no_planted_secret_is_quoted(place in 0usize..PLACES.len(), secret in "Q[A-Za-z0-9]{20,40}Z") {
        let explanation = about(&[&PLACES[place].replace("SECRET", &secret)]);
        prop_assert!(!whole(&explanation).contains(&secret), "{explanation:#?}");
    }
}

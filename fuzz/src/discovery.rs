//! Metadata documents of authorities: only one that names the issuer that was asked, with endpoints that keep a secret, is believed.

use keyfob_client::{HttpResponse, discovery, safe_url};
use keyfob_protocol::Secret;
use url::Url;

const ISSUER: &str = "https://id.example.com";

pub(crate) fn run(bytes: &[u8]) {
    let (_, sent) = discovery::request(ISSUER).expect("a usable issuer");
    let response = HttpResponse { status: 200, headers: Vec::new(), body: Secret::new(bytes.to_vec()) };
    if let Ok(metadata) = sent.read(Ok(response)) {
        assert_eq!(metadata.issuer, ISSUER);
        for endpoint in [&metadata.authorization_endpoint, &metadata.token_endpoint] {
            let url = Url::parse(endpoint).expect("an endpoint is a URL");
            assert!(safe_url::check(&url).is_ok(), "CL-13: {endpoint}");
        }
    }
    // An issuer is a stranger's word, too.
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok((request, _)) = discovery::request(text)
    {
        let url = Url::parse(request.url.expose()).expect("a URL");
        assert!(safe_url::check(&url).is_ok() && url.path().starts_with("/.well-known/oauth-authorization-server"));
    }
}

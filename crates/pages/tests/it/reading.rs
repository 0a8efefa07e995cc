//! Just enough of an HTML reader for pages we render ourselves: tags in order, with their attributes.

/// One start or end tag.
#[derive(Debug)]
pub(crate) struct Tag {
    pub(crate) name: String,
    pub(crate) end: bool,
    pub(crate) attributes: Vec<(String, String)>,
}

impl Tag {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// Every tag of a page. Panics on a stray `<`, so that a page that would be read differently fails.
pub(crate) fn tags(html: &str) -> Vec<Tag> {
    let mut found = Vec::new();
    let mut rest = html.strip_prefix("<!DOCTYPE html>").expect("starts with the doctype");
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        let end = rest.starts_with('/');
        rest = rest.trim_start_matches('/');
        let name: String = rest.chars().take_while(char::is_ascii_alphanumeric).collect();
        assert!(!name.is_empty(), "a stray < before {:?}", rest.chars().take(30).collect::<String>());
        rest = &rest[name.len()..];
        let mut attributes = Vec::new();
        loop {
            rest = rest.trim_start_matches([' ', '\n', '/']);
            if let Some(after) = rest.strip_prefix('>') {
                rest = after;
                break;
            }
            let key: String =
                rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-' || *c == ':').collect();
            assert!(!key.is_empty(), "not an attribute: {:?}", rest.chars().take(30).collect::<String>());
            rest = &rest[key.len()..];
            let value = match rest.strip_prefix("=\"") {
                Some(after) => {
                    let (value, after) = after.split_once('"').expect("a closed attribute");
                    rest = after;
                    value.to_owned()
                }
                None => String::new(),
            };
            attributes.push((key, value));
        }
        found.push(Tag { name, end, attributes });
    }
    found
}

/// The text between tags, entities left as they are.
pub(crate) fn text(html: &str) -> String {
    html.split('<').skip(1).filter_map(|piece| piece.split_once('>')).map(|(_, text)| text).collect()
}

//! What the Content-Security-Policy and a screen reader need, on every sample.

use std::collections::BTreeSet;

use keyfob_pages::{BRAND_STYLESHEET_PATH, STYLESHEET_PATH, samples};

use crate::reading::tags;

#[test]
fn se_02_no_page_holds_script_inline_style_or_another_origin() {
    for sample in samples::all() {
        for tag in tags(&sample.html) {
            assert!(
                !matches!(tag.name.as_str(), "script" | "style" | "iframe" | "object" | "embed" | "base"),
                "{tag:?}"
            );
            for (name, value) in &tag.attributes {
                assert!(name != "style" && !name.starts_with("on"), "{}: {tag:?}", sample.name);
                if matches!(name.as_str(), "href" | "src" | "action" | "formaction") {
                    let own = value.starts_with('/') && !value.starts_with("//");
                    let data = matches!(tag.name.as_str(), "img" | "link") && value.starts_with("data:");
                    assert!(own || data, "{}: {tag:?}", sample.name);
                }
            }
        }
    }
}

#[test]
fn se_02_every_page_names_its_stylesheets_language_title_and_referrer_policy() {
    for sample in samples::all() {
        let found = tags(&sample.html);
        let has = |name: &str, attribute: &str, value: &str| {
            found.iter().any(|t| t.name == name && t.get(attribute) == Some(value))
        };
        assert!(has("html", "lang", "en") && has("meta", "name", "viewport") && has("meta", "name", "color-scheme"));
        assert!(found.iter().any(|t| t.get("name") == Some("referrer") && t.get("content") == Some("no-referrer")));
        assert!(has("link", "href", STYLESHEET_PATH) && has("link", "href", BRAND_STYLESHEET_PATH), "{}", sample.name);
        assert_eq!(found.iter().filter(|t| t.name == "h1" && !t.end).count(), 1, "{}: one heading", sample.name);
        assert!(!sample.html.contains("<title> ·"), "{}: a title", sample.name);
    }
}

#[test]
fn every_sample_is_well_formed_and_its_ids_are_unique_and_resolve() {
    const VOID: [&str; 6] = ["meta", "link", "input", "img", "br", "circle"];
    let mut names = BTreeSet::new();
    for sample in samples::all() {
        assert!(names.insert(sample.name), "{} stands twice", sample.name);
        let (mut open, mut ids, mut wanted) = (Vec::new(), BTreeSet::new(), Vec::new());
        for tag in tags(&sample.html) {
            if let Some(id) = tag.get("id") {
                assert!(ids.insert(id.to_owned()), "{}: id {id} stands twice", sample.name);
            }
            for reference in ["for", "aria-labelledby", "aria-describedby"] {
                wanted.extend(tag.get(reference).into_iter().flat_map(str::split_whitespace).map(str::to_owned));
            }
            if VOID.contains(&tag.name.as_str()) || tag.name == "path" {
                continue;
            }
            if tag.end {
                assert_eq!(open.pop(), Some(tag.name), "{}", sample.name);
            } else {
                open.push(tag.name);
            }
        }
        assert!(open.is_empty(), "{}: {open:?} left open", sample.name);
        for id in wanted {
            assert!(ids.contains(&id), "{}: nothing has the id {id}", sample.name);
        }
    }
}

#[test]
fn no_sample_holds_a_character_that_moves_or_hides_others() {
    for sample in samples::all() {
        for hidden in ['\u{202e}', '\u{200b}', '\r', '\0'] {
            assert!(!sample.html.contains(hidden), "{}: {hidden:?}", sample.name);
        }
    }
}

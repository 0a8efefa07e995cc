//! Hostile names stay names.

use keyfob_pages::{Consent, samples};

use crate::reading::{tags, text};

#[test]
fn in_02_consent_escapes_and_isolates_hostile_names() {
    let page = samples::consent_hostile().render();
    assert!(!page.contains("<img src=x") && !page.contains("<script"), "markup in a value is text");
    assert!(page.contains("&#60;img src=x onerror=alert(1)&#62;&#34;&#39;&#38;"));
    for hidden in ['\u{202e}', '\u{200b}', '\r'] {
        assert!(!page.contains(hidden), "{hidden:?} must not reach the page");
    }
    assert!(page.contains("⟨U+202E⟩moc.knab⟨U+200B⟩⟨U+000D⟩⟨U+000A⟩"), "what was hidden is spelled out");

    // Each name stands in its own bdi: an opened one is closed before anything else opens.
    let found = tags(&page);
    let opened = found.iter().filter(|t| t.name == "bdi" && !t.end).count();
    assert_eq!(opened, 7, "brand, app, system, user, role, email, account");
    for (at, tag) in found.iter().enumerate() {
        if tag.name == "bdi" && !tag.end {
            assert!(found[at + 1].name == "bdi" && found[at + 1].end, "{:?}", found[at + 1]);
        }
    }
    assert!(text(&page).contains("mixes Cyrillic and Latin letters"), "a look-alike name is called one");
    assert!(page.contains("<code>xn--cme-8cd.example</code>"), "the host stands as registered");
}

#[test]
fn in_02_consent_names_app_system_host_account_user_and_what_is_granted() {
    let page = samples::consent().render();
    let said = text(&page);
    for fact in [
        "Listing Lantern",
        "Lantern Labs",
        "app.listing-lantern.example",
        "Reyes &#38; Partners Realty",
        "Dana Reyes",
        "dana.reyes@example.com",
        "Agent",
        "Do everything your role",
    ] {
        assert!(said.contains(fact), "{fact}");
    }
    assert!(!said.contains("mixes"), "no caution about an ordinary name");
}

#[test]
fn in_02_consent_keeps_ordinary_names_of_other_scripts() {
    let page = Consent { app_name: "株式会社 שלום می\u{200c}خواهم".to_owned(), ..samples::consent() }.render();
    assert!(page.contains("<bdi class=\"name\">株式会社 שלום می\u{200c}خواهم</bdi>"));
}

#[test]
fn az_02_an_error_page_echoes_hostile_values_as_text_and_marks_the_byte() {
    let pages = samples::all();
    let page = &pages.iter().find(|s| s.name == "error-hostile").expect("a sample of that name").html;
    assert!(!page.contains("<script") && !page.contains('\u{202e}'));
    assert!(page.contains("https://<mark>\u{430}⟨U+0430⟩</mark>pp.example/&#60;script&#62;⟨U+202E⟩⟨U+000D⟩⟨U+000A⟩"));
    assert!(page.contains("https://<mark>a</mark>pp.example/"));
    assert!(page.contains("byte 8, counted from 0"));
}

//! What comes back: denials, addresses of other attempts, mixtures of both dialects, somebody else's consent.

use super::desk::Desk;
use super::sandbox::{FIXED, REDIRECT_URI, Sandbox};

#[tokio::test]
async fn cl_14_a_denial_is_told_as_one_and_an_earlier_connection_stays() {
    let sandbox = Sandbox::start();
    let desk = Desk::of(&sandbox, FIXED);
    for earlier in [false, true] {
        if earlier {
            desk.connected(&sandbox, "a").await;
        }
        let before = std::fs::read(desk.file("a")).ok();
        let connecting = desk.begin_at(sandbox.issuer(), sandbox.system("name"), &["--as", "a"]);
        let denied = sandbox.decides(sandbox.user(1, "Owner"), &connecting.url, "deny").await;
        assert!(denied.contains("response=denied"), "{denied}");
        let told = connecting.pastes(&[&denied]);
        assert_eq!((told.code, told.stdout.as_str()), (Some(8), ""), "{told:?}");
        let words = "The user declined. Run the command again if that was a mistake. Nothing was connected; an earlier connection is as it was.";
        assert!(told.stderr.contains(words), "{told:?}");
        assert_eq!(std::fs::read(desk.file("a")).ok(), before);
    }
    desk.does(&["call", "GET", "/v1/identity"]);
}

#[tokio::test]
async fn cl_01_a_wrong_paste_is_told_what_it_is_and_the_right_one_still_counts() {
    let sandbox = Sandbox::start();
    let desk = Desk::of(&sandbox, FIXED);
    let begin = || desk.begin_at(sandbox.issuer(), sandbox.system("name"), &["--as", "a"]);
    let abandoned = begin();
    let earlier = sandbox.approved(&abandoned.url).await;
    let told = abandoned.pastes(&[]);
    assert_eq!(told.code, Some(3), "{told:?}");
    assert!(told.stderr.contains("nothing was pasted"), "{told:?}");

    let wrong = [
        ("yes".to_owned(), "This is not an address"),
        (earlier, "The state is not the one of this attempt"),
        ("https://elsewhere.example/callback?code=c&state=s".to_owned(), "This is another page"),
        (format!("{REDIRECT_URI}?response=approved&code=c"), "carries no state"),
        (
            format!("{REDIRECT_URI}?code=c&state=s&state=t"),
            "carries state more than once, so it is not known which attempt it answers",
        ),
        (REDIRECT_URI.to_owned(), "was the end cut off?"),
    ];
    let connecting = begin();
    let right = sandbox.approved(&connecting.url).await;
    let url = connecting.url.clone();
    let mut lines: Vec<&str> = wrong.iter().map(|(line, _)| line.as_str()).collect();
    lines.extend([url.as_str(), "", &right]);
    let told = connecting.pastes(&lines);
    assert_eq!(told.code, Some(0), "{told:?}");
    for words in wrong.iter().map(|(_, words)| *words).chain(["This is the page to open"]) {
        assert_eq!(told.stderr.matches(words).count(), 1, "{words}: {told:?}");
    }

    assert!(!told.stderr.contains("Run the command again"), "{told:?}");

    // Only wrong ones: nothing was connected, and the last reason stands at the end.
    let before = std::fs::read(desk.file("a")).expect("the connection");
    let told = begin().pastes(&lines[..2]);
    assert_eq!((told.code, told.stdout.as_str()), (Some(3), ""), "{told:?}");
    let end = told.stderr.lines().last().expect("a line").to_owned();
    assert!(end.contains("no callback of this attempt") && end.contains("The state is not"), "{told:?}");
    assert_eq!(std::fs::read(desk.file("a")).expect("the connection"), before);
}

#[tokio::test]
async fn cl_02_a_callback_with_the_marks_of_both_dialects_leads_to_nothing() {
    let sandbox = Sandbox::start();
    let desk = Desk::of(&sandbox, FIXED);
    for (query, words) in [
        ("response=approved&code=c&error=access_denied", "marks of both"),
        ("response=denied&code=c", "carries a code: one of the two is wrong"),
        ("response=approved", "carries no code: was the end of the address cut off?"),
        ("response=maybe", "neither an approval nor a denial"),
        ("code=c&code=d", "carries code more than once, and nobody can tell which one the authority gave"),
        (
            "response=approved&code=c&response=denied",
            "as if the user had approved and declined at once: somebody added to it",
        ),
        ("error=invalid_scope&error_description=No.", "the error \"invalid_scope\": No. Check client id"),
    ] {
        let connecting = desk.begin_at(sandbox.issuer(), sandbox.system("name"), &[]);
        let state = connecting.url.split("state=").nth(1).expect("a state").to_owned();
        let told = connecting.pastes(&[&format!("{REDIRECT_URI}?{query}&state={state}")]);
        assert_eq!((told.code, told.stdout.as_str()), (Some(3), ""), "{query}: {told:?}");
        assert!(told.stderr.contains(words), "{query}: {told:?}");
        assert!(!desk.file("followupboss").exists());
    }
}

#[tokio::test]
async fn secrets_come_from_a_file_or_the_first_line_and_never_from_an_argument() {
    let sandbox = Sandbox::start();
    let whole = Desk::of(&sandbox, FIXED);
    let (secret, key) = (sandbox.app(FIXED, "clientSecret"), sandbox.system("key"));
    let file = |name: &str, text: &str| {
        let path = whole.connections().with_file_name(name);
        std::fs::write(&path, text).expect("written");
        path.to_str().expect("UTF-8").to_owned()
    };
    let (secret_file, key_file) = (file("secret", &format!("{secret}\n")), file("key", &format!("{key}\n")));
    let empty = file("empty", "\n");

    let bare = Desk::of(&sandbox, FIXED).without("KEYFOB_CLIENT_SECRET").without("KEYFOB_SYSTEM_KEY");
    let at = ["followupboss", "--sandbox", sandbox.issuer(), "--redirect-uri", REDIRECT_URI];
    let with_files = [
        &at[..],
        &["--client-secret-file", &secret_file, "--system", sandbox.system("name"), "--system-key-file", &key_file],
    ];
    let connecting = bare.begin(&with_files.concat());
    let callback = sandbox.approved(&connecting.url).await;
    assert_eq!(connecting.pastes(&[&callback]).code, Some(0));
    bare.does(&["connections", "revoke", "followupboss"]);

    let connecting = bare.begin_with(&at, &format!("{secret}\n"));
    let callback = sandbox.approved(&connecting.url).await;
    assert_eq!(connecting.pastes(&[&callback]).code, Some(0));
    assert_eq!(bare.kept("followupboss")["clientSecret"], secret);

    for (more, words) in [
        (&["--client-secret-file", &empty][..], "is empty"),
        (&["--client-secret-file", "/nowhere/secret"], "/nowhere/secret"),
        (&[], "no client secret on standard input"),
        (&["--client-secret-file", &secret_file, "--system", "Sandbox-Partner"], "KEYFOB_SYSTEM_KEY"),
    ] {
        let told = bare.run(&[&["connect"], &at[..], more].concat());
        assert_eq!((told.code, told.stdout.as_str()), (Some(3), ""), "{more:?}: {told:?}");
        assert!(told.stderr.contains(words), "{more:?}: {told:?}");
    }
    let help = bare.does(&["connect", "--help"]).stdout;
    assert!(!help.contains("--client-secret ") && !help.contains("--system-key "), "{help}");
}

#[tokio::test]
async fn a_code_that_is_not_good_any_more_is_explained() {
    let sandbox = Sandbox::start();
    let desk = Desk::of(&sandbox, FIXED);
    let connecting = desk.begin_at(sandbox.issuer(), sandbox.system("name"), &[]);
    let callback = sandbox.approved(&connecting.url).await;
    sandbox.advance("16m").await;
    let told = connecting.pastes(&[&callback]);
    assert_eq!((told.code, told.stdout.as_str()), (Some(3), ""), "{told:?}");
    assert!(told.stderr.contains("invalid_grant") && told.stderr.contains("begin again"), "{told:?}");
}

#[tokio::test]
async fn a_reconnect_is_pinned_to_the_account_and_user() {
    let sandbox = Sandbox::start();
    let desk = Desk::of(&sandbox, FIXED);
    desk.connected(&sandbox, "a").await;
    let before = std::fs::read(desk.file("a")).expect("the connection");
    for other in [sandbox.user(1, "Agent"), sandbox.user(2, "Owner")] {
        let connecting = desk.begin_at(sandbox.issuer(), sandbox.system("name"), &["--as", "a"]);
        let callback = sandbox.decides(other, &connecting.url, "approve").await;
        let told = connecting.pastes(&[&callback]);
        assert_eq!((told.code, told.stdout.as_str()), (Some(5), ""), "{told:?}");
        assert!(told.stderr.contains("is of Yusuf Shah") && told.stderr.contains("--as NAME"), "{told:?}");
        assert_eq!(std::fs::read(desk.file("a")).expect("the connection"), before);
    }
    // Also where the other one was connected while this user was away.
    let waiting = desk.begin_at(sandbox.issuer(), sandbox.system("name"), &["--as", "b"]);
    desk.connected(&sandbox, "b").await;
    let callback = sandbox.decides(sandbox.user(2, "Owner"), &waiting.url, "approve").await;
    let told = waiting.pastes(&[&callback]);
    assert_eq!((told.code, told.stdout.as_str()), (Some(5), ""), "{told:?}");
    assert!(told.stderr.contains("is of Yusuf Shah"), "{told:?}");
    assert_eq!(desk.kept("b")["identity"]["user"]["id"], 1);

    // A locked account cannot say who it is: no reason to replace somebody's connection, and none to refuse a new one.
    let locked = sandbox.user(3, "Owner");
    for (name, code) in [("a", 6), ("locked", 0)] {
        let connecting = desk.begin_at(sandbox.issuer(), sandbox.system("name"), &["--as", name]);
        let callback = sandbox.decides(locked, &connecting.url, "approve").await;
        let told = connecting.pastes(&[&callback]);
        assert_eq!(told.code, Some(code), "{told:?}");
        assert!(told.stderr.contains("locked or expired"), "{told:?}");
    }
    assert_eq!(std::fs::read(desk.file("a")).expect("the connection"), before);
    let refused = desk.run(&["call", "GET", "/v1/people", "--connection", "locked"]);
    assert_eq!(refused.code, Some(3), "403 is never a reason to reconnect: {refused:?}");
    assert!(refused.stderr.contains("connecting again does not change that"), "{refused:?}");
}

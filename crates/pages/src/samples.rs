//! At least one sample of every page: to look at (`cargo run --example gallery DIR`) and to test. Hostile ones included.

mod demo;

use crate::{
    Brand, Connection, Connections, Consent, DeveloperHint, ErrorPage, Link, Message, Permission, SignIn,
    VaultConnection, VaultOverview, VaultSignIn, first_difference,
};

/// A name that tries everything: markup, a right-to-left override, a zero-width space and a line break.
pub const HOSTILE_NAME: &str =
    "<img src=x onerror=alert(1)>\"'&\u{202e}moc.knab\u{200b}\r\n</title><script>alert(2)</script>";

/// A rendered page under a file name without extension.
#[derive(Clone, Debug)]
pub struct Sample {
    /// What it shows, in kebab case.
    pub name: &'static str,
    /// The page.
    pub html: String,
}

/// Every sample, each name once.
pub fn all() -> Vec<Sample> {
    let pages = [
        ("sign-in-for-an-app", sign_in().render()),
        ("sign-in-refused", sign_in_refused().render()),
        ("sign-in-alone", sign_in_alone().render()),
        ("consent-whole-role", consent().render()),
        ("consent-permissions", consent_with_permissions().render()),
        ("consent-hostile", consent_hostile().render()),
        ("error-redirect-uri", error_for_developer().render()),
        ("error-hostile", error_hostile().render()),
        ("error-plain", error_plain().render()),
        ("message-signed-out", message().render()),
        ("connections", connections().render()),
        ("connections-empty", connections_empty().render()),
        ("vault-sign-in", vault_sign_in().render()),
        ("vault-overview", vault_overview().render()),
        ("vault-link", vault_link().render()),
        ("demo-home", demo::home().render()),
        ("demo-connection", demo::connection().render()),
        ("demo-ended", demo::ended().render()),
        ("demo-denied", demo::denied().render()),
        ("demo-faults", demo::faults().render()),
        ("demo-problem", demo::problem().render()),
    ];
    pages.into_iter().map(|(name, html)| Sample { name, html }).collect()
}

/// A platform with a logo, a colour and a support link of its own.
pub fn brand() -> Brand {
    Brand {
        name: "Harborview".to_owned(),
        logo_url: Some("data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 36 36'%3E%3Crect width='36' height='36' rx='9' fill='%230b6b57'/%3E%3Cpath d='M8 24l10-13 10 13z' fill='%23fff'/%3E%3C/svg%3E".to_owned()),
        accent: None,
        support_url: Some("/help".to_owned()),
    }
}

fn sign_in() -> SignIn {
    SignIn {
        brand: brand(),
        app_name: Some("Listing Lantern".to_owned()),
        interaction: Some("kfint_2mXo9sealed".to_owned()),
        csrf: "csrf-token".to_owned(),
        email: String::new(),
        error: None,
        notice: Some("The app asks you to sign in again.".to_owned()),
        action: "/oauth/authorize/sign-in".to_owned(),
        cancel_action: Some("/oauth/authorize/decision".to_owned()),
    }
}

fn sign_in_refused() -> SignIn {
    SignIn {
        email: "dana.reyes@example.com".to_owned(),
        error: Some("That email and password do not match. Check both and try again.".to_owned()),
        notice: None,
        cancel_action: None,
        ..sign_in()
    }
}

fn sign_in_alone() -> SignIn {
    SignIn {
        brand: Brand::default(),
        app_name: None,
        interaction: None,
        notice: None,
        action: "/sign-in".to_owned(),
        cancel_action: None,
        ..sign_in()
    }
}

/// A consent page as most people meet it.
pub fn consent() -> Consent {
    Consent {
        brand: brand(),
        app_name: "Listing Lantern".to_owned(),
        system_name: "Lantern Labs".to_owned(),
        redirect_host: "app.listing-lantern.example".to_owned(),
        account_name: "Reyes & Partners Realty".to_owned(),
        user_name: "Dana Reyes".to_owned(),
        user_email: "dana.reyes@example.com".to_owned(),
        user_role: "Agent".to_owned(),
        granted: Vec::new(),
        resources: Vec::new(),
        interaction: "kfint_2mXo9sealed".to_owned(),
        csrf: "csrf-token".to_owned(),
        action: "/oauth/authorize/decision".to_owned(),
    }
}

fn consent_with_permissions() -> Consent {
    let permission =
        |title: &str, sentence: &str| Permission { title: title.to_owned(), sentence: sentence.to_owned() };
    Consent {
        brand: Brand { logo_url: None, ..brand() },
        granted: vec![
            permission(
                "See your people",
                "Names, email addresses, phone numbers and stages of the people you can see.",
            ),
            permission("Add notes", "Write notes on those people in your name."),
            permission("Stay connected", "Keep access while you are away, until you take it back."),
        ],
        resources: vec!["https://api.example.com/crm".to_owned()],
        ..consent()
    }
}

/// Every name is an attack.
pub fn consent_hostile() -> Consent {
    let hostile = HOSTILE_NAME.to_owned();
    Consent {
        app_name: format!("\u{410}cme {HOSTILE_NAME}"),
        system_name: hostile.clone(),
        redirect_host: "xn--cme-8cd.example".to_owned(),
        account_name: hostile.clone(),
        user_name: hostile.clone(),
        user_email: hostile.clone(),
        user_role: hostile.clone(),
        granted: vec![Permission { title: hostile.clone(), sentence: hostile }],
        interaction: "\"><script>alert(3)</script>".to_owned(),
        csrf: "'><script>alert(4)</script>".to_owned(),
        ..consent()
    }
}

fn error_for_developer() -> ErrorPage {
    let expected = "https://app.listing-lantern.example/integrations/harborview/callback";
    let received =
        "https://app.listing-lantern.example/integrations/harborview/callback/?utm_source=settings-page-of-the-partner";
    ErrorPage {
        brand: brand(),
        status: 400,
        title: "This link cannot be used".to_owned(),
        for_user: "The app that sent you here made a mistake in its request. Nothing was connected. Go back to the app and tell its support about this page.".to_owned(),
        for_developer: Some(DeveloperHint {
            parameter: "redirect_uri".to_owned(),
            expected: Some(expected.to_owned()),
            received: Some(received.to_owned()),
            differs_at_byte: first_difference(expected, received),
            explanation: "The redirect URI is compared byte for byte with the registered ones. The closest is shown here. Send it exactly as registered, or register the new one.".to_owned(),
        }),
        request_id: "01JDA7Q2T5R8WZ".to_owned(),
    }
}

fn error_hostile() -> ErrorPage {
    let received = "https://\u{430}pp.example/<script>\u{202e}\r\n";
    ErrorPage {
        title: HOSTILE_NAME.to_owned(),
        for_user: HOSTILE_NAME.to_owned(),
        for_developer: Some(DeveloperHint {
            parameter: HOSTILE_NAME.to_owned(),
            expected: Some("https://app.example/".to_owned()),
            received: Some(received.to_owned()),
            differs_at_byte: first_difference("https://app.example/", received),
            explanation: HOSTILE_NAME.to_owned(),
        }),
        ..error_for_developer()
    }
}

fn error_plain() -> ErrorPage {
    ErrorPage {
        status: 503,
        title: "Please try again in a minute".to_owned(),
        for_user: "We could not save your decision, so nothing was connected. Go back to the app and start again."
            .to_owned(),
        for_developer: None,
        ..error_for_developer()
    }
}

fn message() -> Message {
    Message {
        brand: brand(),
        title: "You are signed out".to_owned(),
        sentence: "Apps that you connected stay connected. You can close this page.".to_owned(),
        link: Some(Link { text: "Sign in again".to_owned(), href: "/sign-in".to_owned() }),
    }
}

fn connections() -> Connections {
    let connection = |app: &str, system: &str, permissions: &[&str], last_used: Option<&str>| Connection {
        grant: format!("grant-{}", app.len()),
        app_name: app.to_owned(),
        system_name: system.to_owned(),
        connected_on: "12 November 2026".to_owned(),
        last_used: last_used.map(str::to_owned),
        permissions: permissions.iter().map(|p| (*p).to_owned()).collect(),
        resources: Vec::new(),
    };
    let at =
        vec!["https://api.example.com/crm".to_owned(), format!("https://{}.example.com/notes", "long-".repeat(12))];
    let bound = Connection {
        resources: at,
        ..connection("Doorbell", "Front Porch Software", &["See your people", "Add notes"], None)
    };
    Connections {
        brand: brand(),
        user_name: "Dana Reyes".to_owned(),
        user_email: "dana.reyes@example.com".to_owned(),
        account_name: "Reyes & Partners Realty".to_owned(),
        connections: vec![
            connection("Listing Lantern", "Lantern Labs", &[], Some("4 minutes ago")),
            bound,
            connection(HOSTILE_NAME, "שלום עולם", &["See your people"], Some("yesterday")),
        ],
        notice: Some("Open House Helper was disconnected.".to_owned()),
        csrf: "csrf-token".to_owned(),
    }
}

fn connections_empty() -> Connections {
    Connections { connections: Vec::new(), notice: None, ..connections() }
}

fn vault_sign_in() -> VaultSignIn {
    VaultSignIn { brand: brand(), error: Some("This is no key of a caller that may read.".to_owned()) }
}

fn vault_overview() -> VaultOverview {
    let good = VaultConnection {
        id: "user-4711".to_owned(),
        state: "connected".to_owned(),
        is_good: true,
        since: Some("2026-11-12T09:30:00Z".to_owned()),
        reason: None,
        identity: Some("Yusuf Shah at Harbor & Pine Realty".to_owned()),
        last_call: Some("2026-11-26T08:01:12Z".to_owned()),
        idle_days: Some(90),
        may_reconnect: true,
    };
    let ended = VaultConnection {
        id: "user-4712".to_owned(),
        state: "reauth required".to_owned(),
        is_good: false,
        reason: Some("status 400, invalid_grant: the user has ended it".to_owned()),
        identity: Some(HOSTILE_NAME.to_owned()),
        last_call: None,
        idle_days: None,
        ..good.clone()
    };
    VaultOverview {
        brand: brand(),
        caller: "backend".to_owned(),
        apps: vec!["fub".to_owned(), "fub-test".to_owned()],
        app: "fub".to_owned(),
        connections: vec![good, ended],
        next: Some("user-4712".to_owned()),
        csrf: "c5rf".to_owned(),
        link: None,
    }
}

fn vault_link() -> VaultOverview {
    let url = "https://connect.example.com/connect/0aB1cD2eF3gH4iJ5kL6mN7oP8qR9sT0uV1wX2yZ3aB4c";
    VaultOverview { link: Some(("user-4712".to_owned(), url.to_owned())), connections: Vec::new(), ..vault_overview() }
}

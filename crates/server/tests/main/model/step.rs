//! What can happen to grants. Numbers choose among what there is, so that every list of steps makes sense, also after shrinking.

use proptest::prelude::*;

/// One step.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// A user consents to an app.
    Consent { app: usize, user: usize, scope: Option<&'static str> },
    /// An app redeems a code, perhaps not for the first time.
    Redeem { grant: usize },
    /// Another app tries somebody's code.
    RedeemAsAnother { grant: usize },
    /// An app refreshes with one of the tokens it ever had; 0 is the latest.
    Refresh { grant: usize, back: usize, scope: Option<&'static str> },
    /// Another app tries somebody's refresh token.
    RefreshAsAnother { grant: usize },
    /// An access token is shown to the gate; 0 is the latest.
    Call { grant: usize, back: usize },
    /// The app gives its refresh token back (RFC 7009).
    RevokeGrant { grant: usize },
    /// The app gives one access token back.
    RevokeAccess { grant: usize, back: usize },
    /// The user ends it on their page.
    EndByUser { grant: usize },
    /// An operator switches an app off or on.
    App { app: usize, enabled: bool },
    /// An operator switches a user off or on.
    User { user: usize, enabled: bool },
    /// An operator switches everybody's account off or on.
    Account { enabled: bool },
    /// Time passes.
    Wait { seconds: i64 },
    /// The process ends and another one starts on the same store.
    Restart,
}

/// Around every limit that there is: a second, the replay window, lifetimes of codes and access tokens, 90 days.
const TIMES: [i64; 12] = [0, 1, 2, 44, 46, 600, 899, 900, 3_599, 3_600, 30 * 86_400, 91 * 86_400];

pub(super) const READ: &str = "people:read";
pub(super) const BOTH: &str = "people:read people:write";

fn scope() -> impl Strategy<Value = Option<&'static str>> {
    prop_oneof![3 => Just(None), 1 => Just(Some(READ)), 1 => Just(Some(BOTH))]
}

pub(super) fn any_step() -> impl Strategy<Value = Step> {
    let grant = 0..64_usize;
    let back = prop_oneof![4 => Just(0_usize), 3 => 1..4_usize];
    prop_oneof![
        4 => (0..3_usize, 0..2_usize, scope()).prop_map(|(app, user, scope)| Step::Consent { app, user, scope }),
        6 => grant.clone().prop_map(|grant| Step::Redeem { grant }),
        1 => grant.clone().prop_map(|grant| Step::RedeemAsAnother { grant }),
        10 => (grant.clone(), back.clone(), scope()).prop_map(|(grant, back, scope)| Step::Refresh { grant, back, scope }),
        1 => grant.clone().prop_map(|grant| Step::RefreshAsAnother { grant }),
        8 => (grant.clone(), back.clone()).prop_map(|(grant, back)| Step::Call { grant, back }),
        1 => grant.clone().prop_map(|grant| Step::RevokeGrant { grant }),
        1 => (grant.clone(), back).prop_map(|(grant, back)| Step::RevokeAccess { grant, back }),
        1 => grant.prop_map(|grant| Step::EndByUser { grant }),
        1 => (0..3_usize, any::<bool>()).prop_map(|(app, enabled)| Step::App { app, enabled }),
        1 => (0..2_usize, any::<bool>()).prop_map(|(user, enabled)| Step::User { user, enabled }),
        1 => prop_oneof![1 => Just(false), 2 => Just(true)].prop_map(|enabled| Step::Account { enabled }),
        6 => proptest::sample::select(&TIMES[..]).prop_map(|seconds| Step::Wait { seconds }),
        1 => Just(Step::Restart),
    ]
}

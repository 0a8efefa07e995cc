//! The authorize request, by GET or POST: whatever it says, a refusal is only spoken of to a destination that was read first.

use keyfob_protocol::authorize::{AuthorizeRequest, Destination};
use keyfob_protocol::form::Form;

pub(crate) fn run(bytes: &[u8]) {
    let Ok(form) = Form::parse(bytes) else { return };
    let Ok(destination) = Destination::read(&form) else { return };
    assert!(!destination.client_id.is_empty() && !destination.redirect_uri.is_empty());
    let read = AuthorizeRequest::read(&form);
    let state = match &read {
        Ok(request) => request.state.as_deref(),
        Err(refusal) => refusal.state.as_deref(),
    };
    if let Some(state) = state {
        assert!(state.len() <= 2048 && !state.chars().any(char::is_control), "AZ-06: {state:?}");
        assert_eq!(form.one("state").ok().flatten(), Some(state), "returned as it was sent");
    }
}

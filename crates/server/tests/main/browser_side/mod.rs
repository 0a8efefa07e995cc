//! Authorize, sign-in, consent, connections, and what every answer to a browser carries.

mod asserting;
mod authorize_limits;
mod authorize_methods;
mod authorize_request;
mod authorize_values;
mod connections;
mod consent;
mod cors;
mod decisions;
mod faults;
mod frozen_request;
mod hand_off;
mod hand_off_changes;
mod hand_off_people;
mod listener;
mod logs;
mod metadata;
mod pages_and_cookies;
mod paths;
mod platform;
mod redirects;
mod sign_in;
mod sign_in_limits;
mod tls;

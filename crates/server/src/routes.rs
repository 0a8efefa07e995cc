//! One file a route. The table is in [`crate::router`].

pub(crate) mod about_token;
pub(crate) mod assets;
pub(crate) mod authorize;
pub(crate) mod connections;
pub(crate) mod consent;
pub(crate) mod decision;
pub(crate) mod hand_off;
pub(crate) mod health;
pub(crate) mod identity;
pub(crate) mod jwks;
pub(crate) mod metadata;
pub(crate) mod not_found;
pub(crate) mod oauth_apps;
pub(crate) mod openapi;
mod openapi_schemas;
pub(crate) mod openid;
pub(crate) mod platform;
pub(crate) mod posted;
pub(crate) mod protected_resource;
pub(crate) mod revocations;
pub(crate) mod sign_in;
pub(crate) mod token;

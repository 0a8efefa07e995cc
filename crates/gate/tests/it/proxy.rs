//! BR-10: the reverse proxy. `proxied` starts one in front of an upstream that says what it saw.

mod bodies;
mod failing;
mod headers;
mod paths;
mod proxied;
mod smuggling;

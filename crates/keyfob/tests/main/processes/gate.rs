//! `keyfob gate` as a process: behind a real nginx, as a proxy, and without its authority. `authority` scripts the other end.

mod alone;
mod authority;
mod behind_nginx;
pub(super) mod guarding;
mod of_a_resource;
mod of_three_nodes;

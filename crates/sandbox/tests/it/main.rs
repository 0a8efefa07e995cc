//! The sandbox through its public door: requests to the router, and the seed as others take it.

mod authentication;
mod browser;
mod calls;
mod control;
mod crash;
mod demo;
mod fault_switches;
mod faults;
mod faults_survived;
mod flows;
mod governor;
mod identity;
mod integration;
mod kept;
mod leads;
mod notes;
mod people;
mod rate_limits;
mod raw;
mod recording;
mod roles;
mod routes;
mod running;
mod seed;
mod start;
mod webhooks;

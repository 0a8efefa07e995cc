//! The authority's integration tests: one binary, one module a subject.

mod refresh_model;

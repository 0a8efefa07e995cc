//! The token endpoint, row by row.

//! The binary as a process: configuration, crashes, restores, commands beside a running authority.

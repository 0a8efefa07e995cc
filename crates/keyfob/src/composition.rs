//! The parts that only the composition root may make: the system's clock and randomness, files, signals, the log.

pub(crate) mod authority;
pub(crate) mod back_channel;
pub(crate) mod clock;
pub(crate) mod entropy;
pub(crate) mod lock;
pub(crate) mod log;
pub(crate) mod master_key;
pub(crate) mod secret_file;
pub(crate) mod signals;
pub(crate) mod stopwatch;
pub(crate) mod stores;
pub(crate) mod tick_mark;

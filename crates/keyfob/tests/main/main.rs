//! The binary as people run it. `processes`: start, stop, kill, restore; `in_chromium`: the pages in a real browser.

mod in_chromium;
mod processes;
mod readme;
mod sandbox_faults;
mod vault_guide;

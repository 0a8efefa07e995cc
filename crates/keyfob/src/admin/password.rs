//! A password from standard input: never an argument, which other processes could read.

use crate::composition::authority::Opened;
use crate::exit::Exit;
use crate::output;
use anyhow::Context;
use keyfob_authority::Fault;
use keyfob_authority::passwords::{MAX_PASSWORD, MIN_PASSWORD, Passwords};
use keyfob_protocol::Secret;
use std::io::{IsTerminal, Read};

/// Reads a password and hashes it.
pub(crate) async fn hashed(opened: &Opened) -> anyhow::Result<String> {
    let password = read()?;
    let passwords = Passwords::new(&*opened.entropy).map_err(Fault::from)?;
    Ok(passwords.hash(password, &*opened.entropy).await.map_err(Fault::from)?)
}

fn read() -> anyhow::Result<Secret<String>> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        output::say(
            "keyfob: type the password, then Enter (it is not hidden; a pipe works, too: … | keyfob user password 1)",
        );
    }
    let mut line = String::new();
    match stdin.is_terminal() {
        true => stdin.read_line(&mut line).map(drop),
        false => stdin.lock().take(2 * MAX_PASSWORD as u64).read_to_string(&mut line).map(drop),
    }
    .context("the password cannot be read from standard input")?;
    let password = line.strip_suffix('\n').unwrap_or(&line);
    let password = password.strip_suffix('\r').unwrap_or(password);
    if password.chars().count() < MIN_PASSWORD || password.len() > MAX_PASSWORD {
        return Err(Exit::Refused
            .because(format!("a password has {MIN_PASSWORD} characters or more and at most {MAX_PASSWORD} bytes")));
    }
    Ok(Secret::from(password))
}

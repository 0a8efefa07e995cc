//! `[callers.NAME]`: a program with a key, and what it may do.

use super::findings::Findings;
use super::refuse;
use anyhow::Context;
use keyfob_vault::callers::{Caller, ProxyRule, Right};
use serde::Deserialize;
use std::collections::BTreeSet;

/// The section as written. The sample explains each key.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CallerFile {
    key_sha256: String,
    #[serde(default)]
    rights: BTreeSet<RightName>,
    apps: Option<BTreeSet<String>>,
    #[serde(default)]
    proxy: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RightName {
    Connect,
    Read,
    Manage,
    Token,
}

impl CallerFile {
    /// Its rights; apps are those that are configured.
    pub(super) fn read(self, name: &str, apps: &BTreeSet<String>) -> anyhow::Result<Caller> {
        let mut findings = Findings::default();
        let of_caller = |what: &str| format!("callers.{name}.{what}");
        let key_sha256 = match hex(&self.key_sha256) {
            Some(digest) if digest == [0; 32] => {
                let setting = of_caller("key_sha256");
                findings.refuse(format!("{setting} is the sample's; make a key and its digest: keyfob vault key"));
                None
            }
            Some(digest) => Some(digest),
            None => {
                let setting = of_caller("key_sha256");
                findings.refuse(format!("{setting} must be 64 hexadecimal digits, as keyfob vault key prints them"));
                None
            }
        };
        if let Some(unknown) = self.apps.iter().flatten().find(|app| !apps.contains(*app)) {
            findings.refuse(format!("{}: there is no app {unknown}", of_caller("apps")));
        }
        let rules = self
            .proxy
            .iter()
            .map(|rule| ProxyRule::parse(rule).map_err(|error| refuse(format!("{}: {error}", of_caller("proxy")))));
        let proxy = rules.filter_map(|rule| findings.keep(rule)).collect();
        findings.end()?;
        let rights = self.rights.iter().map(|right| match right {
            RightName::Connect => Right::Connect,
            RightName::Read => Right::Read,
            RightName::Manage => Right::Manage,
            RightName::Token => Right::Token,
        });
        Ok(Caller {
            rights: rights.collect(),
            proxy,
            key_sha256: key_sha256.context("invariant: a caller without a digest was refused")?,
            apps: self.apps,
            name: name.to_owned(),
        })
    }
}

/// 32 bytes in hexadecimal.
pub(in crate::vault) fn hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

//! What may come into our binaries, by `deny.toml`, for machines without cargo-deny: sources, bans and licences of everything that is locked. And that
//! no crate of ours may hold `unsafe` (matrix OP-05).

use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

/// What stands against a tree; empty: nothing. `metadata` is what `cargo metadata` prints, which names all that some feature or platform might bring in;
/// `built` are the packages, as `name vVERSION`, that ours do.
pub fn problems(root: &Path, metadata: &Value, built: &BTreeSet<String>) -> Result<Vec<String>, String> {
    let read = |file: &str| std::fs::read_to_string(root.join(file)).map_err(|error| format!("{file}: {error}"));
    let deny = read("deny.toml")?;
    let mut problems = Vec::new();
    problems.extend(unsafe_allowed(&read("Cargo.toml")?, metadata, root));
    let allowed: BTreeSet<String> = strings_of(&deny, "allow").into_iter().collect();
    let banned: BTreeSet<String> = deny.lines().filter_map(banned_crate).collect();
    if allowed.is_empty() || banned.is_empty() {
        return Err("deny.toml allows no licence or bans no crate: it was not understood".to_owned());
    }
    let packages = metadata["packages"].as_array().ok_or("cargo metadata names no packages")?;
    for package in packages {
        let text = |field: &str| package[field].as_str().unwrap_or_default();
        let (name, source) = (text("name"), package["source"].as_str());
        if !built.contains(&format!("{name} v{}", text("version"))) {
            continue;
        }
        if banned.contains(name) {
            problems.push(format!("{name} is banned by deny.toml"));
        }
        let Some(source) = source else { continue };
        if !source.starts_with("registry+") {
            problems.push(format!("{name} comes from {source}, which is no registry"));
        }
        if !licence_fits(text("license"), &allowed) {
            problems.push(format!("{name} has the licence \"{}\", which deny.toml does not allow", text("license")));
        }
    }
    Ok(problems)
}

/// Every crate of ours takes the workspace's lints, and those forbid `unsafe`. What is no member takes none and is not shipped.
fn unsafe_allowed(workspace: &str, metadata: &Value, root: &Path) -> Vec<String> {
    let mut problems = Vec::new();
    if !workspace.lines().any(|line| line.trim() == "unsafe_code = \"forbid\"") {
        problems.push("Cargo.toml does not forbid unsafe code".to_owned());
    }
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let manifest = package["manifest_path"].as_str().map(Path::new);
        let Some(manifest) = manifest.filter(|_| package["source"].is_null()) else { continue };
        let text = std::fs::read_to_string(manifest).unwrap_or_default();
        let lints = text.split("[lints]").nth(1).and_then(|rest| rest.trim_start().lines().next()).unwrap_or_default();
        if lints.trim() != "workspace = true" {
            let shown = manifest.strip_prefix(root).unwrap_or(manifest);
            problems.push(format!("{} does not take the workspace's lints", shown.display()));
        }
    }
    problems
}

/// Whether one of the choices of a licence expression is allowed whole. `A OR (B AND C)`, `A/B`, `A WITH exception`.
pub fn licence_fits(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut tokens = spaced.split_whitespace().peekable();
    let fits = any_of(&mut tokens, allowed);
    fits.unwrap_or(false) && tokens.next().is_none()
}

type Tokens<'t, 'e> = &'t mut std::iter::Peekable<std::str::SplitWhitespace<'e>>;

fn any_of(tokens: Tokens<'_, '_>, allowed: &BTreeSet<String>) -> Option<bool> {
    let mut fits = all_of(tokens, allowed)?;
    while tokens.peek() == Some(&"OR") {
        tokens.next();
        fits |= all_of(tokens, allowed)?;
    }
    Some(fits)
}

fn all_of(tokens: Tokens<'_, '_>, allowed: &BTreeSet<String>) -> Option<bool> {
    let mut fits = one(tokens, allowed)?;
    while tokens.peek() == Some(&"AND") {
        tokens.next();
        fits &= one(tokens, allowed)?;
    }
    Some(fits)
}

fn one(tokens: Tokens<'_, '_>, allowed: &BTreeSet<String>) -> Option<bool> {
    match tokens.next()? {
        "(" => {
            let fits = any_of(tokens, allowed)?;
            (tokens.next() == Some(")")).then_some(fits)
        }
        "OR" | "AND" | ")" | "WITH" => None,
        licence => {
            if tokens.peek() != Some(&"WITH") {
                return Some(allowed.contains(licence));
            }
            tokens.next();
            let whole = format!("{licence} WITH {}", tokens.next()?);
            Some(allowed.contains(&whole))
        }
    }
}

/// The strings of `name = [ … ]`, the first one in the file.
fn strings_of(toml: &str, name: &str) -> Vec<String> {
    let Some((_, rest)) = toml.split_once(&format!("\n{name} = [")) else { return Vec::new() };
    let list = rest.split(']').next().unwrap_or_default();
    list.lines().filter_map(|line| Some(line.trim().strip_prefix('"')?.split('"').next()?.to_owned())).collect()
}

fn banned_crate(line: &str) -> Option<String> {
    Some(line.trim().strip_prefix("{ crate = \"")?.split('"').next()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn allowed() -> BTreeSet<String> {
        ["MIT", "Apache-2.0", "Unicode-3.0"].map(str::to_owned).into()
    }

    #[test]
    fn op_05_a_licence_expression_fits_by_one_whole_choice() {
        for fits in [
            "MIT",
            "MIT OR GPL-3.0",
            "GPL-3.0/MIT",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "GPL-3.0 OR (MIT AND Apache-2.0)",
        ] {
            assert!(licence_fits(fits, &allowed()), "{fits}");
        }
        for bad in
            ["", "GPL-3.0", "MIT AND GPL-3.0", "Apache-2.0 WITH LLVM-exception", "MIT OR", "(MIT", "MIT MIT", "OR"]
        {
            assert!(!licence_fits(bad, &allowed()), "{bad}");
        }
    }

    #[test]
    fn op_05_what_is_banned_from_elsewhere_or_without_a_fitting_licence_is_named() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace");
        let package = |name: &str, source: &str, license: &str| json!({ "name": name, "version": "1.0.0", "source": source, "license": license });
        let registry = "registry+https://example.com/index";
        let metadata = json!({ "packages": [
            package("good", registry, "MIT OR Apache-2.0"),
            package("openssl", registry, "Apache-2.0"),
            package("forked", "git+https://example.com/forked", "MIT"),
            package("copyleft", registry, "GPL-3.0-only"),
            package("never-built", registry, "GPL-3.0-only"),
        ]});
        let built = ["good", "openssl", "forked", "copyleft"].map(|name| format!("{name} v1.0.0")).into();
        let told = problems(root, &metadata, &built).expect("deny.toml is understood");
        assert_eq!(told.len(), 3, "{told:?}");
        for (name, problem) in ["openssl", "forked", "copyleft"].iter().zip(&told) {
            assert!(problem.starts_with(name), "{problem}");
        }
        let ours = json!({ "packages": [{ "name": "x", "source": null, "manifest_path": root.join("fuzz/driver/Cargo.toml") }] });
        assert_eq!(problems(root, &ours, &built).expect("understood").len(), 1, "a member without the lints");
    }
}

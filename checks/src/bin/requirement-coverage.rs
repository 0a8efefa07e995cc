//! `requirement-coverage [--wave N] [--root DIR]`: lists the requirements of waves 1 to N (default 1) in
//! `DIR/docs/requirements.md` that no test below DIR (default: the current directory) is named after. Exit code 1 when
//! there is one, 2 when the question or the matrix is wrong.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line program")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::{env, fs};

use keyfob_checks::coverage;

fn main() -> ExitCode {
    match uncovered() {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("requirement-coverage: {why}");
            ExitCode::from(2)
        }
    }
}

fn uncovered() -> Result<usize, String> {
    let (wave, root) = arguments()?;
    let matrix = root.join("docs/requirements.md");
    let text = fs::read_to_string(&matrix).map_err(|e| format!("cannot read {}: {e}", matrix.display()))?;
    let mut wanted = coverage::requirements(&text)?;
    wanted.retain(|row| row.wave <= wave);
    let covered = coverage::test_ids_below(&root).map_err(|e| format!("cannot search {}: {e}", root.display()))?;
    let missing: Vec<_> = wanted.iter().filter(|row| !covered.contains(&row.id)).collect();
    for row in &missing {
        println!("{}  {:6}  {}", row.id, row.level, row.text.chars().take(110).collect::<String>());
    }
    let named = wanted.len() - missing.len();
    println!("{named} of {} requirements of waves 1..{wave} have a test named after them", wanted.len());
    Ok(missing.len())
}

fn arguments() -> Result<(u8, PathBuf), String> {
    let (mut wave, mut root) = (1, PathBuf::from("."));
    let mut arguments = env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--wave" => wave = value.parse().map_err(|_| format!("--wave takes 1, 2 or 3, not {value}"))?,
            "--root" => root = PathBuf::from(value),
            _ => return Err(format!("unknown argument {name}; usage: requirement-coverage [--wave N] [--root DIR]")),
        }
    }
    Ok((wave, root))
}

//! The data as a file: one JSON document, replaced as a whole.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use http::StatusCode;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::data::Data;
use super::error::ApiError;
use crate::replace_file::replace_file;

/// The version of the file's form; a file of another version is refused.
const VERSION: u32 = 1;

/// The data could not be read or kept.
#[derive(Debug, Error)]
pub enum SavedError {
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not one of ours, or not of this version.
    #[error("{}: not the data of a sandbox of this version: {reason}", path.display())]
    Form {
        /// Which file.
        path: PathBuf,
        /// What was wrong.
        reason: String,
    },
    /// The file was made from another seed, whose users and keys are others.
    #[error("{}: made with --seed {found}, not {expected}; give the same seed, or another directory", path.display())]
    OtherSeed {
        /// Which file.
        path: PathBuf,
        /// The seed of the file.
        found: u64,
        /// The seed asked for.
        expected: u64,
    },
}

impl From<SavedError> for ApiError {
    fn from(error: SavedError) -> ApiError {
        tracing::error!(%error, "the API's data could not be kept");
        ApiError {
            status: StatusCode::SERVICE_UNAVAILABLE,
            message: "The change could not be kept and did not happen; the sandbox's log says why.".to_owned(),
        }
    }
}

#[derive(Serialize)]
struct Writing<'d> {
    version: u32,
    seed: u64,
    data: &'d Data,
}

#[derive(Deserialize)]
struct Header {
    version: u32,
    seed: u64,
}

#[derive(Deserialize)]
struct Reading {
    data: Data,
}

/// The data of the file, or `None` if there is no file.
pub(super) fn read(path: &Path, seed: u64) -> Result<Option<Data>, SavedError> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(SavedError::File { path: path.to_owned(), source }),
    };
    let form = |reason: String| SavedError::Form { path: path.to_owned(), reason };
    let header: Header = serde_json::from_slice(&text).map_err(|error| form(error.to_string()))?;
    if header.version != VERSION {
        return Err(form(format!("version {} instead of {VERSION}", header.version)));
    }
    if header.seed != seed {
        return Err(SavedError::OtherSeed { path: path.to_owned(), found: header.seed, expected: seed });
    }
    let reading: Reading = serde_json::from_slice(&text).map_err(|error| form(error.to_string()))?;
    Ok(Some(reading.data))
}

/// Replaces the file: a crash leaves the old data or the new.
pub(super) fn write(path: &Path, seed: u64, data: &Data) -> Result<(), SavedError> {
    let text =
        serde_json::to_vec(&Writing { version: VERSION, seed, data }).expect("invariant: records are plain data");
    replace_file(path, &text).map_err(|source| SavedError::File { path: path.to_owned(), source })
}

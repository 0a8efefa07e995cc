//! Which column of an export is which, by the names that people give them.

use std::collections::BTreeMap;
use std::str::FromStr;
use thiserror::Error;

/// What an import needs of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Column {
    /// The connection's name in the vault: your own user's id.
    Id,
    /// The access token. May be missing where there is a refresh token.
    AccessToken,
    /// The refresh token.
    RefreshToken,
    /// When the access token ends: ISO 8601, or seconds or milliseconds since 1970.
    ExpiresAt,
    /// How many seconds it lives from `obtained_at` on.
    ExpiresIn,
    /// When it was obtained.
    ObtainedAt,
    /// The granted scope.
    Scope,
}

/// All of them, with the spellings that are understood; compared in lower case and without `_`, `-`, `.` and spaces.
const KNOWN: [(Column, &str, &[&str]); 7] = [
    (Column::Id, "id", &["id", "userid", "connectionid", "externalid"]),
    (Column::AccessToken, "access_token", &["accesstoken"]),
    (Column::RefreshToken, "refresh_token", &["refreshtoken"]),
    (
        Column::ExpiresAt,
        "expires_at",
        &["expiresat", "expiry", "expires", "expirydate", "tokenexpiresat", "accesstokenexpiresat"],
    ),
    (Column::ExpiresIn, "expires_in", &["expiresin", "ttl"]),
    (Column::ObtainedAt, "obtained_at", &["obtainedat", "issuedat"]),
    (Column::Scope, "scope", &["scope", "scopes"]),
];

impl Column {
    /// The name that is used in reports and in `--map column=name`.
    pub fn name(self) -> &'static str {
        KNOWN.iter().find(|(column, ..)| *column == self).map_or("", |(_, name, _)| name)
    }
}

/// Columns that are called otherwise.
#[derive(Clone, Debug, Default)]
pub struct Mapping(BTreeMap<String, Column>);

/// A mapping makes no sense.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum MappingError {
    /// It has no `=`.
    #[error("{0:?} does not say column=name")]
    Malformed(String),
    /// Its right side is none of ours.
    #[error("{name:?} is nothing that is imported; it is one of {}", KNOWN.map(|(_, name, _)| name).join(", "))]
    Unknown {
        /// What it says.
        name: String,
    },
}

/// It cannot be told which column is which.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum ColumnsUnclear {
    /// Two columns could be the same.
    #[error("both {0:?} and {1:?} could be {2}; say which by --map {0}={2}")]
    Ambiguous(String, String, &'static str),
    /// A mapping names a column that is not there.
    #[error("there is no column {0:?} to map")]
    NoSuchColumn(String),
}

impl FromStr for Mapping {
    type Err = MappingError;

    /// One `column=name`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (theirs, ours) = text.split_once('=').ok_or_else(|| MappingError::Malformed(text.to_owned()))?;
        let known = KNOWN.iter().find(|(_, name, _)| *name == ours.trim());
        let (column, ..) = known.ok_or_else(|| MappingError::Unknown { name: ours.to_owned() })?;
        Ok(Mapping(BTreeMap::from([(theirs.trim().to_owned(), *column)])))
    }
}

impl FromIterator<Mapping> for Mapping {
    fn from_iter<I: IntoIterator<Item = Mapping>>(mappings: I) -> Self {
        Mapping(mappings.into_iter().flat_map(|mapping| mapping.0).collect())
    }
}

impl Mapping {
    /// Columns that a mapping names and that are none of these.
    pub(super) fn check<'n>(&self, theirs: impl IntoIterator<Item = &'n str>) -> Result<(), ColumnsUnclear> {
        let theirs: Vec<&str> = theirs.into_iter().collect();
        match self.0.keys().find(|mapped| !theirs.contains(&mapped.as_str())) {
            Some(missing) => Err(ColumnsUnclear::NoSuchColumn(missing.clone())),
            None => Ok(()),
        }
    }

    /// Which of our columns each of theirs is, if it is one. What was mapped outdoes what is guessed.
    pub(super) fn read<'n>(
        &self,
        theirs: impl IntoIterator<Item = &'n str>,
    ) -> Result<Vec<Option<Column>>, ColumnsUnclear> {
        let theirs: Vec<&str> = theirs.into_iter().collect();
        let mapped: Vec<Option<Column>> = theirs.iter().map(|name| self.0.get(*name).copied()).collect();
        let mut taken: BTreeMap<Column, &str> = BTreeMap::new();
        let mut read = Vec::with_capacity(theirs.len());
        for (name, mapped_to) in theirs.iter().zip(&mapped) {
            let column = match mapped_to {
                Some(column) => Some(*column),
                None => guessed(name).filter(|column| !mapped.contains(&Some(*column))),
            };
            if let Some(column) = column
                && let Some(other) = taken.insert(column, name)
            {
                return Err(ColumnsUnclear::Ambiguous(other.to_owned(), (*name).to_owned(), column.name()));
            }
            read.push(column);
        }
        Ok(read)
    }
}

fn guessed(name: &str) -> Option<Column> {
    let plain: String =
        name.chars().filter(|c| !matches!(c, '_' | '-' | '.' | ' ')).flat_map(char::to_lowercase).collect();
    KNOWN.iter().find(|(.., spellings)| spellings.contains(&plain.as_str())).map(|(column, ..)| *column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_that_people_give_are_understood() {
        let read = Mapping::default().read(["User ID", "accessToken", "REFRESH_TOKEN", "expires-at", "email"]);
        let expected =
            [Some(Column::Id), Some(Column::AccessToken), Some(Column::RefreshToken), Some(Column::ExpiresAt), None];
        assert_eq!(read, Ok(expected.to_vec()));
    }

    #[test]
    fn two_columns_that_could_be_one_are_asked_about_and_a_mapping_answers() {
        let both = ["id", "user_id"];
        let unclear = ColumnsUnclear::Ambiguous("id".to_owned(), "user_id".to_owned(), "id");
        assert_eq!(Mapping::default().read(both), Err(unclear));
        let mapping: Mapping = "user_id=id".parse().expect("a mapping");
        assert_eq!(mapping.read(both), Ok(vec![None, Some(Column::Id)]));
        assert_eq!(mapping.check(["id"]), Err(ColumnsUnclear::NoSuchColumn("user_id".to_owned())));
        assert!(matches!("x=y".parse::<Mapping>(), Err(MappingError::Unknown { .. })));
    }
}

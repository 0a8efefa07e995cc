//! What a move writes where the issuer of a store stands, so that nobody serves from half a store, nor from one that was moved away. An
//! issuer is a URL and never looks like it; a build that knows no marks refuses the store as another issuer's.

const UNFINISHED: &str = "unfinished move of ";
const MOVED: &str = "moved to ";

/// The issuer of a store, or what stands in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The store is this issuer's.
    Issuer(String),
    /// Rows of this issuer are being moved here, and not all have come.
    Unfinished(String),
    /// All rows were moved to this place.
    Moved(String),
}

impl Mark {
    /// Reads what stands in the store.
    pub fn parse(text: &str) -> Mark {
        if let Some(issuer) = text.strip_prefix(UNFINISHED) {
            return Mark::Unfinished(issuer.to_owned());
        }
        match text.strip_prefix(MOVED) {
            Some(place) => Mark::Moved(place.to_owned()),
            None => Mark::Issuer(text.to_owned()),
        }
    }

    /// As it stands in the store.
    pub fn to_text(&self) -> String {
        match self {
            Mark::Issuer(issuer) => issuer.clone(),
            Mark::Unfinished(issuer) => format!("{UNFINISHED}{issuer}"),
            Mark::Moved(place) => format!("{MOVED}{place}"),
        }
    }
}

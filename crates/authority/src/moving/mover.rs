//! The move itself: hold the source, copy table by table, compare, leave the source, open the target.
//!
//! Two rules hold at every moment, whatever crashes. **At most one of both stores can be served:** the target is marked unfinished until
//! the source is marked moved, unless the source is to be kept. **Nothing is believed:** what stands in the target is read back and compared
//! by digest before the source is left. An interrupted move goes on after the highest key that arrived, as long as the source has not been
//! written to since; otherwise it starts over.

use super::{Digest, Mark, MoveError, Row, Rows, Side, StoreRow, TABLES, Table, Value};
use crate::open::Opener;
use crate::store::Written;

/// Rows read and written at once.
const PAGE: u32 = 1000;

/// A move to be made.
pub struct Move<'m> {
    /// Where the rows are.
    pub source: &'m dyn Rows,
    /// Where they go.
    pub target: &'m dyn Rows,
    /// What to call the target where the source says that it was moved there. Without a password.
    pub target_name: String,
    /// Whose rows these must be.
    pub opener: &'m Opener,
    /// Whether the source may be served afterwards, too: for a rehearsal.
    pub keep_source: bool,
}

/// Told how far a move has come.
pub trait Progress: Sync {
    /// Rows of a table have been copied: so many in all. `total` is what the source has.
    fn copied(&self, table: &'static str, rows: u64, total: u64);
    /// Rows of a table have been read back: so many in all, of `total`.
    fn verified(&self, table: &'static str, rows: u64, total: u64);
    /// An earlier move was interrupted; `over`: the source has been written to since, so everything is copied anew.
    fn resumed(&self, over: bool);
}

/// What was moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// In the order in which they were copied. Empty where it had all been done before.
    pub tables: Vec<MovedTable>,
    /// Whether an earlier run had finished it.
    pub already: bool,
    /// The tick that the target begins with.
    pub tick: i64,
}

/// What was moved of one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MovedTable {
    /// Its name.
    pub name: &'static str,
    /// How many rows.
    pub rows: u64,
    /// SHA-256 over them, in hexadecimal; see [`Digest`].
    pub digest: String,
    /// The highest number ever given, where the store gives them.
    pub last_number: Option<i64>,
}

trait At<T> {
    fn at(self, side: Side) -> Result<T, MoveError>;
}

impl<T> At<T> for Result<T, crate::store::StoreError> {
    fn at(self, side: Side) -> Result<T, MoveError> {
        self.map_err(|error| MoveError::Store { side, error })
    }
}

use Side::{Source, Target};

impl Move<'_> {
    /// Makes the move, or goes on with it.
    ///
    /// # Errors
    /// See [`MoveError`]. The same command may be given again.
    pub async fn run(&self, progress: &dyn Progress) -> Result<Moved, MoveError> {
        // Whatever can be refused is refused before anybody has to wait.
        check_source(self.source, self.opener, &self.target_name).await?;
        let before = self.target.store_row().await.at(Target)?;
        self.source.hold().await.at(Source)?;
        let source = self.source.store_row().await.at(Source)?;
        let has_left = check_row(&source, self.opener, &self.target_name)?;
        // As it was before it was left; the target carries the same until it is finished.
        let left = if has_left { source.clone().raised(-1) } else { source.clone() };
        let unfinished = left.marked(&Mark::Unfinished(self.opener.issuer.clone()));
        match before.mark() {
            None => self.begin(&before, &unfinished).await?,
            Some(Mark::Unfinished(issuer)) => self.resume(&issuer, &before, &unfinished, progress).await?,
            Some(Mark::Issuer(issuer))
                if has_left && before.identity(&issuer) == source.identity(&self.opener.issuer) =>
            {
                return Ok(Moved { tables: Vec::new(), already: true, tick: before.tick() });
            }
            Some(mark) => return Err(MoveError::Taken(mark.to_text())),
        }
        let mut tables = Vec::new();
        for table in TABLES {
            tables.push(self.copy(table, progress).await?);
        }
        for table in &tables {
            self.verify(table, &unfinished, progress).await?;
        }
        if self.source.store_row().await.at(Source)? != source {
            return Err(MoveError::Changed(Source));
        }
        let open = unfinished.clone().marked(&Mark::Issuer(self.opener.issuer.clone()));
        if !has_left && !self.keep_source {
            // First this, then the target: between the two nobody serves, and the same command goes on from here.
            let moved = Mark::Moved(self.target_name.clone());
            self.source.leave(source.clone().marked(&moved).raised(1)).await.at(Source)?;
        }
        // Above the tick that the source showed last: whoever saw that one must not take the target for a store that went back.
        let open = open.raised(2);
        let tick = open.tick();
        match self.target.replace_store_row(unfinished.issuer(), open).await.at(Target)? {
            Written::Won => Ok(Moved { tables, already: false, tick }),
            Written::Lost => Err(MoveError::Changed(Target)),
        }
    }

    async fn begin(&self, before: &StoreRow, unfinished: &StoreRow) -> Result<(), MoveError> {
        for table in TABLES {
            if self.target.last_key(table).await.at(Target)?.is_some() {
                return Err(MoveError::NotEmpty(table.name));
            }
        }
        self.mark_target(before, unfinished).await
    }

    async fn resume(
        &self,
        issuer: &str,
        before: &StoreRow,
        unfinished: &StoreRow,
        progress: &dyn Progress,
    ) -> Result<(), MoveError> {
        if before.identity(issuer) != unfinished.identity(&self.opener.issuer) {
            return Err(MoveError::OfAnother(issuer.to_owned()));
        }
        // Every server and command that writes raises one of the counters, a refresh by the server's start.
        let over = before != unfinished;
        progress.resumed(over);
        if over {
            self.target.clear().await.at(Target)?;
            self.mark_target(before, unfinished).await?;
        }
        Ok(())
    }

    async fn mark_target(&self, before: &StoreRow, row: &StoreRow) -> Result<(), MoveError> {
        match self.target.replace_store_row(before.issuer(), row.clone()).await.at(Target)? {
            Written::Won => Ok(()),
            Written::Lost => Err(MoveError::Changed(Target)),
        }
    }

    /// Reads the whole table of the source, and adds what the target does not have yet. While a page is being written the next is read.
    async fn copy(&self, table: &'static Table, progress: &dyn Progress) -> Result<MovedTable, MoveError> {
        let there = self.target.last_key(table).await.at(Target)?;
        let total = self.source.count(table).await.at(Source)?;
        let (mut digest, mut copied) = (Digest::of(table), 0);
        let mut page = self.source.rows(table, None, PAGE).await.at(Source)?;
        while let Some(last) = page.last() {
            let after = last[0].clone();
            digest.add(&page);
            copied += page.len() as u64;
            let missing: Vec<Row> = page.drain(..).filter(|row| !is_there(&row[0], there.as_ref())).collect();
            let add = async { if missing.is_empty() { Ok(()) } else { self.target.add(table, missing).await } };
            let (added, next) = tokio::join!(add, self.source.rows(table, Some(after), PAGE));
            added.at(Target)?;
            page = next.at(Source)?;
            progress.copied(table.name, copied, total);
        }
        let mut last_number = None;
        if table.numbered {
            let number = self.source.last_number(table).await.at(Source)?;
            self.target.set_last_number(table, number).await.at(Target)?;
            last_number = Some(number);
        }
        let (rows, digest) = digest.finish();
        Ok(MovedTable { name: table.name, rows, digest, last_number })
    }

    async fn verify(
        &self,
        moved: &MovedTable,
        unfinished: &StoreRow,
        progress: &dyn Progress,
    ) -> Result<(), MoveError> {
        let table =
            TABLES.iter().find(|table| table.name == moved.name).expect("invariant: moved tables are of TABLES");
        let mut digest = Digest::of(table);
        let (mut read, mut after) = (0, None);
        loop {
            let page = self.target.rows(table, after, PAGE).await.at(Target)?;
            let Some(last) = page.last() else { break };
            after = Some(last[0].clone());
            digest.add(&page);
            read += page.len() as u64;
            progress.verified(table.name, read, moved.rows);
        }
        let (rows, digest) = digest.finish();
        let number = if table.numbered { Some(self.target.last_number(table).await.at(Target)?) } else { None };
        if (rows, &digest, number) == (moved.rows, &moved.digest, moved.last_number) {
            return Ok(());
        }
        self.mark_target(unfinished, &unfinished.clone().distrusted()).await?;
        Err(MoveError::Differs { table: table.name, source_rows: moved.rows, target_rows: rows })
    }
}

/// Whether the source was left for this target before.
///
/// # Errors
/// Its rows are not ours to move there.
pub async fn check_source(source: &dyn Rows, opener: &Opener, target_name: &str) -> Result<bool, MoveError> {
    check_row(&source.store_row().await.at(Source)?, opener, target_name)
}

fn check_row(row: &StoreRow, opener: &Opener, target_name: &str) -> Result<bool, MoveError> {
    let (issuer, has_left) = match row.mark() {
        None => return Err(MoveError::Empty),
        Some(Mark::Unfinished(_)) => return Err(MoveError::Unfinished),
        Some(Mark::Moved(place)) if place != target_name => return Err(MoveError::MovedElsewhere(place)),
        Some(Mark::Moved(_)) => (opener.issuer.clone(), true),
        Some(Mark::Issuer(issuer)) => (issuer, false),
    };
    let identity = row.identity(&issuer).ok_or(MoveError::Empty)?;
    opener.fits(&identity)?;
    Ok(has_left)
}

/// Whether a key is not above the highest that arrived.
fn is_there(key: &Value, there: Option<&Value>) -> bool {
    match (key, there) {
        (Value::Int(key), Some(Value::Int(there))) => key <= there,
        (Value::Blob(key), Some(Value::Blob(there))) => key <= there,
        _ => false,
    }
}

//! `keyfob app report`: how apps use the endpoints, and what to do before an old way is switched off.

use super::app::find;
use crate::composition::authority::Opened;
use crate::output::{self, table};
use keyfob_authority::model::{App, AppId, UsageCount, UsageKind, day_of};
use keyfob_protocol::Timestamp;
use keyfob_protocol::time::DAY;
use serde_json::{Value, json};
use std::collections::HashMap;

/// One app's counts of one kind, over all days.
struct Line<'a> {
    app: &'a App,
    kind: UsageKind,
    days: Vec<&'a UsageCount>,
}

impl Line<'_> {
    fn count(&self) -> i64 {
        self.days.iter().map(|day| day.count).sum()
    }

    fn first(&self) -> Option<String> {
        self.days.iter().map(|day| day.first_at).min().map(|at| at.to_utc())
    }

    fn last(&self) -> Option<String> {
        self.days.iter().map(|day| day.last_at).max().map(|at| at.to_utc())
    }

    fn row(&self) -> Vec<String> {
        let name = format!("{} {}", self.app.id, self.app.name);
        let last = self.last().unwrap_or_default();
        vec![name, self.kind.name().to_owned(), self.count().to_string(), last, self.kind.says().to_owned()]
    }

    fn document(&self) -> Value {
        let days = self.days.iter().map(|day| json!({ "day": date_of(day.day), "count": day.count }));
        json!({
            "app": self.app.id,
            "name": self.app.name,
            "clientId": self.app.client_id,
            "what": self.kind.name(),
            "count": self.count(),
            "firstAt": self.first(),
            "lastAt": self.last(),
            "days": days.collect::<Vec<_>>(),
        })
    }
}

/// A day as `--legacy-get` reads it.
fn date_of(day: i64) -> String {
    Timestamp(day * DAY).to_utc().chars().take_while(|c| *c != 'T').collect()
}

pub(super) async fn run(app: Option<&str>, days: i64, opened: &Opened, json: bool) -> anyhow::Result<()> {
    let apps = match app {
        Some(named) => vec![find(opened, named).await?],
        None => opened.store.apps(None).await?,
    };
    let only = app.and(apps.first()).map(|app| app.id);
    let counts = opened.store.usage(only, day_of(opened.now()) - days + 1).await?;
    let mut counted: HashMap<(AppId, UsageKind), Vec<&UsageCount>> = HashMap::new();
    for count in &counts {
        counted.entry((count.app, count.kind)).or_default().push(count);
    }
    let lines: Vec<Line<'_>> = apps
        .iter()
        .flat_map(|app| UsageKind::ALL.iter().map(move |kind| (app, *kind)))
        .filter_map(|(app, kind)| Some(Line { app, kind, days: counted.remove(&(app.id, kind))? }))
        .collect();
    if lines.is_empty() {
        output::say(&format!(
            "nothing was counted in the last {days} days; a running node adds what it saw once a minute"
        ));
    }
    let documents: Vec<Value> = lines.iter().map(Line::document).collect();
    output::data(json, &documents, || {
        table(&["APP", "WHAT", "COUNT", "LAST SEEN", "MEANING"], lines.iter().map(Line::row))
    })
}

//! How apps use the endpoints: counts are added up, whoever wrote them, and swept by age.

use super::Place;
use super::build::NOW;
use crate::model::{AppId, UsageCount, UsageKind, day_of};
use crate::store::Store;
use std::sync::Arc;
use tokio::task::JoinSet;

fn counted(app: i64, kind: UsageKind, seconds: i64) -> UsageCount {
    let at = NOW.plus(seconds);
    UsageCount { app: AppId(app), day: day_of(at), kind, count: 2, first_at: at, last_at: at.plus(1) }
}

/// Counts of one app, day and kind are one row; first and last seen span all of them.
pub async fn usage_is_added_up_by_app_day_and_kind(place: &impl Place) {
    let store = place.open().await;
    let (get, other) = (counted(1, UsageKind::LegacyGet, 0), counted(1, UsageKind::NoPkce, 0));
    store.count_usage(vec![get.clone(), other.clone()]).await.unwrap();
    let later = UsageCount { first_at: NOW.plus(-5), last_at: NOW.plus(60), ..get.clone() };
    let theirs = counted(2, UsageKind::LegacyGet, 0);
    store.count_usage(vec![later, theirs.clone()]).await.unwrap();
    store.count_usage(vec![]).await.unwrap();
    let sum = UsageCount { count: 4, first_at: NOW.plus(-5), last_at: NOW.plus(60), ..get };
    assert_eq!(store.usage(Some(AppId(1)), 0).await.unwrap(), [sum.clone(), other.clone()]);
    assert_eq!(store.usage(None, day_of(NOW)).await.unwrap(), [sum, other, theirs]);
    assert_eq!(store.usage(None, day_of(NOW) + 1).await.unwrap(), []);
    assert_eq!(store.sweep_rest(NOW, NOW, NOW.plus(61), 10).await.unwrap(), 3);
    assert_eq!(store.usage(None, 0).await.unwrap(), []);
}

/// Nodes that write at the same moment lose nothing.
pub async fn sixteen_writers_of_usage_lose_no_count(place: &impl Place) {
    let store: Arc<dyn Store> = place.open().await;
    let mut writers = JoinSet::new();
    for _ in 0..16 {
        let store = store.clone();
        let counts = vec![counted(1, UsageKind::LegacyGet, 0), counted(1, UsageKind::NoPkce, 0)];
        writers.spawn(async move { store.count_usage(counts).await.unwrap() });
    }
    writers.join_all().await;
    let counts: Vec<i64> = store.usage(None, 0).await.unwrap().iter().map(|usage| usage.count).collect();
    assert_eq!(counts, [32, 32]);
}

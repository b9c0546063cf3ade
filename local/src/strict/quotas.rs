//! AWS's quotas, from one file of rows with the source of each (`data/quotas.csv`): token buckets, which fill as fast as the
//! local clock runs, and how much may be under way at once.

use crate::answer::Refusal;
use crate::operation::Operation;
use crate::strict::rules::Place;
use anyhow::Context;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use serde::Deserialize;
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Who shares a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Scope {
    /// Everybody.
    Organization,
    /// Everybody, each operation by itself.
    OrganizationOperation,
    /// Each account.
    Account,
    /// Each account in each Region.
    AccountRegion,
    /// Each operation by itself, in each account and Region.
    AccountRegionOperation,
}

/// Whose jobs are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Everybody's.
    All,
    /// Those of one account.
    Account,
}

/// How many functions an account runs at once: ministack's launcher holds to it.
pub fn lambda_concurrency() -> anyhow::Result<usize> {
    let invoke = Operation {
        service: "lambda".to_owned(),
        name: "Invoke".to_owned(),
        protocol: crate::operation::Protocol::RestJson,
        labels: HashMap::new(),
    };
    let quotas = Quotas::read(1.0)?;
    let most = quotas.of(&invoke).find_map(|(_, row)| row.in_flight);
    most.context("data/quotas.csv has no row for concurrent executions of functions")
}

/// One row of the file.
#[derive(Clone, Debug, Deserialize)]
struct Row {
    service: String,
    /// Names with a space between, `*` at the end of one for the rest; together they share the bucket.
    operations: String,
    scope: Scope,
    /// Calls; nothing in it: only what is under way is limited.
    per_second: Option<f64>,
    burst: Option<NonZeroU32>,
    /// Begun and not yet done; for what AWS does after it has answered.
    in_flight: Option<usize>,
    code: String,
    status: u16,
    source: String,
    confidence: String,
}

type Buckets = HashMap<(usize, String), Arc<DefaultDirectRateLimiter>>;

/// All buckets.
#[derive(Debug)]
pub struct Quotas {
    rows: Vec<Row>,
    speed: f64,
    buckets: Mutex<Buckets>,
}

impl Quotas {
    /// Reads the rows. `speed`: how much faster than AWS's the clock runs.
    pub fn read(speed: f64) -> anyhow::Result<Self> {
        let mut rows = Vec::new();
        for row in csv::Reader::from_reader(include_str!("../../data/quotas.csv").as_bytes()).deserialize() {
            let row: Row = row.context("data/quotas.csv cannot be read")?;
            anyhow::ensure!(!row.source.is_empty() && !row.confidence.is_empty(), "{row:?} has no source");
            anyhow::ensure!(row.per_second.is_some() == row.burst.is_some(), "{row:?}: a rate has a burst");
            anyhow::ensure!(row.per_second.is_some() || row.in_flight.is_some(), "{row:?} limits nothing");
            rows.push(row);
        }
        Ok(Self { rows, speed, buckets: Mutex::default() })
    }

    fn of<'a>(&'a self, operation: &'a Operation) -> impl Iterator<Item = (usize, &'a Row)> {
        let named = |row: &Row, name: &str| {
            row.operations.split(' ').any(|wanted| match wanted.strip_suffix('*') {
                Some(start) => name.starts_with(start),
                None => name == wanted,
            })
        };
        self.rows
            .iter()
            .enumerate()
            .filter(move |(_, row)| row.service == operation.service && named(row, &operation.name))
    }

    /// AWS's answer to one job too many. `under_way` counts those of the operation, all or of the account that it is about.
    pub fn too_many(&self, operation: &Operation, under_way: impl Fn(Reach) -> usize) -> Option<Refusal> {
        self.of(operation).find_map(|(_, row)| {
            let reach = if row.scope == Scope::Account { Reach::Account } else { Reach::All };
            let full = row.in_flight.is_some_and(|most| under_way(reach) >= most);
            full.then(|| Refusal { status: row.status, ..Refusal::new(&row.code, "Too much is in progress at once") })
        })
    }

    /// AWS's answer to one call too many, or `None` if it may go on.
    pub fn objection(&self, place: Place<'_>, operation: &Operation) -> Option<Refusal> {
        for (n, row) in self.of(operation) {
            let (Some(per_second), Some(burst)) = (row.per_second, row.burst) else { continue };
            let key = match row.scope {
                Scope::Organization => String::new(),
                Scope::OrganizationOperation => operation.name.clone(),
                Scope::Account => place.account.to_owned(),
                Scope::AccountRegion => format!("{} {}", place.account, place.region),
                Scope::AccountRegionOperation => format!("{} {} {}", place.account, place.region, operation.name),
            };
            if self.bucket(n, key, per_second, burst).check().is_err() {
                return Some(Refusal { status: row.status, ..Refusal::new(&row.code, "Rate exceeded") });
            }
        }
        None
    }

    fn bucket(&self, row: usize, key: String, per_second: f64, burst: NonZeroU32) -> Arc<DefaultDirectRateLimiter> {
        let mut buckets = self.buckets.lock().unwrap_or_else(|e| e.into_inner());
        let bucket = buckets.entry((row, key)).or_insert_with(|| {
            let period = Duration::from_secs_f64(1.0 / (per_second * self.speed));
            let quota = Quota::with_period(period).unwrap_or(Quota::per_second(NonZeroU32::MAX));
            Arc::new(RateLimiter::direct(quota.allow_burst(burst)))
        });
        Arc::clone(bucket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::Protocol;

    fn operation(service: &str, name: &str) -> Operation {
        Operation { service: service.into(), name: name.into(), protocol: Protocol::Json, labels: HashMap::default() }
    }

    #[test]
    fn a_bucket_holds_its_burst_and_then_refuses_with_the_services_own_code() {
        let quotas = Quotas::read(1.0).expect("the rows");
        let place = |account| Place { account, region: "ap-northeast-1" };
        let create = operation("organizations", "CreateAccount");
        let mut answers = (0..4).map(|_| quotas.objection(place("1"), &create));
        assert!(answers.by_ref().take(3).all(|a| a.is_none()));
        let refused = answers.next().flatten().expect("one too many");
        assert_eq!((refused.code.as_str(), refused.status), ("TooManyRequestsException", 400));
        let delete = operation("apigateway", "DeleteRestApi");
        assert!(quotas.objection(place("1"), &delete).is_none());
        assert!(quotas.objection(place("1"), &delete).is_some(), "one account's bucket is empty");
        assert!(quotas.objection(place("2"), &delete).is_none(), "another's is not");
        assert!(quotas.objection(place("1"), &operation("s3", "PutObject")).is_none());
    }

    #[test]
    fn a_faster_clock_fills_buckets_faster() {
        let quotas = Quotas::read(1e6).expect("the rows");
        let create = operation("organizations", "CreateAccount");
        let place = Place { account: "1", region: "ap-northeast-1" };
        let taken = (0..50).filter(|_| {
            std::thread::sleep(Duration::from_micros(50));
            quotas.objection(place, &create).is_none()
        });
        assert_eq!(taken.count(), 50);
    }
}

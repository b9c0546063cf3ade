//! The glue that all sweep functions share: admission, roles, clients for every Region, the engine, the record.

use crate::{Aws, Call, Started, code, text};
use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use serde::Deserialize;
use shared::ids::SweepId;
use shared::keepset::KeepSet;
use shared::names::MemberRole;
use shared::records::{self, key};
use shared::sweep::admission::Admission;
use shared::sweep::engine::Family;
use shared::sweep::{Answer, Found, Kind, ListError, Outcome, list_error_of, outcome_of};
use shared::{AccountId, Fault, Seat, SeatName};
use std::collections::BTreeMap;

/// What came of a call that asks something to go.
pub fn outcome<T, E, R>(answer: Result<T, SdkError<E, R>>) -> Outcome
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    match answer {
        Ok(_) => Outcome::Asked,
        Err(error) => outcome_of(code(&error), text(&error)),
    }
}

/// What a list call that failed means: nothing there, or unknown.
pub fn not_listed<E, R>(error: SdkError<E, R>) -> Result<Vec<Found>, ListError>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    list_error_of(code(&error), text(&error))
}

/// Every page of a paginated list call as found things, or what its failure means.
#[macro_export]
macro_rules! found {
    ($call:expr, |$page:ident| $items:expr) => {{
        let mut pages = $call.into_paginator().send();
        let mut all: Vec<shared::sweep::Found> = Vec::new();
        loop {
            match pages.next().await {
                None => break Ok(all),
                Some(Ok($page)) => all.extend($items),
                Some(Err(error)) => break $crate::not_listed(error),
            }
        }
    }};
}

/// Payload of a sweep function.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Ask {
    /// What to do.
    pub r#do: Do,
    /// The account.
    pub account: AccountId,
    /// The seat that it is.
    pub seat: SeatName,
    /// The sweep.
    pub sweep: SweepId,
    /// Key of the admission record; may be empty for a listing.
    #[serde(default)]
    pub admission: String,
    /// Regions; us-east-1 is added.
    pub regions: Vec<String>,
    /// Pass, counted from 1.
    pub pass: u32,
}

/// What a sweep function can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Do {
    /// Lift protection, stop what runs.
    Disarm,
    /// Disarm and delete.
    Delete,
    /// List with the reader role; nothing is changed.
    List,
}

/// Sweeps one family in one account. `clients` makes the family's SDK clients for one account, Region and role;
/// it is given the keep-set for the kinds that need it.
pub async fn sweep<C: Sync>(
    family: &str,
    kinds: &[&dyn Kind<C>],
    clients: impl Fn(&SdkConfig, &KeepSet) -> C,
    started: &Started,
    ask: Ask,
    call: Call,
) -> Result<Answer, Fault> {
    let Started { settings, aws, records: store } = started;
    let seat = Seat { seat: ask.seat.clone(), account: ask.account.clone() };
    let admission: Option<Admission> = match ask.admission.as_str() {
        "" => None,
        key => Some(records::read_written(store, key).await?),
    };
    let learner_policies = admission.as_ref().map(|a| a.learner_policies.as_slice());
    let keep = KeepSet::of(&settings.names, &settings.management, &settings.operations, &seat, learner_policies);
    let role = match ask.r#do {
        Do::List => MemberRole::Reader,
        Do::Disarm | Do::Delete => MemberRole::Sweeper,
    };
    let config = aws.member(&ask.account, role, ask.sweep.as_str()).await;
    let mut by_region: BTreeMap<String, C> = BTreeMap::new();
    for region in ask.regions.iter().map(String::as_str).chain(["us-east-1"]) {
        by_region.entry(region.to_owned()).or_insert_with(|| clients(&Aws::in_region(&config, region), &keep));
    }
    let work = Family { name: family, kinds, clients: &by_region, deadline: call.deadline };
    if ask.r#do == Do::List {
        let mut whole = Vec::new();
        let answer = work.list(&mut whole).await;
        let key = key::listing(&ask.sweep, &ask.seat, ask.pass, family);
        records::write(store, &key, &whole).await?;
        return Ok(answer);
    }
    let admission =
        admission.ok_or_else(|| Fault::refused(format!("{} has no admission to sweep {}", seat.seat, ask.sweep)))?;
    let identity = Aws::identity(&config).await?;
    let admitted = admission.admit(&ask.sweep, &seat, &identity, &settings.never_touch, call.now)?;
    if ask.r#do == Do::Disarm {
        return Ok(work.disarm(&admitted).await);
    }
    let answer = work.delete(&admitted).await;
    let key = key::deletion(&ask.sweep, &ask.seat, ask.pass, family);
    records::write(store, &key, &answer).await?;
    Ok(answer)
}

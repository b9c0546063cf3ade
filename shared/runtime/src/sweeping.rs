//! The glue that all sweep functions share: admission, roles, clients for every Region, the engine, the record.

use crate::{Aws, Call, S3Records, Settings};
use aws_config::SdkConfig;
use serde::Deserialize;
use shared::ids::SweepId;
use shared::keepset::KeepSet;
use shared::names::MemberRole;
use shared::records::{self, key};
use shared::sweep::admission::Admission;
use shared::sweep::engine::Family;
use shared::sweep::{Answer, Kind};
use shared::{AccountId, Fault, Seat, SeatName};
use std::collections::BTreeMap;

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
    settings: &Settings,
    ask: Ask,
    call: Call,
) -> Result<Answer, Fault> {
    let aws = Aws::load(settings).await;
    let store = S3Records::new(&aws.own, &settings.records);
    let seat = Seat {
        seat: ask.seat.clone(),
        account: ask.account.clone(),
    };
    let admission: Option<Admission> = match ask.admission.as_str() {
        "" => None,
        key => Some(records::read_written(&store, key).await?),
    };
    let learner_policies = admission.as_ref().map(|a| a.learner_policies.as_slice());
    let keep = KeepSet::of(
        &settings.names,
        &settings.management,
        &settings.operations,
        &seat,
        learner_policies,
    );
    let role = match ask.r#do {
        Do::List => MemberRole::Reader,
        Do::Disarm | Do::Delete => MemberRole::Sweeper,
    };
    let config = aws.member(&ask.account, role, ask.sweep.as_str()).await;
    let mut by_region: BTreeMap<String, C> = BTreeMap::new();
    for region in ask.regions.iter().map(String::as_str).chain(["us-east-1"]) {
        by_region
            .entry(region.to_owned())
            .or_insert_with(|| clients(&Aws::in_region(&config, region), &keep));
    }
    let work = Family {
        name: family,
        kinds,
        clients: &by_region,
        deadline: call.deadline,
    };
    if ask.r#do == Do::List {
        let mut whole = Vec::new();
        let answer = work.list(&mut whole).await;
        let key = key::listing(&ask.sweep, &ask.seat, ask.pass, family);
        records::write(&store, &key, &whole).await?;
        return Ok(answer);
    }
    let admission = admission.ok_or_else(|| {
        Fault::refused(format!("{} has no admission to sweep {}", seat.seat, ask.sweep))
    })?;
    let identity = Aws::identity(&config).await?;
    let admitted = admission.admit(&ask.sweep, &seat, &identity, &settings.never_touch, call.now)?;
    Ok(match ask.r#do {
        Do::Disarm => work.disarm(&admitted).await,
        _ => work.delete(&admitted).await,
    })
}

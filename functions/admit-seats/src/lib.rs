//! Writes down which seats may be swept: one reading of the organization for a class, or for one account.

use jiff::Timestamp;
use organization::{Organization, SeatPlace, policy_named, seats_in};
use serde::{Deserialize, Serialize};
use shared::ids::SweepId;
use shared::names::{FixedPolicy, State};
use shared::plan::CoursePlan;
use shared::policies;
use shared::records::{self, Records, key};
use shared::regions::BY_DEFAULT;
use shared::sweep::admission::{Admission, Place, objection};
use shared::{AccountId, CourseId, Fault, Names, SeatName};
use std::collections::BTreeSet;

/// Payload.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "for", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Ask {
    /// All seats of a closing course.
    Class {
        /// The course.
        course: CourseId,
        /// This attempt's sweep.
        sweep: SweepId,
        /// The seats.
        seats_key: String,
    },
    /// One account, from account-sweep.
    Account {
        /// Name of the execution; names the sweep where nobody else did.
        execution: String,
        /// What the execution was started with.
        input: Input,
    },
}

/// `{"account": "123456789012"}` plans; with `"delete": true` it deletes. A course gives the rest.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Input {
    /// The account.
    pub account: AccountId,
    /// Deletes only when this is true.
    #[serde(default)]
    pub delete: bool,
    /// The seat that the account must be.
    #[serde(default)]
    pub seat: Option<SeatName>,
    /// The course that closes.
    #[serde(default)]
    pub course: Option<CourseId>,
    /// The course's sweep.
    #[serde(default)]
    pub sweep: Option<SweepId>,
    /// The class's admission.
    #[serde(default)]
    pub admission: Option<String>,
    /// The Regions to sweep.
    #[serde(default)]
    pub regions: Option<Vec<String>>,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub enum Answer {
    /// For a class.
    Class {
        /// Where the admission is written.
        admission: String,
        /// How many seats it lets in.
        admitted: usize,
        /// Regions to sweep.
        regions: Vec<String>,
    },
    /// For one account.
    Account {
        /// The account.
        account: AccountId,
        /// The seat that it is.
        seat: SeatName,
        /// The sweep.
        sweep: SweepId,
        /// Whether anything will be deleted.
        delete: bool,
        /// Where the admission is written; empty for a plan and before the move.
        admission: String,
        /// Regions to sweep.
        regions: Vec<String>,
        /// The seat must be moved to Sweeping first.
        must_move: bool,
    },
}

/// Handles one call.
pub async fn handle(
    organization: &impl Organization,
    records: &impl Records,
    names: &Names,
    never_touch: &[AccountId],
    ask: Ask,
    now: Timestamp,
) -> Result<Answer, Fault> {
    let work = Work { organization, records, names, never_touch, now };
    match ask {
        Ask::Class { course, sweep, seats_key } => work.class(course, sweep, &seats_key).await,
        Ask::Account { input, .. } if !input.account.is_valid() => {
            Err(Fault::invalid(format!("account \"{}\" is not twelve digits", input.account)))
        }
        Ask::Account { input: Input { admission: Some(admission), .. }, .. } if admission.is_empty() => {
            Err(Fault::invalid("the admission is empty: leave it out to sweep one account by hand"))
        }
        Ask::Account { input, .. } if input.admission.is_some() => work.of_class(input).await,
        Ask::Account { execution, input } => work.by_hand(execution, input).await,
    }
}

struct Work<'a, O, R> {
    organization: &'a O,
    records: &'a R,
    names: &'a Names,
    never_touch: &'a [AccountId],
    now: Timestamp,
}

impl<O: Organization, R: Records> Work<'_, O, R> {
    async fn class(&self, course: CourseId, sweep: SweepId, seats_key: &str) -> Result<Answer, Fault> {
        let plan: CoursePlan = records::read_written(self.records, &key::plan(&course)).await?;
        let wanted = records::read_seats(self.records, seats_key).await?;
        let seats = self
            .places()
            .await?
            .into_iter()
            .filter(|p| wanted.contains(&p.seat))
            .filter(|p| match objection(p, self.never_touch) {
                None => true,
                Some(why) => {
                    tracing::warn!(seat = %p.seat.seat, account = %p.seat.account, why, "not admitted");
                    false
                }
            })
            .map(|p| p.seat)
            .collect();
        let admission = Admission {
            regions: with_home(&plan.regions),
            learner_policies: policies::learner(&plan),
            sweep,
            seats,
            at: self.now,
        };
        let key = self.write(&admission).await?;
        Ok(Answer::Class { admission: key, admitted: admission.seats.len(), regions: admission.regions })
    }

    /// The class's admission is believed for its own seats: AWS was read for all of them at once.
    async fn of_class(&self, input: Input) -> Result<Answer, Fault> {
        let (Some(seat), Some(sweep), Some(key)) = (input.seat, input.sweep, input.admission) else {
            return Err(Fault::invalid("with an admission come the seat and the sweep that it is for"));
        };
        let admission: Admission = records::read_written(self.records, &key).await?;
        let wanted = shared::Seat { seat: seat.clone(), account: input.account.clone() };
        if admission.sweep != sweep || !admission.seats.contains(&wanted) {
            return Err(Fault::refused(format!(
                "{seat} ({}) was not in a closing place when sweep {sweep} began",
                input.account
            )));
        }
        Ok(Answer::Account {
            account: input.account,
            seat,
            sweep,
            delete: input.delete,
            admission: key,
            regions: input.regions.unwrap_or(admission.regions),
            must_move: false,
        })
    }

    async fn by_hand(&self, execution: String, input: Input) -> Result<Answer, Fault> {
        let place = self.places().await?.into_iter().find(|p| p.seat.account == input.account).ok_or_else(|| {
            Fault::invalid(format!("account {} is no seat of {}", input.account, self.names.installation()))
        })?;
        if input.seat.as_ref().is_some_and(|seat| seat != &place.seat.seat) {
            return Err(Fault::invalid(format!("account {} is seat {}", input.account, place.seat.seat)));
        }
        let (regions, learner_policies) = match &place.state {
            State::Active(course) => {
                let plan: CoursePlan = records::read_written(self.records, &key::plan(course)).await?;
                (with_home(&plan.regions), policies::learner(&plan))
            }
            // What the last course allowed is not known here: everywhere. The next course writes the policies anew.
            _ => (with_home(&BY_DEFAULT.iter().map(|r| (*r).to_owned()).collect::<Vec<_>>()), Vec::new()),
        };
        let sweep = input.sweep.unwrap_or(SweepId(execution));
        let regions = input.regions.map_or(regions, |r| with_home(&r));
        let resting = matches!(place.state, State::Available | State::Quarantine);
        let must_move = input.delete && resting && !self.never_touch.contains(&input.account);
        let mut key = String::new();
        if input.delete && !must_move {
            if let Some(why) = objection(&place, self.never_touch) {
                return Err(Fault::refused(format!("{} ({}) may not be swept: {why}", place.seat.seat, input.account)));
            }
            let seats = vec![place.seat.clone()];
            let admission =
                Admission { sweep: sweep.clone(), seats, regions: regions.clone(), learner_policies, at: self.now };
            key = self.write(&admission).await?;
        }
        Ok(Answer::Account {
            account: input.account,
            seat: place.seat.seat,
            sweep,
            delete: input.delete,
            admission: key,
            regions,
            must_move,
        })
    }

    async fn write(&self, admission: &Admission) -> Result<String, Fault> {
        let key = key::admission(&admission.sweep);
        records::write(self.records, &key, admission).await?;
        Ok(key)
    }

    /// Every seat with the policies that decide: on the account, or on the unit that it is in.
    async fn places(&self) -> Result<Vec<Place>, Fault> {
        let layout = self.organization.layout(self.names).await?;
        let seats = seats_in(self.organization, self.names, &layout).await?;
        let closing = self.targets(FixedPolicy::Closing).await?;
        let active = self.targets(FixedPolicy::Active).await?;
        let on = |targets: &BTreeSet<String>, place: &SeatPlace| {
            let unit = layout.unit_of(&place.state).is_some_and(|unit| targets.contains(&unit.id));
            unit || targets.contains(place.seat.account.as_str())
        };
        Ok(seats
            .into_iter()
            .map(|place| Place {
                closing: on(&closing, &place),
                active: on(&active, &place),
                state: place.state,
                seat: place.seat,
            })
            .collect())
    }

    async fn targets(&self, policy: FixedPolicy) -> Result<BTreeSet<String>, Fault> {
        let name = self.names.policy(policy);
        let id = policy_named(self.organization, &name)
            .await?
            .ok_or_else(|| Fault::refused(format!("there is no policy {name}, so nothing says what may be swept")))?;
        Ok(self.organization.targets(&id).await?.into_iter().collect())
    }
}

/// us-east-1 is always swept: global services leave things there.
fn with_home(regions: &[String]) -> Vec<String> {
    let all: BTreeSet<String> = regions.iter().cloned().chain(["us-east-1".to_owned()]).collect();
    all.into_iter().collect()
}

#[cfg(test)]
mod tests;

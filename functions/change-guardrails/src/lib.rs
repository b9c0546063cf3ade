//! Makes the organization's guardrails what they must be: reads, compares, writes only what differs.
//!
//! Attaching a policy takes effect for a whole class with one call; detaching it is the way back.

use organization::{Guardrails, Layout, Organization, SeatPlace, missing_units, seats_in};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::names::{FixedPolicy, State};
use shared::plan::CoursePlan;
use shared::policies::{self, MOST_SCP_CHARACTERS, minified};
use shared::records::{self, Records, key};
use shared::{AccountId, CourseId, Fault, Names, Seat, SeatName};
use std::collections::{BTreeMap, BTreeSet};

/// Payload.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Ask {
    /// The pool's units and the five fixed policies.
    LayOutPool {},
    /// A course's unit with its policies and `active`.
    OpenCourse {
        /// The course.
        course: CourseId,
    },
    /// `closing` on a course's unit.
    CloseCourse {
        /// The course.
        course: CourseId,
    },
    /// `active` off a closing course's unit: from now on our sweeper may delete there.
    ReleaseCourse {
        /// The course.
        course: CourseId,
    },
    /// `frozen` off all seats of a course.
    ThawCourse {
        /// The course.
        course: CourseId,
    },
    /// A course's empty unit and its policies away.
    EndCourse {
        /// The course.
        course: CourseId,
    },
    /// `frozen` on seats.
    Freeze(Frozen),
    /// `frozen` off seats.
    Thaw(Frozen),
}

/// Which seats: from cost-watch with their accounts, or from a person with a name.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frozen {
    /// Seats with their accounts.
    #[serde(default)]
    pub seats: Option<Vec<Wanted>>,
    /// What seat-freeze and seat-thaw are started with.
    #[serde(default)]
    pub input: Option<Input>,
}

/// One seat and why.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// The seat.
    pub seat: SeatName,
    /// Its account.
    pub account: AccountId,
    /// Why, for the log.
    pub reason: String,
}

/// `{"seat": "koza-0003", "reason": "asked by the teacher"}`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The seat.
    pub seat: SeatName,
    /// Why, for whom it concerns.
    pub reason: String,
}

/// The answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// Whether anything was written.
    pub changed: bool,
    /// The course's unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organizational_unit: Option<String>,
    /// The seats that are now as asked.
    pub seats: Vec<Seat>,
}

/// Handles one call.
pub async fn handle(
    organization: &impl Organization,
    guardrails: &impl Guardrails,
    records: &impl Records,
    names: &Names,
    ask: Ask,
) -> Result<Answer, Fault> {
    let policies = organization.policies().await?.into_iter().map(|p| (p.name, p.id)).collect();
    let mut work = Work { organization, guardrails, names, policies, changed: false };
    let mut answer = Answer::default();
    match ask {
        Ask::LayOutPool {} => work.lay_out().await?,
        Ask::OpenCourse { course } => {
            let plan: CoursePlan = records::read_written(records, &key::plan(&course)).await?;
            answer.organizational_unit = Some(work.open(&plan).await?);
        }
        Ask::CloseCourse { course } => answer.organizational_unit = work.close(&course).await?,
        Ask::ReleaseCourse { course } => answer.organizational_unit = work.release(&course).await?,
        Ask::ThawCourse { course } => {
            let plan: CoursePlan = records::read_written(records, &key::plan(&course)).await?;
            answer.seats = work.thaw(plan.seats()).await?;
        }
        Ask::EndCourse { course } => work.end(&course).await?,
        Ask::Freeze(wanted) => {
            let by_hand = wanted.input.is_some();
            let places = work.places(wanted).await?;
            answer.seats = work.freeze(places, by_hand).await?;
        }
        Ask::Thaw(wanted) => {
            let seats = work.places(wanted).await?.into_iter().map(|p| p.seat).collect();
            answer.seats = work.thaw(seats).await?;
        }
    }
    answer.changed = work.changed;
    Ok(answer)
}

struct Work<'a, O, G> {
    organization: &'a O,
    guardrails: &'a G,
    names: &'a Names,
    /// Ids of policies by name, read once: this is their only writer.
    policies: BTreeMap<String, String>,
    changed: bool,
}

impl<O: Organization, G: Guardrails> Work<'_, O, G> {
    async fn layout(&self) -> Result<Layout, Fault> {
        self.organization.layout(self.names).await
    }

    /// A policy comes before the unit that needs it, and is on the unit before an account can be in it.
    async fn lay_out(&mut self) -> Result<(), Fault> {
        for policy in FixedPolicy::ALL {
            self.policy(&self.names.policy(policy), &policies::fixed(self.names, policy)).await?;
        }
        let layout = self.layout().await?;
        if layout.pool.is_none() {
            self.guardrails.create_unit(&layout.root, self.names.installation()).await?;
            self.changed = true;
        }
        let layout = self.layout().await?;
        let pool = layout.pool.as_ref().ok_or_else(|| Fault::conflict("the pool's unit is not listed yet"))?;
        self.attach_fixed(FixedPolicy::Floor, &pool.id).await?;
        for name in missing_units(&layout) {
            self.guardrails.create_unit(&pool.id, name).await?;
            self.changed = true;
        }
        let layout = self.layout().await?;
        if let Some(missing) = missing_units(&layout).first() {
            return Err(Fault::conflict(format!("the unit {missing} is not listed yet")));
        }
        for policy in FixedPolicy::ALL {
            for target in policy.standing_targets().iter().filter(|t| !t.is_empty()) {
                self.attach_fixed(policy, &layout.units[*target].id).await?;
            }
        }
        Ok(())
    }

    async fn open(&mut self, plan: &CoursePlan) -> Result<String, Fault> {
        let layout = self.layout().await?;
        let state = State::Active(plan.course.clone());
        let active = layout
            .units
            .get("Active")
            .ok_or_else(|| Fault::conflict("there is no unit Active: run pool-fill first"))?;
        let unit = match layout.unit_of(&state) {
            Some(unit) => unit.id.clone(),
            None => {
                self.changed = true;
                self.guardrails.create_unit(&active.id, plan.course.as_str()).await?.id
            }
        };
        if self.is_on(FixedPolicy::Closing, &unit).await? {
            return Err(Fault::refused(format!("course {} is being closed", plan.course)));
        }
        let documents = policies::course(self.names, plan);
        for (n, document) in documents.iter().enumerate() {
            let id = self.policy(&self.names.course_policy(&plan.course, n + 1), document).await?;
            let targets = self.targets(&id).await?;
            self.attach(&id, &targets, &unit).await?;
        }
        self.attach_fixed(FixedPolicy::Active, &unit).await?;
        Ok(unit)
    }

    async fn close(&mut self, course: &CourseId) -> Result<Option<String>, Fault> {
        let Some(unit) = self.course_unit(course).await? else { return Ok(None) };
        self.attach_fixed(FixedPolicy::Closing, &unit).await?;
        Ok(Some(unit))
    }

    async fn release(&mut self, course: &CourseId) -> Result<Option<String>, Fault> {
        let Some(unit) = self.course_unit(course).await? else { return Ok(None) };
        if !self.is_on(FixedPolicy::Closing, &unit).await? {
            return Err(Fault::refused(format!("course {course} is not closing: its learners could still act")));
        }
        self.detach_fixed(FixedPolicy::Active, &unit).await?;
        Ok(Some(unit))
    }

    /// Policies leave the unit before it goes, so that they can go too.
    async fn end(&mut self, course: &CourseId) -> Result<(), Fault> {
        let unit = self.course_unit(course).await?;
        if let Some(unit) = &unit {
            let inside = self.organization.accounts_in(unit).await?;
            if !inside.is_empty() {
                return Err(Fault::conflict(format!("{} seats are still in course {course}", inside.len())));
            }
            for policy in [FixedPolicy::Active, FixedPolicy::Closing] {
                self.detach_fixed(policy, unit).await?;
            }
        }
        let prefix = self.names.course_policy_prefix(course);
        let ours = self.policies.iter().filter(|(name, _)| name.starts_with(&prefix));
        for id in ours.map(|(_, id)| id) {
            for target in self.organization.targets(id).await? {
                self.guardrails.detach(id, &target).await?;
            }
            self.guardrails.delete_policy(id).await?;
            self.changed = true;
        }
        if let Some(unit) = &unit {
            self.guardrails.delete_unit(unit).await?;
            self.changed = true;
        }
        Ok(())
    }

    /// Where the wanted seats are. A person's mistake is told; a seat that cost-watch names must still be that account.
    async fn places(&self, wanted: Frozen) -> Result<Vec<SeatPlace>, Fault> {
        let places = seats_in(self.organization, self.names, &self.layout().await?).await?;
        match (wanted.seats, wanted.input) {
            (Some(seats), None) => Ok(places
                .into_iter()
                .filter(|p| seats.iter().any(|s| s.seat == p.seat.seat && s.account == p.seat.account))
                .collect()),
            (None, Some(input)) => {
                if input.reason.trim().is_empty() {
                    return Err(Fault::invalid(
                        "the reason is empty: say in a few words why, for whoever reads the alert",
                    ));
                }
                let place = places.into_iter().find(|p| p.seat.seat == input.seat).ok_or_else(|| {
                    Fault::invalid(format!("there is no seat {}: `koza pool status` lists them", input.seat))
                })?;
                Ok(vec![place])
            }
            _ => Err(Fault::invalid("give either seats or input")),
        }
    }

    /// Only seats in a course have somebody to freeze; the others are denied already.
    async fn freeze(&mut self, places: Vec<SeatPlace>, by_hand: bool) -> Result<Vec<Seat>, Fault> {
        let (policy, targets) = self.fixed(FixedPolicy::Frozen).await?;
        let mut seats = Vec::new();
        for place in places {
            if matches!(place.state, State::Active(_)) {
                self.attach(&policy, &targets, place.seat.account.as_str()).await?;
                seats.push(place.seat);
            } else if by_hand {
                return Err(Fault::invalid(format!("{} is {}: nobody uses it", place.seat.seat, place.state)));
            }
        }
        Ok(seats)
    }

    async fn thaw(&mut self, seats: Vec<Seat>) -> Result<Vec<Seat>, Fault> {
        let (policy, targets) = self.fixed(FixedPolicy::Frozen).await?;
        for seat in &seats {
            self.detach(&policy, &targets, seat.account.as_str()).await?;
        }
        Ok(seats)
    }

    async fn course_unit(&self, course: &CourseId) -> Result<Option<String>, Fault> {
        Ok(self.layout().await?.courses.get(course).map(|u| u.id.clone()))
    }

    /// Makes a policy what it must say; its id.
    async fn policy(&mut self, name: &str, document: &Value) -> Result<String, Fault> {
        let content = minified(name, document, MOST_SCP_CHARACTERS)?;
        let Some(id) = self.policies.get(name).cloned() else {
            let id = self.guardrails.create_policy(name, &content).await?.id;
            self.policies.insert(name.to_owned(), id.clone());
            self.changed = true;
            return Ok(id);
        };
        let now: Option<Value> = serde_json::from_str(&self.guardrails.content(&id).await?).ok();
        if now.as_ref() != Some(document) {
            self.guardrails.update_policy(&id, &content).await?;
            self.changed = true;
        }
        Ok(id)
    }

    /// Where a policy is attached.
    async fn targets(&self, policy: &str) -> Result<BTreeSet<String>, Fault> {
        Ok(self.organization.targets(policy).await?.into_iter().collect())
    }

    /// A fixed policy's id and where it is attached.
    async fn fixed(&self, policy: FixedPolicy) -> Result<(String, BTreeSet<String>), Fault> {
        let name = self.names.policy(policy);
        let id = self
            .policies
            .get(&name)
            .ok_or_else(|| Fault::conflict(format!("there is no policy {name}: run pool-fill first")))?;
        Ok((id.clone(), self.targets(id).await?))
    }

    async fn is_on(&self, policy: FixedPolicy, target: &str) -> Result<bool, Fault> {
        Ok(self.fixed(policy).await?.1.contains(target))
    }

    async fn attach(&mut self, policy: &str, targets: &BTreeSet<String>, target: &str) -> Result<(), Fault> {
        if !targets.contains(target) {
            self.guardrails.attach(policy, target).await?;
            self.changed = true;
        }
        Ok(())
    }

    async fn attach_fixed(&mut self, policy: FixedPolicy, target: &str) -> Result<(), Fault> {
        let (id, targets) = self.fixed(policy).await?;
        self.attach(&id, &targets, target).await
    }

    async fn detach_fixed(&mut self, policy: FixedPolicy, target: &str) -> Result<(), Fault> {
        let (id, targets) = self.fixed(policy).await?;
        self.detach(&id, &targets, target).await
    }

    async fn detach(&mut self, policy: &str, targets: &BTreeSet<String>, target: &str) -> Result<(), Fault> {
        if targets.contains(target) {
            self.guardrails.detach(policy, target).await?;
            self.changed = true;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;

//! Which learner gets which seat: a value that is printed, tested, refused or applied, and holds no choices.

use crate::Fault;
use crate::complaint::{Complaint, Complaints};
use crate::course::{Course, Threshold};
use crate::ids::{CourseId, Seat};
use crate::money::Usd;
use crate::roster::Learner;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Reads both files that a person wrote, with the complaints of both at once.
pub fn read_files(course: (&str, &[u8]), roster: (&str, &[u8])) -> Result<(Course, Vec<Learner>), Complaints> {
    let read = match std::str::from_utf8(course.1) {
        Ok(text) => Course::read(course.0, text),
        Err(_) => Err(Complaints(vec![Complaint {
            file: course.0.to_owned(),
            line: None,
            problem: "the file is not UTF-8".to_owned(),
            remedy: "save it as UTF-8".to_owned(),
        }])),
    };
    match (read, crate::roster::read(roster.0, roster.1)) {
        (Ok(course), Ok(learners)) => Ok((course, learners)),
        (Err(mut complaints), Err(more)) => {
            complaints.0.extend(more.0);
            Err(complaints)
        }
        (Err(complaints), _) | (_, Err(complaints)) => Err(complaints),
    }
}

/// Everything that the machines need to know of a course. Written once by `plan-course`; the roster is not read again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CoursePlan {
    /// The course's id.
    pub course: CourseId,
    /// For people.
    pub title: String,
    /// First day.
    pub starts: jiff::civil::Date,
    /// Last day.
    pub ends: jiff::civil::Date,
    /// Regions that learners may use.
    pub regions: Vec<String>,
    /// Services that learners may use.
    pub services: Vec<String>,
    /// What one seat may cost.
    pub seat_budget_usd: Usd,
    /// What happens at which part of it.
    pub thresholds: Vec<Threshold>,
    /// Whom alerts name.
    pub contacts: Vec<String>,
    /// One learner a seat.
    pub seats: Vec<Placement>,
}

/// One learner and the seat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Placement {
    /// The seat and its account.
    #[serde(flatten)]
    pub seat: Seat,
    /// The learner's address, lower-case: also the user name.
    pub email: String,
    /// Given name; may be empty.
    pub given_name: String,
    /// Family name; the whole name where the roster has only one.
    pub family_name: String,
}

impl Placement {
    /// The learner's user name in Identity Center.
    pub fn user_name(&self) -> &str {
        &self.email
    }
}

impl CoursePlan {
    /// Its seats, for a fan-out.
    pub fn seats(&self) -> Vec<Seat> {
        self.seats.iter().map(|p| p.seat.clone()).collect()
    }

    /// Places learners on seats, both in their order: the same input gives the same plan. Refused when there are more
    /// learners than Available seats.
    pub fn make(course: &Course, learners: &[Learner], available: &[Seat]) -> Result<Self, Complaints> {
        if learners.len() > available.len() {
            return Err(Complaints(vec![Complaint {
                file: "roster.csv".to_owned(),
                line: None,
                problem: format!("{} learners, but {} seats are Available", learners.len(), available.len()),
                remedy: format!(
                    "fill the pool first (`koza pool fill --seats N` with at least {} more), or split the course",
                    learners.len() - available.len()
                ),
            }]));
        }
        let mut seats = available.to_vec();
        seats.sort();
        Ok(Self {
            course: course.course.clone(),
            title: course.title.clone(),
            starts: course.starts,
            ends: course.ends,
            regions: course.regions.clone(),
            services: course.services.clone(),
            seat_budget_usd: course.seat_budget_usd,
            thresholds: course.thresholds.clone(),
            contacts: course.contacts.clone(),
            seats: seats
                .into_iter()
                .zip(learners)
                .map(|(seat, learner)| Placement {
                    seat,
                    email: learner.email.clone(),
                    given_name: learner.given_name.clone(),
                    family_name: learner.family_name.clone(),
                })
                .collect(),
        })
    }

    /// Gives learners whose seat is lost (somebody else won it) another one; those whose seat `holds` keep it.
    pub fn mend(&mut self, holds: impl Fn(&Seat) -> bool, available: &[Seat]) -> Result<bool, Fault> {
        let taken: BTreeSet<Seat> = self.seats().into_iter().collect();
        let mut free = available.iter().filter(|seat| !taken.contains(*seat));
        let mut changed = false;
        for place in self.seats.iter_mut().filter(|p| !holds(&p.seat)) {
            let seat = free.next().ok_or_else(|| {
                Fault::invalid(format!(
                    "{} is no longer Available and no other seat is: fill the pool first",
                    place.seat.seat
                ))
            })?;
            place.seat = seat.clone();
            changed = true;
        }
        Ok(changed)
    }

    /// Whether the files still ask for what was planned: the same course and the same learners, whatever their order.
    pub fn still_fits(&self, course: &Course, learners: &[Learner]) -> bool {
        let emails = |mut list: Vec<&str>| {
            list.sort_unstable();
            list.join("\n")
        };
        let planned = emails(self.seats.iter().map(|p| p.email.as_str()).collect());
        let wanted = emails(learners.iter().map(|l| l.email.as_str()).collect());
        planned == wanted
            && self.title == course.title
            && (self.starts, self.ends) == (course.starts, course.ends)
            && self.regions == course.regions
            && self.services == course.services
            && self.seat_budget_usd == course.seat_budget_usd
            && self.thresholds == course.thresholds
            && self.contacts == course.contacts
    }
}

/// The record of one learner.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LearnerRecord {
    /// The seat.
    pub seat: String,
    /// Its account.
    pub account: String,
    /// The learner's address.
    pub email: String,
    /// The user's id in the identity store.
    pub user_id: String,
    /// Whether we made the user (and so remove it at the end).
    pub made_user: bool,
    /// In the seat's group.
    pub enrolled: bool,
    /// Proved to reach exactly its account with exactly its permission set.
    pub proved: bool,
    /// Why not.
    pub why: String,
}

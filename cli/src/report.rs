//! The report of a course: one self-contained HTML page, and the same as JSON.

use crate::client::Koza;
use crate::commands::costs;
use askama::Template;
use serde::Serialize;
use shared::ids::SweepId;
use shared::money::Usd;
use shared::plan::{CoursePlan, LearnerRecord};
use shared::records::{self, key};
use shared::sweep::verdict::Judgement;
use shared::{CourseId, SeatName};
use std::collections::BTreeMap;

/// Everything that the page says.
#[derive(Clone, Debug, Serialize, Template)]
#[template(path = "report.html")]
#[serde(rename_all = "camelCase")]
pub struct Data {
    /// The course's id.
    pub course: String,
    /// Its title.
    pub title: String,
    /// First and last day.
    pub days: String,
    /// When this was written, UTC.
    pub written: String,
    /// What one seat may cost.
    pub budget: String,
    /// What all seats cost together; empty: nothing was read.
    pub total: String,
    /// The day of the last reading of costs.
    pub costs_of: String,
    /// Learners proved to reach exactly their account.
    pub proved: usize,
    /// Seats that were judged clean.
    pub clean: usize,
    /// Seats that were judged something else.
    pub held: usize,
    /// Its sweep; empty: not closed.
    pub sweep: String,
    /// Each seat.
    pub seats: Vec<SeatRow>,
    /// What a demo told.
    #[serde(skip)]
    pub chapters: Vec<Chapter>,
    /// Calls of a demo by service: service, calls, refused or failed.
    pub calls: Vec<(String, usize, usize)>,
    /// Wall time and AWS time of a demo.
    pub time: String,
}

/// One thing that the demo claims, and whether it was seen to be true.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Proof {
    /// The claim.
    pub claim: String,
    /// Whether it holds.
    pub holds: bool,
    /// What was seen.
    pub seen: String,
}

/// A chapter of the story, for the report.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Chapter {
    /// Its heading.
    pub heading: String,
    /// Its lines.
    pub lines: Vec<String>,
    /// What it proved.
    pub proofs: Vec<Proof>,
}

/// One seat.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SeatRow {
    /// The seat.
    pub seat: String,
    /// Its account.
    pub account: String,
    /// Name of the learner.
    pub learner: String,
    /// Address of the learner.
    pub email: String,
    /// Whether access was proved, or why not.
    pub access: String,
    /// USD, `unknown`, or nothing where none was read.
    pub cost: String,
    /// Percent of the budget, at most 100: the length of the bar.
    pub bar: i64,
    /// Percent of the budget.
    pub percent: String,
    /// Where the seat is now.
    pub state: String,
    /// Its verdict.
    pub verdict: String,
    /// Why.
    pub why: String,
}

impl Data {
    /// Reads a course's records and the organization.
    pub async fn read(koza: &Koza, course: &CourseId) -> anyhow::Result<Self> {
        let plan: Option<CoursePlan> = records::read(koza.records(), &key::plan(course)).await?;
        let plan = plan.ok_or_else(|| {
            crate::output::Wrong(format!("there is no course {course}: `koza course open FOLDER` opens one"))
        })?;
        let states: BTreeMap<_, _> = koza.seats().await?.into_iter().collect();
        let reading = costs::last(koza, course).await?;
        let sweeps = records::sweeps(koza.records(), course).await?;
        let mut data = Data {
            course: course.to_string(),
            title: plan.title.clone(),
            days: format!("{} to {}", plan.starts, plan.ends),
            written: format!("{:.0}", jiff::Timestamp::now()).replace('T', " ").replace('Z', " UTC"),
            budget: plan.seat_budget_usd.to_string(),
            total: String::new(),
            costs_of: reading.as_ref().map(|r| r.day.clone()).unwrap_or_default(),
            proved: 0,
            clean: 0,
            held: 0,
            sweep: match sweeps {
                0 => String::new(),
                last => SweepId::of(course, last).to_string(),
            },
            seats: Vec::new(),
            chapters: Vec::new(),
            calls: Vec::new(),
            time: String::new(),
        };
        let mut total = Usd::default();
        for place in &plan.seats {
            let seat = &place.seat;
            let learner: LearnerRecord =
                records::read(koza.records(), &key::learner(course, &seat.seat)).await?.unwrap_or_default();
            let judgement = newest_verdict(koza, course, sweeps, &seat.seat).await?;
            let cost = reading.as_ref().and_then(|r| r.seats.iter().find(|s| &s.seat == seat)).map(|s| s.usd);
            let percent = match cost.flatten() {
                Some(usd) => usd.as_cents() * 100 / plan.seat_budget_usd.as_cents().max(1),
                None => 0,
            };
            total = [total, cost.flatten().unwrap_or_default()].into_iter().sum();
            data.proved += usize::from(learner.proved);
            match &judgement {
                Some(j) if j.verdict.is_clean() => data.clean += 1,
                Some(_) => data.held += 1,
                None => {}
            }
            data.seats.push(SeatRow {
                seat: seat.seat.to_string(),
                account: seat.account.to_string(),
                learner: format!("{} {}", place.family_name, place.given_name).trim().to_owned(),
                email: place.email.clone(),
                access: match (learner.proved, learner.why.is_empty()) {
                    (true, _) => "proved".to_owned(),
                    (false, true) => "not proved".to_owned(),
                    (false, false) => learner.why,
                },
                cost: match cost {
                    Some(Some(usd)) => usd.to_string(),
                    Some(None) => "unknown".to_owned(),
                    None => String::new(),
                },
                bar: percent.clamp(0, 100),
                percent: if cost.flatten().is_some() { format!("{percent} %") } else { String::new() },
                state: states.get(seat).map_or_else(|| "not in the pool".to_owned(), |s| s.to_string()),
                verdict: judgement.as_ref().map(|j| j.verdict.to_string()).unwrap_or_default(),
                why: judgement.map(|j| j.why).unwrap_or_default(),
            });
        }
        if reading.is_some() {
            data.total = total.to_string();
        }
        Ok(data)
    }

    /// The page.
    pub fn html(&self) -> anyhow::Result<String> {
        Ok(self.render()?)
    }

    fn held_seats(&self) -> impl Iterator<Item = &SeatRow> {
        self.seats.iter().filter(|s| !s.verdict.is_empty() && !s.verdict.starts_with("clean"))
    }

    fn proofs(&self) -> impl Iterator<Item = &Proof> {
        self.chapters.iter().flat_map(|c| &c.proofs)
    }
}

/// What a seat's last sweep proved: a second attempt to close sweeps only the seats that the first left in the course.
async fn newest_verdict(
    koza: &Koza,
    course: &CourseId,
    sweeps: u32,
    seat: &SeatName,
) -> anyhow::Result<Option<Judgement>> {
    for attempt in (1..=sweeps).rev() {
        let key = key::verdict(&SweepId::of(course, attempt), seat);
        if let Some(judgement) = records::read(koza.records(), &key).await? {
            return Ok(Some(judgement));
        }
    }
    Ok(None)
}

//! Reads the two files of a course and the organization, and writes down who gets which seat. Everything is checked
//! before anything is changed, and all complaints come at once.

use organization::{Organization, SeatPlace, seats};
use serde::{Deserialize, Serialize};
use shared::complaint::Complaints;
use shared::ids::SweepId;
use shared::names::State;
use shared::plan::{CoursePlan, LearnerRecord, read_files};
use shared::records::{self, AlertRecord, Records, key};
use shared::{CourseId, Fault, Names, Seat};

/// Payload.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "for", rename_all = "camelCase", deny_unknown_fields)]
pub enum Ask {
    /// Before course-open.
    Open {
        /// Name of the execution.
        execution: String,
        /// What the execution was started with.
        input: Input,
    },
    /// Before course-close.
    Close {
        /// Name of the execution.
        execution: String,
        /// What the execution was started with.
        input: Input,
    },
}

/// `{"course": "serverless-chatbot-2026"}`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The course.
    pub course: CourseId,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// To course-open.
    Opening(Opening),
    /// To course-close.
    Closing(Closing),
}

/// What course-open needs to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Opening {
    /// The course.
    pub course: CourseId,
    /// For people.
    pub title: String,
    /// It is open, and every learner was proved: there is nothing to do.
    pub already: bool,
    /// How many.
    pub learners: usize,
    /// Where the course's seats are written.
    pub seats_key: String,
    /// Regions that learners may use.
    pub regions: Vec<String>,
}

/// What course-close needs to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Closing {
    /// The course.
    pub course: CourseId,
    /// This attempt's sweep.
    pub sweep: SweepId,
    /// Where the seats to sweep are written.
    pub seats_key: String,
    /// How many.
    pub count: usize,
    /// Regions that learners could use.
    pub regions: Vec<String>,
}

/// Handles one call.
pub async fn handle(
    organization: &impl Organization,
    records: &impl Records,
    names: &Names,
    ask: Ask,
) -> Result<Answer, Fault> {
    let places = seats(organization, names).await?;
    match ask {
        Ask::Open { input, .. } => open(records, input.course, &places).await.map(Answer::Opening),
        Ask::Close { input, .. } => close(records, input.course, &places).await.map(Answer::Closing),
    }
}

async fn open(records: &impl Records, course: CourseId, places: &[SeatPlace]) -> Result<Opening, Fault> {
    let is_in = |place: &SeatPlace| place.state == State::Active(course.clone());
    if records::sweeps(records, &course).await? > 0 {
        return Err(Fault::invalid(match places.iter().any(is_in) {
            true => format!("course {course} is being closed: `koza course close {course}` goes on with that"),
            false => format!("course {course} was closed: give the course file a new id for the next run of it"),
        }));
    }
    let (course_file, roster) = (key::course_file(&course), key::roster(&course));
    let (Some(course_file), Some(roster)) = (records.get(&course_file).await?, records.get(&roster).await?) else {
        return Err(Fault::invalid(format!(
            "there is no course {course}: `koza course open FOLDER` hands in its two files, or put them at {course_file} and {roster} in the records bucket"
        )));
    };
    let available: Vec<Seat> =
        places.iter().filter(|p| p.state == State::Available && p.active).map(|p| p.seat.clone()).collect();
    let planned: Option<CoursePlan> = records::read(records, &key::plan(&course)).await?;
    let made = async {
        let (file, learners) = read_files(("course.yaml", &course_file), ("roster.csv", &roster))?;
        if file.course != course {
            return Err(complaint(&course, &file.course));
        }
        match planned {
            Some(plan) if plan.still_fits(&file, &learners) => Ok(Ok(plan)),
            Some(_) if places.iter().any(is_in) => Ok(Err(Fault::invalid(format!(
                "course {course} is open with other files: changing an open course is not in this version; close it first"
            )))),
            _ => CoursePlan::make(&file, &learners, &available).map(Ok),
        }
    };
    let mut plan = match made.await {
        Ok(plan) => plan?,
        Err(complaints) => {
            records::write(records, &key::complaints(&course), &complaints).await?;
            return Err(complaints.into());
        }
    };
    plan.mend(|seat| available.contains(seat) || places.iter().any(|p| is_in(p) && &p.seat == seat), &available)?;
    let all_in = plan.seats.iter().all(|s| places.iter().any(|p| is_in(p) && p.seat == s.seat));
    let already = all_in && learners(records, &plan).await?.iter().all(|l| l.proved);
    if !already {
        records::write(records, &key::plan(&course), &plan).await?;
        records::write(records, &key::course_seats(&course), &plan.seats()).await?;
    }
    Ok(Opening {
        already,
        learners: plan.seats.len(),
        seats_key: key::course_seats(&course),
        regions: plan.regions,
        title: plan.title,
        course,
    })
}

/// Each attempt is a sweep of its own, over the seats that are still in the course.
async fn close(records: &impl Records, course: CourseId, places: &[SeatPlace]) -> Result<Closing, Fault> {
    let plan: CoursePlan = records::read(records, &key::plan(&course))
        .await?
        .ok_or_else(|| Fault::invalid(format!("there is no course {course}: it was never opened")))?;
    let sweeps = records::sweeps(records, &course).await?;
    let inside: Vec<Seat> =
        places.iter().filter(|p| p.state == State::Active(course.clone())).map(|p| p.seat.clone()).collect();
    // A close that was cut off after its last seat left still has users to remove, and somebody to tell.
    let told = records::read::<AlertRecord>(records, &key::course_closed(&course)).await?.is_some_and(|told| told.sent);
    let is_user = |learner: &LearnerRecord| learner.enrolled || learner.made_user;
    if sweeps > 0 && told && inside.is_empty() && !learners(records, &plan).await?.iter().any(is_user) {
        return Err(Fault::invalid(format!("course {course} is closed already: there is nothing to do")));
    }
    let sweep = SweepId::of(&course, sweeps + 1);
    let seats_key = key::sweep_seats(&sweep);
    records::write(records, &seats_key, &inside).await?;
    Ok(Closing { course, sweep, seats_key, count: inside.len(), regions: plan.regions })
}

fn complaint(asked: &CourseId, found: &CourseId) -> Complaints {
    Complaints(vec![shared::complaint::Complaint {
        file: "course.yaml".to_owned(),
        line: None,
        problem: format!("the file is for course {found}, and {asked} was asked for"),
        remedy: "hand it in under its own id".to_owned(),
    }])
}

async fn learners(records: &impl Records, plan: &CoursePlan) -> Result<Vec<LearnerRecord>, Fault> {
    let mut all = Vec::new();
    for seat in plan.seats() {
        all.push(records::read(records, &key::learner(&plan.course, &seat.seat)).await?.unwrap_or_default());
    }
    Ok(all)
}

#[cfg(test)]
mod tests;

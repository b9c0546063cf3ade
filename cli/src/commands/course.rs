//! `koza course`.

use crate::client::{Execution, Koza, Machine};
use crate::output::{Context, Counted, Need, Wrong, table};
use crate::report;
use serde_json::{Value, json};
use shared::ids::SweepId;
use shared::names::State;
use shared::plan::{CoursePlan, read_files};
use shared::records::{self, Records, key};
use shared::{CourseId, Seat};
use std::path::{Path, PathBuf};

/// A course
#[derive(Debug, clap::Subcommand)]
pub enum Course {
    /// Check the course file and the roster; nothing is asked of AWS
    Check(Files),
    /// Show which learner would get which seat; nothing is changed
    Plan(Files),
    /// Open the course: users, guardrails, seats, enrolment, proof of access
    Open(Files),
    /// Who has which seat, what was proved, and what it cost
    Status {
        /// The course's id
        course: String,
    },
    /// Close the course: deny, sweep every seat, judge, and hand the clean ones back
    Close {
        /// The course's id
        course: String,
    },
}

/// The two files of a course.
#[derive(Debug, clap::Args)]
pub struct Files {
    /// Folder with course.yaml and roster.csv
    folder: PathBuf,
    /// The course file, if it is elsewhere
    #[arg(long)]
    file: Option<PathBuf>,
    /// The roster, if it is elsewhere
    #[arg(long)]
    roster: Option<PathBuf>,
}

struct Read {
    course: Vec<u8>,
    roster: Vec<u8>,
    file: shared::course::Course,
    learners: Vec<shared::roster::Learner>,
}

impl Files {
    fn read(&self) -> anyhow::Result<Read> {
        let file = self.file.clone().unwrap_or_else(|| self.folder.join("course.yaml"));
        let roster = self.roster.clone().unwrap_or_else(|| self.folder.join("roster.csv"));
        let (course, learners) = (bytes(&file)?, bytes(&roster)?);
        let name = |path: &Path| path.display().to_string();
        let (read, list) = read_files((&name(&file), &course), (&name(&roster), &learners))?;
        Ok(Read { course, roster: learners, file: read, learners: list })
    }
}

fn bytes(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).map_err(|e| Wrong(format!("{} cannot be read: {e}", path.display())).into())
}

impl Course {
    /// Runs it.
    pub async fn run(self, context: &Context) -> anyhow::Result<Need> {
        match self {
            Course::Check(files) => {
                let read = files.read()?;
                let (course, learners) = (&read.file.course, read.learners.len());
                context.print(
                    &json!({"course": course, "learners": learners, "complaints": []}),
                    format!("{course}: {learners} learners, no complaint"),
                );
                Ok(Need::Nothing)
            }
            Course::Plan(files) => plan(context, files).await,
            Course::Open(files) => open(context, files).await,
            Course::Status { course } => status(context, course).await,
            Course::Close { course } => close(context, course).await,
        }
    }
}

async fn plan(context: &Context, files: Files) -> anyhow::Result<Need> {
    let read = files.read()?;
    let koza = context.koza().await?;
    let seats = koza.seats().await?;
    let available: Vec<Seat> =
        seats.into_iter().filter(|(_, state)| *state == State::Available).map(|(seat, _)| seat).collect();
    let plan = CoursePlan::make(&read.file, &read.learners, &available)?;
    let mut text = table(["seat", "account", "learner", "e-mail"]);
    for place in &plan.seats {
        text.add_row([
            place.seat.seat.to_string(),
            place.seat.account.to_string(),
            format!("{} {}", place.family_name, place.given_name).trim().to_owned(),
            place.email.clone(),
        ]);
    }
    let told = format!(
        "{text}\n{} learners on {} Available seats; a seat may cost {} USD. Nothing was changed.",
        plan.seats.len(),
        available.len(),
        plan.seat_budget_usd
    );
    context.print(&serde_json::to_value(&plan)?, told);
    Ok(Need::Nothing)
}

/// The files are handed in and the machine is started; what the machine refuses was not changed.
async fn open(context: &Context, files: Files) -> anyhow::Result<Need> {
    let read = files.read()?;
    let koza = context.koza().await?;
    let course = &read.file.course;
    koza.records().put(&key::course_file(course), read.course).await?;
    koza.records().put(&key::roster(course), read.roster).await?;
    let total = read.learners.len() as u64;
    let counted = |_: &Execution| Some(Counted { prefix: key::learners(course), total, noun: "learners" });
    let purpose = format!("{course}-open");
    let answer = context.run(&koza, Machine::CourseOpen, &purpose, json!({"course": course}), counted).await?;
    let text = match answer["changed"].as_bool() {
        Some(false) => format!("{course} was open already; nothing was changed"),
        _ => format!(
            "{course} is open: {} of {} learners reach exactly their own account",
            answer["proved"], answer["learners"]
        ),
    };
    context.print(&answer, text);
    Ok(Need::Nothing)
}

async fn status(context: &Context, course: String) -> anyhow::Result<Need> {
    let koza = context.koza().await?;
    let data = report::Data::read(&koza, &CourseId(course)).await?;
    let mut text = table(["seat", "account", "learner", "access", "cost (USD)", "state", "verdict"]);
    for seat in &data.seats {
        text.add_row([&seat.seat, &seat.account, &seat.learner, &seat.access, &seat.cost, &seat.state, &seat.verdict]);
    }
    context.print(&serde_json::to_value(&data)?, format!("{} ({})\n{text}", data.title, data.course));
    Ok(Need::Nothing)
}

async fn close(context: &Context, course: String) -> anyhow::Result<Need> {
    let koza = context.koza().await?;
    let course = CourseId(course);
    let total = seats_of(&koza, &course).await;
    let sweep = SweepId::of(&course, records::sweeps(koza.records(), &course).await? + 1);
    let counted = |_: &Execution| Some(Counted { prefix: key::verdicts(&sweep), total, noun: "seats judged" });
    let purpose = format!("{course}-close");
    let answer = context.run(&koza, Machine::CourseClose, &purpose, json!({"course": course}), counted).await?;
    let held = answer["quarantined"].as_array().cloned().unwrap_or_default();
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut text = format!("{course} is closed: {} of {} seats are clean", answer["clean"], answer["seats"]);
    for seat in &held {
        text.push_str(&format!(
            "\nin quarantine: {} ({}): {}",
            word(&seat["seat"]),
            word(&seat["account"]),
            word(&seat["why"])
        ));
    }
    context.print(&answer, text);
    Ok(if held.is_empty() { Need::Nothing } else { Need::APerson })
}

async fn seats_of(koza: &Koza, course: &CourseId) -> u64 {
    let plan: Option<CoursePlan> = records::read(koza.records(), &key::plan(course)).await.ok().flatten();
    plan.map_or(0, |p| p.seats.len() as u64)
}

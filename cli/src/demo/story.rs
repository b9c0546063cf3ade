//! The story: fill, open, use, watch, close, report. Every claim is checked as it is told.

use super::learners::{self, Project};
use super::people::{self, Learner};
use super::tale::Tale;
use super::{Args, leftovers, roster};
use crate::client::{Koza, Machine, by_state};
use crate::output::{self, Counted};
use crate::report::Proof;
use crate::workspace::{self, Workspace};
use anyhow::Context;
use comfy_table::{Table, presets::UTF8_FULL_CONDENSED};
use futures::{StreamExt, TryStreamExt, stream};
use koza_local::Running;
use serde_json::{Value, json};
use shared::ids::SweepId;
use shared::names::{MemberRole, access_role_arn};
use shared::plan::{CoursePlan, LearnerRecord, Placement};
use shared::records::{self, Records, key};
use shared::sweep::verdict::Judgement;
use shared::{AccountId, CourseId};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Learners at work at the same time.
const AT_ONCE: usize = 6;

/// What came of it.
pub struct Story {
    koza: Koza,
    endpoint: String,
    tale: Tale,
    plan: CoursePlan,
    verdicts: BTreeMap<String, Judgement>,
    counts: Counts,
}

/// The numbers of `result.json`.
#[derive(Clone, Debug, Default)]
struct Counts {
    speed: f64,
    seats: u64,
    proved: usize,
    frozen: usize,
    leftovers: usize,
    outside_deletes: usize,
    aws_seconds: f64,
    calls: u64,
}

/// What the demo ends with.
pub struct Ending {
    /// `result.json`.
    pub result: Value,
    /// The closing table.
    pub table: String,
    /// Claims that do not hold.
    pub broken: Vec<Proof>,
}

/// The learners whose seats play a part. Learners are counted from 0 in the roster's order.
struct Cast {
    over_budget: usize,
    locked: usize,
    edited: usize,
}

const CAST: Cast = Cast { over_budget: 1, locked: 3, edited: 4 };

fn project(learner: usize) -> Project {
    match learner % 8 {
        2 | 6 => Project::ChatbotWithoutItsRole,
        5 => Project::ClosedNetwork,
        _ => Project::Chatbot,
    }
}

/// Tells it.
pub async fn tell(workspace: &Workspace, running: &Running, args: &Args) -> anyhow::Result<Story> {
    let endpoint = running.endpoint.clone();
    let operations = workspace::config(&endpoint, koza_local::OPERATIONS_KEY).await;
    let koza = Koza::connect(&operations, "koza").await?;
    let mut tale = Tale::begin();
    let mut counts = Counts { speed: running.speed, ..Counts::default() };

    tale.chapter("1 Fill: accounts become seats");
    let seats = args.learners + 2;
    counts.seats = u64::from(seats);
    let filled = run(&koza, &mut tale, &mut counts, Machine::PoolFill, "pool-fill", json!({"seats": seats})).await?;
    tale.say(format!("{seats} seats: {filled}"));
    let status = by_state(&koza.seats().await?);
    let available = status.get("Available").copied().unwrap_or(0);
    tale.prove("every seat is Available", available == seats as usize, format!("{available} of {seats}"));

    tale.chapter("2 Open: every learner gets an account");
    counts.seats = u64::from(args.learners);
    let (course_file, roster_file) = files(workspace, args)?;
    let course = shared::course::Course::read("course.yaml", &course_file)?;
    let course_id = CourseId(course.course.to_string());
    koza.records().put(&key::course_file(&course_id), course_file.into_bytes()).await?;
    koza.records().put(&key::roster(&course_id), roster_file.into_bytes()).await?;
    let open = json!({"course": course_id});
    run(&koza, &mut tale, &mut counts, Machine::CourseOpen, &format!("{course_id}-open"), open.clone()).await?;
    let plan: CoursePlan = records::read_written(koza.records(), &key::plan(&course_id)).await?;
    let learner_records = learner_records(&koza, &plan).await?;
    counts.proved = learner_records.iter().filter(|r| r.proved).count();
    tale.prove(
        "each learner's group reaches exactly its own account",
        counts.proved == plan.seats.len(),
        format!("{} of {} proved by course-open", counts.proved, plan.seats.len()),
    );
    let signed_in = sign_in(&endpoint, &plan).await?;
    let own = signed_in
        .iter()
        .zip(&plan.seats)
        .filter(|(learner, place)| learner.accounts == [place.seat.account.0.clone()])
        .count();
    tale.prove(
        "the access portal shows each learner one account, their own",
        own == plan.seats.len(),
        format!("{own} of {}", plan.seats.len()),
    );
    let again = run(&koza, &mut tale, &mut counts, Machine::CourseOpen, &format!("{course_id}-open"), open).await?;
    tale.prove(
        "opening the same course again changes nothing and says so",
        again["changed"] == json!(false),
        again.to_string(),
    );

    tale.chapter("3 Use: learners build what the course teaches");
    use_seats(&mut tale, &plan, &signed_in).await?;
    mischief(&koza, &mut tale, &endpoint, &plan, &signed_in).await?;

    tale.chapter("4 Watch: costs, an alert, a frozen seat");
    counts.frozen = watch(&koza, &mut tale, &mut counts, &endpoint, &plan, &signed_in).await?;

    tale.chapter("5 Close: every account is swept and judged");
    let closed = run(
        &koza,
        &mut tale,
        &mut counts,
        Machine::CourseClose,
        &format!("{course_id}-close"),
        json!({"course": course_id}),
    )
    .await?;
    tale.say(format!("course-close: {closed}"));
    let sweep = closed["sweep"].as_str().context("course-close did not name its sweep")?.to_owned();
    let verdicts = verdicts(&koza, &plan, &sweep).await?;
    judge(&mut tale, &plan, &verdicts);
    let denied = learners::try_to_create_a_bucket(&signed_in[0].config, "koza-after-the-course").await;
    tale.prove(
        "a learner's session that is still open is denied after the close",
        denied.is_err(),
        denied.err().map_or("allowed".to_owned(), |e| format!("{e:#}")),
    );

    tale.chapter("6 Count: what is left, by a reader of its own");
    counts.leftovers = count_leftovers(&mut tale, workspace, &endpoint, &plan, &verdicts)?;
    counts.outside_deletes = outside(&mut tale, running, &koza).await?;
    counts.calls = koza_local::calls(&endpoint).await?.len() as u64;
    Ok(Story { koza, endpoint, tale, plan, verdicts, counts })
}

/// Runs a machine and follows it; its wall time, at the local clock's speed, counts as AWS time.
async fn run(
    koza: &Koza,
    tale: &mut Tale,
    counts: &mut Counts,
    machine: Machine,
    purpose: &str,
    input: Value,
) -> anyhow::Result<Value> {
    tale.say(format!("{machine} starts with {input}"));
    let began = std::time::Instant::now();
    let execution = koza.start(machine, purpose, &input).await?;
    let course = || CourseId::from(input["course"].as_str().unwrap_or_default());
    let counted = match machine {
        Machine::PoolFill => Some((format!("{}/seats/", key::fill(&execution.name)), "seats prepared")),
        Machine::CourseOpen => Some((key::learners(&course()), "learners")),
        Machine::CourseClose => Some((key::verdicts(&SweepId::of(&course(), 1)), "seats judged")),
        _ => None,
    };
    let counted = counted.map(|(prefix, noun)| Counted { prefix, total: counts.seats, noun });
    let answer = output::follow(koza, &execution, counted.as_ref(), true).await?;
    let seconds = began.elapsed().as_secs_f64();
    counts.aws_seconds += seconds * counts.speed;
    tale.say(format!("{machine} took {seconds:.1} s"));
    Ok(answer)
}

fn files(workspace: &Workspace, args: &Args) -> anyhow::Result<(String, String)> {
    let folder = workspace.root().join("examples/courses/serverless-chatbot");
    let course = std::fs::read_to_string(folder.join("course.yaml"))?;
    let roster = match args.learners {
        24 => std::fs::read_to_string(folder.join("roster.csv"))?,
        n => roster::made_up(n as usize),
    };
    Ok((course, roster))
}

async fn learner_records(koza: &Koza, plan: &CoursePlan) -> anyhow::Result<Vec<LearnerRecord>> {
    let mut all = Vec::new();
    for place in &plan.seats {
        let record = records::read(koza.records(), &key::learner(&plan.course, &place.seat.seat)).await?;
        all.extend(record);
    }
    Ok(all)
}

async fn sign_in(endpoint: &str, plan: &CoursePlan) -> anyhow::Result<Vec<Learner>> {
    stream::iter(&plan.seats)
        .map(|place| people::sign_in(endpoint, place.user_name()))
        .buffered(AT_ONCE)
        .try_collect()
        .await
}

async fn use_seats(tale: &mut Tale, plan: &CoursePlan, signed_in: &[Learner]) -> anyhow::Result<()> {
    let built: Vec<learners::Built> = stream::iter(plan.seats.iter().zip(signed_in).enumerate())
        .map(|(n, (place, learner))| async move {
            learners::build(&learner.config, place.seat.account.as_str(), place.seat.seat.as_str(), project(n))
                .await
                .with_context(|| format!("{} could not build", place.seat.seat))
        })
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    let mut totals: BTreeMap<String, usize> = BTreeMap::new();
    for (what, count) in built.iter().flat_map(|b| &b.counts) {
        *totals.entry(what.to_string()).or_default() += count;
    }
    let list: Vec<String> = totals.iter().map(|(what, n)| format!("{n} {what}")).collect();
    tale.say(format!("{} learners built {}", built.len(), list.join(", ")));
    let of = |wanted: fn(&Project) -> bool| (0..plan.seats.len()).filter(|n| wanted(&project(*n))).count();
    tale.say(format!(
        "{} of them then deleted the execution role of their stack; {} have a closed network with a notebook in service",
        of(|p| matches!(p, Project::ChatbotWithoutItsRole)),
        of(|p| matches!(p, Project::ClosedNetwork)),
    ));
    Ok(())
}

/// Two seats get what will keep them from ever being clean.
async fn mischief(
    koza: &Koza,
    tale: &mut Tale,
    endpoint: &str,
    plan: &CoursePlan,
    signed_in: &[Learner],
) -> anyhow::Result<()> {
    let seat = |n: usize| &plan.seats[n].seat;
    let access = |account: &AccountId| access_role_arn(account);
    let management = workspace::config(endpoint, koza_local::MANAGEMENT_KEY).await;

    let locked = seat(CAST.locked);
    let admin = people::with_role(endpoint, &management, &access(&locked.account)).await?;
    let bucket = learners::lock_an_object_for_ever(&admin, locked.seat.as_str()).await?;
    tale.say(format!(
        "{}: somebody with the account's access role locked an object in {bucket} for years (COMPLIANCE): nobody can delete it",
        locked.seat
    ));
    let learner_locks =
        learners::lock_an_object_for_ever(&signed_in[CAST.locked].config, &format!("{}-own", locked.seat)).await;
    tale.prove(
        "the floor denies a learner the same lock",
        learner_locks.is_err(),
        learner_locks.err().map_or("it was allowed".to_owned(), |e| format!("{e:#}")),
    );

    let edited = seat(CAST.edited);
    let role = koza.names().member_role(MemberRole::Operator);
    let as_learner = learners::edit_the_trust_of_a_kept_role(&signed_in[CAST.edited].config, &role).await;
    tale.prove(
        "the floor denies a learner an edit of our role's trust",
        as_learner.is_err(),
        as_learner.err().map_or("it was allowed".to_owned(), |e| format!("{e:#}")),
    );
    let admin = people::with_role(endpoint, &management, &access(&edited.account)).await?;
    learners::edit_the_trust_of_a_kept_role(&admin, &role).await?;
    tale.say(format!(
        "{}: the access role, which the floor does not bind, added a stranger to the trust of {role}",
        edited.seat
    ));
    Ok(())
}

async fn watch(
    koza: &Koza,
    tale: &mut Tale,
    counts: &mut Counts,
    endpoint: &str,
    plan: &CoursePlan,
    signed_in: &[Learner],
) -> anyhow::Result<usize> {
    koza_local::set_costs(endpoint, &costs(plan)).await?;
    let operations = workspace::config(endpoint, koza_local::OPERATIONS_KEY).await;
    let subscriber = koza_local::Subscriber::of(&operations, koza.alerts_topic()).await?;
    let before = koza_local::calls(endpoint).await?;
    let watched = run(koza, tale, counts, Machine::CostWatch, "cost-watch-demo", json!({})).await?;
    tale.say(format!("cost-watch: {watched}"));
    let polls = koza_local::calls(endpoint)
        .await?
        .iter()
        .skip(before.len())
        .filter(|call| call.operation == "GetCostAndUsage")
        .count();
    let pages = plan.seats.len().div_ceil(20).max(1);
    tale.prove(
        "one grouped question tells the costs of all seats",
        polls >= 1 && polls <= 2 * pages + 2,
        format!("{polls} page(s) of Cost Explorer for {} seats", plan.seats.len()),
    );
    let messages = subscriber.heard().await?;
    for message in &messages {
        tale.say(format!("arrived at the subscribed queue: {}: {}", message.subject, message.text));
    }
    let over = &plan.seats[CAST.over_budget].seat;
    tale.prove(
        "the alert names the seat that is over its limit",
        messages.iter().any(|m| m.subject.contains(over.seat.as_str()) || m.text.contains(over.seat.as_str())),
        format!("{} message(s)", messages.len()),
    );
    let frozen = watched["frozen"].as_array().map_or(0, Vec::len);
    tale.prove("one seat is frozen", frozen == 1, watched["frozen"].to_string());

    let mine = learners::try_to_create_a_bucket(&signed_in[CAST.over_budget].config, "koza-demo-frozen").await;
    tale.prove(
        &format!("the learner of {} is denied", over.seat),
        mine.is_err(),
        mine.err().map_or("allowed".to_owned(), |e| format!("{e:#}")),
    );
    let beside = CAST.over_budget + 1;
    let theirs = learners::try_to_create_a_bucket(&signed_in[beside].config, "koza-demo-beside").await;
    tale.prove(
        &format!("the learner of {} beside it is not", plan.seats[beside].seat.seat),
        theirs.is_ok(),
        theirs.err().map_or("a bucket was made".to_owned(), |e| format!("{e:#}")),
    );
    let sweeper_arn = koza.names().member_role_arn(&plan.seats[beside].seat.account, MemberRole::Sweeper);
    let taken = people::with_role(endpoint, &signed_in[beside].config, &sweeper_arn).await;
    tale.prove(
        "a learner cannot take the sweeper's role in the own account",
        taken.is_err(),
        taken.err().map_or("taken".to_owned(), |e| format!("{e:#}")),
    );
    let function = people::function(endpoint, "koza-sweep-storage").await?;
    let sweeper = people::with_role(endpoint, &function, &sweeper_arn).await?;
    let swept = learners::try_to_delete_a_bucket(&sweeper, "koza-demo-beside").await;
    tale.prove(
        "our own sweeper cannot delete in a seat that is active",
        swept.is_err(),
        swept.err().map_or("it deleted".to_owned(), |e| format!("{e:#}")),
    );
    Ok(frozen)
}

/// Costs of the last days: one seat over its budget, one past half of it.
fn costs(plan: &CoursePlan) -> Value {
    let budget = plan.seat_budget_usd.as_cents() as f64 / 100.0;
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    // Costs before the course are another course's.
    let mut days: Vec<_> = (1..=3i64)
        .rev()
        .filter_map(|back| today.checked_sub(jiff::Span::new().days(back)).ok())
        .filter(|day| *day >= plan.starts)
        .collect();
    if days.is_empty() {
        days.push(plan.starts);
    }
    let mut costs = serde_json::Map::new();
    for (n, place) in plan.seats.iter().enumerate() {
        let total = match n {
            n if n == CAST.over_budget => budget * 1.07,
            0 => budget * 0.62,
            n => budget * (0.05 + 0.013 * (n % 17) as f64),
        };
        let by_day: serde_json::Map<String, Value> =
            days.iter().map(|day| (day.to_string(), json!(format!("{:.4}", total / days.len() as f64)))).collect();
        costs.insert(place.seat.account.0.clone(), Value::Object(by_day));
    }
    Value::Object(costs)
}

async fn verdicts(koza: &Koza, plan: &CoursePlan, sweep: &str) -> anyhow::Result<BTreeMap<String, Judgement>> {
    let mut all = BTreeMap::new();
    for place in &plan.seats {
        let key = key::verdict(&sweep.into(), &place.seat.seat);
        if let Some(judgement) = records::read(koza.records(), &key).await? {
            all.insert(place.seat.seat.0.clone(), judgement);
        }
    }
    Ok(all)
}

fn judge(tale: &mut Tale, plan: &CoursePlan, verdicts: &BTreeMap<String, Judgement>) {
    let clean = verdicts.values().filter(|j| j.verdict.is_clean()).count();
    tale.prove(
        "every seat but two is clean",
        clean == plan.seats.len() - 2,
        format!("{clean} of {}", plan.seats.len()),
    );
    for (n, word) in [(CAST.locked, "COMPLIANCE"), (CAST.edited, "trust")] {
        let seat = plan.seats[n].seat.seat.as_str();
        let seen = verdicts.get(seat).map_or("no verdict".to_owned(), |j| format!("{}: {}", j.verdict, j.why));
        let holds = verdicts.get(seat).is_some_and(|j| !j.verdict.is_clean() && j.why.contains(word));
        tale.prove(&format!("{seat} is in Quarantine with its reason"), holds, seen);
    }
}

fn count_leftovers(
    tale: &mut Tale,
    workspace: &Workspace,
    endpoint: &str,
    plan: &CoursePlan,
    verdicts: &BTreeMap<String, Judgement>,
) -> anyhow::Result<usize> {
    let accounts: Vec<String> = plan.seats.iter().map(|p| p.seat.account.0.clone()).collect();
    let left = leftovers::count(workspace, endpoint, &accounts)?;
    let of = |place: &Placement| left.get(place.seat.account.as_str()).map_or(0, Vec::len);
    let is_clean = |place: &&Placement| verdicts.get(place.seat.seat.as_str()).is_some_and(|j| j.verdict.is_clean());
    let elsewhere: usize = plan.seats.iter().filter(is_clean).map(of).sum();
    tale.prove(
        "nothing is left in the clean accounts",
        elsewhere == 0,
        format!("{elsewhere} things in {} accounts, read with boto3", accounts.len()),
    );
    let locked = of(&plan.seats[CAST.locked]);
    tale.prove(
        "the same reader does see what could not go",
        locked > 0,
        format!("{locked} thing(s) in {}", plan.seats[CAST.locked].seat.seat),
    );
    Ok(elsewhere)
}

/// Deletions that reached AWS in accounts that are no seats, by the gateway's ledger.
async fn outside(tale: &mut Tale, running: &Running, koza: &Koza) -> anyhow::Result<usize> {
    let seats: BTreeSet<String> = koza.seats().await?.into_iter().map(|(seat, _)| seat.account.0).collect();
    let calls = koza_local::calls(&running.endpoint).await?;
    let deletes: Vec<_> = calls.iter().filter(|c| is_deletion(&c.operation) && c.error.is_none()).collect();
    let inside = deletes.iter().filter(|c| seats.contains(&c.account)).count();
    // Ours to write: the organization's own policies and units, group memberships, users that we made.
    let outside = deletes
        .iter()
        .filter(|c| !seats.contains(&c.account))
        .filter(|c| !matches!(c.service.as_str(), "organizations" | "identitystore" | "sqs"))
        .count();
    tale.prove(
        "no deletion outside the pool",
        outside == 0 && inside > 0,
        format!("{inside} deletions in seats, {outside} elsewhere"),
    );
    let intact = koza_local::bystander_is_intact(running).await?;
    tale.prove("the account beside the pool is as it was", intact, "its bucket, object and role are there");
    Ok(outside)
}

fn is_deletion(operation: &str) -> bool {
    ["Delete", "Terminate", "Remove", "Abort", "Schedule"].iter().any(|verb| operation.starts_with(verb))
}

impl Story {
    /// Writes `result.json` and `report.html`.
    pub async fn write(self, workspace: &Workspace, wall: Duration) -> anyhow::Result<Ending> {
        let clean = self.verdicts.values().filter(|j| j.verdict.is_clean()).count();
        let learners = self.plan.seats.len();
        let quarantined = learners - clean;
        let counts = &self.counts;
        let rows = [
            ("learners", learners.to_string(), String::new()),
            ("access proved", format!("{} of {learners}", counts.proved), String::new()),
            ("frozen", counts.frozen.to_string(), String::new()),
            ("clean", clean.to_string(), String::new()),
            ("quarantined", quarantined.to_string(), self.reasons().join("\n")),
            ("leftovers elsewhere", counts.leftovers.to_string(), "counted with boto3".to_owned()),
            ("deletions outside the pool", counts.outside_deletes.to_string(), String::new()),
            ("calls to AWS", counts.calls.to_string(), String::new()),
            (
                "AWS time of the machines",
                format!("{:.0} s", counts.aws_seconds),
                format!("at {} times its speed", counts.speed),
            ),
            ("wall time", format!("{:.0} s", wall.as_secs_f64()), String::new()),
        ];
        let mut table = Table::new();
        table.load_preset(UTF8_FULL_CONDENSED);
        for (what, count, note) in rows {
            table.add_row([what.to_owned(), count, note]);
        }
        let result = json!({
            "learners": learners,
            "accessProved": counts.proved,
            "frozen": counts.frozen,
            "clean": clean,
            "quarantined": quarantined,
            "leftovers": counts.leftovers,
            "outsideDeletes": counts.outside_deletes,
            "awsSeconds": counts.aws_seconds.round(),
            "wallSeconds": wall.as_secs_f64().round(),
            "calls": counts.calls,
            "reasons": self.reasons(),
            "proofs": self.tale.proofs().collect::<Vec<_>>(),
        });
        let mut data = crate::report::Data::read(&self.koza, &self.plan.course).await?;
        data.time = format!(
            "The demo took {:.0} s, its state machines {:.0} s of AWS time.",
            wall.as_secs_f64(),
            counts.aws_seconds
        );
        let mut services: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        for ((service, _), (calls, failed)) in koza_local::count(&koza_local::calls(&self.endpoint).await?) {
            let entry = services.entry(service).or_default();
            *entry = (entry.0 + calls, entry.1 + failed);
        }
        data.calls = services.into_iter().map(|(service, (calls, failed))| (service, calls, failed)).collect();
        data.chapters = self.tale.chapters().to_vec();
        std::fs::create_dir_all(workspace.demo())?;
        std::fs::write(workspace.demo().join("result.json"), serde_json::to_vec_pretty(&result)?)?;
        std::fs::write(workspace.demo().join("report.html"), data.html()?)?;
        Ok(Ending {
            result,
            table: table.to_string(),
            broken: self.tale.proofs().filter(|p| !p.holds).cloned().collect(),
        })
    }

    fn reasons(&self) -> Vec<String> {
        let held = self.verdicts.iter().filter(|(_, j)| !j.verdict.is_clean());
        held.map(|(seat, j)| format!("{seat}: {}", j.why)).collect()
    }
}

//! What every machine, and so every function, keeps whatever happens: run again it changes nothing; cut off anywhere and started
//! again it ends as if it had never been cut off; in a storm it ends as on a calm day; nobody outside the pool is touched; and
//! people are told everything, once.
//!
//! A machine that is not in `STEPS` fails the first test. The checks themselves are shown to fail in the last.

use koza_local::{
    Call, Fault, MANAGEMENT_KEY, Message, OPERATIONS, OPERATIONS_KEY, REGION, Subscriber, config_for_key, http,
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use tests::{Ledger, ONE, Story, course, make_a_bucket, root, roster};
use tokio::sync::OnceCell;

type World = BTreeMap<String, Value>;

/// A small course from its beginning to its end: each machine, and the command that starts it.
const STEPS: [(&str, &[&str]); 7] = [
    ("pool-fill", &["pool", "fill", "--seats", "2"]),
    ("course-open", &["course", "open", "COURSE"]),
    // Freezes the one seat of the course, which has cost too much.
    ("cost-watch", &["costs", "--poll"]),
    ("seat-thaw", &["thaw", "koza-0001", "--reason", "it is paid"]),
    ("seat-freeze", &["freeze", "koza-0001", "--reason", "asked by the teacher"]),
    // An Available seat in which somebody left a bucket.
    ("account-sweep", &["sweep", "koza-0002", "--delete"]),
    ("course-close", &["course", "close", "small-2026"]),
];

/// Waits and pacing are over at once: what counts here is the order of calls.
const FAST: &[&str] = &["--speed", "1000"];

/// A course that goes through `STEPS`.
struct Course {
    story: Story,
    endpoint: String,
    ledger: Ledger,
    made: usize,
    people: Subscriber,
    heard: Vec<Message>,
}

/// How a step ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Done {
    Now,
    /// It was refused, because it is done already.
    Before,
}

/// How many calls it took to make the local AWS: those furnished what is outside the pool.
async fn made(endpoint: &str) -> usize {
    koza_local::calls(endpoint).await.expect("the ledger").len()
}

/// Who hears the alerts.
async fn people(endpoint: &str) -> Subscriber {
    let operations = config_for_key(endpoint, OPERATIONS_KEY).load().await;
    let topic = format!("arn:aws:sns:{REGION}:{OPERATIONS}:koza-alerts");
    Subscriber::of(&operations, &topic).await.expect("a subscription")
}

impl Course {
    /// `attempts`: how often a function's SDK tries a call; once, and what breaks is not mended below our own code.
    async fn begin(name: &str, attempts: u32) -> Self {
        let mut story = Story::begin(name);
        story.environment.push(("AWS_MAX_ATTEMPTS", attempts.to_string()));
        story.file("course/course.yaml", &course("small-2026"));
        story.file("course/roster.csv", &roster(1));
        let endpoint = story.up(FAST);
        Self {
            ledger: Ledger::of(&endpoint),
            made: made(&endpoint).await,
            people: people(&endpoint).await,
            heard: Vec::new(),
            story,
            endpoint,
        }
    }

    /// Everything that people were told.
    async fn heard(&mut self) -> &[Message] {
        self.heard.extend(self.people.heard().await.expect("what arrived"));
        &self.heard
    }

    /// Every call since the local AWS was made.
    async fn calls(&self) -> Vec<Call> {
        koza_local::calls(&self.endpoint).await.expect("the ledger").split_off(self.made)
    }

    async fn accounts(&self) -> BTreeMap<String, String> {
        let pool = self.story.local(&["pool", "status"]);
        let seats = pool.json["seats"].as_array().unwrap_or_else(|| panic!("{}", pool.told)).clone();
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        seats.iter().map(|seat| (text(&seat["seat"]), text(&seat["account"]))).collect()
    }

    /// What the world does before a step.
    async fn before(&self, machine: &str) {
        match machine {
            "cost-watch" => {
                let yesterday = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24);
                let day = yesterday.strftime("%Y-%m-%d").to_string();
                let costs = json!({&self.accounts().await["koza-0001"]: {&day: "25.00"}});
                koza_local::set_costs(&self.endpoint, &costs).await.expect("costs");
            }
            "account-sweep" => make_a_bucket(&self.endpoint, &self.accounts().await["koza-0002"], "left-here").await,
            "course-close" => make_a_bucket(&self.endpoint, &self.accounts().await["koza-0001"], "built-here").await,
            _ => {}
        }
    }

    /// One step, once.
    fn run(&self, arguments: &[&str]) -> Result<Done, String> {
        let folder = self.story.folder("course");
        let arguments: Vec<&str> = arguments.iter().map(|a| if *a == "COURSE" { folder.as_str() } else { a }).collect();
        let said = self.story.local(&arguments);
        match said.code {
            0 => Ok(Done::Now),
            2 if said.told.contains("closed already") => Ok(Done::Before),
            code => Err(format!("exit code {code}: {}", said.told)),
        }
    }

    async fn world(&self) -> World {
        koza_local::world(&self.endpoint).await.expect("the world")
    }

    /// Complaints about the second run of a step: what it wrote, and what is other than it was.
    async fn twice(&mut self, machine: &str, arguments: &[&str]) -> Vec<String> {
        let before = self.world().await;
        self.ledger.news().await;
        let done = match self.run(arguments) {
            Ok(done) => done,
            Err(why) => return vec![why],
        };
        let news = self.ledger.news().await;
        let expected = |call: &Call| match call.service.as_str() {
            // That an execution was refused is told.
            "sns" => done == Done::Before,
            _ => machine == "account-sweep" && is_scaffolding(call),
        };
        let writes = news.iter().filter(|c| is_write(c) && !expected(c));
        let mut complaints: Vec<String> = writes.map(line).collect();
        complaints.extend(differences(&before, &self.world().await));
        complaints
    }

    /// Runs a step again and again, each time cut off, until it gets through. How often it was cut off.
    async fn cut_anywhere(&mut self, machine: &str, arguments: &[&str], cut: Cut) -> usize {
        let stride = if std::env::var("KOZA_CUTS").is_ok_and(|v| v == "all") { 1 } else { 3 };
        for cuts in 0..200 {
            self.ledger.news().await;
            let rule = match cut {
                // A sweep makes its keeper anew in every run, so the cut has to move on.
                Cut::Write if ["account-sweep", "course-close"].contains(&machine) => {
                    json!({"records": false, "after": cuts * stride / 2})
                }
                Cut::Write => json!({"records": false, "after": if cuts == 0 { 0 } else { stride - 1 }}),
                Cut::Record if ["account-sweep", "course-close"].contains(&machine) => {
                    json!({"records": true, "after": cuts * stride * stride})
                }
                Cut::Record => json!({"records": true, "after": cuts * stride}),
            };
            let mut rule = rule.as_object().cloned().expect("an object");
            rule.extend(
                [("principal", json!(":role/")), ("trouble", json!("cut")), ("rate", json!(1))]
                    .map(|(k, v)| (k.to_owned(), v)),
            );
            set_faults(&self.endpoint, &[Value::Object(rule)]).await;
            let ended = self.run(arguments);
            set_faults(&self.endpoint, &[]).await;
            let was_cut = self.ledger.news().await.iter().any(|c| c.error.as_deref() == Some("LostAnswer"));
            if !was_cut {
                ended.unwrap_or_else(|why| panic!("{arguments:?} after {cuts} cuts: {why}"));
                return cuts;
            }
        }
        panic!("{arguments:?} never gets through")
    }
}

/// Where everything stops: that one call is done, its answer is lost, and no other call comes through. (After a read, all is as
/// after the write before it.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    /// The first write of every run, so that each write is once the last; or every third (without `KOZA_CUTS=all`).
    Write,
    /// Records and alerts, of which every run writes many again: one, or three, later in every run.
    Record,
}

async fn set_faults(endpoint: &str, rules: &[Value]) {
    let faults: Vec<Fault> = rules.iter().map(|r| serde_json::from_value(r.clone()).expect("a rule")).collect();
    koza_local::set_faults(endpoint, &faults).await.expect("faults");
}

fn line(call: &Call) -> String {
    format!("{}:{} in {} by {}", call.service, call.operation, call.account, call.principal)
}

/// Whether a call of ours changes something. Records are written by everything that runs; people are not ours.
fn is_write(call: &Call) -> bool {
    let is_record = call.account == koza_local::OPERATIONS && call.service == "s3";
    !is_read(call) && !is_record && call.principal.contains(":role/")
}

fn is_read(call: &Call) -> bool {
    ["Get", "List", "Describe", "Head", "AssumeRole"].iter().any(|verb| call.operation.starts_with(verb))
}

/// Who asks for a sweep gets one: people are locked out while it looks (the seat moves to Sweeping and back), and its keeper comes
/// and goes. That nothing stays of it, the world shows.
fn is_scaffolding(call: &Call) -> bool {
    call.operation == "MoveAccount" || (call.service == "iam" && call.principal.ends_with("role/koza/koza-operator"))
}

/// Writes of ours in accounts that are neither the pool's nor those that Koza works from.
fn outside(calls: &[Call], pool: &BTreeMap<String, String>) -> Vec<String> {
    let ours: BTreeSet<&str> =
        pool.values().map(String::as_str).chain([koza_local::MANAGEMENT, koza_local::OPERATIONS]).collect();
    calls.iter().filter(|c| is_write(c) && !ours.contains(c.account.as_str())).map(line).collect()
}

fn differences(one: &World, other: &World) -> Vec<String> {
    let keys: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    let differs = keys.into_iter().filter(|key| one.get(*key) != other.get(*key));
    differs.map(|key| format!("{key}: {:?} and not {:?}", other.get(key), one.get(key))).collect()
}

/// What people were told again without a word that they may have it already.
fn repeated(heard: &[Message]) -> Vec<String> {
    let mut known = BTreeSet::new();
    let again = heard.iter().filter(|m| !m.text.starts_with("You may have this already") && !known.insert(*m));
    again.map(|m| format!("told again: {}", m.subject)).collect()
}

/// What was told of seats and courses. Executions that did not end well are told too, by their own names.
fn subjects(heard: &[Message]) -> BTreeSet<String> {
    heard.iter().filter(|m| !m.text.contains("Execution arn:")).map(|m| m.subject.clone()).collect()
}

fn all_is_well(complaints: Vec<String>, doing: &str) {
    assert!(complaints.is_empty(), "{doing}:\n{}", complaints.join("\n"));
}

/// A course that nothing disturbed.
struct Calm {
    /// The world after each step.
    worlds: Vec<World>,
    /// What was told.
    subjects: BTreeSet<String>,
    /// Who wrote by which operation: service, operation, role.
    writes: BTreeSet<[String; 3]>,
}

static CALM: OnceCell<Calm> = OnceCell::const_new();

/// Also proves that every step, done again, changes nothing.
async fn calm() -> &'static Calm {
    let calm = CALM.get_or_init(|| async {
        let mut course = Course::begin("calm", 3).await;
        let mut worlds = Vec::new();
        for (machine, arguments) in STEPS {
            course.before(machine).await;
            course.run(arguments).unwrap_or_else(|why| panic!("{machine}: {why}"));
            worlds.push(course.world().await);
            all_is_well(course.twice(machine, arguments).await, &format!("{machine}, done again"));
        }
        let calls = course.calls().await;
        all_is_well(outside(&calls, &course.accounts().await), "outside the pool");
        let assigned = calls.iter().filter(|c| c.operation == "CreateAccountAssignment");
        assert!(
            assigned.clone().count() == 2 && assigned.clone().all(|c| c.error.is_none()),
            "one each, within quotas"
        );
        // The buckets that two steps begin with are not of our making.
        let ours = calls.iter().filter(|c| !is_read(c) && c.operation != "CreateBucket").filter_map(|call| {
            let (_, role) = call.principal.split_once(":role/")?;
            Some([call.service.clone(), call.operation.clone(), role.to_owned()])
        });
        let (writes, heard) = (ours.collect(), course.heard().await);
        all_is_well(repeated(heard), "alerts");
        let subjects = subjects(heard);
        assert!(subjects.len() >= 2, "frozen and thawed: {subjects:?}");
        Calm { worlds, subjects, writes }
    });
    calm.await
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_done_again_changes_nothing() {
    let _one = ONE.lock().await;
    let there: BTreeSet<String> = std::fs::read_dir(root().join("statemachines"))
        .expect("statemachines")
        .filter_map(|entry| Some(entry.ok()?.file_name().to_str()?.strip_suffix(".asl.json")?.to_owned()))
        .collect();
    let tried: BTreeSet<String> = STEPS.iter().map(|(machine, _)| (*machine).to_owned()).collect();
    assert_eq!(tried, there, "every machine has a step here");
    assert_eq!(calm().await.worlds.len(), STEPS.len());
}

/// The first call of every operation that writes is done and not answered, for each role that makes it: the SDK tries again, and
/// is told that it is there, or gone, already.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_answer_is_lost_it_ends_as_if_it_had_come() {
    let _one = ONE.lock().await;
    let calm = calm().await;
    let mut course = Course::begin("lost", 3).await;
    let lost = calm.writes.iter().map(|[service, operation, role]| {
        json!({"service": service, "operation": operation, "principal": format!(":role/{role}"),
               "trouble": "lostAnswer", "rate": 1, "times": 1})
    });
    set_faults(&course.endpoint, &lost.collect::<Vec<_>>()).await;
    for (n, (machine, arguments)) in STEPS.into_iter().enumerate() {
        course.before(machine).await;
        course.run(arguments).unwrap_or_else(|why| panic!("{machine}: {why}"));
        all_is_well(differences(&calm.worlds[n], &course.world().await), machine);
    }
    let calls = course.calls().await;
    let lost: BTreeSet<(&str, &str)> = calls
        .iter()
        .filter(|c| c.error.as_deref() == Some("LostAnswer"))
        .map(|c| (c.service.as_str(), c.operation.as_str()))
        .collect();
    let not_lost = calm.writes.iter().filter(|[service, operation, _]| !lost.contains(&(service, operation)));
    assert_eq!(not_lost.collect::<Vec<_>>(), Vec::<&[String; 3]>::new(), "every one was lost once");
    all_is_well(outside(&calls, &course.accounts().await), "outside the pool");
    all_is_well(repeated(course.heard().await), "alerts");
}

async fn cut_off(name: &str, cut: Cut) {
    let calm = calm().await;
    let mut course = Course::begin(name, 1).await;
    for (n, (machine, arguments)) in STEPS.into_iter().enumerate() {
        course.before(machine).await;
        let (began, cuts) = (std::time::Instant::now(), course.cut_anywhere(machine, arguments, cut).await);
        assert!(cuts > 0, "{machine} was never cut off");
        println!("{machine} was cut off {cuts} times ({:.0} s)", began.elapsed().as_secs_f64());
        all_is_well(differences(&calm.worlds[n], &course.world().await), machine);
    }
    all_is_well(outside(&course.calls().await, &course.accounts().await), "outside the pool");
    let heard = course.heard().await;
    all_is_well(repeated(heard), "alerts");
    let told = subjects(heard);
    let missing = calm.subjects.difference(&told).map(|subject| format!("nobody was told: {subject}"));
    all_is_well(missing.collect(), "alerts");
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_off_after_any_write_it_ends_as_if_it_had_not_been() {
    let _one = ONE.lock().await;
    cut_off("cut", Cut::Write).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_off_after_any_record_it_ends_as_if_it_had_not_been() {
    let _one = ONE.lock().await;
    cut_off("cut-records", Cut::Record).await;
}

/// 10 % throttles, 2 % errors, 1 % lost answers, among them that of the first alert, lists that are slow.
fn storm(seed: u64) -> Vec<Value> {
    let mut rules: Vec<Value> =
        ["organizations", "sso", "identitystore", "iam", "sts", "s3", "cloudformation", "ec2", "lambda", "sns", "ce"]
            .iter()
            .flat_map(|service| {
                [("throttle", 0.1), ("error", 0.02), ("lostAnswer", 0.01)].map(|(trouble, rate)| {
                    json!({"service": service, "principal": ":role/", "trouble": trouble, "rate": rate, "seed": seed})
                })
            })
            .collect();
    rules.push(json!({"service": "sns", "trouble": "lostAnswer", "rate": 1, "times": 1}));
    rules.push(json!({"operation": "List*", "trouble": "slow", "rate": 0.1, "milliseconds": 30, "seed": seed}));
    rules
}

/// A course from an empty pool to its end: the world, and the calls.
async fn from_beginning_to_end(learners: usize, rules: &[Value]) -> (World, Vec<Call>) {
    let story = Story::begin("storm");
    let endpoint = story.up(&["--speed", "600"]);
    let (made, people) = (made(&endpoint).await, people(&endpoint).await);
    set_faults(&endpoint, rules).await;
    story.file("course/course.yaml", &course("storm-2026"));
    story.file("course/roster.csv", &roster(learners));
    let (folder, seats) = (story.folder("course"), learners + 1);
    for (arguments, number, wanted) in [
        (["pool", "fill", "--seats", &seats.to_string()].as_slice(), "", Value::Null),
        (&["course", "open", &folder], "proved", json!(learners)),
        (&["course", "close", "storm-2026"], "clean", json!(learners)),
    ] {
        let said = story.local(arguments);
        let is = said.json.get(number).cloned().unwrap_or_default();
        assert_eq!((said.code, is), (0, wanted), "{arguments:?}: {} {}", said.told, said.json);
    }
    set_faults(&endpoint, &[]).await;
    let pool = story.local(&["pool", "status"]);
    assert_eq!(pool.json["states"], json!({"Available": seats}), "{}", pool.told);
    let accounts = pool.json["seats"].as_array().expect("seats").iter();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let accounts = accounts.map(|seat| (text(&seat["seat"]), text(&seat["account"]))).collect();
    let calls = koza_local::calls(&endpoint).await.expect("the ledger").split_off(made);
    all_is_well(outside(&calls, &accounts), "outside the pool");
    all_is_well(repeated(&people.heard().await.expect("what arrived")), "alerts");
    (koza_local::world(&endpoint).await.expect("the world"), calls)
}

/// One storm of 6 learners; `KOZA_STORMS=20 KOZA_LEARNERS=60` makes twenty of sixty, each of another seed.
#[tokio::test(flavor = "multi_thread")]
async fn a_storm_ends_as_a_calm_day_does() {
    let _one = ONE.lock().await;
    let number = |name: &str, usual: usize| {
        std::env::var(name).map_or(usual, |n| n.parse().unwrap_or_else(|e| panic!("{name}={n}: {e}")))
    };
    let (storms, learners) = (number("KOZA_STORMS", 1), number("KOZA_LEARNERS", 6));
    let (calm, undisturbed) = from_beginning_to_end(learners, &[]).await;
    // The local AWS refuses the sixteenth assignment that is under way: none of ours ever was.
    let assigned: Vec<&Call> = undisturbed.iter().filter(|c| c.operation == "CreateAccountAssignment").collect();
    assert_eq!(assigned.len(), learners + 1);
    assert!(assigned.iter().all(|c| c.error.is_none()), "{assigned:?}");
    for seed in 1..=storms {
        let began = std::time::Instant::now();
        let (world, calls) = from_beginning_to_end(learners, &storm(seed as u64)).await;
        all_is_well(differences(&calm, &world), &format!("storm {seed}"));
        let count =
            |error: &str| calls.iter().filter(|c| c.error.as_deref().is_some_and(|e| e.contains(error))).count();
        let (lost, throttled) = (count("LostAnswer"), count("Thrott") + count("TooManyRequests"));
        let seconds = began.elapsed().as_secs_f64();
        println!(
            "storm {seed}: {} calls for {}, {throttled} throttled, {lost} lost, {seconds:.0} s",
            calls.len(),
            undisturbed.len()
        );
        assert!(lost > learners && throttled > 10 * learners, "there was a storm: {lost} lost, {throttled} throttled");
        // Bounded: trouble in one call of eight does not double the work.
        assert!(calls.len() < 2 * undisturbed.len(), "{} calls for {}", calls.len(), undisturbed.len());
    }
}

async fn forget_what_was_told(endpoint: &str) {
    let records = aws_sdk_s3::Client::new(&config_for_key(endpoint, OPERATIONS_KEY).load().await);
    let buckets = records.list_buckets().send().await.expect("buckets").buckets.unwrap_or_default();
    let mut told = 0;
    for bucket in buckets.iter().filter_map(|b| b.name()) {
        let alerts = records.list_objects_v2().bucket(bucket).prefix("alerts/").send().await.expect("records");
        for key in alerts.contents().iter().filter_map(|o| o.key()) {
            records.delete_object().bucket(bucket).key(key).send().await.expect("it is deleted");
            told += 1;
        }
    }
    assert!(told > 0, "something was told");
}

/// What looks first is made blind, and what AWS refuses the second time is let through: then each check must complain.
#[tokio::test(flavor = "multi_thread")]
async fn the_checks_themselves_can_fail() {
    let _one = ONE.lock().await;
    let calm = calm().await;
    let mut course = Course::begin("broken", 3).await;
    let [(_, fill), (_, open), _, _, (_, freeze), ..] = STEPS;
    course.run(fill).expect("a pool");
    all_is_well(differences(&calm.worlds[0], &course.world().await), "as the calm one");

    course.run(open).expect("a course");
    course.run(freeze).expect("a frozen seat");
    all_is_well(repeated(course.heard().await), "alerts");
    forget_what_was_told(&course.endpoint).await;
    course.run(freeze).expect("a frozen seat");
    assert!(!repeated(course.heard().await).is_empty(), "whoever forgets what was told tells it again");

    let blind = json!({"principal": ":role/", "operation": "ListAccounts*", "trouble": "blind", "rate": 1});
    set_faults(&course.endpoint, &[blind]).await;
    assert!(!course.twice("pool-fill", fill).await.is_empty(), "a fill that sees no accounts asks for more");
    let lenient = json!({"principal": ":role/", "operation": "CreateAccount", "trouble": "lenient", "rate": 1});
    let blind = |operation: &str| json!({"principal": ":role/", "operation": operation, "trouble": "blind", "rate": 1, "times": 6});
    set_faults(&course.endpoint, &[lenient, blind("ListAccounts*"), blind("ListCreateAccountStatus")]).await;
    let _ = course.run(fill);
    set_faults(&course.endpoint, &[]).await;
    let second = differences(&calm.worlds[0], &course.world().await);
    assert!(second.iter().any(|c| c.starts_with("accounts: ")), "second accounts are seen: {second:?}");

    // One of our own functions writes outside the pool.
    let running = std::fs::read(course.story.state.join("local/running.json")).expect("running.json");
    let running: koza_local::Running = serde_json::from_slice(&running).expect("JSON");
    assert!(koza_local::bystander_is_intact(&running).await.expect("an answer"));
    let accounts = course.accounts().await;
    let role = format!("arn:aws:iam::{}:role/OrganizationAccountAccessRole", running.bystander);
    let key = http::assume(&course.endpoint, MANAGEMENT_KEY, &role).await.expect("the bystander's access role");
    let form = [("Action", "DeleteRole"), ("RoleName", "production-application")];
    http::form(&course.endpoint, &http::Signer::key(&key), "iam", &form).await.expect("it is deleted");
    let calls = course.calls().await;
    assert!(
        outside(&calls, &accounts).iter().any(|c| c.contains("iam:DeleteRole")),
        "a delete outside the pool is seen"
    );
    assert!(!koza_local::bystander_is_intact(&running).await.expect("an answer"));
}

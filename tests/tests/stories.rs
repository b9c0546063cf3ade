//! Whole stories on the local AWS, through the `koza` command as a person would. They start what they need and end it.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use koza_local::{Call, Fault, MANAGEMENT_KEY, OPERATIONS_KEY, REGION};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;
use tokio::sync::Mutex;

/// One story at a time: each has emulators of its own, and the machine may have two cores.
static ONE: Mutex<()> = Mutex::const_new(());

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the checkout")
}

/// The command, built as it is now.
static KOZA: LazyLock<PathBuf> = LazyLock::new(|| {
    let built = Command::new(env!("CARGO")).args(["build", "--workspace", "--bins"]).current_dir(root()).status();
    assert!(built.expect("cargo starts").success(), "koza does not build");
    let test = std::env::current_exe().expect("this test's own path");
    test.parent().and_then(Path::parent).expect("target/debug/deps").join("koza")
});

/// A folder for one story's state.
struct Story {
    state: PathBuf,
}

/// What a command printed, and how it ended.
#[derive(Debug)]
struct Said {
    code: i32,
    json: Value,
    told: String,
}

impl Story {
    fn begin(name: &str) -> Self {
        let state = root().join("target/koza/tests").join(name);
        let story = Self { state };
        story.koza(&["local", "down"]);
        story
    }

    fn koza(&self, arguments: &[&str]) -> Said {
        let output: Output = Command::new(&*KOZA)
            .args(arguments)
            .arg("--json")
            .current_dir(root())
            .env("KOZA_STATE", &self.state)
            .env_remove("AWS_ENDPOINT_URL")
            .output()
            .expect("koza starts");
        Said {
            code: output.status.code().unwrap_or(-1),
            json: serde_json::from_slice(&output.stdout).unwrap_or_default(),
            told: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// On the local AWS.
    fn local(&self, arguments: &[&str]) -> Said {
        self.koza(&[&["--local"], arguments].concat())
    }

    fn file(&self, name: &str, text: &str) {
        let path = self.state.join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("the folder is made");
        std::fs::write(path, text).expect("the file is written");
    }

    fn folder(&self, name: &str) -> String {
        self.state.join(name).display().to_string()
    }

    /// What boto3 sees in these accounts.
    fn leftovers(&self, endpoint: &str, accounts: &[&str]) -> Vec<Value> {
        self.file("accounts.json", &json!(accounts).to_string());
        let tools = std::env::var_os("KOZA_TOOLS").map_or_else(|| root().join("target/koza/tools"), PathBuf::from);
        let tools = koza_local::tools(&tools, |_| ()).expect("tools");
        let output = Command::new(tools.python)
            .arg(root().join("tests/leftovers.py"))
            .args(["--endpoint", endpoint, "--accounts"])
            .arg(self.state.join("accounts.json"))
            .output()
            .expect("python starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let counted: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        accounts.iter().flat_map(|a| counted[*a].as_array().expect("a list").clone()).collect()
    }
}

impl Drop for Story {
    fn drop(&mut self) {
        self.koza(&["local", "down"]);
    }
}

/// Calls that change something.
fn writes(calls: &[Call]) -> Vec<String> {
    let reads = ["Get", "List", "Describe", "Head", "AssumeRole", "Filter", "StartExecution", "Invoke", "Validate"];
    calls
        .iter()
        .filter(|c| !reads.iter().any(|verb| c.operation.starts_with(verb)))
        // Records are written by everything that runs.
        .filter(|c| !(c.account == koza_local::OPERATIONS && c.service == "s3"))
        // Telling somebody that an execution failed changes nothing.
        .filter(|c| c.service != "sns")
        .map(|c| format!("{}:{} in {}", c.service, c.operation, c.account))
        .collect()
}

struct Ledger {
    endpoint: String,
    seen: usize,
}

impl Ledger {
    /// Calls since the last look.
    async fn news(&mut self) -> Vec<Call> {
        let calls = koza_local::calls(&self.endpoint).await.expect("the ledger");
        let news = calls[self.seen..].to_vec();
        self.seen = calls.len();
        news
    }

    async fn nothing_was_written(&mut self, during: &str) {
        assert_eq!(writes(&self.news().await), Vec::<String>::new(), "{during}");
    }
}

async fn config(endpoint: &str, credentials: Credentials) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .region(Region::new(REGION))
        .credentials_provider(credentials)
        .load()
        .await
}

/// Puts a bucket into an account, with its access role.
async fn make_a_bucket(endpoint: &str, account: &str, bucket: &str) {
    let management = config(endpoint, Credentials::from_keys(MANAGEMENT_KEY, "local", None)).await;
    let role = aws_sdk_sts::Client::new(&management)
        .assume_role()
        .role_arn(format!("arn:aws:iam::{account}:role/OrganizationAccountAccessRole"))
        .role_session_name("story")
        .send()
        .await
        .expect("the access role");
    let given = role.credentials.expect("credentials");
    let token = Some(given.session_token);
    let own =
        config(endpoint, Credentials::new(given.access_key_id, given.secret_access_key, token, None, "story")).await;
    let here = aws_sdk_s3::types::CreateBucketConfiguration::builder().location_constraint(REGION.into()).build();
    aws_sdk_s3::Client::new(&own)
        .create_bucket()
        .bucket(bucket)
        .create_bucket_configuration(here)
        .send()
        .await
        .expect("a bucket");
}

/// Starts a machine as somebody in the console would, and waits for its end: error and cause, if it failed.
async fn start_by_hand(endpoint: &str, machine: &str, input: Value) -> Option<(String, String)> {
    let operations = config(endpoint, Credentials::from_keys(OPERATIONS_KEY, "local", None)).await;
    let client = aws_sdk_sfn::Client::new(&operations);
    let arn = format!("arn:aws:states:{REGION}:{}:stateMachine:koza-{machine}", koza_local::OPERATIONS);
    let started =
        client.start_execution().state_machine_arn(arn).input(input.to_string()).send().await.expect("a start");
    loop {
        let now =
            client.describe_execution().execution_arn(&started.execution_arn).send().await.expect("the execution");
        match now.status() {
            aws_sdk_sfn::types::ExecutionStatus::Running => {
                tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            }
            aws_sdk_sfn::types::ExecutionStatus::Succeeded => return None,
            _ => return Some((now.error().unwrap_or_default().to_owned(), now.cause().unwrap_or_default().to_owned())),
        }
    }
}

fn course(id: &str) -> String {
    format!(
        "course: {id}\ntitle: 小さな講座\nstarts: 2026-11-01\nends: 2027-01-31\nregions: [{REGION}]\nservices: [s3, iam, lambda]\n\
         profile: serverless-chatbot\nboundary: off\nseatBudgetUsd: 20\nthresholds:\n  - {{percent: 100, do: freeze}}\n\
         contacts: [ops@example.com]\n"
    )
}

fn roster(count: usize) -> String {
    let lines = (1..=count).map(|n| format!("learner{n}@example.com,花子,佐藤\n"));
    std::iter::once("email,givenName,familyName\n".to_owned()).chain(lines).collect()
}

#[test]
fn the_demo_is_true() {
    let _one = ONE.blocking_lock();
    let story = Story::begin("demo");
    let said = story.koza(&["demo", "--learners", "8"]);
    assert_eq!(said.code, 0, "{}", said.told);
    for (number, wanted) in [
        ("learners", 8),
        ("accessProved", 8),
        ("frozen", 1),
        ("clean", 6),
        ("quarantined", 2),
        ("leftovers", 0),
        ("outsideDeletes", 0),
    ] {
        assert_eq!(said.json[number], json!(wanted), "{number}: {}", said.told);
    }
    let written = std::fs::read(story.state.join("demo/result.json")).expect("result.json");
    assert_eq!(serde_json::from_slice::<Value>(&written).expect("JSON"), said.json);
    let page = std::fs::read_to_string(story.state.join("demo/report.html")).expect("report.html");
    assert!(page.contains("COMPLIANCE") && page.contains("koza-0005"), "the report names who is in quarantine and why");
    for outside in ["http://", "https://", "<script", "<link", "@import", "url("] {
        assert!(!page.contains(outside), "the report is one file and asks for nothing: {outside}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_seats_serve_one_course_after_another() {
    let _one = ONE.lock().await;
    let story = Story::begin("courses");
    let up = story.koza(&["local", "up"]);
    assert_eq!(up.code, 0, "{}", up.told);
    let endpoint = up.json["endpoint"].as_str().expect("an endpoint").to_owned();
    let mut ledger = Ledger { endpoint: endpoint.clone(), seen: 0 };

    let filled = story.local(&["pool", "fill", "--seats", "4"]);
    assert_eq!(filled.code, 0, "{}", filled.told);
    let pool = story.local(&["pool", "status"]);
    assert_eq!(pool.json["states"], json!({"Available": 4}), "{}", pool.told);
    let seats = pool.json["seats"].as_array().expect("seats").clone();
    let account = |n: usize| seats[n]["account"].as_str().expect("an account");
    let everything = writes(&ledger.news().await);
    assert!(everything.iter().any(|w| w.contains("CreateAccount in")), "the ledger does see writes");
    assert_eq!(story.local(&["pool", "fill", "--seats", "4"]).code, 0);
    ledger.nothing_was_written("a full pool is left alone").await;

    wrong_files(&story);
    story.file("first/course.yaml", &course("first-2026"));
    story.file("first/roster.csv", &roster(5));
    let many = story.local(&["course", "open", &story.folder("first")]);
    assert_eq!(many.code, 2, "{}", many.told);
    assert!(many.told.contains("5 learners, but 4 seats are Available"), "{}", many.told);
    wrong_inputs(&endpoint).await;
    ledger.nothing_was_written("wrong input changes nothing").await;

    story.file("first/roster.csv", &roster(3));
    let plan = story.local(&["course", "plan", &story.folder("first")]);
    assert_eq!((plan.code, plan.json["seats"].as_array().map(Vec::len)), (0, Some(3)), "{}", plan.told);
    ledger.nothing_was_written("a plan changes nothing").await;
    let opened = story.local(&["course", "open", &story.folder("first")]);
    assert_eq!((opened.code, &opened.json["proved"]), (0, &json!(3)), "{}", opened.told);
    ledger.news().await;
    let again = story.local(&["course", "open", &story.folder("first")]);
    assert_eq!((again.code, &again.json["changed"]), (0, &json!(false)), "{}", again.told);
    ledger.nothing_was_written("an open course is left alone").await;

    let frozen = story.local(&["freeze", "koza-0002", "--reason", "asked by the teacher"]);
    assert_eq!(frozen.code, 0, "{}", frozen.told);
    assert_eq!(story.local(&["thaw", "koza-0002", "--reason", "it is fine"]).code, 0);
    assert_eq!(story.local(&["freeze", "koza-0004", "--reason", "nobody is there"]).code, 2);
    assert_eq!(story.local(&["freeze", "koza-0099", "--reason", "no such seat"]).code, 2);

    make_a_bucket(&endpoint, account(0), "left-by-the-first-course").await;
    make_a_bucket(&endpoint, account(3), "left-in-an-available-seat").await;
    ledger.news().await;
    let planned = story.local(&["sweep", "koza-0001"]);
    assert_eq!(planned.code, 0, "{}", planned.told);
    assert!(planned.json["found"].to_string().contains("left-by-the-first-course"), "{}", planned.json);
    let active = story.local(&["sweep", account(0), "--delete"]);
    assert_eq!((active.code, &active.json["error"]), (1, &json!("Refused")), "{}", active.told);
    ledger.nothing_was_written("a plan deletes nothing, and a seat in a course is not swept").await;
    assert_eq!(story.leftovers(&endpoint, &[account(0)]).len(), 1, "the other reader sees the bucket");
    let by_hand = story.local(&["sweep", "koza-0004", "--delete"]);
    assert_eq!((by_hand.code, &by_hand.json["judgement"]["verdict"]), (0, &json!("clean")), "{}", by_hand.told);
    assert_eq!(story.leftovers(&endpoint, &[account(3)]), Vec::<Value>::new());

    let costs = story.local(&["costs", "--poll"]);
    assert_eq!((costs.code, &costs.json["watched"]["unknown"]), (0, &json!(3)), "missing is unknown: {}", costs.told);
    let status = story.local(&["course", "status", "first-2026"]);
    assert_eq!((status.code, &status.json["proved"]), (0, &json!(3)), "{}", status.told);
    let report = story.folder("first.html");
    assert_eq!(story.local(&["report", "first-2026", "--output", &report]).code, 0);
    assert!(std::fs::read_to_string(report).expect("a report").contains("小さな講座"));

    let closed = story.local(&["course", "close", "first-2026"]);
    assert_eq!((closed.code, &closed.json["clean"]), (0, &json!(3)), "{}", closed.told);
    assert_eq!(story.leftovers(&endpoint, &[account(0), account(1), account(2)]), Vec::<Value>::new());
    ledger.news().await;
    let again = story.local(&["course", "close", "first-2026"]);
    assert_eq!(again.code, 2, "{}", again.told);
    ledger.nothing_was_written("a closed course is left alone").await;

    story.file("second/course.yaml", &course("second-2026"));
    story.file("second/roster.csv", &roster(4));
    let second = story.local(&["course", "open", &story.folder("second")]);
    assert_eq!((second.code, &second.json["proved"]), (0, &json!(4)), "{}", second.told);
    let calls = ledger.news().await;
    let count = |operation: &str| calls.iter().filter(|c| c.operation == operation).count();
    assert_eq!((count("CreateAccount"), count("CreateAccountAssignment"), count("CreateGroup")), (0, 0, 0));
    assert_eq!(count("CreateGroupMembership"), 4, "enrolment only");
}

/// One call in ten is throttled, one in fifty fails, the answer of one in a hundred gets lost; and all ends as on a calm day.
#[tokio::test(flavor = "multi_thread")]
async fn a_storm_ends_as_a_calm_day_does() {
    let _one = ONE.lock().await;
    let story = Story::begin("storm");
    let up = story.koza(&["local", "up"]);
    assert_eq!(up.code, 0, "{}", up.told);
    let endpoint = up.json["endpoint"].as_str().expect("an endpoint").to_owned();
    let storm: Vec<Fault> =
        ["organizations", "sso", "identitystore", "iam", "sts", "s3", "cloudformation", "ec2", "lambda"]
            .iter()
            .flat_map(|service| {
                [("throttle", 0.1), ("error", 0.02), ("lostAnswer", 0.01)].map(|(trouble, rate)| {
                    let rule = json!({"service": service, "trouble": trouble, "rate": rate, "seed": 1_425});
                    serde_json::from_value(rule).expect("a rule")
                })
            })
            .collect();
    koza_local::set_faults(&endpoint, &storm).await.expect("a storm");

    let filled = story.local(&["pool", "fill", "--seats", "5"]);
    assert_eq!(filled.code, 0, "{}", filled.told);
    story.file("course/course.yaml", &course("storm-2026"));
    story.file("course/roster.csv", &roster(4));
    let opened = story.local(&["course", "open", &story.folder("course")]);
    assert_eq!((opened.code, &opened.json["proved"]), (0, &json!(4)), "{}", opened.told);
    let closed = story.local(&["course", "close", "storm-2026"]);
    assert_eq!((closed.code, &closed.json["clean"]), (0, &json!(4)), "{}", closed.told);

    koza_local::set_faults(&endpoint, &[]).await.expect("calm");
    let pool = story.local(&["pool", "status"]);
    assert_eq!(pool.json["states"], json!({"Available": 5}), "{}", pool.told);
    let calls = koza_local::calls(&endpoint).await.expect("the ledger");
    let lost = calls.iter().filter(|c| c.error.as_deref() == Some("LostAnswer")).count();
    let throttled = calls.iter().filter(|c| c.error.as_deref().is_some_and(|e| e.contains("Thrott"))).count();
    assert!(lost > 3 && throttled > 30, "there was a storm: {lost} lost, {throttled} throttled");
    let done = |operation: &str| calls.iter().filter(|c| c.operation == operation && c.error.is_none()).count();
    assert!(done("CreateGroup") <= 5 && done("CreateUser") <= 4, "nobody and nothing was made twice");
}

/// All complaints at once, each with file, line and what to do, and exit code 2.
fn wrong_files(story: &Story) {
    story.file("wrong/course.yaml", "course: x\ntitle: X\nstarts: 2026-02-01\nends: 2026-01-01\nregions: [tokyo-1]\nservices: [s4]\nprofile: serverless-chatbot\nseatBudgetUsd: 0\nbudgett: 3\nthresholds:\n  - {percent: 100, do: freeze}\ncontacts: [a@example.com]\n");
    story.file(
        "wrong/roster.csv",
        "email,name\na@example.com,A\nA@example.com,B\n,C\nno-address,D\nd@example.com,D,too many\n",
    );
    let said = story.koza(&["course", "check", &story.folder("wrong")]);
    assert_eq!(said.code, 2);
    let complaints = said.json["complaints"].as_array().expect("complaints");
    for (line, word) in [(4, "before it starts"), (5, "tokyo-1"), (6, "s4"), (8, "0"), (9, "budgett")] {
        let told = complaints.iter().any(|c| {
            c["file"].as_str().is_some_and(|f| f.ends_with("course.yaml"))
                && c["line"] == line
                && c["problem"].as_str().is_some_and(|p| p.contains(word))
                && c["remedy"].as_str().is_some_and(|r| !r.is_empty())
        });
        assert!(told, "course.yaml:{line} {word}: {}", said.told);
    }
    for line in [3, 4, 5, 6] {
        let told = complaints
            .iter()
            .any(|c| c["file"].as_str().is_some_and(|f| f.ends_with("roster.csv")) && c["line"] == line);
        assert!(told, "roster.csv:{line}: {}", said.told);
    }
    story.file("wrong/roster.csv", "name\nA\n");
    let said = story.koza(&["course", "check", &story.folder("wrong")]);
    assert!(said.told.contains("no column with e-mail addresses"), "{}", said.told);
    assert_eq!(story.koza(&["course", "check", &story.folder("nowhere")]).code, 2);
}

/// An execution that was started from the console with a missing or misspelt field.
async fn wrong_inputs(endpoint: &str) {
    for (machine, input) in [
        ("pool-fill", json!({"seat": 4})),
        ("course-open", json!({"curse": "first-2026"})),
        ("course-open", json!({})),
        ("course-close", json!({"course": "no-such-course"})),
        ("account-sweep", json!({"account": "12"})),
        ("account-sweep", json!({"delete": true})),
        ("cost-watch", json!({"course": "first-2026"})),
        ("seat-freeze", json!({"seat": "koza-0001"})),
        ("seat-thaw", json!({"seats": "koza-0001", "reason": "r"})),
    ] {
        let ended = start_by_hand(endpoint, machine, input.clone()).await;
        let (error, cause) = ended.unwrap_or_else(|| panic!("{machine} took {input}"));
        assert_eq!(error, "Invalid", "{machine} {input}: {cause}");
        assert!(cause.starts_with("Nothing was changed."), "{machine} {input}: {cause}");
    }
}

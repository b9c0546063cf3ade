//! Tests of the whole: templates against machines and functions, the catalogue against the functions, stories on the local AWS
//! and the properties that every machine has. Here is what they share.

use aws_credential_types::Credentials;
use koza_local::{Call, MANAGEMENT_KEY, OPERATIONS_KEY, REGION, config_for, config_for_key};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;
use tokio::sync::Mutex;

/// One story at a time: each has emulators of its own, and the machine may have two cores.
pub static ONE: Mutex<()> = Mutex::const_new(());

/// The checkout.
pub fn root() -> PathBuf {
    Path::new("..").canonicalize().expect("the checkout")
}

/// The command, built as it is now.
static KOZA: LazyLock<PathBuf> = LazyLock::new(|| {
    let built = Command::new(env!("CARGO")).args(["build", "--workspace", "--bins"]).current_dir(root()).status();
    assert!(built.expect("cargo starts").success(), "koza does not build");
    let test = std::env::current_exe().expect("this test's own path");
    test.parent().and_then(Path::parent).expect("target/debug/deps").join("koza")
});

/// A folder for one story's state.
#[derive(Debug)]
pub struct Story {
    /// The folder.
    pub state: PathBuf,
    /// Set for what it starts.
    pub environment: Vec<(&'static str, String)>,
}

/// What a command printed, and how it ended.
#[derive(Debug)]
pub struct Said {
    /// Exit code.
    pub code: i32,
    /// Standard output.
    pub json: Value,
    /// Standard error.
    pub told: String,
}

impl Story {
    /// Begins with nothing running.
    pub fn begin(name: &str) -> Self {
        let state = root().join("target/koza/tests").join(name);
        let story = Self { state, environment: Vec::new() };
        story.koza(&["local", "down"]);
        story
    }

    /// Runs the command, its answer as JSON.
    pub fn koza(&self, arguments: &[&str]) -> Said {
        let output: Output = Command::new(&*KOZA)
            .args(arguments)
            .arg("--json")
            .current_dir(root())
            .env("KOZA_STATE", &self.state)
            .env_remove("AWS_ENDPOINT_URL")
            .envs(self.environment.iter().cloned())
            .output()
            .expect("koza starts");
        Said {
            code: output.status.code().unwrap_or(-1),
            json: serde_json::from_slice(&output.stdout).unwrap_or_default(),
            told: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Starts the local AWS with this besides: its endpoint.
    ///
    /// # Panics
    /// When it does not start.
    pub fn up(&self, arguments: &[&str]) -> String {
        let up = self.koza(&[&["local", "up"], arguments].concat());
        assert_eq!(up.code, 0, "{}", up.told);
        up.json["endpoint"].as_str().expect("an endpoint").to_owned()
    }

    /// On the local AWS.
    pub fn local(&self, arguments: &[&str]) -> Said {
        self.koza(&[&["--local"], arguments].concat())
    }

    /// Writes a file of the story.
    pub fn file(&self, name: &str, text: &str) {
        let path = self.state.join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("the folder is made");
        std::fs::write(path, text).expect("the file is written");
    }

    /// The path of a file or folder of the story.
    pub fn folder(&self, name: &str) -> String {
        self.state.join(name).display().to_string()
    }

    /// What boto3 sees in these accounts.
    pub fn leftovers(&self, endpoint: &str, accounts: &[&str]) -> Vec<Value> {
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
pub fn writes(calls: &[Call]) -> Vec<String> {
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

/// The ledger, read on from where it was last looked at.
#[derive(Debug)]
pub struct Ledger {
    endpoint: String,
    seen: usize,
}

impl Ledger {
    /// From its beginning.
    pub fn of(endpoint: &str) -> Self {
        Self { endpoint: endpoint.to_owned(), seen: 0 }
    }

    /// Calls since the last look.
    pub async fn news(&mut self) -> Vec<Call> {
        let calls = koza_local::calls(&self.endpoint).await.expect("the ledger");
        let news = calls[self.seen..].to_vec();
        self.seen = calls.len();
        news
    }

    /// Fails when something was.
    pub async fn nothing_was_written(&mut self, during: &str) {
        assert_eq!(writes(&self.news().await), Vec::<String>::new(), "{during}");
    }
}

/// Puts a bucket into an account, with its access role.
pub async fn make_a_bucket(endpoint: &str, account: &str, bucket: &str) {
    let management = config_for_key(endpoint, MANAGEMENT_KEY).load().await;
    let role = aws_sdk_sts::Client::new(&management)
        .assume_role()
        .role_arn(format!("arn:aws:iam::{account}:role/OrganizationAccountAccessRole"))
        .role_session_name("story")
        .send()
        .await
        .expect("the access role");
    let given = role.credentials.expect("credentials");
    let token = Some(given.session_token);
    let own = Credentials::new(given.access_key_id, given.secret_access_key, token, None, "story");
    let own = config_for(endpoint, own).load().await;
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
pub async fn start_by_hand(endpoint: &str, machine: &str, input: Value) -> Option<(String, String)> {
    let operations = config_for_key(endpoint, OPERATIONS_KEY).load().await;
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

/// A small course's `course.yaml`.
pub fn course(id: &str) -> String {
    format!(
        "course: {id}\ntitle: 小さな講座\nstarts: 2026-11-01\nends: 2027-01-31\nregions: [{REGION}]\nservices: [s3, iam, lambda]\n\
         profile: serverless-chatbot\nboundary: off\nseatBudgetUsd: 20\nthresholds:\n  - {{percent: 100, do: freeze}}\n\
         contacts: [ops@example.com]\n"
    )
}

/// A roster of so many.
pub fn roster(count: usize) -> String {
    let lines = (1..=count).map(|n| format!("learner{n}@example.com,花子,佐藤\n"));
    std::iter::once("email,givenName,familyName\n".to_owned()).chain(lines).collect()
}

//! What every Koza function needs around its handler: JSON logs, strict input, error names that state machines match,
//! a clock that can run faster, settings, roles in other accounts, and the records bucket.

mod aws;
mod records;
mod settings;
mod sweeping;

pub use aws::{Aws, code, fault, text};
pub use records::S3Records;
pub use settings::Settings;
pub use sweeping::{Ask as SweepAsk, not_listed, outcome, sweep};

use jiff::Timestamp;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use shared::Fault;
use std::future::Future;
use std::time::{Duration, Instant};

/// What `main` returns.
pub type Error = lambda_runtime::Error;

/// What a handler knows of its own invocation.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// When to stop and answer with what is left; some seconds before Lambda's own deadline.
    pub deadline: Instant,
    /// Now.
    pub now: Timestamp,
}

/// Seconds that are kept between our own deadline and Lambda's: to write records and to answer.
const RESERVE: Duration = Duration::from_secs(20);

/// Runs a function until Lambda ends it. The payload is parsed here and nowhere else, so that a missing or misspelt
/// field is the fault `Invalid` with a plain message and not the path of a Rust type.
pub async fn run<Ask, Answer, Handler, Running>(handler: Handler) -> Result<(), Error>
where
    Ask: DeserializeOwned,
    Answer: Serialize,
    Handler: Fn(Ask, Call) -> Running,
    Running: Future<Output = Result<Answer, Fault>>,
{
    let handler = &handler;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| async move {
        let started = Instant::now();
        let left = event.context.deadline().duration_since(std::time::SystemTime::now()).unwrap_or_default();
        let call = Call { deadline: started + left.saturating_sub(RESERVE.min(left / 4)), now: Timestamp::now() };
        let answer = match parse::<Ask>(event.payload) {
            Ok(ask) => handler(ask, call).await,
            Err(fault) => Err(fault),
        };
        let duration_ms = started.elapsed().as_millis() as u64;
        match &answer {
            Ok(_) => tracing::info!(duration_ms, "done"),
            Err(fault) => tracing::error!(duration_ms, error.name = fault.name(), error = fault.chain(), "failed"),
        }
        answer.map_err(|fault| Failure(fault).into_diagnostic())
    }))
    .await
}

/// What every function has before its first call: made once, used by all its calls.
#[derive(Clone, Debug)]
pub struct Started {
    /// The environment.
    pub settings: Settings,
    /// Our own account's configuration, and the way into others.
    pub aws: Aws,
    /// The records bucket.
    pub records: S3Records,
}

/// Starts logs and reads the environment. Wrong settings stop the start, not the night.
pub async fn start() -> Result<Started, Error> {
    logs();
    let settings = Settings::read()?;
    let aws = Aws::load(&settings).await;
    let records = S3Records::new(&aws.own, &settings.records);
    Ok(Started { settings, aws, records })
}

/// Starts JSON logs. The level comes from `AWS_LAMBDA_LOG_LEVEL`, `info` without it.
fn logs() {
    let level = std::env::var("AWS_LAMBDA_LOG_LEVEL").unwrap_or_else(|_| "info".to_owned());
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_env_filter(tracing_subscriber::EnvFilter::new(level.to_lowercase()))
        .init();
}

/// Reads a payload, or says what is wrong with it.
pub fn parse<T: DeserializeOwned>(payload: Value) -> Result<T, Fault> {
    serde_json::from_value(payload).map_err(|e| Fault::invalid(format!("the input is not as expected: {e}")))
}

/// For tests: every sample payload in a function's `events` folder is one that the function takes. The folder is found from
/// the package's own, which cargo runs tests in: a build that several checkouts share must not know one checkout's path.
///
/// # Panics
/// When there is none, or one is not taken: it says which and why.
pub fn take_samples<T: DeserializeOwned>() {
    let folder = "events";
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{folder}: {e}"));
    let mut count = 0;
    for path in entries.map(|entry| entry.expect("a file").path()) {
        let text = std::fs::read_to_string(&path).expect("a text");
        let payload = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        if let Err(fault) = parse::<T>(payload) {
            panic!("{}: {fault}: {}", path.display(), fault.chain());
        }
        count += 1;
    }
    assert!(count > 0, "no sample in {folder}");
}

/// A fault as Lambda reports it: `errorType` is the name that the machines match.
struct Failure(Fault);

impl Failure {
    fn into_diagnostic(self) -> Diagnostic {
        Diagnostic { error_type: self.0.name().to_owned(), error_message: self.0.chain() }
    }
}

/// The clock that functions sleep by. One minute of AWS time takes `1 / speed` minutes.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    speed: f64,
}

impl Clock {
    /// A clock that runs `speed` times as fast as the world's.
    pub fn new(speed: f64) -> Self {
        Self { speed: speed.max(1.0) }
    }

    /// Sleeps for a duration of AWS time. Only for pacing calls: waiting for AWS is the state machine's.
    pub async fn sleep(&self, aws_time: Duration) {
        tokio::time::sleep(self.wall(aws_time)).await;
    }

    /// How long a duration of AWS time is by the wall clock.
    pub fn wall(&self, aws_time: Duration) -> Duration {
        aws_time.div_f64(self.speed)
    }
}

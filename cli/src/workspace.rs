//! Brings up a whole installation on the local AWS: tools, functions, emulators, the management account's roles, and
//! `template.yaml` by the same `sam deploy` that deploys it on AWS.

use anyhow::{Context, bail};
use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_sdk_cloudformation::types::Capability;
use koza_local::{MANAGEMENT_KEY, OPERATIONS, OPERATIONS_KEY, REGION};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// How much faster than AWS's the clock of the local AWS runs: waits and pacing, not work.
pub const SPEED: f64 = 60.0;
/// What chance on the local AWS is made of, unless it is said.
pub const SEED: u64 = 1_425;
/// Name of the installation's stack.
const STACK: &str = "koza";
/// Name of the stack with the management account's roles.
const MANAGEMENT_STACK: &str = "koza-management";

/// The checkout that the local AWS is built from, and where it keeps its things.
#[derive(Clone, Debug)]
pub struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// The checkout around the current folder, or the one that this binary was built in.
    pub fn find() -> anyhow::Result<Self> {
        let here = std::env::current_dir()?;
        let built = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
        here.ancestors()
            .chain(built)
            .find(|folder| folder.join("template.yaml").is_file() && folder.join("statemachines").is_dir())
            .map(|root| Self { root: root.to_owned() })
            .context("this is run in a checkout of Koza: no template.yaml here or in a folder above")
    }

    /// The checkout's folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where everything that is written while running goes. Tests have a folder each, beside a person's own.
    fn state(&self) -> PathBuf {
        match std::env::var_os("KOZA_STATE") {
            Some(folder) => PathBuf::from(folder),
            None => self.root.join("target/koza"),
        }
    }

    /// State, process ids and logs of the local AWS.
    pub fn local(&self) -> PathBuf {
        self.state().join("local")
    }

    /// Virtual environments with the pinned emulators and tools.
    pub fn tools(&self) -> PathBuf {
        match std::env::var_os("KOZA_TOOLS") {
            Some(folder) => PathBuf::from(folder),
            None => self.root.join("target/koza/tools"),
        }
    }

    /// Where the demo writes its report.
    pub fn demo(&self) -> PathBuf {
        self.state().join("demo")
    }

    fn target(&self) -> PathBuf {
        match std::env::var_os("CARGO_TARGET_DIR") {
            Some(folder) => self.root.join(folder),
            None => self.root.join("target"),
        }
    }

    /// Builds every function once, as a workspace, and lays each out as the template's `CodeUri` wants it.
    pub fn build_functions(&self, say: &dyn Fn(&str)) -> anyhow::Result<usize> {
        say("building the functions (the first time takes a while)");
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        // The same selection and profile as `cargo run`, so that nothing is compiled twice.
        let built = Command::new(cargo)
            .args(["build", "--workspace", "--bins"])
            .current_dir(&self.root)
            .stdout(Stdio::null())
            .status()
            .context("cargo could not be started")?;
        if !built.success() {
            bail!("the functions do not build: see cargo's message above");
        }
        let mut count = 0;
        for entry in std::fs::read_dir(self.root.join("functions"))? {
            let name = entry?.file_name();
            let binary = self.target().join("debug").join(&name);
            let folder = self.root.join("target/lambda").join(&name);
            std::fs::create_dir_all(&folder)?;
            let bootstrap = folder.join("bootstrap");
            if !is_as_new(&bootstrap, &binary) {
                std::fs::copy(&binary, &bootstrap).with_context(|| format!("{} was not built", binary.display()))?;
            }
            count += 1;
        }
        Ok(count)
    }

    /// Deploys the management account's roles and the installation.
    pub async fn deploy(&self, running: &koza_local::Running, say: &dyn Fn(&str)) -> anyhow::Result<()> {
        say("making the roles in the management account (management.yaml)");
        // As the README says for AWS, but from the start: Koza enters no account outside the pool's unit.
        let pool = koza_local::unit_path(&running.endpoint, STACK).await?;
        self.deploy_management(&running.endpoint, &pool).await?;
        say("deploying template.yaml with sam deploy");
        let tools = koza_local::tools(&self.tools(), |_| ())?;
        let log = self.local().join("sam-deploy.log");
        let output = std::fs::File::create(&log)?;
        let status = Command::new(&tools.sam)
            .args(["deploy", "--stack-name", STACK, "--region", REGION, "--parameter-overrides"])
            .args(parameters(running, &pool))
            .current_dir(&self.root)
            .env_remove("AWS_PROFILE")
            .envs(environment(&running.endpoint))
            .env("SAM_CLI_TELEMETRY", "0")
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .status()
            .context("sam could not be started")?;
        if !status.success() {
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            let tail: Vec<&str> = text.lines().rev().take(30).collect();
            let tail: Vec<&str> = tail.into_iter().rev().collect();
            bail!("sam deploy failed; the whole log is {}:\n{}", log.display(), tail.join("\n"));
        }
        Ok(())
    }

    async fn deploy_management(&self, endpoint: &str, pool: &str) -> anyhow::Result<()> {
        let client = aws_sdk_cloudformation::Client::new(&config(endpoint, MANAGEMENT_KEY).await);
        if client.describe_stacks().stack_name(MANAGEMENT_STACK).send().await.is_ok() {
            return Ok(());
        }
        let template = std::fs::read_to_string(self.root.join("management.yaml"))?;
        let parameter = |key: &str, value: &str| {
            aws_sdk_cloudformation::types::Parameter::builder().parameter_key(key).parameter_value(value).build()
        };
        client
            .create_stack()
            .stack_name(MANAGEMENT_STACK)
            .template_body(template)
            .capabilities(Capability::CapabilityNamedIam)
            .parameters(parameter("Installation", STACK))
            .parameters(parameter("OperationsAccount", OPERATIONS))
            .parameters(parameter("PoolOrganizationPath", pool))
            .send()
            .await
            .map_err(|e| anyhow::anyhow!("management.yaml was refused: {}", runtime::text(&e)))?;
        for _ in 0..100 {
            let answer = client.describe_stacks().stack_name(MANAGEMENT_STACK).send().await?;
            let stack = answer.stacks().first().context("the stack is gone")?;
            match stack.stack_status().map(|s| s.as_str()) {
                Some("CREATE_COMPLETE") => return Ok(()),
                Some("CREATE_IN_PROGRESS") => tokio::time::sleep(Duration::from_millis(100)).await,
                other => bail!("management.yaml ended as {other:?}: {:?}", stack.stack_status_reason()),
            }
        }
        bail!("management.yaml was not deployed in time")
    }
}

fn parameters(running: &koza_local::Running, pool: &str) -> Vec<String> {
    let architecture = match std::env::consts::ARCH {
        "aarch64" => "arm64",
        other => other,
    };
    [
        ("Installation", STACK),
        ("ManagementAccount", koza_local::MANAGEMENT),
        ("IdentityCenterInstanceArn", &running.identity_center),
        ("IdentityStoreId", &running.identity_store),
        ("SeatEmailPattern", "aws+{seat}@example.com"),
        ("PoolOrganizationPath", pool),
        ("Architecture", architecture),
        ("ClockSpeed", &format!("{}", running.speed)),
    ]
    .iter()
    .map(|(key, value)| format!("{key}={value}"))
    .collect()
}

/// What points any AWS client at the local AWS, as the operations account.
pub fn environment(endpoint: &str) -> [(&'static str, String); 5] {
    [
        ("AWS_ENDPOINT_URL", endpoint.to_owned()),
        ("AWS_ACCESS_KEY_ID", OPERATIONS_KEY.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "local".to_owned()),
        ("AWS_REGION", REGION.to_owned()),
        ("AWS_DEFAULT_REGION", REGION.to_owned()),
    ]
}

/// A configuration for an access key of the local AWS.
pub async fn config(endpoint: &str, key: &str) -> SdkConfig {
    koza_local::config_for_key(endpoint, key).retry_config(patient()).load().await
}

/// A person waits rather than starts anew: a throttle or a broken connection is tried again more often than the SDK would.
pub fn patient() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(8)
}

/// A configuration for credentials that the local AWS gave.
pub async fn with_credentials(endpoint: &str, credentials: aws_credential_types::Credentials) -> SdkConfig {
    koza_local::config_for(endpoint, credentials).retry_config(patient()).load().await
}

fn is_as_new(copy: &Path, original: &Path) -> bool {
    let modified = |path: &Path| path.metadata().and_then(|m| m.modified()).ok();
    match (modified(copy), modified(original)) {
        (Some(copy), Some(original)) => copy >= original,
        _ => false,
    }
}

/// Starts the local AWS of a checkout; this program itself is the gateway's process.
pub async fn up(
    workspace: &Workspace,
    port: u16,
    speed: f64,
    seed: u64,
    say: &dyn Fn(&str),
) -> anyhow::Result<koza_local::Running> {
    let options = koza_local::Options { dir: workspace.local(), tools: workspace.tools(), port, speed, seed };
    let mut serve = Command::new(std::env::current_exe()?);
    serve.args(["local", "serve", "--dir"]).arg(workspace.local());
    koza_local::up(&options, serve, say).await
}

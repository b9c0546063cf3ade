//! The processes of a local AWS: started, found again, and ended by their own ids.

use crate::tools::tools;
use crate::{MANAGEMENT_KEY, OPERATIONS, REGION, http};
use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How a local AWS is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// State, process ids and logs.
    pub dir: PathBuf,
    /// Virtual environments.
    pub tools: PathBuf,
    /// The gateway's port; 0: any free one.
    pub port: u16,
    /// How much faster than AWS's its clock runs: waits of state machines are that much shorter.
    pub speed: f64,
    /// What chance is made of: how long things take.
    pub seed: u64,
}

/// Processes that member accounts are spread over. More than the cores of a small machine gain little.
const MOTOS: usize = 2;

/// A local AWS that runs; also `running.json` in its folder.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Running {
    /// What `AWS_ENDPOINT_URL` is set to.
    pub endpoint: String,
    /// Each moto's `host:port`; reached only through the gateway. One that an older version left is only ended, so it may
    /// lack this and others.
    #[serde(default)]
    pub motos: Vec<String>,
    /// ministack's `host:port`; reached only through the gateway.
    pub ministack: String,
    /// What the gateway shows the emulators, which answer nobody else.
    #[serde(default)]
    pub secret: String,
    /// How much faster than AWS's its clock runs.
    #[serde(default)]
    pub speed: f64,
    /// What chance is made of: how long things take.
    #[serde(default)]
    pub seed: u64,
    /// ARN of the Identity Center instance.
    pub identity_center: String,
    /// Id of its identity store.
    pub identity_store: String,
    /// An account of the organization that is no seat.
    pub bystander: String,
    /// Ids of our processes, each with the start time that proves it is still ours.
    pub processes: Vec<Process>,
}

/// A process that we started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// Its start, as the kernel counts it; an id that was given to another process has another.
    pub started: String,
}

impl Process {
    fn of(pid: u32) -> Option<Self> {
        let started = started(pid)?;
        Some(Self { pid, started })
    }

    fn is_ours(&self) -> bool {
        started(self.pid).as_deref() == Some(self.started.as_str())
    }
}

/// When a process started, by the kernel's own count; `ps` where there is no `/proc`. A process that has ended and was not
/// waited for counts as ended.
fn started(pid: u32) -> Option<String> {
    if cfg!(target_os = "linux") {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // After the name in brackets: the state is the third field of the line, the start the twenty-second (proc(5)).
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        return (fields.first() != Some(&"Z")).then(|| fields.get(19).map(|s| (*s).to_owned()))?;
    }
    let output = Command::new("ps").args(["-o", "lstart=,stat=", "-p", &pid.to_string()]).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let (start, state) = text.rsplit_once(char::is_whitespace)?;
    (!state.starts_with('Z')).then(|| start.trim().to_owned())
}

fn file(dir: &Path) -> PathBuf {
    dir.join("running.json")
}

/// What runs in this folder, if all of it does.
pub async fn status(dir: &Path) -> anyhow::Result<Option<Running>> {
    let Some(running) = read(dir)? else {
        return Ok(None);
    };
    let alive = running.processes.iter().all(Process::is_ours);
    let healthy = alive && http::get(&running.endpoint, "/_koza/health").await.is_ok();
    Ok(healthy.then_some(running))
}

fn read(dir: &Path) -> anyhow::Result<Option<Running>> {
    match std::fs::read(file(dir)) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes).context("running.json cannot be read")?)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e.into()),
    }
}

/// Ends what was started in this folder; `false` if nothing was.
pub async fn down(dir: &Path) -> anyhow::Result<bool> {
    let Some(running) = read(dir)? else {
        return Ok(false);
    };
    for signal in [Signal::TERM, Signal::KILL] {
        // Each leads a group of its own, so what it started ends with it.
        let ours = running.processes.iter().filter(|p| p.is_ours());
        for group in ours.filter_map(|p| Pid::from_raw(i32::try_from(p.pid).ok()?)) {
            let _ = kill_process_group(group, signal);
        }
        let until = Instant::now() + Duration::from_secs(5);
        while running.processes.iter().any(Process::is_ours) && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    std::fs::remove_file(file(dir))?;
    Ok(true)
}

/// Starts a local AWS, or finds the one that runs. `serve` is the program that will be the gateway.
pub async fn up(options: &Options, serve: Command, progress: impl Fn(&str)) -> anyhow::Result<Running> {
    if let Some(running) = status(&options.dir).await? {
        return Ok(running);
    }
    down(&options.dir).await?;
    let tools = tools(&options.tools, &progress)?;
    std::fs::create_dir_all(&options.dir)?;
    let launcher = |name: &str, text: &str| -> anyhow::Result<PathBuf> {
        let path = options.dir.join(name);
        std::fs::write(&path, text)?;
        Ok(path)
    };
    launcher("guard.py", include_str!("../launchers/guard.py"))?;

    progress("starting moto, ministack and the gateway before them");
    let motos = (0..MOTOS).map(|_| Ok(address(free_port()?))).collect::<anyhow::Result<_>>()?;
    let ministack = address(free_port()?);
    let gateway = address(match options.port {
        0 => free_port()?,
        port => port,
    });
    let endpoint = format!("http://{gateway}");
    let mut running = Running {
        endpoint: endpoint.clone(),
        motos,
        ministack,
        secret: format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..)),
        speed: options.speed,
        seed: options.seed,
        identity_center: String::new(),
        identity_store: String::new(),
        bystander: String::new(),
        processes: Vec::new(),
    };
    let port_of = |address: &str| address.rsplit(':').next().unwrap_or_default().to_owned();

    let script = launcher("moto_launcher.py", include_str!("../launchers/moto_launcher.py"))?;
    for (n, address) in running.motos.clone().iter().enumerate() {
        let mut moto = Command::new(&tools.python);
        moto.arg(&script)
            .args([&port_of(address), OPERATIONS])
            .env("KOZA_GATEWAY_SECRET", &running.secret)
            .env("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
            .env("PYTHONUNBUFFERED", "1");
        start(&mut running, options, moto, &format!("moto-{n}"))?;
    }

    let state = options.dir.join("ministack");
    std::fs::create_dir_all(&state)?;
    let script = launcher("ministack_launcher.py", include_str!("../launchers/ministack_launcher.py"))?;
    let mut ministack = Command::new(&tools.ministack);
    ministack
        .arg(&script)
        .env("KOZA_GATEWAY_SECRET", &running.secret)
        .env("KOZA_LAMBDA_CONCURRENCY", crate::strict::quotas::lambda_concurrency()?.to_string())
        .env("BIND_HOST", "127.0.0.1")
        .env("GATEWAY_PORT", port_of(&running.ministack))
        .env("IOT_MTLS_ENABLED", "0")
        .env("LAMBDA_EXECUTOR", "local")
        .env("MINISTACK_ACCOUNT_ID", OPERATIONS)
        .env("MINISTACK_REGION", REGION)
        .env("AWS_DEFAULT_REGION", REGION)
        .env("AWS_REGION", REGION)
        .env("AWS_ENDPOINT_URL", &endpoint)
        .env("SFN_WAIT_SCALE", format!("{}", 1.0 / options.speed))
        .env("TMPDIR", &state)
        .env("PYTHONUNBUFFERED", "1");
    for profile in ["AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
        ministack.env_remove(profile);
    }
    start(&mut running, options, ministack, "ministack")?;
    save(&options.dir, &running)?;
    start(&mut running, options, serve, "gateway")?;
    save(&options.dir, &running)?;

    let outcome = settle(&mut running).await;
    if let Err(error) = outcome {
        down(&options.dir).await?;
        return Err(error.context(format!("the local AWS did not start; its logs are in {}", options.dir.display())));
    }
    save(&options.dir, &running)?;
    Ok(running)
}

fn save(dir: &Path, running: &Running) -> anyhow::Result<()> {
    std::fs::write(file(dir), serde_json::to_vec_pretty(running)?)?;
    Ok(())
}

fn address(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn start(running: &mut Running, options: &Options, mut command: Command, name: &str) -> anyhow::Result<()> {
    use std::os::unix::process::CommandExt;
    let log = std::fs::File::create(options.dir.join(format!("{name}.log")))?;
    let child = command
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .with_context(|| format!("{name} could not be started"))?;
    let process = Process::of(child.id()).with_context(|| format!("{name} ended at once"))?;
    running.processes.push(process);
    Ok(())
}

/// Waits until everything answers and makes the organization that a real one would already have.
async fn settle(running: &mut Running) -> anyhow::Result<()> {
    let until = Instant::now() + Duration::from_secs(60);
    while http::get(&running.endpoint, "/_koza/ready").await.is_err() {
        if Instant::now() > until || !running.processes.iter().all(Process::is_ours) {
            bail!("{} or an emulator behind it does not answer", running.endpoint);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let ask = async |target: &str, body: serde_json::Value| {
        http::signed_json(
            &running.endpoint,
            MANAGEMENT_KEY,
            "organizations",
            &format!("AWSOrganizationsV20161128.{target}"),
            &body,
        )
        .await
    };
    ask("CreateOrganization", json!({"FeatureSet": "ALL"})).await?;
    let roots = ask("ListRoots", json!({})).await?;
    let root = roots["Roots"][0]["Id"].clone();
    ask("EnablePolicyType", json!({"RootId": root, "PolicyType": "SERVICE_CONTROL_POLICY"})).await?;
    ask("CreateAccount", json!({"AccountName": "production", "Email": "production@example.com"})).await?;
    let bystander = loop {
        let accounts = ask("ListAccounts", json!({})).await?;
        let all = accounts["Accounts"].as_array().into_iter().flatten();
        let found = all.filter(|a| a["Name"] == "production").find_map(|a| a["Id"].as_str());
        match found {
            Some(id) => break id.to_owned(),
            None if Instant::now() > until => bail!("the bystander's account was not made in time"),
            None => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    };
    let center = http::get(&running.endpoint, "/_koza/identity-center").await?;
    let center: serde_json::Value = serde_json::from_str(&center)?;
    let text = |name: &str| center[name].as_str().map(str::to_owned).context("no Identity Center instance");
    (running.identity_center, running.identity_store) = (text("instance")?, text("store")?);
    // A new account can be entered a while after it is there.
    while let Err(error) = crate::bystander::furnish(&running.endpoint, &bystander).await {
        if Instant::now() > until {
            return Err(error.context("the bystander's account could not be furnished"));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    running.bystander = bystander;
    Ok(())
}

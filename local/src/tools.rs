//! The pinned tools: emulators, `sam`, `cfn-lint` and an independent reader's boto3, each in a virtual environment of ours.

use anyhow::{Context, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// moto and ministack need different versions of what they share, so each has an environment of its own.
const ENVIRONMENTS: [(&str, &[&str]); 3] = [
    ("moto", &["moto[all,server]==5.2.5"]),
    ("ministack", &["ministack[full]==1.5.33"]),
    ("sam", &["aws-sam-cli==1.170.0", "cfn-lint==1.58.0"]),
];

/// Where the tools are.
#[derive(Clone, Debug)]
pub struct Tools {
    /// A Python that has moto and boto3.
    pub python: PathBuf,
    /// A Python that has ministack, the emulator of the operations account.
    pub ministack: PathBuf,
    /// AWS SAM's command line.
    pub sam: PathBuf,
    /// CloudFormation's linter.
    pub cfn_lint: PathBuf,
}

/// Makes what is missing. The second time it is there at once.
pub fn tools(folder: &Path, progress: impl Fn(&str)) -> anyhow::Result<Tools> {
    for (name, packages) in ENVIRONMENTS {
        let environment = folder.join(name);
        let stamp = environment.join("installed.txt");
        let wanted = packages.join("\n");
        if std::fs::read_to_string(&stamp).is_ok_and(|text| text == wanted) {
            continue;
        }
        progress(&format!("installing {}", packages.join(" ")));
        let python = python()?;
        std::fs::create_dir_all(folder)?;
        run(Command::new(&python).args(["-m", "venv", "--clear"]).arg(&environment))?;
        run(Command::new(environment.join("bin/pip")).args(["install", "--quiet"]).args(packages))?;
        std::fs::write(&stamp, wanted)?;
    }
    let bin = |environment: &str, program: &str| folder.join(environment).join("bin").join(program);
    Ok(Tools {
        python: bin("moto", "python"),
        ministack: bin("ministack", "python"),
        sam: bin("sam", "sam"),
        cfn_lint: bin("sam", "cfn-lint"),
    })
}

/// A Python of 3.11 or newer: `KOZA_PYTHON`, or the first on the path that is new enough.
fn python() -> anyhow::Result<PathBuf> {
    let own = std::env::var_os("KOZA_PYTHON").map(PathBuf::from);
    let usual = ["python3", "python3.13", "python3.12", "python3.11"].map(PathBuf::from);
    let test = "import sys, venv; sys.exit(sys.version_info < (3, 11))";
    for program in own.into_iter().chain(usual) {
        let status = Command::new(&program).args(["-c", test]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        if status.is_ok_and(|s| s.success()) {
            return Ok(program);
        }
    }
    bail!(
        "the local AWS needs Python 3.11 or newer with the venv module: install it (on Debian: apt-get install python3 \
         python3-venv), or name one in KOZA_PYTHON"
    )
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{:?} could not be started", command.get_program()))?;
    if !output.status.success() {
        bail!("{command:?} failed:\n{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

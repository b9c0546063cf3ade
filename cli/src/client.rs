//! A deployed installation: its stack's outputs, its state machines, its records, its seats.

use anyhow::{Context, anyhow, bail};
use aws_config::SdkConfig;
use aws_sdk_sfn::types::ExecutionStatus;
use organization::OrganizationsReader;
use runtime::{S3Records, code, text};
use serde_json::Value;
use shared::names::State;
use shared::records::Records;
use shared::{Names, Seat};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::time::Duration;

/// A state machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// `pool-fill`.
    PoolFill,
    /// `course-open`.
    CourseOpen,
    /// `course-close`.
    CourseClose,
    /// `account-sweep`.
    AccountSweep,
    /// `cost-watch`.
    CostWatch,
    /// `seat-freeze`.
    SeatFreeze,
    /// `seat-thaw`.
    SeatThaw,
}

impl Machine {
    fn output(self) -> &'static str {
        match self {
            Machine::PoolFill => "PoolFillMachineArn",
            Machine::CourseOpen => "CourseOpenMachineArn",
            Machine::CourseClose => "CourseCloseMachineArn",
            Machine::AccountSweep => "AccountSweepMachineArn",
            Machine::CostWatch => "CostWatchMachineArn",
            Machine::SeatFreeze => "SeatFreezeMachineArn",
            Machine::SeatThaw => "SeatThawMachineArn",
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Machine::PoolFill => "pool-fill",
            Machine::CourseOpen => "course-open",
            Machine::CourseClose => "course-close",
            Machine::AccountSweep => "account-sweep",
            Machine::CostWatch => "cost-watch",
            Machine::SeatFreeze => "seat-freeze",
            Machine::SeatThaw => "seat-thaw",
        })
    }
}

/// An execution that ended badly.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{machine} ended as {error}: {cause}")]
pub struct Ended {
    /// The machine.
    pub machine: String,
    /// The error's name, such as `Invalid`, or the status.
    pub error: String,
    /// What is safe and what happened, for people.
    pub cause: String,
}

impl Ended {
    /// A cause is a sentence and, where a function failed, Lambda's own answer as JSON: people want its message.
    fn new(machine: Machine, error: &str, cause: &str) -> Self {
        let plain = cause.find(" {\"").and_then(|at| {
            let (sentence, answer) = cause.split_at(at);
            let answer: Value = serde_json::from_str(answer.trim()).ok()?;
            Some(format!("{sentence} {}", answer["errorMessage"].as_str()?))
        });
        Self { machine: machine.to_string(), error: error.to_owned(), cause: plain.unwrap_or_else(|| cause.to_owned()) }
    }
}

/// An execution, started or found.
#[derive(Clone, Debug)]
pub struct Execution {
    /// Its machine.
    pub machine: Machine,
    /// Its name.
    pub name: String,
    arn: String,
}

/// A deployed installation.
#[derive(Clone, Debug)]
pub struct Koza {
    functions: aws_sdk_sfn::Client,
    records: S3Records,
    organization: OrganizationsReader,
    names: Names,
    outputs: HashMap<String, String>,
}

impl Koza {
    /// Reads the stack. What is missing is told with what to do.
    pub async fn connect(config: &SdkConfig, stack: &str) -> anyhow::Result<Self> {
        let client = aws_sdk_cloudformation::Client::new(config);
        let answer = client.describe_stacks().stack_name(stack).send().await.map_err(|e| {
            anyhow!(
                "the stack {stack} cannot be read: {}\nDeploy Koza first (README.md), name its stack with --stack, or use --local for the local AWS",
                text(&e)
            )
        })?;
        let found = answer.stacks.unwrap_or_default().into_iter().next().context("no such stack")?;
        let outputs: HashMap<String, String> = found
            .outputs()
            .iter()
            .filter_map(|o| Some((o.output_key()?.to_owned(), o.output_value()?.to_owned())))
            .collect();
        let parameter = |name: &str| {
            let mut parameters = found.parameters().iter();
            let value = parameters.find(|p| p.parameter_key() == Some(name)).and_then(|p| p.parameter_value());
            value.map(str::to_owned).with_context(|| format!("stack {stack} has no parameter {name}: is it Koza's?"))
        };
        let bucket =
            outputs.get("RecordsBucket").with_context(|| format!("stack {stack} has no output RecordsBucket"))?;
        Ok(Self {
            functions: aws_sdk_sfn::Client::new(config),
            records: S3Records::new(config, bucket),
            organization: OrganizationsReader::new(config),
            names: Names::new(parameter("Installation")?, parameter("SeatEmailPattern")?),
            outputs,
        })
    }

    /// The records bucket.
    pub fn records(&self) -> &S3Records {
        &self.records
    }

    /// Names of the installation.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// ARN of the alerts topic.
    pub fn alerts_topic(&self) -> &str {
        self.outputs.get("AlertsTopic").map(String::as_str).unwrap_or_default()
    }

    /// Every seat with its state, read from AWS Organizations: a delegated administrator may.
    pub async fn seats(&self) -> anyhow::Result<Vec<(Seat, State)>> {
        let places = organization::seats(&self.organization, &self.names).await?;
        Ok(places.into_iter().map(|p| (p.seat, p.state)).collect())
    }

    /// Starts the next attempt, or finds the one that runs. A name stays taken for 90 days after its end.
    pub async fn start(&self, machine: Machine, purpose: &str, input: &Value) -> anyhow::Result<Execution> {
        let arn = self.outputs.get(machine.output()).with_context(|| format!("the stack has no {machine}"))?;
        // The list may be behind for some seconds: what is taken is in it then.
        for wait in [0, 1, 2, 4, 8] {
            tokio::time::sleep(Duration::from_secs(wait)).await;
            let (last, running) = self.attempts(machine, arn, purpose).await?;
            if let Some(running) = running {
                return Ok(running);
            }
            let name = format!("{purpose}-{}", last + 1);
            let call = self.functions.start_execution().state_machine_arn(arn).name(&name).input(input.to_string());
            match call.send().await {
                Ok(started) => return Ok(Execution { machine, name, arn: started.execution_arn }),
                // Somebody else's, or our own whose answer got lost.
                Err(error) if code(&error) == Some("ExecutionAlreadyExists") => {}
                Err(error) => return Err(anyhow!("{machine} cannot be started: {}", text(&error))),
            }
        }
        bail!(
            "{machine} was started a moment ago under the next name, and its executions do not show it yet: try again"
        )
    }

    /// The last attempt's number, and the attempt that runs.
    async fn attempts(&self, machine: Machine, arn: &str, purpose: &str) -> anyhow::Result<(u32, Option<Execution>)> {
        let prefix = format!("{purpose}-");
        let mut last = 0;
        let mut executions = self.functions.list_executions().state_machine_arn(arn).into_paginator().items().send();
        while let Some(execution) = executions.next().await {
            let execution = execution.map_err(|e| anyhow!("executions of {machine} cannot be listed: {}", text(&e)))?;
            let Some(attempt) = execution.name.strip_prefix(&prefix).and_then(|n| n.parse::<u32>().ok()) else {
                continue;
            };
            last = last.max(attempt);
            if execution.status == ExecutionStatus::Running {
                let running = Execution { machine, name: execution.name, arn: execution.execution_arn };
                return Ok((last, Some(running)));
            }
        }
        Ok((last, None))
    }

    /// Follows an execution to its end, calling `seen` now and then.
    pub async fn follow(&self, execution: &Execution, mut seen: impl AsyncFnMut()) -> anyhow::Result<Value> {
        loop {
            let call = self.functions.describe_execution().execution_arn(&execution.arn);
            let now = call.send().await.map_err(|e| anyhow!("{} cannot be followed: {}", execution.name, text(&e)))?;
            match now.status() {
                ExecutionStatus::Running | ExecutionStatus::PendingRedrive => {}
                ExecutionStatus::Succeeded => return Ok(serde_json::from_str(now.output().unwrap_or("null"))?),
                status => {
                    let error = now.error().unwrap_or(status.as_str());
                    return Err(Ended::new(execution.machine, error, now.cause().unwrap_or("no cause is given")).into());
                }
            }
            seen().await;
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }

    /// How many records there are under a prefix.
    pub async fn count(&self, prefix: &str) -> u64 {
        self.records.keys(prefix).await.map_or(0, |keys| keys.len() as u64)
    }
}

/// How many seats are in each state.
pub fn by_state(seats: &[(Seat, State)]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for (_, state) in seats {
        *counts.entry(state.to_string()).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_told_in_plain_words() {
        let cause = r#"Nothing was changed. {"errorType":"Invalid","errorMessage":"2 complaints"}"#;
        let ended = Ended::new(Machine::CourseOpen, "Invalid", cause);
        assert_eq!(ended.to_string(), "course-open ended as Invalid: Nothing was changed. 2 complaints");
        assert_eq!(Ended::new(Machine::CourseOpen, "Stuck", "Asked often. {}").cause, "Asked often. {}");
    }
}

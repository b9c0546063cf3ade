//! How long what AWS does takes, from one file of rows with the source of each (`data/durations.csv`): seconds of AWS time, drawn
//! from a triangle between the least and the most, so that the same seed draws the same.

use anyhow::Context;
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

/// What takes its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Job {
    /// A new account until it is there.
    Account,
    /// A new account until its access role can be assumed.
    AccessRole,
    /// An account until it is closed.
    Closing,
    /// An assignment made or deleted.
    Assignment,
    /// A permission set written anew in one account.
    Provisioning,
    /// A distribution until it is deployed everywhere.
    Distribution,
    /// A notebook until it is in service.
    NotebookStart,
    /// A notebook until it is stopped.
    NotebookStop,
    /// A notebook until it is gone.
    NotebookDelete,
    /// A stack until it is gone.
    StackDelete,
    /// A change of the organization until it is in effect.
    Policy,
    /// A change until lists show it.
    List,
    /// A deleted log group until its function makes it again.
    LogGroup,
}

#[derive(Clone, Debug, Deserialize)]
struct Row {
    job: Job,
    least: f64,
    usual: f64,
    most: f64,
    source: String,
    confidence: String,
}

/// All durations.
#[derive(Debug)]
pub struct Durations {
    rows: HashMap<Job, Row>,
    speed: f64,
    chance: Mutex<fastrand::Rng>,
}

impl Durations {
    /// Reads the rows. `speed`: how much faster than AWS's the clock runs.
    pub fn read(speed: f64, seed: u64) -> anyhow::Result<Self> {
        let mut rows = HashMap::new();
        for row in csv::Reader::from_reader(include_str!("../../data/durations.csv").as_bytes()).deserialize() {
            let row: Row = row.context("data/durations.csv cannot be read")?;
            anyhow::ensure!(!row.source.is_empty() && !row.confidence.is_empty(), "{row:?} has no source");
            anyhow::ensure!(row.least <= row.usual && row.usual <= row.most, "{row:?} is no triangle");
            rows.insert(row.job, row);
        }
        Ok(Self { rows, speed, chance: Mutex::new(fastrand::Rng::with_seed(seed)) })
    }

    /// How long this one takes here, by the wall clock.
    pub fn draw(&self, job: Job) -> Duration {
        let Some(row) = self.rows.get(&job) else { return Duration::ZERO };
        let chance = self.chance.lock().unwrap_or_else(|e| e.into_inner()).f64();
        // The inverse of the triangular distribution's cumulative function.
        let (below, above, all) = (row.usual - row.least, row.most - row.usual, row.most - row.least);
        let seconds = match chance * all < below {
            true => row.least + (chance * all * below).sqrt(),
            false => row.most - ((1.0 - chance) * all * above).sqrt(),
        };
        Duration::from_secs_f64(seconds / self.speed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_job_has_a_row_and_a_seed_draws_the_same_between_least_and_most() {
        let jobs = [
            Job::Account,
            Job::AccessRole,
            Job::Closing,
            Job::Assignment,
            Job::Provisioning,
            Job::Distribution,
            Job::NotebookStart,
            Job::NotebookStop,
            Job::NotebookDelete,
            Job::StackDelete,
            Job::Policy,
            Job::List,
            Job::LogGroup,
        ];
        let draw = |seed| {
            let durations = Durations::read(1.0, seed).expect("the rows");
            assert_eq!(durations.rows.len(), jobs.len());
            jobs.map(|job| durations.draw(job).as_secs_f64())
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        let durations = Durations::read(2.0, 1).expect("the rows");
        let drawn: Vec<f64> = (0..1_000).map(|_| durations.draw(Job::Account).as_secs_f64()).collect();
        assert!(drawn.iter().all(|s| (10.0..=30.0).contains(s)), "20-60 s, twice as fast");
        let mean = drawn.iter().sum::<f64>() / 1_000.0;
        assert!((19.0..21.0).contains(&mean), "{mean}");
    }
}

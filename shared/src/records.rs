//! The record of what happened: keys, the port to the bucket, and its in-memory twin.
//!
//! Nothing here is ever trusted for a destructive step: that reads the one seat from AWS.

use crate::ids::{CourseId, SeatName, SweepId};
use crate::{Fault, Seat};
use async_trait::async_trait;
use serde::{Serialize, de::DeserializeOwned};
use std::collections::BTreeMap;
use std::sync::Mutex;

/// The bucket. Objects are small JSON documents or the two input files.
#[async_trait]
pub trait Records: Send + Sync {
    /// The object's bytes, or `None` if there is none.
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Fault>;
    /// Writes or overwrites (older versions stay in the bucket).
    async fn put(&self, key: &str, body: Vec<u8>) -> Result<(), Fault>;
    /// All keys that begin with `prefix`, every page.
    async fn keys(&self, prefix: &str) -> Result<Vec<String>, Fault>;
}

/// Reads one JSON document.
pub async fn read<T: DeserializeOwned>(records: &(impl Records + ?Sized), key: &str) -> Result<Option<T>, Fault> {
    let Some(bytes) = records.get(key).await? else {
        return Ok(None);
    };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|e| Fault::because(Fault::Broken, format!("the record {key} cannot be read"), e))
}

/// Reads a document that an earlier step must have written.
pub async fn read_written<T: DeserializeOwned>(records: &(impl Records + ?Sized), key: &str) -> Result<T, Fault> {
    read(records, key)
        .await?
        .ok_or_else(|| Fault::invalid(format!("there is no record {key}: was the step before it run?")))
}

/// Writes one JSON document.
pub async fn write<T: Serialize + Sync>(records: &(impl Records + ?Sized), key: &str, value: &T) -> Result<(), Fault> {
    records.put(key, to_json(value)?).await
}

/// The seats that a fan-out works on.
pub async fn read_seats(records: &(impl Records + ?Sized), key: &str) -> Result<Vec<Seat>, Fault> {
    read_written(records, key).await
}

/// How many sweeps a course has had: each attempt to close it is one, numbered from 1.
pub async fn sweeps(records: &(impl Records + ?Sized), course: &CourseId) -> Result<u32, Fault> {
    let mut count = 0;
    while records.get(&key::sweep_seats(&SweepId::of(course, count + 1))).await?.is_some() {
        count += 1;
    }
    Ok(count)
}

fn to_json<T: Serialize>(value: &T) -> Result<Vec<u8>, Fault> {
    serde_json::to_vec(value).map_err(|e| Fault::because(Fault::Broken, "a record cannot be written as JSON", e))
}

/// Keys of the bucket, each written once.
pub mod key {
    use super::*;

    /// The course file as it was handed in.
    pub fn course_file(course: &CourseId) -> String {
        format!("courses/{course}/input/course.yaml")
    }
    /// The roster as it was handed in; read once, by the plan.
    pub fn roster(course: &CourseId) -> String {
        format!("courses/{course}/input/roster.csv")
    }
    /// Who gets which seat.
    pub fn plan(course: &CourseId) -> String {
        format!("courses/{course}/plan.json")
    }
    /// The course's seats, for fan-outs.
    pub fn course_seats(course: &CourseId) -> String {
        format!("courses/{course}/seats.json")
    }
    /// What was wrong with the input the last time.
    pub fn complaints(course: &CourseId) -> String {
        format!("courses/{course}/complaints.json")
    }
    /// Outcome of preparing one seat for a course.
    pub fn course_seat_prepared(course: &CourseId, seat: &SeatName) -> String {
        format!("courses/{course}/open/seats/{seat}.json")
    }
    /// One learner's outcome.
    pub fn learner(course: &CourseId, seat: &SeatName) -> String {
        format!("courses/{course}/learners/{seat}.json")
    }
    /// Prefix of all learners' outcomes.
    pub fn learners(course: &CourseId) -> String {
        format!("courses/{course}/learners/")
    }
    /// Prefix of one run of pool-fill.
    pub fn fill(execution: &str) -> String {
        format!("pool/fill/{execution}")
    }
    /// The seats of a run of pool-fill that are not ready yet.
    pub fn fill_seats(execution: &str) -> String {
        format!("pool/fill/{execution}/seats.json")
    }
    /// Outcome of preparing one seat in a run.
    pub fn seat_prepared(run: &str, seat: &SeatName) -> String {
        format!("{run}/seats/{seat}.json")
    }
    /// That an account was asked for; written before it is.
    pub fn account_asked(seat: &SeatName) -> String {
        format!("pool/accounts/{seat}.json")
    }
    /// What a sweep may touch.
    pub fn admission(sweep: &SweepId) -> String {
        format!("sweeps/{sweep}/admission.json")
    }
    /// The seats of a sweep.
    pub fn sweep_seats(sweep: &SweepId) -> String {
        format!("sweeps/{sweep}/seats.json")
    }
    /// Verdict of one seat.
    pub fn verdict(sweep: &SweepId, seat: &SeatName) -> String {
        format!("sweeps/{sweep}/seats/{seat}.json")
    }
    /// Prefix of all verdicts.
    pub fn verdicts(sweep: &SweepId) -> String {
        format!("sweeps/{sweep}/seats/")
    }
    /// One whole listing of one family.
    pub fn listing(sweep: &SweepId, seat: &SeatName, pass: u32, family: &str) -> String {
        format!("sweeps/{sweep}/listings/{seat}/{pass}-{family}.json")
    }
    /// What the deleting calls of one pass answered.
    pub fn deletion(sweep: &SweepId, seat: &SeatName, pass: u32, family: &str) -> String {
        format!("sweeps/{sweep}/listings/{seat}/{pass}-{family}-asked.json")
    }
    /// What each seat of a course cost, as read on a day.
    pub fn costs(course: &CourseId, day: &str) -> String {
        format!("costs/{course}/{day}.json")
    }
    /// Prefix of a course's costs.
    pub fn costs_of(course: &CourseId) -> String {
        format!("costs/{course}/")
    }
    /// That the closing of a course was told, which is the last thing of it.
    pub fn course_closed(course: &CourseId) -> String {
        alert(&format!("course-close-{course}"))
    }
    /// That an alert was sent; a threshold whose alert was sent has fired.
    pub fn alert(id: &str) -> String {
        format!("alerts/{id}.json")
    }
}

/// The record of an alert, which is written twice: before it is sent, and after.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct AlertRecord {
    /// What it is about.
    pub subject: String,
    /// What it says.
    pub text: String,
    /// Whether it was sent.
    pub sent: bool,
    /// The state that it told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// What had brought that state about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occasion: Option<String>,
}

/// The bucket's twin in memory.
#[derive(Debug, Default)]
pub struct MemoryRecords {
    objects: Mutex<BTreeMap<String, Vec<u8>>>,
}

impl MemoryRecords {
    /// Everything in it, for assertions.
    pub fn all(&self) -> BTreeMap<String, Vec<u8>> {
        self.objects.lock().unwrap_or_else(|e| e.into_inner()).clone()
    }

    fn with<T>(&self, f: impl FnOnce(&mut BTreeMap<String, Vec<u8>>) -> T) -> T {
        f(&mut self.objects.lock().unwrap_or_else(|e| e.into_inner()))
    }
}

#[async_trait]
impl Records for MemoryRecords {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Fault> {
        Ok(self.with(|o| o.get(key).cloned()))
    }
    async fn put(&self, key: &str, body: Vec<u8>) -> Result<(), Fault> {
        self.with(|o| o.insert(key.to_owned(), body));
        Ok(())
    }
    async fn keys(&self, prefix: &str) -> Result<Vec<String>, Fault> {
        Ok(self.with(|o| o.keys().filter(|k| k.starts_with(prefix)).cloned().collect()))
    }
}

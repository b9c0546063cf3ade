//! The sweep: what can be found and deleted ([`catalogue`]), how ([`engine`]), where ([`admission`]) and what it proved ([`verdict`]).
//!
//! A kind is facts (a row of the catalogue), list and delete. Paging helpers, concurrency, order, time and
//! classification are the engine's; waiting is the state machine's.

pub mod admission;
pub mod catalogue;
pub mod engine;
pub mod verdict;

use crate::fault::{Meaning, meaning};
use async_trait::async_trait;
pub use catalogue::{Facts, Scope, facts};
use serde::{Deserialize, Serialize};

/// One resource type that the sweep knows. `C` are the function's own SDK clients for one account, Region and role.
#[async_trait]
pub trait Kind<C: Sync>: Send + Sync {
    /// The id of its row in the [`catalogue`].
    fn id(&self) -> &'static str;

    /// Everything of this kind in the client's Region (a global kind is asked only in us-east-1), all pages.
    /// What [`crate::keepset`] keeps is left out when it is as expected, and [`Standing::Edited`] when it is not.
    async fn list(&self, aws: &C) -> Result<Vec<Found>, ListError>;

    /// Lifts protection and stops what must be stopped before it can be deleted. Asked first for every kind.
    async fn disarm(&self, _aws: &C, _found: &Found) -> Outcome {
        Outcome::Gone
    }

    /// Asks for the deletion. It proves nothing: only a later listing does.
    async fn delete(&self, aws: &C, found: &Found) -> Outcome;
}

/// Something that a listing saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// What the delete call takes: a name, an id or an ARN.
    pub id: String,
    /// What else the kind wants to know when it deletes (an ETag, a parent's id).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Whether it can be asked to go.
    #[serde(default)]
    pub standing: Standing,
}

impl Found {
    /// A thing that can be deleted.
    pub fn named(id: impl Into<String>) -> Self {
        Self { id: id.into(), detail: None, standing: Standing::Deletable }
    }

    /// With what the kind wants to know later.
    pub fn with(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// With another standing.
    pub fn standing(mut self, standing: Standing) -> Self {
        self.standing = standing;
        self
    }
}

/// Whether a found thing can be asked to go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Standing {
    /// It can.
    #[default]
    Deletable,
    /// It is being deleted already.
    Going,
    /// It is ours and stays, but is not as it must be: the account is dirty.
    Edited(String),
    /// Deletion is scheduled and cannot be hurried; until when.
    Pending(String),
    /// Nobody can delete it (yet); why.
    Cannot(String),
}

/// What came of asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// AWS took the request.
    Asked,
    /// It was not there any more, or there was nothing to do.
    Gone,
    /// Something else must go first: a reason for another pass, not an error.
    Blocked(String),
    /// Its own state must pass first (stopping, deploying).
    Later(String),
    /// IAM or an SCP said no.
    Refused(String),
    /// Nobody can delete it; why.
    Cannot(String),
    /// Anything else.
    Failed(String),
}

/// Reads the answer to a delete or disarm call by its error code. `None` as code means no answer.
pub fn outcome_of(code: Option<&str>, text: impl Into<String>) -> Outcome {
    let text = text.into();
    match meaning(code) {
        Meaning::Gone | Meaning::Absent => Outcome::Gone,
        Meaning::Blocked | Meaning::Exists => Outcome::Blocked(text),
        Meaning::Transient => Outcome::Later(text),
        Meaning::Refused => Outcome::Refused(text),
        Meaning::Other => Outcome::Failed(text),
    }
}

/// A listing that failed. The kind is then unknown, and unknown is never clean.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ListError(pub String);

/// Reads the answer to a failed list call: a service that does not exist in the Region is "nothing there".
pub fn list_error_of(code: Option<&str>, text: impl Into<String>) -> Result<Vec<Found>, ListError> {
    match meaning(code) {
        Meaning::Absent => Ok(Vec::new()),
        _ => Err(ListError(text.into())),
    }
}

/// Why something is still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Class {
    /// Found, and nothing was asked yet (a plan).
    Found,
    /// Being deleted, or its state must pass first.
    InProgress,
    /// Something else must go first.
    Blocked,
    /// Scheduled; goes by itself.
    Pending,
    /// Kept, but edited.
    Edited,
    /// Nobody can delete it.
    Protected,
    /// IAM or an SCP said no.
    Refused,
    /// The call failed in a way that we do not know.
    Failed,
}

/// Something that is still there, for people and for the judge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Left {
    /// The kind's id.
    pub kind: String,
    /// The thing's id.
    pub id: String,
    /// Region, `global` for global kinds.
    pub region: String,
    /// Why, at most 160 characters.
    pub why: String,
    /// Why, in a word.
    pub class: Class,
}

/// A kind that could not be listed somewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Unknown {
    /// The kind's id, or a family's name when its function did not answer.
    pub kind: String,
    /// Region.
    pub region: String,
    /// Why.
    pub why: String,
}

/// What one sweep function answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The function's family.
    pub family: String,
    /// `false`: out of time, call again with the same input.
    #[serde(default)]
    pub done: bool,
    /// Things seen.
    #[serde(default)]
    pub found: usize,
    /// Deletions that AWS took.
    #[serde(default)]
    pub asked: usize,
    /// Things that wait for others.
    #[serde(default)]
    pub blocked: usize,
    /// The first [`engine::MOST_LEFT`] things that are left; the whole listing is in the record.
    #[serde(default)]
    pub left: Vec<Left>,
    /// How many more are left.
    #[serde(default)]
    pub left_more: usize,
    /// Kinds that could not be listed.
    #[serde(default)]
    pub unknown: Vec<Unknown>,
}

//! Lists that lag behind writes, where AWS's do: for a while after a change in an account a list may still be as it was before.

use crate::operation::Operation;
use axum::body::Bytes;
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Account, Region, service.
type Place = (String, String, String);

/// A list that was answered: when, and what.
#[derive(Clone, Debug)]
struct Answered {
    at: Instant,
    body: Bytes,
}

/// What lists said, and when something was written.
#[derive(Debug, Default)]
pub struct Lists {
    places: Mutex<HashMap<Place, Known>>,
}

#[derive(Debug, Default)]
struct Known {
    /// By the question: operation, URI and body.
    answers: HashMap<(String, Bytes), Answered>,
    /// The last write that every list shows by now.
    settled: Option<Instant>,
    /// Writes that lists may not show yet: when they were made, and until when they may be hidden.
    hidden: Vec<(Instant, Instant)>,
}

impl Known {
    fn settle(&mut self) {
        let now = Instant::now();
        let settled = self.hidden.iter().filter(|(_, until)| *until <= now).map(|(at, _)| *at).max();
        self.settled = self.settled.max(settled);
        self.hidden.retain(|(_, until)| *until > now);
    }
}

/// Whether this operation is a list that lags (IAM, EC2, S3's buckets, log groups).
pub fn lags(operation: &Operation) -> bool {
    let name = operation.name.as_str();
    match operation.service.as_str() {
        "iam" => name.starts_with("List") || name == "GetAccountAuthorizationDetails",
        "ec2" => name.starts_with("Describe") && !name.ends_with("Attribute"),
        "s3" => name == "ListBuckets",
        "logs" => name == "DescribeLogGroups",
        _ => false,
    }
}

impl Lists {
    fn here<T>(&self, place: Place, f: impl FnOnce(&mut Known) -> T) -> T {
        f(self.places.lock().unwrap_or_else(|e| e.into_inner()).entry(place).or_default())
    }

    /// The list as it was, if something that was written since may still be hidden; `None`: ask.
    pub fn as_it_was(&self, place: Place, uri: &str, body: &Bytes) -> Option<Bytes> {
        self.here(place, |known| {
            known.settle();
            let answered = known.answers.get(&(uri.to_owned(), body.clone()))?;
            let shows_all_that_is_settled = known.settled.is_none_or(|settled| answered.at > settled);
            (shows_all_that_is_settled && !known.hidden.is_empty()).then(|| answered.body.clone())
        })
    }

    /// Keeps what a list says now.
    pub fn answered(&self, place: Place, uri: &str, body: Bytes, answer: Bytes) {
        let answered = Answered { at: Instant::now(), body: answer };
        self.here(place, |known| known.answers.insert((uri.to_owned(), body), answered));
    }

    /// An account was changed by something else than its own calls (a stack, Identity Center): its lists are asked anew.
    pub fn forget(&self, account: &str) {
        let mut places = self.places.lock().unwrap_or_else(|e| e.into_inner());
        places.iter_mut().filter(|((of, _, _), _)| of == account).for_each(|(_, known)| known.answers.clear());
    }

    /// Something was written: lists may hide it for this long.
    pub fn wrote(&self, place: Place, hidden_for: Duration) {
        let now = Instant::now();
        self.here(place, |known| {
            known.settle();
            known.hidden.push((now, now + hidden_for));
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_as_it_was_before_a_write_and_never_older() {
        let lists = Lists::default();
        let place = || ("1".to_owned(), "r".to_owned(), "iam".to_owned());
        let body = Bytes::from_static(b"Action=ListRoles");
        let see = || lists.as_it_was(place(), "/", &body);
        assert_eq!(see(), None, "never asked");
        lists.answered(place(), "/", body.clone(), Bytes::from_static(b"one"));
        assert_eq!(see(), None, "nothing was written since");
        lists.wrote(place(), Duration::from_secs(60));
        assert_eq!(see(), Some(Bytes::from_static(b"one")), "the write is hidden");
        let other = ("2".to_owned(), "r".to_owned(), "iam".to_owned());
        assert_eq!(lists.as_it_was(other, "/", &body), None, "another account's lists do not lag");
        // A write that is no longer hidden makes the answer of before it too old, whatever else is hidden.
        let lists = Lists::default();
        lists.answered(place(), "/", body.clone(), Bytes::from_static(b"one"));
        lists.wrote(place(), Duration::ZERO);
        lists.wrote(place(), Duration::from_secs(60));
        assert_eq!(lists.as_it_was(place(), "/", &body), None);
    }
}

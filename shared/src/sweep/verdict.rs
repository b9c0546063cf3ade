//! What a sweep proved of an account. Unknown is not clean, and a delete call proves nothing.

use super::{Answer, Class, Left};
use serde::{Deserialize, Serialize};

/// Empty listings in a row that make an account clean.
pub const EMPTY_LISTINGS: u32 = 2;
/// Seconds of AWS time between two listings that are to prove something.
pub const PROOF_WAIT_SECONDS: u32 = 30;
/// Seconds of AWS time after the first pass; each wait is twice the one before, up to [`LONGEST_WAIT_SECONDS`]. Before the
/// seventh pass they add up to 17 minutes: CloudFront takes 5 to 15 to switch a distribution off everywhere.
pub const PASS_WAIT_SECONDS: u32 = 30;
/// The longest of these waits.
pub const LONGEST_WAIT_SECONDS: u32 = 300;

/// What was proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Two empty listings in a row.
    Clean,
    /// Clean but for what goes by itself at a known time.
    CleanPending,
    /// Something is left.
    Dirty,
    /// Something could not be listed.
    Unknown,
}

impl Verdict {
    /// Whether the seat may serve again.
    pub fn is_clean(self) -> bool {
        matches!(self, Verdict::Clean | Verdict::CleanPending)
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Verdict::Clean => "clean",
            Verdict::CleanPending => "clean-pending",
            Verdict::Dirty => "dirty",
            Verdict::Unknown => "unknown",
        })
    }
}

/// The record of one seat's sweep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Judgement {
    /// What was proved.
    pub verdict: Verdict,
    /// Why, in a sentence.
    pub why: String,
    /// What is left, and why.
    pub left: Vec<Left>,
    /// Passes that it took.
    pub passes: u32,
}

/// What the machine does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Another pass after a wait.
    Again {
        /// Seconds of AWS time.
        wait: u32,
    },
    /// Another listing after a wait.
    Prove {
        /// Seconds of AWS time.
        wait: u32,
    },
    /// It is decided.
    Done(Judgement),
}

/// Seconds of AWS time between this pass and the next.
fn wait_after(pass: u32) -> u32 {
    let doubled = PASS_WAIT_SECONDS.checked_shl(pass.saturating_sub(1).min(8)).unwrap_or(LONGEST_WAIT_SECONDS);
    doubled.min(LONGEST_WAIT_SECONDS)
}

/// Judges the listings of all families after pass `pass` (counted from 1) of at most `most`. `deletes` are the
/// answers of the deleting calls of that pass: they say why something is left. `empty_so_far` counts empty listings in
/// a row before this one. With `last`, it is decided now, whatever is left (a plan).
pub fn judge(listings: &[Answer], deletes: &[Answer], pass: u32, most: u32, empty_so_far: u32, last: bool) -> Next {
    let unknown: Vec<_> = listings.iter().flat_map(|a| &a.unknown).collect();
    let mut left: Vec<Left> = listings.iter().flat_map(|a| a.left.iter().cloned()).collect();
    for item in &mut left {
        let asked = deletes
            .iter()
            .flat_map(|a| &a.left)
            .find(|d| d.kind == item.kind && d.id == item.id && d.region == item.region);
        if let (Class::Found, Some(asked)) = (item.class, asked) {
            (item.class, item.why) = (asked.class, asked.why.clone());
        }
    }
    let unfinished = listings.iter().any(|a| !a.done);
    let (pending, there): (Vec<_>, Vec<_>) = left.iter().cloned().partition(|l| l.class == Class::Pending);
    let decided = |verdict, why, left| Next::Done(Judgement { verdict, why, left, passes: pass });

    if listings.is_empty() || unfinished || !unknown.is_empty() {
        if pass < most && !last {
            return Next::Again { wait: wait_after(pass) };
        }
        let why = match unknown.first() {
            Some(u) => format!("{} could not be listed in {}: {}", u.kind, u.region, u.why),
            None => "the listing did not come to its end".to_owned(),
        };
        return decided(Verdict::Unknown, why, left);
    }
    if there.is_empty() && listings.iter().all(|a| a.left_more == 0) {
        if empty_so_far + 1 < EMPTY_LISTINGS {
            if !last {
                return Next::Prove { wait: PROOF_WAIT_SECONDS };
            }
            let why = "one listing was empty, and only two in a row prove that nothing is left";
            return decided(Verdict::Unknown, why.to_owned(), left);
        }
        return match pending.first() {
            None => decided(Verdict::Clean, "nothing is left".to_owned(), left),
            Some(p) => decided(Verdict::CleanPending, format!("{} {}", p.id, p.why), left),
        };
    }
    let hopeless = there.iter().all(|l| matches!(l.class, Class::Edited | Class::Protected))
        && listings.iter().all(|a| a.left_more == 0);
    if pass < most && !hopeless && !last {
        return Next::Again { wait: wait_after(pass) };
    }
    let why = reason(&there);
    decided(Verdict::Dirty, why, left)
}

/// The most telling thing that is left, in a sentence.
fn reason(there: &[Left]) -> String {
    let weight = |l: &&Left| match l.class {
        Class::Edited => 0,
        Class::Protected => 1,
        Class::Refused => 2,
        Class::Failed => 3,
        _ => 4,
    };
    match there.iter().min_by_key(weight) {
        None => "more is left than an answer can name".to_owned(),
        Some(l) if l.why.is_empty() => format!("{} {} is left", l.kind, l.id),
        Some(l) => format!("{} {}: {}", l.kind, l.id, l.why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::Unknown;

    fn answer(left: Vec<Left>) -> Answer {
        Answer { family: "storage".into(), done: true, left, ..Answer::default() }
    }

    fn left(class: Class) -> Left {
        Left { kind: "s3.bucket".into(), id: "b".into(), region: "us-east-1".into(), why: String::new(), class }
    }

    #[test]
    fn one_empty_listing_is_not_clean_two_in_a_row_are() {
        let empty = [answer(vec![])];
        assert!(matches!(judge(&empty, &[], 1, 4, 0, false), Next::Prove { .. }));
        let Next::Done(j) = judge(&empty, &[], 1, 4, 1, false) else { panic!("not decided") };
        assert_eq!(j.verdict, Verdict::Clean);
    }

    #[test]
    fn one_empty_listing_does_not_become_clean_because_it_is_the_last() {
        let empty = [answer(vec![])];
        assert!(matches!(judge(&empty, &[], 8, 4, 0, true), Next::Done(j) if j.verdict == Verdict::Unknown));
    }

    #[test]
    fn a_listing_that_failed_is_never_clean() {
        let mut failed = answer(vec![]);
        failed.unknown.push(Unknown { kind: "s3.bucket".into(), region: "us-east-1".into(), why: "denied".into() });
        assert!(matches!(judge(&[failed.clone()], &[], 1, 4, 1, false), Next::Again { .. }));
        let Next::Done(j) = judge(&[failed], &[], 4, 4, 1, false) else { panic!("not decided") };
        assert_eq!(j.verdict, Verdict::Unknown);
        assert!(matches!(judge(&[], &[], 4, 4, 1, true), Next::Done(j) if j.verdict == Verdict::Unknown));
    }

    #[test]
    fn what_can_still_go_gets_another_pass_and_what_cannot_does_not() {
        let found = [answer(vec![left(Class::Found)])];
        assert!(matches!(judge(&found, &[], 1, 4, 0, false), Next::Again { .. }));
        let locked = [answer(vec![Left { why: "locked until 2031".into(), ..left(Class::Protected) }])];
        let Next::Done(j) = judge(&found, &locked, 1, 4, 0, false) else { panic!("not decided") };
        assert_eq!(j.verdict, Verdict::Dirty);
        assert_eq!(j.why, "s3.bucket b: locked until 2031");
    }

    #[test]
    fn seven_passes_wait_long_enough_for_what_aws_takes_minutes_to_do() {
        let found = [answer(vec![left(Class::InProgress)])];
        let waits = (1..=6).map(|pass| match judge(&found, &[], pass, 7, 0, false) {
            Next::Again { wait } => wait,
            other => panic!("pass {pass}: {other:?}"),
        });
        assert_eq!(waits.collect::<Vec<_>>(), [30, 60, 120, 240, 300, 300]);
    }

    #[test]
    fn passes_are_bounded() {
        let found = [answer(vec![left(Class::Blocked)])];
        assert!(matches!(judge(&found, &[], 4, 4, 0, false), Next::Done(j) if j.verdict == Verdict::Dirty));
    }
}

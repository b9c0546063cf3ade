//! Judges one pass: again, prove it once more, or decided. Only the listings count; what the deleting calls answered
//! tells why something is still there.

use serde::{Deserialize, Serialize};
use shared::ids::SweepId;
use shared::records::{self, Records, key};
use shared::sweep::Answer as Listing;
use shared::sweep::verdict::{Next, Verdict, judge};
use shared::{AccountId, Fault, SeatName};

/// Payload.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Ask {
    /// The account.
    pub account: AccountId,
    /// The seat that it is.
    pub seat: SeatName,
    /// The sweep.
    pub sweep: SweepId,
    /// Listings so far, this one counted.
    pub pass: u32,
    /// Passes that delete, at most.
    pub max_passes: u32,
    /// Empty listings in a row before this one.
    pub empty_so_far: u32,
    /// What each family listed.
    pub listings: Vec<Listing>,
    /// Decide now, whatever is left.
    pub r#final: bool,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// `again`, `prove` or `done`.
    pub next: &'static str,
    /// Seconds of AWS time before that.
    pub wait_seconds: u32,
    /// Empty listings in a row.
    pub empty_so_far: u32,
    /// What was proved; `unknown` until it is decided.
    pub verdict: Verdict,
    /// Why, in a sentence.
    pub why: String,
}

/// Handles one call.
pub async fn handle(records: &impl Records, ask: Ask) -> Result<Answer, Fault> {
    let mut deletes: Vec<Listing> = Vec::new();
    for listing in ask.listings.iter().filter(|l| !l.left.is_empty()) {
        let key = key::deletion(&ask.sweep, &ask.seat, ask.pass, &listing.family);
        deletes.extend(records::read(records, &key).await?);
    }
    let next = judge(&ask.listings, &deletes, ask.pass, ask.max_passes, ask.empty_so_far, ask.r#final);
    let undecided = |next, wait_seconds, empty_so_far| Answer {
        next,
        wait_seconds,
        empty_so_far,
        verdict: Verdict::Unknown,
        why: "it is not decided yet".to_owned(),
    };
    Ok(match next {
        Next::Again { wait } => undecided("again", wait, 0),
        Next::Prove { wait } => undecided("prove", wait, ask.empty_so_far + 1),
        Next::Done(judgement) => {
            tracing::info!(
                seat = %ask.seat, account = %ask.account, sweep = %ask.sweep,
                verdict = %judgement.verdict, why = judgement.why, "judged"
            );
            records::write(records, &key::verdict(&ask.sweep, &ask.seat), &judgement).await?;
            Answer { verdict: judgement.verdict, why: judgement.why, ..undecided("done", 0, ask.empty_so_far) }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use shared::records::MemoryRecords;
    use shared::sweep::verdict::Judgement;

    fn ask(pass: u32, empty: u32, left: Value, last: bool) -> Ask {
        let listing = json!({"family": "storage", "done": true, "found": 0, "asked": 0, "blocked": 0, "left": left,
            "leftMore": 0, "unknown": []});
        let ask = json!({"account": "111111111111", "seat": "koza-0001", "sweep": "c.1", "pass": pass, "maxPasses": 4,
            "emptySoFar": empty, "listings": [listing], "final": last});
        runtime::parse(ask).expect("a good payload")
    }

    fn bucket() -> Value {
        json!([{"kind": "s3.bucket", "id": "b", "region": "us-east-1", "why": "", "class": "found"}])
    }

    async fn verdict(records: &MemoryRecords) -> Option<Judgement> {
        records::read(records, &key::verdict(&"c.1".into(), &"koza-0001".into())).await.unwrap()
    }

    #[tokio::test]
    async fn one_empty_listing_is_proved_by_a_second() {
        let records = MemoryRecords::default();
        let first = handle(&records, ask(1, 0, json!([]), false)).await.unwrap();
        assert_eq!((first.next, first.empty_so_far), ("prove", 1));
        assert_eq!(verdict(&records).await, None);
        let second = handle(&records, ask(2, first.empty_so_far, json!([]), false)).await.unwrap();
        assert_eq!((second.next, second.verdict), ("done", Verdict::Clean));
        let before = records.all();
        handle(&records, ask(2, 1, json!([]), false)).await.unwrap();
        assert_eq!(records.all(), before, "twice is once");
    }

    #[tokio::test]
    async fn something_that_comes_back_starts_the_proof_anew() {
        let records = MemoryRecords::default();
        let answer = handle(&records, ask(2, 1, bucket(), false)).await.unwrap();
        assert_eq!((answer.next, answer.empty_so_far), ("again", 0));
    }

    #[tokio::test]
    async fn what_the_deletion_answered_is_the_reason() {
        let records = MemoryRecords::default();
        let left = json!([{"kind": "s3.bucket", "id": "b", "region": "us-east-1", "why": "AccessDenied: policy", "class": "refused"}]);
        let deletion = json!({"family": "storage", "done": true, "left": left});
        records::write(&records, &key::deletion(&"c.1".into(), &"koza-0001".into(), 4, "storage"), &deletion)
            .await
            .unwrap();
        let answer = handle(&records, ask(4, 0, bucket(), false)).await.unwrap();
        assert_eq!((answer.verdict, answer.why.as_str()), (Verdict::Dirty, "s3.bucket b: AccessDenied: policy"));
        assert_eq!(verdict(&records).await.map(|j| j.verdict), Some(Verdict::Dirty));
    }

    #[tokio::test]
    async fn what_the_machine_could_not_do_is_unknown() {
        let records = MemoryRecords::default();
        let mut last = ask(1, 1, json!([]), true);
        last.listings[0].done = false;
        let answer = handle(&records, last).await.unwrap();
        assert_eq!((answer.next, answer.verdict), ("done", Verdict::Unknown));
    }

    #[test]
    fn a_missing_or_misspelt_field_is_refused() {
        let wrong = json!({"account": "111111111111", "seat": "koza-0001", "sweep": "c.1", "pass": 1});
        assert_eq!(runtime::parse::<Ask>(wrong).expect_err("refused").name(), "Invalid");
    }

    #[test]
    fn every_sample_event_is_taken() {
        runtime::take_samples::<Ask>();
    }
}

//! Creates the accounts that the pool lacks.
//!
//! CreateAccount has no client token and cannot be repeated: what is asked for is written down first, and looked up (in
//! the accounts by e-mail, in the creations by name) before it is asked again.

mod plan;

use organization::{AccountMaker, Organization};
pub use plan::{MOST_IN_FLIGHT, Plan, plan};
use serde::{Deserialize, Serialize};
use shared::names::State;
use shared::records::{self, Records, key};
use shared::{Fault, Names, Seat};

/// Seconds of AWS time between two tokens of CreateAccount's bucket (0.1 a second, "Quotas for AWS Organizations").
const SECONDS_A_TOKEN: u32 = 10;
/// How many it holds; more are not asked for in one call.
const BURST: usize = 3;

/// Payload.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "do", rename_all = "camelCase", deny_unknown_fields)]
pub enum Ask {
    /// Checks the input and says what would be made.
    Plan {
        /// Name of the execution.
        execution: String,
        /// What the execution was started with.
        input: Input,
    },
    /// Makes what is missing, as far as AWS lets it now.
    Create {
        /// Name of the execution.
        execution: String,
        /// Wanted size of the pool.
        seats: usize,
    },
}

/// What pool-fill is started with: `{"seats": 26}`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Wanted size of the pool.
    pub seats: usize,
}

/// The answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// Everything wanted is there.
    pub done: bool,
    /// Otherwise, when to call again.
    pub wait_seconds: u32,
    /// Wanted size.
    pub wanted: usize,
    /// Accounts that are there.
    pub have: usize,
    /// Accounts that are not.
    pub missing: usize,
    /// Creations under way.
    pub in_progress: usize,
    /// The seats that are not ready yet.
    pub seats_key: String,
    /// How many.
    pub count: usize,
    /// Prefix of this run's records.
    pub run: String,
}

/// Handles one call.
pub async fn handle(
    organization: &impl Organization,
    maker: &impl AccountMaker,
    records: &impl Records,
    names: &Names,
    ask: Ask,
) -> Result<Answer, Fault> {
    let (execution, wanted, apply) = match ask {
        Ask::Plan { execution, input } => (execution, input.seats, false),
        Ask::Create { execution, seats } => (execution, seats, true),
    };
    if wanted == 0 || wanted > 9_999 {
        return Err(Fault::invalid(format!(
            "seats is {wanted}; give the wanted size of the pool, 1 to 9999, such as {{\"seats\": 26}}"
        )));
    }
    let accounts = organization.accounts().await?;
    let creations = maker.creations().await?;
    let plan = plan(names, wanted, &accounts, &creations);
    let mut answer = Answer {
        wanted,
        have: plan.have,
        missing: plan.missing.len(),
        in_progress: plan.in_progress,
        ..Answer::default()
    };
    if !apply {
        return Ok(answer);
    }
    if let Some((seat, reason)) = plan.failed.first() {
        return Err(Fault::broken(format!(
            "AWS could not make account {seat}: {reason}. See the creation requests in the management account"
        )));
    }
    let room = MOST_IN_FLIGHT.saturating_sub(plan.in_progress).min(BURST);
    for seat in plan.missing.iter().take(room) {
        let email = names.root_email(seat);
        let asked = serde_json::json!({"seat": seat, "email": email, "execution": execution});
        records::write(records, &key::account_asked(seat), &asked).await?;
        let tags = [("koza:installation", names.installation()), ("koza:seat", seat.as_str())];
        maker.ask(seat.as_str(), &email, &tags).await?;
        answer.in_progress += 1;
    }
    if !plan.missing.is_empty() || plan.in_progress > 0 {
        answer.wait_seconds = match plan.missing.is_empty() {
            true => 5,
            false => SECONDS_A_TOKEN * room.max(1) as u32,
        };
        return Ok(answer);
    }
    let waiting = not_ready(organization, names).await?;
    answer.seats_key = key::fill_seats(&execution);
    answer.count = waiting.len();
    answer.run = key::fill(&execution);
    records::write(records, &answer.seats_key, &waiting).await?;
    answer.done = true;
    Ok(answer)
}

/// Seats of ours that are still in the root or in Preparing. A seat that somebody moved elsewhere is not ours to fetch back.
async fn not_ready(organization: &impl Organization, names: &Names) -> Result<Vec<Seat>, Fault> {
    let layout = organization.layout(names).await?;
    let mut units = vec![layout.root.clone()];
    units.extend(layout.unit_of(&State::Preparing).map(|u| u.id.clone()));
    let mut seats = Vec::new();
    for unit in units {
        for account in organization.accounts_in(&unit).await? {
            if names.is_seat(&account.name) && account.active {
                seats.push(Seat { seat: account.name.into(), account: account.id });
            }
        }
    }
    seats.sort();
    Ok(seats)
}

#[cfg(test)]
mod tests {
    use super::*;
    use organization::MemoryOrganization;
    use organization::testing::Cut;
    use shared::records::MemoryRecords;

    fn names() -> Names {
        Names::new("koza", "aws+{seat}@example.com")
    }

    fn create() -> Ask {
        Ask::Create { execution: "fill-1".into(), seats: 7 }
    }

    async fn until_done(organization: &MemoryOrganization, records: &MemoryRecords) -> Answer {
        for _ in 0..20 {
            let answer = handle(organization, organization, records, &names(), create()).await.expect("no fault");
            if answer.done {
                return answer;
            }
            assert!(answer.wait_seconds > 0);
        }
        panic!("not done after 20 calls");
    }

    #[tokio::test]
    async fn run_again_it_makes_nothing() {
        let (organization, records) = (MemoryOrganization::default(), MemoryRecords::default());
        assert_eq!(until_done(&organization, &records).await.count, 7);
        let before = organization.world();
        until_done(&organization, &records).await;
        assert_eq!(organization.world(), before);
    }

    #[tokio::test]
    async fn cut_anywhere_it_makes_no_account_too_many() {
        for calls in 0..12 {
            let organizations = [MemoryOrganization::default(), MemoryOrganization::default()];
            for (cut, organization) in Cut::both(organizations.each_ref(), calls).iter().zip(&organizations) {
                let records = MemoryRecords::default();
                let _ = handle(cut, cut, &records, &names(), create()).await;
                until_done(organization, &records).await;
                assert_eq!(organization.world().accounts.len(), 7, "cut after {calls}");
            }
        }
    }

    #[test]
    fn a_missing_or_misspelt_field_is_refused() {
        for wrong in [
            serde_json::json!({"do": "plan", "execution": "e", "input": {}}),
            serde_json::json!({"do": "plan", "execution": "e", "input": {"seat": 3}}),
            serde_json::json!({"do": "plan", "execution": "e", "input": {"seats": 3, "size": 3}}),
            serde_json::json!({"do": "create", "execution": "e", "seats": 3, "more": 1}),
        ] {
            let refused = runtime::parse::<Ask>(wrong.clone()).expect_err("refused");
            assert_eq!(refused.name(), "Invalid", "{wrong}");
        }
    }

    #[test]
    fn every_sample_event_is_taken() {
        runtime::take_samples::<Ask>();
    }
}

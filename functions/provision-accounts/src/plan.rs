//! Which accounts are missing.

use organization::{Account, Creation, CreationStatus};
use shared::{Names, SeatName};

/// Creations that AWS works on at once ("Quotas for AWS Organizations").
pub const MOST_IN_FLIGHT: usize = 5;

/// What the organization has and lacks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Seats whose accounts are there.
    pub have: usize,
    /// Creations under way.
    pub in_progress: usize,
    /// Seats to ask for.
    pub missing: Vec<SeatName>,
    /// Seats whose creation AWS gave up, with its reason.
    pub failed: Vec<(SeatName, String)>,
}

/// Compares. A seat is there if an account has its e-mail: names can be given twice, addresses cannot. What a list does
/// not show yet is found in the creations, so that it is never asked for a second time.
pub fn plan(names: &Names, wanted: usize, accounts: &[Account], creations: &[Creation]) -> Plan {
    let mut plan = Plan::default();
    for number in 1..=wanted {
        let seat = names.seat(number);
        let email = names.root_email(&seat);
        if accounts.iter().any(|a| a.email.eq_ignore_ascii_case(&email)) {
            plan.have += 1;
            continue;
        }
        let statuses = creations.iter().filter(|c| c.name == seat.as_str()).map(|c| &c.status);
        let mut failed = None;
        let mut known = false;
        for status in statuses {
            match status {
                CreationStatus::InProgress | CreationStatus::Succeeded => known = true,
                CreationStatus::Failed(reason) => failed = Some(reason.clone()),
            }
        }
        match failed {
            _ if known => plan.in_progress += 1,
            Some(reason) => plan.failed.push((seat, reason)),
            None => plan.missing.push(seat),
        }
    }
    plan
}

#[cfg(test)]
mod tests {
    use super::*;

    fn creation(name: &str, status: CreationStatus) -> Creation {
        Creation { name: name.into(), status }
    }

    #[test]
    fn what_is_there_or_under_way_is_not_asked_for() {
        let names = Names::new("koza", "aws+{seat}@example.com");
        let there = Account {
            id: "111111111111".into(),
            name: "renamed by somebody".into(),
            email: "AWS+koza-0001@example.com".into(),
            unit: String::new(),
            active: true,
        };
        let creations = [
            creation("koza-0002", CreationStatus::InProgress),
            creation("koza-0003", CreationStatus::Succeeded),
            creation("koza-0004", CreationStatus::Failed("EMAIL_ALREADY_EXISTS".into())),
        ];
        insta::assert_debug_snapshot!(plan(&names, 5, &[there], &creations), @r#"
        Plan {
            have: 1,
            in_progress: 2,
            missing: [
                SeatName(
                    "koza-0005",
                ),
            ],
            failed: [
                (
                    SeatName(
                        "koza-0004",
                    ),
                    "EMAIL_ALREADY_EXISTS",
                ),
            ],
        }
        "#);
    }
}

//! The one way in for everything that deletes. AWS enforces the same with the SCP `active` and the roles' trust;
//! this refuses earlier and with a reason.

use crate::ids::SweepId;
use crate::names::State;
use crate::{AccountId, Fault, Seat};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How long a reading of the organization may be used. Where a seat has moved meanwhile, AWS itself denies.
pub const VALID_HOURS: i64 = 6;

/// What one reading of the organization found may be swept. Only `admit-seats` writes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Admission {
    /// The sweep it is for, and for no other.
    pub sweep: SweepId,
    /// The seats that were under a closing target, in Sweeping or in Preparing.
    pub seats: Vec<Seat>,
    /// Enabled Regions to sweep.
    pub regions: Vec<String>,
    /// What the learner policies of these seats must say.
    pub learner_policies: Vec<serde_json::Value>,
    /// When AWS was read.
    pub at: Timestamp,
}

/// Proof that one account may be deleted from. It can only be had from [`Admission::admit`].
#[derive(Clone, Debug)]
pub struct Admitted {
    seat: Seat,
}

impl Admitted {
    /// The seat.
    pub fn seat(&self) -> &Seat {
        &self.seat
    }
}

impl Admission {
    /// Lets one seat in, or says why not. `identity` is what `GetCallerIdentity` answered to the credentials that
    /// will delete; `never_touch` holds the management and operations accounts and the installation's own list.
    pub fn admit(
        &self,
        sweep: &SweepId,
        seat: &Seat,
        identity: &AccountId,
        never_touch: &[AccountId],
        now: Timestamp,
    ) -> Result<Admitted, Fault> {
        let no = |why: String| {
            Err(Fault::refused(format!("{} ({}) is not admitted to sweep {sweep}: {why}", seat.seat, seat.account)))
        };
        if &self.sweep != sweep {
            return no(format!("the admission is for sweep {}", self.sweep));
        }
        if !self.seats.contains(seat) {
            return no("it was not in a closing place when the organization was read".to_owned());
        }
        if never_touch.contains(&seat.account) {
            return no("it is on the list of accounts that are never touched".to_owned());
        }
        if &seat.account != identity {
            return no(format!("the credentials belong to account {identity}"));
        }
        let age = now.duration_since(self.at);
        if age.as_hours() >= VALID_HOURS || age.is_negative() {
            return no(format!("the organization was read at {}", self.at));
        }
        Ok(Admitted { seat: seat.clone() })
    }
}

/// Where a seat is, as just read from AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The seat.
    pub seat: Seat,
    /// Its OU.
    pub state: State,
    /// `closing` is attached to it or to its OU.
    pub closing: bool,
    /// `active` is attached to it or to its OU.
    pub active: bool,
}

/// Why a seat in this place may not be swept, or `None` if it may.
pub fn objection(place: &Place, never_touch: &[AccountId]) -> Option<String> {
    if never_touch.contains(&place.seat.account) {
        return Some("it is on the list of accounts that are never touched".to_owned());
    }
    if place.active {
        return Some("the policy active is still on it: its course has not been closed".to_owned());
    }
    match &place.state {
        State::Sweeping | State::Preparing => None,
        State::Active(_) if place.closing => None,
        State::Active(course) => Some(format!("course {course} is not closing")),
        State::Outside => Some("it is not under the pool's organizational unit".to_owned()),
        other => Some(format!("it is in {other}; it must be moved to Sweeping first")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seat() -> Seat {
        Seat { seat: "koza-0001".into(), account: "111111111111".into() }
    }

    fn admission() -> Admission {
        Admission {
            sweep: "c.1".into(),
            seats: vec![seat()],
            regions: vec!["us-east-1".into()],
            learner_policies: vec![],
            at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn only_the_admitted_seat_with_its_own_credentials_in_time_is_let_in() {
        let hour = jiff::SignedDuration::from_hours(1);
        let now = Timestamp::UNIX_EPOCH + hour;
        let (sweep, account) = (SweepId::from("c.1"), AccountId::from("111111111111"));
        let a = admission();
        assert!(a.admit(&sweep, &seat(), &account, &[], now).is_ok());
        let other = Seat { account: "222222222222".into(), ..seat() };
        let refusals = [
            a.admit(&"c.2".into(), &seat(), &account, &[], now),
            a.admit(&sweep, &other, &other.account, &[], now),
            a.admit(&sweep, &seat(), &other.account, &[], now),
            a.admit(&sweep, &seat(), &account, std::slice::from_ref(&account), now),
            a.admit(&sweep, &seat(), &account, &[], now + hour * 6),
            a.admit(&sweep, &seat(), &account, &[], Timestamp::UNIX_EPOCH - hour),
        ];
        for refusal in refusals {
            assert!(matches!(refusal, Err(Fault::Refused(_))), "{refusal:?}");
        }
    }

    #[test]
    fn a_seat_is_swept_only_where_it_closes() {
        let place = |state, closing, active| Place { seat: seat(), state, closing, active };
        let course = || State::Active("c".into());
        assert_eq!(objection(&place(State::Sweeping, false, false), &[]), None);
        assert_eq!(objection(&place(State::Preparing, false, false), &[]), None);
        assert_eq!(objection(&place(course(), true, false), &[]), None);
        for refused in [
            place(course(), false, false),
            place(course(), true, true),
            place(State::Available, true, false),
            place(State::Quarantine, false, false),
            place(State::Outside, true, false),
        ] {
            assert!(objection(&refused, &[]).is_some(), "{refused:?}");
        }
        let never = [AccountId::from("111111111111")];
        assert!(objection(&place(State::Sweeping, false, false), &never).is_some());
    }
}

//! Money, as whole cents.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// US dollars, counted in cents. In JSON a string such as `"12.50"`, so that no reader makes a float of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Usd(i64);

/// A text that is no amount of money.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not an amount in USD such as 20 or 12.50")]
pub struct NotMoney(String);

impl Usd {
    /// From whole cents.
    pub const fn cents(cents: i64) -> Self {
        Self(cents)
    }

    /// In cents.
    pub const fn as_cents(self) -> i64 {
        self.0
    }

    /// Whether this is `percent` of `budget` or more.
    pub fn is_at_least_percent_of(self, percent: u32, budget: Usd) -> bool {
        i128::from(self.0) * 100 >= i128::from(budget.0) * i128::from(percent)
    }
}

impl FromStr for Usd {
    type Err = NotMoney;

    /// Cost Explorer gives ten decimals; what is below a cent is rounded up, so that a limit is never reached late.
    fn from_str(text: &str) -> Result<Self, NotMoney> {
        let wrong = || NotMoney(text.to_owned());
        let (sign, digits) = match text.trim().strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, text.trim()),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if whole.is_empty() || !(whole.to_owned() + fraction).bytes().all(|b| b.is_ascii_digit()) {
            return Err(wrong());
        }
        let whole: i64 = whole.parse().map_err(|_| wrong())?;
        let first_two: i64 = format!("{fraction:0<2}")[..2].parse().map_err(|_| wrong())?;
        let rest = fraction.get(2..).unwrap_or("").bytes().any(|b| b != b'0');
        let cents = whole
            .checked_mul(100)
            .and_then(|c| c.checked_add(first_two + i64::from(rest && sign > 0)))
            .ok_or_else(wrong)?;
        Ok(Self(sign * cents))
    }
}

impl TryFrom<String> for Usd {
    type Error = NotMoney;
    fn try_from(text: String) -> Result<Self, NotMoney> {
        text.parse()
    }
}

impl From<Usd> for String {
    fn from(usd: Usd) -> String {
        usd.to_string()
    }
}

impl fmt::Display for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let cents = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:02}", cents / 100, cents % 100)
    }
}

impl std::iter::Sum for Usd {
    fn sum<I: Iterator<Item = Usd>>(iter: I) -> Usd {
        Usd(iter.map(|u| u.0).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_and_shown_to_the_cent_and_never_rounded_down() {
        for (text, shown) in
            [("20", "20.00"), ("0.5", "0.50"), ("1.2300000001", "1.24"), ("19.99", "19.99"), ("-0.25", "-0.25")]
        {
            assert_eq!(text.parse::<Usd>().map(|u| u.to_string()), Ok(shown.to_owned()));
        }
        for wrong in ["", "x", "1.2.3", ".5", "1,000", "1e3"] {
            assert!(wrong.parse::<Usd>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_threshold_is_reached_at_its_percent_and_not_below() {
        let budget = Usd::cents(2_000);
        assert!(Usd::cents(1_000).is_at_least_percent_of(50, budget));
        assert!(!Usd::cents(999).is_at_least_percent_of(50, budget));
    }
}

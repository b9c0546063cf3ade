//! Identifiers, each a type of its own so that an account is never passed where a seat is meant.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

id!(
    /// Twelve digits.
    AccountId
);
id!(
    /// The name of a seat, its account and its group: `koza-0001`.
    SeatName
);
id!(
    /// A course: 3-40 lower-case letters, digits and hyphens.
    CourseId
);
id!(
    /// One sweep of a class or of one account: `serverless-chatbot-2026.1`.
    SweepId
);

impl AccountId {
    /// Whether this is twelve digits, which is all that AWS says of an account id.
    pub fn is_valid(&self) -> bool {
        self.0.len() == 12 && self.0.bytes().all(|b| b.is_ascii_digit())
    }
}

impl SweepId {
    /// A course's `attempt`th sweep.
    pub fn of(course: &CourseId, attempt: u32) -> Self {
        Self(format!("{course}.{attempt}"))
    }
}

/// A seat and the account that it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Seat {
    /// Name of the seat, the account and the group.
    pub seat: SeatName,
    /// The member account.
    pub account: AccountId,
}

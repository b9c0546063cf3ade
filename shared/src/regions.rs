//! AWS's commercial Regions by code (AWS Account Management, "Specify which AWS Regions your account can use").

/// Regions that every account has.
pub const BY_DEFAULT: &[&str] = &[
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
];

/// Regions that an account has to opt in to. Enabling one takes minutes to hours and is not Koza's: a course names it
/// only where the seats have it.
pub const OPT_IN: &[&str] = &[
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-south-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-west-1",
    "eu-central-2",
    "eu-south-1",
    "eu-south-2",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
];

/// Whether this is a Region's code.
pub fn is_known(code: &str) -> bool {
    BY_DEFAULT.contains(&code) || OPT_IN.contains(&code)
}

/// All of them.
pub fn all() -> impl Iterator<Item = &'static str> {
    BY_DEFAULT.iter().chain(OPT_IN).copied()
}

//! What a state machine routes. Anything that the next step can read is data and not a fault.

use std::error::Error;
use std::fmt;

/// An error with the name that the state machines know (`STYLE`: five names, no more).
#[derive(Debug)]
pub enum Fault {
    /// Throttled, 5xx, timed out: the machine retries with backoff and jitter.
    Transient(Cause),
    /// The world moved since we read it: the machine goes back to the reading step.
    Conflict(Cause),
    /// Denied by IAM or an SCP: the machine stops and tells a person.
    Refused(Cause),
    /// The input is wrong: nothing was changed.
    Invalid(Cause),
    /// Anything else: the machine stops in a safe state and tells a person.
    Broken(Cause),
}

/// What was being done, and the error below it.
#[derive(Debug)]
pub struct Cause {
    doing: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Fault {
    /// A fault of the given kind with the error below it.
    pub fn because(
        kind: fn(Cause) -> Fault,
        doing: impl Into<String>,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        kind(Cause { doing: doing.into(), source: Some(source.into()) })
    }

    /// The world moved since we read it.
    pub fn conflict(doing: impl Into<String>) -> Self {
        Fault::Conflict(Cause::new(doing))
    }

    /// Not allowed, by AWS or by our own admission.
    pub fn refused(doing: impl Into<String>) -> Self {
        Fault::Refused(Cause::new(doing))
    }

    /// The input is wrong; say what to do about it.
    pub fn invalid(doing: impl Into<String>) -> Self {
        Fault::Invalid(Cause::new(doing))
    }

    /// Anything else.
    pub fn broken(doing: impl Into<String>) -> Self {
        Fault::Broken(Cause::new(doing))
    }

    /// The error name in ASL.
    pub fn name(&self) -> &'static str {
        match self {
            Fault::Transient(_) => "Transient",
            Fault::Conflict(_) => "Conflict",
            Fault::Refused(_) => "Refused",
            Fault::Invalid(_) => "Invalid",
            Fault::Broken(_) => "Broken",
        }
    }

    /// The whole chain in one line, for logs and for the machine's cause.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut below = self.source();
        while let Some(error) = below {
            text.push_str(": ");
            text.push_str(&error.to_string());
            below = error.source();
        }
        text
    }

    fn cause(&self) -> &Cause {
        match self {
            Fault::Transient(c) | Fault::Conflict(c) | Fault::Refused(c) | Fault::Invalid(c) | Fault::Broken(c) => c,
        }
    }
}

impl Cause {
    fn new(doing: impl Into<String>) -> Self {
        Cause { doing: doing.into(), source: None }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause().doing)
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause().source.as_deref().map(|e| e as _)
    }
}

impl From<crate::complaint::Complaints> for Fault {
    fn from(complaints: crate::complaint::Complaints) -> Self {
        Fault::invalid(complaints.to_string())
    }
}

/// What an AWS error code means to us. One table for every service; a kind may add a code, not a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Try again later with backoff.
    Transient,
    /// Already gone.
    Gone,
    /// Already there.
    Exists,
    /// Something else has to go first, or a state has to pass.
    Blocked,
    /// IAM or an SCP said no.
    Refused,
    /// The service or the operation does not exist there.
    Absent,
    /// Nothing we know.
    Other,
}

/// Reads an AWS error code. `None` (no answer at all) is transient.
///
/// Codes are those of the services' own API references; the comparison is exact but for S3's and EC2's families.
pub fn meaning(code: Option<&str>) -> Meaning {
    let Some(code) = code else {
        return Meaning::Transient;
    };
    match code {
        "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "TooManyRequestsException"
        | "RequestLimitExceeded"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "SlowDown"
        | "LimitExceededException"
        | "PriorRequestNotComplete"
        | "ServiceUnavailable"
        | "ServiceUnavailableException"
        | "InternalFailure"
        | "InternalError"
        | "InternalServerError"
        | "InternalServerException"
        | "InternalErrorException"
        | "ServiceException"
        | "ConcurrentModificationException"
        | "PolicyChangesInProgressException"
        | "FinalizingOrganizationException"
        | "RequestTimeout"
        | "RequestTimeoutException"
        | "SubscriptionRequiredException" => Meaning::Transient,
        "AccessDenied"
        | "AccessDeniedException"
        | "UnauthorizedOperation"
        | "AuthorizationError"
        | "AuthorizationErrorException"
        | "UnauthorizedException"
        | "ForbiddenException" => Meaning::Refused,
        "DependencyViolation"
        | "DeleteConflict"
        | "ResourceInUseException"
        | "ResourceInUse"
        | "BucketNotEmpty"
        | "OperationAborted"
        | "ConflictException"
        | "ResourceConflictException"
        | "IncorrectState"
        | "InvalidParameterValue.InUse"
        | "InvalidNetworkInterface.InUse"
        | "DistributionNotDisabled" => Meaning::Blocked,
        "EntityAlreadyExists"
        | "EntityAlreadyExistsException"
        | "AlreadyExistsException"
        | "DuplicatePolicyAttachmentException"
        | "DuplicatePolicyException"
        | "DuplicateOrganizationalUnitException"
        | "DuplicateAccountException" => Meaning::Exists,
        "NoSuchEntity"
        | "NoSuchEntityException"
        | "NoSuchBucket"
        | "NoSuchKey"
        | "NoSuchDistribution"
        | "NotFound"
        | "NotFoundException"
        | "ResourceNotFoundException"
        | "ResourceNotFound"
        | "PolicyNotAttachedException" => Meaning::Gone,
        "UnknownOperationException" | "InvalidAction" | "UnrecognizedClientException.Region" => Meaning::Absent,
        other if other.ends_with(".NotFound") => Meaning::Gone,
        _ => Meaning::Other,
    }
}

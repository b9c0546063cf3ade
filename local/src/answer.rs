//! Answers that the gateway gives itself, in each protocol's own shape.

use crate::access::caller::Caller;
use crate::access::policies::Question;
use crate::operation::Protocol;
use axum::body::Body;
use axum::http::{Response, StatusCode, header::CONTENT_TYPE};
use serde_json::{Value, json};

/// An AWS error: code, message, status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// AWS's error code.
    pub code: String,
    /// For people.
    pub message: String,
    /// HTTP status.
    pub status: u16,
}

impl Refusal {
    /// An error of this code; most of AWS's client errors are 400.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), status: 400 }
    }

    /// "Access denied", by the code that the protocol uses for it.
    pub fn denied(protocol: Protocol, message: impl Into<String>) -> Self {
        let (code, status) = match protocol {
            Protocol::Ec2 => ("UnauthorizedOperation", 403),
            Protocol::Query | Protocol::RestXml => ("AccessDenied", 403),
            Protocol::Json => ("AccessDeniedException", 400),
            Protocol::RestJson => ("AccessDeniedException", 403),
        };
        Self { code: code.to_owned(), message: message.into(), status }
    }

    /// "Access denied" in IAM's own words: who may not do what with what, and why.
    pub fn not_authorized(protocol: Protocol, caller: &Caller, question: &Question, why: &str) -> Self {
        let (who, action, resource) = (&caller.session, &question.action, &question.resource);
        let words = format!("User: {who} is not authorized to perform: {action} on resource: {resource} {why}");
        Self::denied(protocol, words.trim_end())
    }

    /// "Too many calls", by the code that the protocol's services use for it.
    pub fn throttled(protocol: Protocol) -> Self {
        let (code, status) = match protocol {
            Protocol::Ec2 => ("RequestLimitExceeded", 503),
            Protocol::RestXml => ("SlowDown", 503),
            Protocol::Query => ("Throttling", 400),
            Protocol::Json => ("ThrottlingException", 400),
            Protocol::RestJson => ("TooManyRequestsException", 429),
        };
        Self { status, ..Self::new(code, "Rate exceeded") }
    }

    /// "Our fault, try again".
    pub fn internal(protocol: Protocol) -> Self {
        let code = match protocol {
            Protocol::Ec2 | Protocol::RestXml => "InternalError",
            Protocol::Query => "InternalFailure",
            Protocol::Json | Protocol::RestJson => "InternalServerException",
        };
        Self { status: 500, ..Self::new(code, "An internal error occurred") }
    }

    /// The answer in the service's shape.
    pub fn into_response(self, protocol: Protocol) -> Response<Body> {
        let (code, message) = (xml(&self.code), xml(&self.message));
        let (kind, body) = match protocol {
            Protocol::Json | Protocol::RestJson => (
                "application/json",
                json!({"__type": self.code, "message": self.message, "Message": self.message}).to_string(),
            ),
            Protocol::Query => (
                "text/xml",
                format!(
                    "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
                     <RequestId>koza-local</RequestId></ErrorResponse>"
                ),
            ),
            Protocol::Ec2 => (
                "text/xml",
                format!(
                    "<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>\
                     <RequestID>koza-local</RequestID></Response>"
                ),
            ),
            Protocol::RestXml => (
                "application/xml",
                format!(
                    "<?xml version=\"1.0\"?><ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error>\
                     <Code>{code}</Code><Message>{message}</Message></ErrorResponse>"
                ),
            ),
        };
        // S3 wants its error at the document's root.
        let body = match protocol {
            Protocol::RestXml if !body.contains("cloudfront") => format!(
                "<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>{message}</Message><Error><Code>{code}</Code>\
                 <Message>{message}</Message></Error></Error>"
            ),
            _ => body,
        };
        response(self.status, kind, body, Some(&self.code))
    }
}

/// A JSON answer.
pub fn json_answer(value: &Value) -> Response<Body> {
    response(200, "application/x-amz-json-1.1", value.to_string(), None)
}

/// An XML answer of a query service.
pub fn xml_answer(body: String) -> Response<Body> {
    response(200, "text/xml", body, None)
}

fn response(status: u16, kind: &str, body: String, error: Option<&str>) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    if let Ok(kind) = kind.parse() {
        response.headers_mut().insert(CONTENT_TYPE, kind);
    }
    if let Some(code) = error.and_then(|c| c.parse().ok()) {
        response.headers_mut().insert("x-amzn-errortype", code);
    }
    response
}

/// Escapes text for XML.
pub fn xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The text of the first element of this name.
pub fn element<'a>(document: &'a str, name: &str) -> Option<&'a str> {
    let start = document.find(&format!("<{name}>"))? + name.len() + 2;
    let end = document[start..].find(&format!("</{name}>"))?;
    Some(&document[start..start + end])
}

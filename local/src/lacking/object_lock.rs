//! The lock of an S3 object: moto keeps it and tells it in headers, but has no `GetObjectRetention`.

use crate::answer::{Refusal, xml_answer};
use crate::upstream::Upstream;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Response, StatusCode};

/// Answers `GetObjectRetention` from the headers of `HeadObject`. `path` is the question's own.
pub async fn retention(
    upstream: &Upstream,
    account: &str,
    path: &str,
    headers: &HeaderMap,
) -> Result<Response<Body>, Refusal> {
    let (object, query) = path.split_once('?').unwrap_or((path, ""));
    let version: Vec<&str> = query.split('&').filter(|part| part.starts_with("versionId=")).collect();
    let path = format!("{object}?{}", version.join("&"));
    let answer = upstream.send(upstream.host(account), &Method::HEAD, &path, headers, Bytes::new()).await?;
    if answer.status() != StatusCode::OK {
        return Err(Refusal { status: 404, ..Refusal::new("NoSuchKey", "The specified key does not exist.") });
    }
    let value = |name: &str| answer.headers().get(name).and_then(|v| v.to_str().ok());
    match (value("x-amz-object-lock-mode"), value("x-amz-object-lock-retain-until-date")) {
        (Some(mode), Some(until)) => Ok(xml_answer(format!(
            "<Retention xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Mode>{mode}</Mode><RetainUntilDate>{until}</RetainUntilDate></Retention>"
        ))),
        _ => Err(Refusal {
            status: 404,
            ..Refusal::new(
                "NoSuchObjectLockConfiguration",
                "The specified object does not have a ObjectLock configuration",
            )
        }),
    }
}

//! Which operation of which service a request is: by its target header, its `Action`, its rpc path, or its method and URI.

use axum::http::request::Parts;
use std::collections::HashMap;
use std::sync::LazyLock;

/// A service's protocol, which is also the shape of its errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// `Action=` in a form; XML answers.
    Query,
    /// EC2's own XML.
    Ec2,
    /// `X-Amz-Target`; JSON answers.
    Json,
    /// Method and URI; JSON answers.
    RestJson,
    /// Method and URI; XML answers.
    RestXml,
}

/// A request as AWS would name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Signing name of the service.
    pub service: String,
    /// Operation.
    pub name: String,
    /// Protocol.
    pub protocol: Protocol,
    /// Parts of the URI by their names in the template (`Bucket`, `Key+`).
    pub labels: HashMap<String, String>,
}

impl Operation {
    /// Whether it changes nothing. Taking a role's session is a read.
    pub fn is_read(&self) -> bool {
        ["List", "Describe", "Get", "Head", "AssumeRole"].iter().any(|verb| self.name.starts_with(verb))
    }
}

struct Rest {
    service: &'static str,
    method: &'static str,
    path: Vec<&'static str>,
    query: Vec<(&'static str, &'static str)>,
    needs: Vec<(&'static str, &'static str)>,
    name: &'static str,
}

static REST: LazyLock<Vec<Rest>> = LazyLock::new(|| {
    include_str!("../data/rest-operations.tsv")
        .lines()
        .skip(1)
        .filter_map(|line| {
            let columns: Vec<&str> = line.split('\t').collect();
            let [service, method, uri, needs, name] = columns[..] else {
                return None;
            };
            let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
            Some(Rest {
                service,
                method,
                path: path.split('/').filter(|s| !s.is_empty()).collect(),
                query: query
                    .split('&')
                    .filter(|q| !q.is_empty())
                    .map(|q| q.split_once('=').unwrap_or((q, "")))
                    .collect(),
                needs: needs.split(',').filter_map(|n| n.split_once(':')).collect(),
                name,
            })
        })
        .collect()
});

/// Names a request. `None`: it is of a service whose REST operations are not in the table.
pub fn name(service: &str, parts: &Parts, body: &[u8]) -> Option<Operation> {
    let made = |name: &str, protocol| Operation {
        service: service.to_owned(),
        name: name.to_owned(),
        protocol,
        labels: HashMap::new(),
    };
    if let Some(target) = header(parts, "x-amz-target") {
        let name = target.rsplit('.').next().unwrap_or(target);
        return Some(made(name, Protocol::Json));
    }
    let path = parts.uri.path();
    if let Some(name) = path.split("/operation/").nth(1) {
        return Some(made(name, Protocol::Json));
    }
    let query = parts.uri.query().unwrap_or("");
    let action = field(body, "Action").filter(|_| is_form(parts)).or_else(|| field(query.as_bytes(), "Action"));
    if let Some(action) = action {
        let protocol = if service == "ec2" { Protocol::Ec2 } else { Protocol::Query };
        return Some(made(&action, protocol));
    }
    rest(service, parts, path, query)
}

/// One field of a form or a query string.
pub fn field(form: &[u8], name: &str) -> Option<String> {
    form_urlencoded::parse(form).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// A header as text.
pub fn header<'a>(parts: &'a Parts, name: &str) -> Option<&'a str> {
    parts.headers.get(name).and_then(|v| v.to_str().ok())
}

fn is_form(parts: &Parts) -> bool {
    header(parts, "content-type").is_some_and(|t| t.starts_with("application/x-www-form-urlencoded"))
}

fn rest(service: &str, parts: &Parts, path: &str, query: &str) -> Option<Operation> {
    let segments: Vec<&str> = path.split('/').filter(|s| !s.is_empty()).collect();
    let asked: HashMap<String, String> =
        form_urlencoded::parse(query.as_bytes()).into_owned().map(|(k, v)| (k.to_lowercase(), v)).collect();
    let best = REST
        .iter()
        .filter(|row| row.service == service && row.method == parts.method.as_str())
        .filter(|row| {
            row.query
                .iter()
                .all(|(key, value)| asked.get(&key.to_lowercase()).is_some_and(|v| value.is_empty() || v == value))
                && row.needs.iter().all(|(place, key)| match *place {
                    "querystring" => asked.contains_key(*key),
                    _ => parts.headers.contains_key(*key),
                })
        })
        .filter_map(|row| labels(&row.path, &segments).map(|labels| (row, labels)))
        .max_by_key(|(row, labels)| (row.path.len() - labels.len(), row.query.len(), row.needs.len()))?;
    let protocol = match service {
        "s3" | "cloudfront" | "route53" => Protocol::RestXml,
        _ => Protocol::RestJson,
    };
    Some(Operation { service: service.to_owned(), name: best.0.name.to_owned(), protocol, labels: best.1 })
}

/// Matches a URI's segments with a template's; a label that ends with `+` takes the rest.
fn labels(template: &[&str], segments: &[&str]) -> Option<HashMap<String, String>> {
    let mut found = HashMap::new();
    for (n, part) in template.iter().enumerate() {
        match part.strip_prefix('{').and_then(|p| p.strip_suffix('}')) {
            Some(label) if label.ends_with('+') => {
                if n >= segments.len() {
                    return None;
                }
                found.insert(label.to_owned(), decoded(&segments[n..].join("/")));
                return Some(found);
            }
            Some(label) => {
                found.insert(label.to_owned(), decoded(segments.get(n)?));
            }
            None if segments.get(n) == Some(part) => {}
            None => return None,
        }
    }
    (template.len() == segments.len()).then_some(found)
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// The IAM actions that an operation needs. Where AWS's action differs from the operation's name it is in this table
/// (Service Authorization Reference).
pub fn iam_actions(operation: &Operation, method: &str) -> Vec<String> {
    let prefix = match operation.service.as_str() {
        "monitoring" => "cloudwatch",
        "email" => "ses",
        other => other,
    };
    if prefix == "apigateway" {
        return vec![format!("apigateway:{method}")];
    }
    let name = match (prefix, operation.name.as_str()) {
        ("s3", "ListObjects" | "ListObjectsV2" | "HeadBucket") => "ListBucket",
        ("s3", "ListObjectVersions") => "ListBucketVersions",
        ("s3", "ListMultipartUploads") => "ListBucketMultipartUploads",
        ("s3", "HeadObject") => "GetObject",
        ("s3", "DeleteObjects") => "DeleteObject",
        ("s3", "CopyObject" | "UploadPart" | "CreateMultipartUpload" | "CompleteMultipartUpload") => "PutObject",
        ("s3", "ListBuckets") => "ListAllMyBuckets",
        ("s3", "GetObjectLockConfiguration") => "GetBucketObjectLockConfiguration",
        ("s3", "PutObjectLockConfiguration") => "PutBucketObjectLockConfiguration",
        ("lambda", "Invoke") => "InvokeFunction",
        (_, name) => name,
    };
    vec![format!("{prefix}:{name}")]
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    fn named(service: &str, method: &str, uri: &str, header: Option<(&str, &str)>, body: &str) -> String {
        let mut request = Request::builder().method(method).uri(uri);
        if let Some((key, value)) = header {
            request = request.header(key, value);
        }
        let (parts, ()) = request.body(()).expect("a request").into_parts();
        name(service, &parts, body.as_bytes()).map_or("none".into(), |o| o.name)
    }

    #[test]
    fn every_protocol_is_named() {
        let form = Some(("content-type", "application/x-www-form-urlencoded; charset=utf-8"));
        assert_eq!(named("iam", "POST", "/", form, "Action=CreateRole&RoleName=a"), "CreateRole");
        let target = Some(("x-amz-target", "AWSOrganizationsV20161128.ListRoots"));
        assert_eq!(named("organizations", "POST", "/", target, "{}"), "ListRoots");
        for (method, uri, operation) in [
            ("GET", "/", "ListBuckets"),
            ("PUT", "/b", "CreateBucket"),
            ("PUT", "/b/k/l", "PutObject"),
            ("PUT", "/b?versioning", "PutBucketVersioning"),
            ("GET", "/b?list-type=2&prefix=x", "ListObjectsV2"),
            ("GET", "/b?versions", "ListObjectVersions"),
            ("POST", "/b?delete", "DeleteObjects"),
            ("DELETE", "/b/k", "DeleteObject"),
            ("DELETE", "/b/k?uploadId=1", "AbortMultipartUpload"),
            ("DELETE", "/b?policy", "DeleteBucketPolicy"),
        ] {
            assert_eq!(named("s3", method, uri, None, ""), operation, "{method} {uri}");
        }
        assert_eq!(named("lambda", "DELETE", "/2015-03-31/functions/f", None, ""), "DeleteFunction");
        assert_eq!(named("cloudfront", "DELETE", "/2020-05-31/distribution/E1", None, ""), "DeleteDistribution");
        assert_eq!(named("sso", "GET", "/federation/credentials?account_id=1&role_name=r", None, ""), "none");
    }
}

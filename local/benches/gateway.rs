//! What the gateway costs: how much longer a call takes through it, and how many it takes in a second, before an upstream that
//! does nothing. The calls are a member role's: session, organization path, service control policies, identity policies,
//! quotas and ledger are all asked.
//!
//! `cargo bench -p koza-local --bench gateway`

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Uri};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use koza_local::{MANAGEMENT_KEY, Running, http};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Milliseconds that the gateway may add, in the median.
const MOST_ADDED: f64 = 1.0;
/// Calls that it takes in a second.
const LEAST_RATE: f64 = 2_000.0;
const ACCOUNT: &str = "123412341234";
const CALLERS: usize = 16;

type Http = Client<HttpConnector, Body>;

/// An emulator that does nothing, and has one account with one role.
async fn upstream(uri: Uri) -> String {
    let allow = |action: &str| {
        json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]})
            .to_string()
    };
    let deny = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "NotAction": ["iam:*", "s3:*"],
        "Resource": "*", "Condition": {"StringNotEquals": {"aws:RequestedRegion": ["ap-northeast-1"]},
        "ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/koza/*"}}}]})
    .to_string();
    match uri.path() {
        "/_koza/account" => json!({"path": "o-1/r-1/ou-1/",
            "levels": [[allow("*"), deny], [allow("*"), deny], [allow("*"), deny], [allow("*")]]})
        .to_string(),
        "/_koza/role" => json!({"arn": format!("arn:aws:iam::{ACCOUNT}:role/r"), "id": "AROA1",
            "trust": {"Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]},
            "policies": [allow("iam:*"), allow("s3:*")], "boundary": null})
        .to_string(),
        _ => "<GetRoleResponse/>".to_owned(),
    }
}

async fn call(client: &Http, endpoint: &str, key: &str) {
    let scope = format!(
        "AWS4-HMAC-SHA256 Credential={key}/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=0"
    );
    let request = Request::post(format!("{endpoint}/"))
        .header("authorization", scope)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from("Action=GetRole&Version=2010-05-08&RoleName=r"))
        .expect("a request");
    let answer = client.request(request).await.expect("an answer");
    assert!(answer.status().is_success(), "{}", answer.status());
    answer.into_body().collect().await.expect("a body");
}

/// Milliseconds of one call after another: the median.
async fn median(client: &Http, endpoint: &str, key: &str) -> f64 {
    let mut times = Vec::new();
    for _ in 0..3_000 {
        let began = Instant::now();
        call(client, endpoint, key).await;
        times.push(began.elapsed().as_secs_f64() * 1_000.0);
    }
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Calls in a second, of many callers at once.
async fn rate(client: &Http, endpoint: &str, key: &str) -> f64 {
    let (count, lasts) = (Arc::new(AtomicUsize::new(0)), Duration::from_secs(5));
    let began = Instant::now();
    let callers = (0..CALLERS).map(|_| {
        let (client, endpoint, key, count) = (client.clone(), endpoint.to_owned(), key.to_owned(), count.clone());
        tokio::spawn(async move {
            while began.elapsed() < lasts {
                call(&client, &endpoint, &key).await;
                count.fetch_add(1, Ordering::Relaxed);
            }
        })
    });
    futures::future::join_all(callers).await;
    count.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64()
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let emulator = listener.local_addr()?.to_string();
    tokio::spawn(async { axum::serve(listener, Router::new().fallback(upstream)).await });
    let free = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let endpoint = format!("http://{free}");
    let dir = std::env::temp_dir().join(format!("koza-bench-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    let running: Running = serde_json::from_value(json!({
        "endpoint": endpoint, "motos": [emulator], "ministack": emulator, "secret": "s", "speed": 1.0, "seed": 1,
        "identityCenter": "", "identityStore": "", "bystander": "", "processes": []
    }))?;
    std::fs::write(dir.join("running.json"), serde_json::to_vec(&running)?)?;
    let serving = dir.clone();
    tokio::spawn(async move { koza_local::serve(&serving).await });
    while http::get(&endpoint, "/_koza/health").await.is_err() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    std::fs::remove_dir_all(&dir)?;

    let key = http::assume(&endpoint, MANAGEMENT_KEY, &format!("arn:aws:iam::{ACCOUNT}:role/r")).await?;
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client: Http = Client::builder(TokioExecutor::new()).build(connector);
    let direct = format!("http://{emulator}");
    median(&client, &endpoint, &key).await;
    let (alone, through) = (median(&client, &direct, &key).await, median(&client, &endpoint, &key).await);
    let (most, taken) = (rate(&client, &direct, &key).await, rate(&client, &endpoint, &key).await);
    let added = through - alone;
    println!("one call, median: {alone:.3} ms without the gateway, {through:.3} ms through it");
    println!("the gateway adds {added:.3} ms; {:.2} of the {MOST_ADDED} ms that it may", added / MOST_ADDED);
    println!("{CALLERS} callers at once: {most:.0} calls/s without the gateway, {taken:.0} calls/s through it");
    println!("it takes {:.2} times the {LEAST_RATE:.0} calls/s that it must", taken / LEAST_RATE);
    Ok(())
}

//! What the local AWS refuses and delays as AWS does, seen from outside, and that nobody gets past its gateway.

use koza_local::http::{self, Signer};
use koza_local::{MANAGEMENT, MANAGEMENT_KEY, OPERATIONS, OPERATIONS_KEY, REGION, Running};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use tests::{ONE, Story, start_by_hand};

struct Local {
    endpoint: String,
    running: Running,
}

impl Local {
    async fn organizations(&self, operation: &str, body: Value) -> anyhow::Result<Value> {
        let target = format!("AWSOrganizationsV20161128.{operation}");
        http::signed_json(&self.endpoint, MANAGEMENT_KEY, "organizations", &target, &body).await
    }

    async fn iam(&self, key: &str, fields: &[(&str, &str)]) -> anyhow::Result<String> {
        http::form(&self.endpoint, &Signer::key(key), "iam", fields).await
    }

    /// A new account, and the key of a session of its access role.
    async fn account(&self, name: &str) -> (String, String) {
        let asked = json!({"AccountName": name, "Email": format!("{name}@example.com")});
        let made = self.organizations("CreateAccount", asked).await.expect("taken");
        assert_eq!(made["CreateAccountStatus"]["State"], "IN_PROGRESS");
        let request = json!({"CreateAccountRequestId": made["CreateAccountStatus"]["Id"]});
        let id = until(async || {
            let status = self.organizations("DescribeCreateAccountStatus", request.clone()).await.ok()?;
            status["CreateAccountStatus"]["AccountId"].as_str().map(str::to_owned)
        })
        .await;
        let role = format!("arn:aws:iam::{id}:role/OrganizationAccountAccessRole");
        let early = http::assume(&self.endpoint, MANAGEMENT_KEY, &role).await;
        assert!(early.is_err(), "a new account cannot be entered at once");
        (id, until(async || http::assume(&self.endpoint, MANAGEMENT_KEY, &role).await.ok()).await)
    }

    /// A role with this trust and this inline policy.
    async fn role(&self, key: &str, name: &str, trust: Value, policy: Value) -> anyhow::Result<()> {
        let trust = json!({"Version": "2012-10-17", "Statement": [trust]}).to_string();
        let policy = json!({"Version": "2012-10-17", "Statement": [policy]}).to_string();
        let make = [("Action", "CreateRole"), ("RoleName", name), ("AssumeRolePolicyDocument", trust.as_str())];
        self.iam(key, &make).await?;
        let put =
            [("Action", "PutRolePolicy"), ("RoleName", name), ("PolicyName", "p"), ("PolicyDocument", policy.as_str())];
        self.iam(key, &put).await.map(drop)
    }
}

/// Asks until there is an answer, for a minute.
async fn until<T>(mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < end, "it never came");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_as_strict_and_as_slow_as_aws() {
    let _one = ONE.lock().await;
    let story = Story::begin("local-aws");
    let endpoint = story.up(&["--bare"]);
    let running = std::fs::read(story.state.join("local/running.json")).expect("running.json");
    let local = Local { endpoint, running: serde_json::from_slice(&running).expect("JSON") };
    only_the_gateway_is_answered(&local).await;
    let pool = koza_local::unit_path(&local.endpoint, "pool").await.expect("a unit");
    let (one, key) = local.account("one").await;
    let (_, other) = local.account("other").await;
    let again = json!({"AccountName": "again", "Email": "ONE@example.com"});
    let again = local.organizations("CreateAccount", again).await.expect("taken");
    assert_eq!(again["CreateAccountStatus"]["FailureReason"], "EMAIL_ALREADY_EXISTS");
    sessions_and_roles(&local, &one, &key, &pool).await;
    buckets_are_unique(&local, &key, &other).await;
    stacks_take_their_time(&local, &key).await;
    states_data_is_bounded(&local).await;
}

/// Everything listens on 127.0.0.1 only, and an emulator answers nobody but the gateway.
async fn only_the_gateway_is_answered(local: &Local) {
    for emulator in local.running.motos.iter().chain([&local.running.ministack]) {
        let direct = format!("http://{emulator}");
        let asked = http::form(&direct, &Signer::key(MANAGEMENT_KEY), "sts", &[("Action", "GetCallerIdentity")]).await;
        let refused = asked.expect_err("an emulator answers somebody else").to_string();
        assert!(refused.contains("403") && refused.contains("only through the gateway"), "{refused}");
    }
    #[cfg(target_os = "linux")]
    for process in &local.running.processes {
        let folder = format!("/proc/{}", process.pid);
        let sockets: BTreeSet<String> = std::fs::read_dir(format!("{folder}/fd"))
            .expect("our own process")
            .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
            .filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.trim_end_matches(']').to_owned()))
            .collect();
        let mut listening = 0;
        for table in ["tcp", "tcp6"] {
            let table = std::fs::read_to_string(format!("{folder}/net/{table}")).unwrap_or_default();
            for line in table.lines().skip(1) {
                let columns: Vec<&str> = line.split_whitespace().collect();
                // 0A is LISTEN (proc(5)); the address is 127.0.0.1 in the machine's byte order.
                if columns[3] == "0A" && sockets.contains(columns[9]) {
                    let address = columns[1].split(':').next();
                    let home = format!("{:08X}", u32::from_ne_bytes([127, 0, 0, 1]));
                    assert_eq!(address, Some(home.as_str()), "process {} listens elsewhere: {line}", process.pid);
                    listening += 1;
                }
            }
        }
        assert!(listening > 0, "process {} listens nowhere: this looks in the wrong place", process.pid);
    }
}

/// Trusts, identity policies, session policies, organization paths, roles that are made again.
async fn sessions_and_roles(local: &Local, one: &str, key: &str, pool: &str) {
    let operations = format!("arn:aws:iam::{OPERATIONS}:root");
    let trust = json!({"Effect": "Allow", "Principal": {"AWS": operations}, "Action": "sts:AssumeRole",
        "Condition": {"ArnLike": {"aws:PrincipalArn": format!("arn:aws:iam::{OPERATIONS}:role/sweep-*")}}});
    let reads = json!({"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"});
    local.role(key, "sweeper", trust, reads).await.expect("a role in the member");
    let sweeper = format!("arn:aws:iam::{one}:role/sweeper");
    let lambda =
        json!({"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"});
    let inside = json!({"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*",
        "Condition": {"ForAnyValue:StringLike": {"aws:ResourceOrgPaths": pool}}});
    for name in ["sweep-storage", "other"] {
        local.role(OPERATIONS_KEY, name, lambda.clone(), inside.clone()).await.expect("a function's role");
    }
    let function = |name: &str| koza_local::function_key(&format!("arn:aws:iam::{OPERATIONS}:role/{name}"));
    let take = async |name: &str| http::assume(&local.endpoint, &function(name), &sweeper).await;

    let refused = take("sweep-storage").await.expect_err("outside the pool's unit").to_string();
    assert!(refused.contains("no identity-based policy allows"), "{refused}");
    let root = local.organizations("ListRoots", json!({})).await.expect("roots")["Roots"][0]["Id"].clone();
    let unit = pool.split('/').nth(2).expect("a unit");
    let into = json!({"AccountId": one, "SourceParentId": root, "DestinationParentId": unit});
    local.organizations("MoveAccount", into.clone()).await.expect("moved");
    let twice = local.organizations("MoveAccount", into).await.expect_err("it is not there any more").to_string();
    assert!(twice.contains("SourceParentNotFound"), "{twice}");
    let accounts = local.organizations("ListAccounts", json!({})).await.expect("accounts");
    let paths =
        accounts["Accounts"].as_array().expect("a list").iter().find(|a| a["Id"] == one).expect("ours")["Paths"]
            .clone();
    assert_eq!(paths[0].as_str(), Some(format!("{}{one}/", pool.trim_end_matches('*')).as_str()));
    let session = until(async || take("sweep-storage").await.ok()).await;
    take("other").await.expect_err("the trust does not name it");

    let buckets = async |key: &str| http::get_signed(&local.endpoint, &Signer::key(key), "s3", "/").await;
    buckets(&session).await.expect("its policy allows it");
    let more = http::put(&local.endpoint, &Signer::key(&session), "s3", "/not-allowed", "").await;
    assert!(more.expect_err("nothing allows it").to_string().contains("no identity-based policy allows the action"));
    let nothing =
        json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]})
            .to_string();
    let form = [("Action", "AssumeRole"), ("RoleArn", &sweeper), ("RoleSessionName", "s"), ("Policy", &nothing)];
    let bounded =
        http::form(&local.endpoint, &Signer::key(&function("sweep-storage")), "sts", &form).await.expect("taken");
    let bounded = bounded.split("<AccessKeyId>").nth(1).and_then(|t| t.split('<').next()).expect("a key");
    assert!(buckets(bounded).await.expect_err("outside the session policy").to_string().contains("session policy"));

    let nobody = json!({"Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{MANAGEMENT}:role/nobody")}, "Action": "sts:AssumeRole"});
    let refused = local.role(key, "trusts-nobody", nobody, json!({})).await.expect_err("no such principal").to_string();
    assert!(refused.contains("MalformedPolicyDocument"), "{refused}");
    for (action, extra) in [("DeleteRolePolicy", Some(("PolicyName", "p"))), ("DeleteRole", None)] {
        let fields: Vec<_> = [("Action", action), ("RoleName", "sweeper")].into_iter().chain(extra).collect();
        local.iam(key, &fields).await.expect("deleted");
    }
    assert!(buckets(&session).await.is_err(), "its role is gone");
}

/// In all of AWS, whichever process has the account.
async fn buckets_are_unique(local: &Local, one: &str, other: &str) {
    let here = format!(
        "<CreateBucketConfiguration><LocationConstraint>{REGION}</LocationConstraint></CreateBucketConfiguration>"
    );
    http::put(&local.endpoint, &Signer::key(one), "s3", "/taken-by-one", &here).await.expect("a bucket");
    let second = http::put(&local.endpoint, &Signer::key(other), "s3", "/taken-by-one", &here).await;
    assert!(second.expect_err("the name is taken").to_string().contains("BucketAlready"));
}

/// A stack is on its way out for a while, and what it holds is there until then.
async fn stacks_take_their_time(local: &Local, key: &str) {
    let signer = Signer::key(key);
    let ask = async |fields: &[(&str, &str)]| http::form(&local.endpoint, &signer, "cloudformation", fields).await;
    let template =
        json!({"Resources": {"Q": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "q"}}}}).to_string();
    ask(&[("Action", "CreateStack"), ("StackName", "s"), ("TemplateBody", &template)]).await.expect("a stack");
    ask(&[("Action", "DeleteStack"), ("StackName", "s")]).await.expect("taken");
    let list = [("Action", "ListStacks")];
    let now = ask(&list).await.expect("stacks");
    assert!(now.contains("DELETE_IN_PROGRESS"), "{now}");
    until(async || ask(&list).await.ok().filter(|now| now.contains("DELETE_COMPLETE"))).await;
}

/// 256 KiB for what goes in or out of a state.
async fn states_data_is_bounded(local: &Local) {
    let operations = koza_local::config_for_key(&local.endpoint, OPERATIONS_KEY).load().await;
    let twice = json!({"QueryLanguage": "JSONata", "StartAt": "Twice", "States": {"Twice": {
        "Type": "Pass", "Output": {"one": "{% $states.input %}", "other": "{% $states.input %}"}, "End": true}}});
    aws_sdk_sfn::Client::new(&operations)
        .create_state_machine()
        .name("koza-twice")
        .role_arn(format!("arn:aws:iam::{OPERATIONS}:role/other"))
        .definition(twice.to_string())
        .send()
        .await
        .expect("a machine");
    let fits = start_by_hand(&local.endpoint, "twice", json!({"text": "a".repeat(100_000)})).await;
    assert_eq!(fits, None);
    let too_large = start_by_hand(&local.endpoint, "twice", json!({"text": "a".repeat(200_000)})).await;
    assert_eq!(too_large.expect("it fails").0, "States.DataLimitExceeded");
}

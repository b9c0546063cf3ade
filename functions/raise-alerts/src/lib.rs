//! Tells people what happened, once: the machines' alerts, and executions that ended badly (from EventBridge).

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use aws_sdk_sns::config::interceptors::InterceptorContext;
use aws_sdk_sns::config::retry::{ClassifyRetry, RetryAction};
use runtime::{fault, parse};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::Fault;
use shared::records::{self, AlertRecord, Records, key};

/// Longest subject that SNS takes, in characters (API reference, "Publish").
const MOST_SUBJECT: usize = 99;

/// Payload of the machines.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// What to tell.
    pub alerts: Vec<Alert>,
}

/// Something to tell.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alert {
    /// Each is sent once.
    pub id: String,
    /// One line.
    pub subject: String,
    /// All of it.
    pub text: String,
    /// What it tells the state of (`frozen`, `thawed`): told again when that is another than the last that was told.
    #[serde(default)]
    pub state: Option<String>,
    /// What brought the state about, if something was changed: told again for another occasion.
    #[serde(default)]
    pub occasion: Option<String>,
}

impl Alert {
    fn was_told(&self, before: &AlertRecord) -> bool {
        let same_occasion = self.occasion.is_none() || self.occasion == before.occasion;
        before.sent && self.state == before.state && same_occasion
    }
}

/// Before the text of an alert that may have been sent: SNS has no way to ask, and an alert twice is better than none. (Only
/// FIFO topics know duplicates, and those send no mail.)
const PERHAPS_AGAIN: &str = "You may have this already: whether it was sent before is not known.\n\n";

/// The answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// Sent now.
    pub sent: usize,
    /// Sent before.
    pub already: usize,
}

/// Whoever listens.
#[async_trait]
pub trait Topic: Send + Sync {
    /// Publishes one message.
    async fn publish(&self, subject: &str, text: &str) -> Result<(), Fault>;
}

/// Handles one call.
pub async fn handle(topic: &impl Topic, records: &impl Records, payload: Value) -> Result<Answer, Fault> {
    let alerts = match payload.get("detail-type") {
        Some(_) => vec![of_execution(parse(payload)?)?],
        None => parse::<Ask>(payload)?.alerts,
    };
    let mut answer = Answer::default();
    for alert in alerts {
        let id: String =
            alert.id.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' }).collect();
        let key = key::alert(&id);
        let before: Option<AlertRecord> = records::read(records, &key).await?;
        if before.as_ref().is_some_and(|before| alert.was_told(before)) {
            answer.already += 1;
            continue;
        }
        let Alert { subject, text, state, occasion, .. } = alert;
        let mut record = AlertRecord { subject: one_line(&subject), text, sent: false, state, occasion };
        let begun = before.is_some_and(|before| !before.sent);
        records::write(records, &key, &record).await?;
        let text = if begun { format!("{PERHAPS_AGAIN}{}", record.text) } else { record.text.clone() };
        topic.publish(&record.subject, &text).await?;
        record.sent = true;
        records::write(records, &key, &record).await?;
        answer.sent += 1;
    }
    Ok(answer)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(MOST_SUBJECT).collect()
}

/// An execution that failed, timed out or was aborted.
fn of_execution(event: EventBridgeEvent<Value>) -> Result<Alert, Fault> {
    let detail = &event.detail;
    let text = |name: &str| detail[name].as_str().unwrap_or_default();
    let (arn, status) = (text("executionArn"), text("status"));
    let machine = text("stateMachineArn").rsplit(':').next().unwrap_or_default();
    if event.detail_type != "Step Functions Execution Status Change" || arn.is_empty() || status.is_empty() {
        return Err(Fault::invalid(format!("no alert is made of an event \"{}\"", event.detail_type)));
    }
    Ok(Alert {
        state: None,
        occasion: None,
        id: format!("execution-{}-{status}", arn.rsplit(':').take(2).collect::<Vec<_>>().join("-")),
        subject: format!("{machine} {}", status.to_lowercase().replace('_', " ")),
        text: format!(
            "Execution {arn} ended as {status}.\n{}{}\nIts history in the Step Functions console shows the last state; statemachines/README.md says what is safe and what to do.",
            text("error"),
            match text("cause") {
                "" => String::new(),
                cause => format!(": {cause}"),
            }
        ),
    })
}

/// The installation's topic.
#[derive(Clone, Debug)]
pub struct SnsTopic {
    client: aws_sdk_sns::Client,
    arn: String,
}

impl SnsTopic {
    /// The topic of this ARN.
    pub fn new(config: &SdkConfig, arn: &str) -> Self {
        let config = aws_sdk_sns::config::Builder::from(config).retry_classifier(OnlyWhatWasNotSent).build();
        Self { client: aws_sdk_sns::Client::from_conf(config), arn: arn.to_owned() }
    }
}

/// A call that was not answered, or by a server's error, is not tried again here: it may have sent the alert, and whoever asks
/// for it the next time says so.
#[derive(Debug)]
struct OnlyWhatWasNotSent;

impl ClassifyRetry for OnlyWhatWasNotSent {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let refused = context.response().is_some_and(|answer| answer.status().is_client_error());
        match context.output_or_error() {
            Some(Err(_)) if !refused => RetryAction::RetryForbidden,
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "only what was not sent"
    }
}

#[async_trait]
impl Topic for SnsTopic {
    async fn publish(&self, subject: &str, text: &str) -> Result<(), Fault> {
        let call = self.client.publish().topic_arn(&self.arn).subject(subject).message(text);
        call.send().await.map(drop).map_err(|e| fault("publishing an alert", e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use shared::records::MemoryRecords;
    use std::sync::Mutex;

    #[derive(Default)]
    struct Heard {
        messages: Mutex<Vec<String>>,
        deaf: bool,
    }

    #[async_trait]
    impl Topic for Heard {
        async fn publish(&self, subject: &str, text: &str) -> Result<(), Fault> {
            if self.deaf {
                return Err(Fault::broken("nobody listens"));
            }
            self.messages.lock().unwrap().push(format!("{subject}: {text}"));
            Ok(())
        }
    }

    fn alerts() -> Value {
        json!({"alerts": [{"id": "cost-c-koza-0001-100", "subject": "line\nbreak", "text": "t"}]})
    }

    #[tokio::test]
    async fn an_alert_is_heard_once_and_one_that_failed_is_sent_again() {
        let (heard, records) = (Heard::default(), MemoryRecords::default());
        let deaf = Heard { deaf: true, ..Heard::default() };
        handle(&deaf, &records, alerts()).await.expect_err("nobody listens");
        assert_eq!(handle(&heard, &records, alerts()).await.unwrap(), Answer { sent: 1, already: 0 });
        assert_eq!(handle(&heard, &records, alerts()).await.unwrap(), Answer { sent: 0, already: 1 });
        let messages = heard.messages.lock().unwrap().clone();
        assert_eq!(messages, [format!("line break: {PERHAPS_AGAIN}t")], "whether the first was heard is not known");
    }

    #[tokio::test]
    async fn a_state_is_told_when_it_is_another_or_was_brought_about_anew() {
        let (heard, records) = (Heard::default(), MemoryRecords::default());
        let tell = async |state: &str, occasion: Option<&str>| {
            let alert = json!({"id": "seat-1", "subject": state, "text": "t", "state": state, "occasion": occasion});
            handle(&heard, &records, json!({"alerts": [alert]})).await.unwrap().sent
        };
        assert_eq!(tell("frozen", Some("freeze-1")).await, 1);
        assert_eq!(tell("frozen", Some("freeze-1")).await, 0, "the same call again");
        assert_eq!(tell("frozen", None).await, 0, "frozen already, and told");
        assert_eq!(tell("thawed", Some("thaw-1")).await, 1);
        assert_eq!(tell("thawed", Some("thaw-2")).await, 1, "somebody else had frozen it in between");
        assert_eq!(tell("frozen", None).await, 1, "frozen by an execution that was cut off before it told");
    }

    #[tokio::test]
    async fn an_execution_that_ended_badly_is_told_once() {
        let event: Value = serde_json::from_str(include_str!("../events/execution-failed.json")).unwrap();
        let (heard, records) = (Heard::default(), MemoryRecords::default());
        handle(&heard, &records, event.clone()).await.unwrap();
        handle(&heard, &records, event).await.unwrap();
        let messages = heard.messages.lock().unwrap().clone();
        assert_eq!(messages.len(), 1);
        assert!(messages[0].starts_with("koza-course-close failed: Execution arn:aws:states:"), "{}", messages[0]);
    }

    #[tokio::test]
    async fn a_missing_or_misspelt_field_is_refused() {
        let (heard, records) = (Heard::default(), MemoryRecords::default());
        for wrong in [json!({}), json!({"alert": []}), json!({"alerts": [{"id": "a", "subject": "s"}]})] {
            let refused = handle(&heard, &records, wrong.clone()).await.expect_err("refused");
            assert_eq!(refused.name(), "Invalid", "{wrong}");
        }
    }

    #[tokio::test]
    async fn the_sample_alerts_are_taken() {
        let sample: Value = serde_json::from_str(include_str!("../events/alerts.json")).unwrap();
        let (heard, records) = (Heard::default(), MemoryRecords::default());
        assert_eq!(handle(&heard, &records, sample).await.unwrap().sent, 1);
    }
}

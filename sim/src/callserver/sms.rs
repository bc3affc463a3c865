//! A simulated message centre on Ro: one Credit-Control-Request of type EVENT per short message (TS 32.274).

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use wire::diameter::credit::{
    CreditControlRequest, MessageAddress, RequestType, RequestedAction, ServiceInformation, ServiceUnits,
    SmsInformation, SubscriptionId, SubscriptionIdType,
};

use crate::diameter::{self, Answer, Client, ClientError};

/// Address-Type MSISDN (TS 32.299 section 7.2.8).
const ADDRESS_MSISDN: i32 = 1;
/// SMS-Node SMS-SC.
const NODE_SMSC: i32 = 3;
/// SM-Message-Type SUBMISSION.
const SUBMISSION: i32 = 0;

/// Settings of a message centre.
#[derive(Debug, Clone)]
pub struct MessageCentreSettings {
    /// Origin-Host.
    pub host: String,
    /// Origin-Realm.
    pub realm: String,
    /// Destination-Realm.
    pub destination_realm: String,
}

impl MessageCentreSettings {
    /// A message centre that asks this realm.
    #[must_use]
    pub fn new(destination_realm: &str) -> Self {
        Self {
            host: "smsc.sms.example".to_owned(),
            realm: "sms.example".to_owned(),
            destination_realm: destination_realm.to_owned(),
        }
    }
}

/// A message centre with its connection.
#[derive(Debug, Clone)]
pub struct MessageCentre {
    client: Client,
    settings: Arc<MessageCentreSettings>,
    events: Arc<AtomicU32>,
    run: u32,
}

impl MessageCentre {
    /// Connects to a server.
    pub async fn connect(server: SocketAddr, settings: MessageCentreSettings) -> Result<Self, ClientError> {
        let peer = diameter::settings(&settings.host, &settings.realm, "Raseed simulated SMSC");
        Ok(Self::over(Client::connect(server, peer).await?, settings))
    }

    /// A message centre on a connection that is there already.
    #[must_use]
    pub fn over(client: Client, settings: MessageCentreSettings) -> Self {
        Self {
            client,
            settings: Arc::new(settings),
            events: Arc::default(),
            run: rand::random(),
        }
    }

    /// The connection.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Charges messages of one sender before they are delivered.
    pub async fn debit(&self, sender: &str, recipient: &str, messages: u64) -> Result<Answer, ClientError> {
        self.event(RequestedAction::DirectDebiting, sender, recipient, messages)
            .await
    }

    /// Gives back what messages cost that could not be delivered.
    pub async fn refund(&self, sender: &str, recipient: &str, messages: u64) -> Result<Answer, ClientError> {
        self.event(RequestedAction::RefundAccount, sender, recipient, messages)
            .await
    }

    /// Is there enough for so many messages? Nothing moves.
    pub async fn check_balance(
        &self,
        sender: &str,
        recipient: &str,
        messages: u64,
    ) -> Result<Answer, ClientError> {
        self.event(RequestedAction::CheckBalance, sender, recipient, messages)
            .await
    }

    /// What would so many messages cost? Nothing moves.
    pub async fn enquire_price(
        &self,
        sender: &str,
        recipient: &str,
        messages: u64,
    ) -> Result<Answer, ClientError> {
        self.event(RequestedAction::PriceEnquiry, sender, recipient, messages)
            .await
    }

    /// One event of any kind.
    pub async fn event(
        &self,
        action: RequestedAction,
        sender: &str,
        recipient: &str,
        messages: u64,
    ) -> Result<Answer, ClientError> {
        let event = self.events.fetch_add(1, Ordering::Relaxed);
        let session_id = format!("{};{};{event}", self.settings.host, self.run);
        self.event_as(&session_id, action, (sender, recipient), messages)
            .await
    }

    /// One event under a Session-Id of the caller's: the same again is a repetition.
    pub async fn event_as(
        &self,
        session_id: &str,
        action: RequestedAction,
        (sender, recipient): (&str, &str),
        messages: u64,
    ) -> Result<Answer, ClientError> {
        let mut request = CreditControlRequest::new(
            self.client.next_id(),
            session_id,
            (&self.settings.host, &self.settings.realm),
            &self.settings.destination_realm,
            "32274@3gpp.org",
            (RequestType::Event, 0),
        );
        request.requested_action = Some(action);
        request.subscriptions.push(SubscriptionId {
            kind: SubscriptionIdType::E164,
            data: sender,
        });
        request.requested = Some(ServiceUnits {
            specific: Some(messages),
            ..ServiceUnits::default()
        });
        let party = |number| MessageAddress {
            kind: Some(ADDRESS_MSISDN),
            data: Some(number),
        };
        request.service_information = Some(ServiceInformation {
            sms: Some(SmsInformation {
                node: Some(NODE_SMSC),
                message_type: Some(SUBMISSION),
                messages_sent: u32::try_from(messages).ok(),
                originator: Some(party(sender)),
                recipients: std::iter::once(party(recipient)).collect(),
                ..SmsInformation::default()
            }),
            ..ServiceInformation::default()
        });
        self.client.request(&request).await
    }

    /// Says goodbye to the server.
    pub async fn disconnect(&self) {
        self.client.disconnect().await;
    }
}

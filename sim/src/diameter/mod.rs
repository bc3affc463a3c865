//! A Diameter client for the simulated network: keeps many requests on their way, answers what the server asks.
//!
//! # Layout
//! - here: [`Client`], its settings, answers and errors.
//! - `driver`: the task that owns the connection and drives [`wire::diameter::peer::Peer`].
//! - [`raw`]: a connection that sends any octets, for errors that a good client never makes.

mod driver;
pub mod raw;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use wire::diameter::base::{AnswerMessage, DisconnectCause};
use wire::diameter::credit::{CreditControlAnswer, CreditControlRequest, RequestType};
use wire::diameter::peer::{CloseReason, LocalNode, PeerSettings, RemoteNode, SendError};
use wire::diameter::{Message, MessageId, ResultCode, Violation};

use driver::Order;
pub use raw::RawConnection;

/// Orders that wait for the connection; a caller with one more waits.
const ORDERS_MAX: usize = 16 * 1024;
/// Requests of the server that a slow listener may be behind; older ones are dropped for it.
const NOTICES_MAX: usize = 4 * 1024;
/// Time for a TCP connection and the capabilities exchange.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How people call a request of this type.
pub(crate) fn request_name(kind: RequestType) -> &'static str {
    match kind {
        RequestType::Initial => "CCR-I",
        RequestType::Update => "CCR-U",
        RequestType::Termination => "CCR-T",
        RequestType::Event => "CCR-E",
    }
}

/// Settings of a client with this Origin-Host, Origin-Realm and Product-Name.
#[must_use]
pub fn settings(host: &str, realm: &str, product_name: &str) -> PeerSettings {
    PeerSettings::new(LocalNode {
        host: host.to_owned(),
        realm: realm.to_owned(),
        state_id: None,
        product_name: product_name.to_owned(),
    })
}

/// What the server asked or what became of the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Re-Auth-Request for a session; it was answered 2001.
    ReAuth {
        /// Session-Id.
        session_id: String,
        /// Rating-Group, when only one is meant.
        rating_group: Option<u32>,
    },
    /// Abort-Session-Request; it was answered 2001.
    Abort {
        /// Session-Id.
        session_id: String,
    },
    /// The connection is over.
    Closed(CloseReason),
}

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No transport.
    #[error("cannot connect")]
    Connect(#[from] std::io::Error),
    /// No connection or capabilities exchange in time.
    #[error("the server does not answer the capabilities exchange")]
    ConnectTimeout,
    /// The connection ended.
    #[error("the connection is over: {0}")]
    Closed(CloseReason),
    /// The request was not sent.
    #[error("request not sent: {0}")]
    NotSent(SendError),
    /// No answer in time, or the connection ended before it.
    #[error("no answer")]
    Unanswered,
    /// The task of the connection is gone.
    #[error("the connection is gone")]
    Gone,
    /// The answer cannot be read.
    #[error("the answer cannot be read: {0}")]
    Malformed(Box<Violation>),
}

/// An answer, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    frame: Vec<u8>,
}

impl Answer {
    /// An answer from its octets. Error: what is wrong with the header.
    pub fn new(frame: Vec<u8>) -> Result<Self, ClientError> {
        Message::parse(&frame).map_err(ClientError::Malformed)?;
        Ok(Self { frame })
    }

    /// The octets, header included.
    #[must_use]
    pub fn frame(&self) -> &[u8] {
        &self.frame
    }

    /// The octets without the hop-by-hop identifier: what must be the same in the answers to a request and its duplicate.
    #[must_use]
    pub fn without_hop_by_hop(&self) -> Vec<u8> {
        let mut octets = self.frame.clone();
        octets[12..16].fill(0);
        octets
    }

    /// As a Credit-Control-Answer.
    pub fn credit(&self) -> Result<CreditControlAnswer<'_>, ClientError> {
        self.message()
            .and_then(|message| CreditControlAnswer::parse(message).map_err(ClientError::Malformed))
    }

    /// The result and what every answer has, also of an error answer.
    pub fn base(&self) -> Result<AnswerMessage<'_>, ClientError> {
        self.message()
            .and_then(|message| AnswerMessage::parse(message).map_err(ClientError::Malformed))
    }

    /// The Result-Code; 0 when there is none.
    #[must_use]
    pub fn result_code(&self) -> ResultCode {
        self.base().map_or(ResultCode(0), |answer| answer.result_code)
    }

    fn message(&self) -> Result<Message<'_>, ClientError> {
        Message::parse(&self.frame).map_err(ClientError::Malformed)
    }
}

/// One connection to a server. Clones share it.
#[derive(Debug, Clone)]
pub struct Client {
    orders: mpsc::Sender<Order>,
    notices: broadcast::Sender<Notice>,
    closed: watch::Receiver<Option<CloseReason>>,
    end_to_end: Arc<AtomicU32>,
    remote: Arc<RemoteNode>,
    node: Arc<LocalNode>,
}

impl Client {
    /// Connects over TCP and exchanges capabilities. Errors: no transport, no answer, refused.
    pub async fn connect(server: SocketAddr, settings: PeerSettings) -> Result<Self, ClientError> {
        let stream = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(server))
            .await
            .map_err(|_| ClientError::ConnectTimeout)??;
        stream.set_nodelay(true)?;
        let local = stream.local_addr()?.ip();
        Self::over(stream, local, settings).await
    }

    /// As [`Client::connect`], over a stream that is there already, for example TLS.
    pub async fn over<S>(stream: S, local: IpAddr, settings: PeerSettings) -> Result<Self, ClientError>
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let seed = rand::random::<u64>();
        let node = Arc::new(settings.node.clone());
        let (orders, order_queue) = mpsc::channel(ORDERS_MAX);
        let (notices, _) = broadcast::channel(NOTICES_MAX);
        let (closed_sender, closed) = watch::channel(None);
        let (opened_sender, opened) = oneshot::channel();
        let task = driver::Driver::new(
            settings,
            local,
            seed,
            notices.clone(),
            closed_sender,
            opened_sender,
        );
        tokio::spawn(task.run(stream, order_queue));
        let remote = tokio::time::timeout(CONNECT_TIMEOUT, opened)
            .await
            .map_err(|_| ClientError::ConnectTimeout)?
            .map_err(|_| (*closed.borrow()).map_or(ClientError::Gone, ClientError::Closed))?;
        Ok(Self {
            orders,
            notices,
            closed,
            end_to_end: Arc::new(AtomicU32::new(rand::random())),
            remote: Arc::new(remote),
            node,
        })
    }

    /// The server, as its CEA says.
    #[must_use]
    pub fn remote(&self) -> &RemoteNode {
        &self.remote
    }

    /// Us, as our CER says.
    #[must_use]
    pub fn node(&self) -> &LocalNode {
        &self.node
    }

    /// An end-to-end identifier that was not used before; a retransmission keeps that of the first sending.
    #[must_use]
    pub fn next_end_to_end(&self) -> u32 {
        self.end_to_end.fetch_add(1, Ordering::Relaxed)
    }

    /// Identifiers for a new request; the connection sets the hop-by-hop one.
    #[must_use]
    pub fn next_id(&self) -> MessageId {
        MessageId {
            hop_by_hop: 0,
            end_to_end: self.next_end_to_end(),
        }
    }

    /// Sends a request and waits for its answer. The end-to-end identifier is that of the request, the hop-by-hop one is
    /// chosen here; set `retransmitted` for the T flag.
    pub async fn request(&self, request: &CreditControlRequest<'_>) -> Result<Answer, ClientError> {
        let mut frame = Vec::new();
        request.encode(&mut frame);
        self.request_frame(frame).await
    }

    /// As [`Client::request`] for a request that is encoded already.
    pub async fn request_frame(&self, frame: Vec<u8>) -> Result<Answer, ClientError> {
        self.send_frame(frame).await?.await
    }

    /// Sends an encoded request now; the future it returns gives the answer, so that several can be on their way.
    pub async fn send_frame(
        &self,
        frame: Vec<u8>,
    ) -> Result<impl Future<Output = Result<Answer, ClientError>> + Send + use<>, ClientError> {
        let (reply, answer) = oneshot::channel();
        self.orders
            .send(Order::Request { frame, reply })
            .await
            .map_err(|_| self.end())?;
        let closed = self.closed.clone();
        Ok(async move {
            answer
                .await
                .unwrap_or_else(|_| Err((*closed.borrow()).map_or(ClientError::Gone, ClientError::Closed)))
        })
    }

    /// Hears what the server asks from now on.
    #[must_use]
    pub fn notices(&self) -> broadcast::Receiver<Notice> {
        self.notices.subscribe()
    }

    /// Says goodbye (DPR) and waits for the end of the connection.
    pub async fn disconnect(&self) -> CloseReason {
        let order = Order::Disconnect(DisconnectCause::Rebooting);
        // A connection that is over already needs no goodbye.
        let _ = self.orders.send(order).await;
        self.closed().await
    }

    /// Cuts the transport without a word, as a crash does.
    pub async fn cut(&self) -> CloseReason {
        let _ = self.orders.send(Order::Cut).await;
        self.closed().await
    }

    /// Waits for the end of the connection.
    pub async fn closed(&self) -> CloseReason {
        let mut closed = self.closed.clone();
        match closed.wait_for(Option::is_some).await {
            Ok(reason) => reason.unwrap_or(CloseReason::TransportClosed),
            Err(_) => CloseReason::TransportClosed,
        }
    }

    fn end(&self) -> ClientError {
        (*self.closed.borrow()).map_or(ClientError::Gone, ClientError::Closed)
    }
}

//! The external USSD entity's side of a connection to an HLR: identity, keep-alive, dialogues.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::gsup::{Kind, Message, State};
use super::ipa::{self, Framer};
use super::map::{Body, Component, PROCESS_UNSTRUCTURED_SS, UNEXPECTED_DATA_VALUE, UNSTRUCTURED_SS};
use super::{DIALOGUES_MAX, EVENTS_MAX};

/// GMM cause: congestion (TS 24.008 10.5.5.14).
const CAUSE_CONGESTION: u8 = 0x16;
/// GMM cause: protocol error, unspecified.
const CAUSE_PROTOCOL: u8 = 0x6f;

/// Settings of a connection. Times are microseconds.
#[derive(Debug, Clone)]
pub struct EuseConfig {
    /// Our unit name, for example `EUSE-raseed-00-00-00-00-00-00`; the HLR knows us by what stands behind `EUSE-`.
    pub name: String,
    /// Silence after which we ask whether the HLR is there.
    pub enquire_interval_micros: u64,
    /// How long its answer, and the dialogue of identities, may take.
    pub response_timeout_micros: u64,
    /// A dialogue in which nothing happens for so long is forgotten.
    pub dialogue_micros: u64,
}

impl EuseConfig {
    /// With the usual times.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            enquire_interval_micros: 30_000_000,
            response_timeout_micros: 10_000_000,
            dialogue_micros: 180_000_000,
        }
    }
}

/// What the machine has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EuseEvent {
    /// The HLR knows who we are.
    Ready,
    /// A phone dialled a code that is routed to us.
    Begun {
        /// The dialogue, for [`Euse::answer`].
        dialogue: u32,
        /// The SIM; no number comes.
        imsi: String,
        /// What was dialled.
        text: String,
    },
    /// The phone answered a page.
    Typed {
        /// The dialogue.
        dialogue: u32,
        /// What was typed.
        text: String,
    },
    /// The phone or the network ended a dialogue.
    Ended {
        /// The dialogue.
        dialogue: u32,
    },
    /// The connection is over; nothing more comes.
    Closed(ClosedReason),
}

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClosedReason {
    /// The other end closed it, or it broke.
    Disconnected,
    /// No sign of life.
    Dead,
    /// The stream is no stream of IPA frames.
    StreamLost,
    /// More came than anybody takes.
    Overrun,
}

#[derive(Debug)]
struct Dialogue {
    imsi: String,
    /// invokeID of the phone's own operation, which the last page answers.
    invoke: u8,
    /// invokeID of our last page.
    asked: u8,
    heard_micros: u64,
}

/// One connection. Feed it with octets and time; take octets and events from it.
#[derive(Debug)]
pub struct Euse {
    config: EuseConfig,
    framer: Framer,
    dialogues: HashMap<u32, Dialogue>,
    /// When each dialogue was heard of last, for forgetting.
    heard: BTreeMap<(u64, u32), ()>,
    ready: bool,
    closed: bool,
    heard_micros: u64,
    enquiry_micros: Option<u64>,
    transmits: VecDeque<Vec<u8>>,
    events: VecDeque<EuseEvent>,
}

impl Euse {
    /// A connection that was just made. The HLR speaks first.
    #[must_use]
    pub fn new(config: EuseConfig, now_micros: u64) -> Self {
        Self {
            config,
            framer: Framer::default(),
            dialogues: HashMap::new(),
            heard: BTreeMap::new(),
            ready: false,
            closed: false,
            heard_micros: now_micros,
            enquiry_micros: None,
            transmits: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// Open dialogues.
    #[must_use]
    pub fn dialogues(&self) -> usize {
        self.dialogues.len()
    }

    /// Sends a page: one that waits for an answer, or the last. False when the dialogue is gone or the text does not fit.
    pub fn answer(&mut self, dialogue: u32, text: &str, last: bool, now_micros: u64) -> bool {
        let Some(open) = self.dialogues.get_mut(&dialogue) else {
            return false;
        };
        let (kind, state, component) = if last {
            let answer = Some((PROCESS_UNSTRUCTURED_SS, text.to_owned()));
            let body = Body::Result { answer };
            (
                Kind::Result,
                State::End,
                Component {
                    invoke: open.invoke,
                    body,
                },
            )
        } else {
            // Any number that the phone's own operation does not have.
            open.asked = open.asked.wrapping_add(1) & 0x7f;
            if open.asked == open.invoke {
                open.asked = open.asked.wrapping_add(1) & 0x7f;
            }
            let body = Body::Invoke {
                operation: UNSTRUCTURED_SS,
                text: text.to_owned(),
            };
            (
                Kind::Request,
                State::Continue,
                Component {
                    invoke: open.asked,
                    body,
                },
            )
        };
        let imsi = open.imsi.clone();
        let Ok(component) = component.encode() else {
            return false;
        };
        self.send(&Message {
            kind,
            imsi,
            session: dialogue,
            state,
            component,
            cause: None,
        });
        if last {
            self.forget(dialogue);
        } else {
            self.touch(dialogue, now_micros);
        }
        true
    }

    /// The connection is gone.
    pub fn disconnected(&mut self) {
        self.close(ClosedReason::Disconnected);
    }

    /// Octets from the HLR.
    pub fn handle_input(&mut self, octets: &[u8], now_micros: u64) {
        if self.closed {
            return;
        }
        self.heard_micros = now_micros;
        self.enquiry_micros = None;
        self.framer.push(octets);
        while !self.closed {
            match self.framer.next_frame() {
                Ok(Some((ipa::CCM, payload))) => self.control(&payload),
                Ok(Some((ipa::OSMO, payload))) if payload.first() == Some(&ipa::OSMO_GSUP) => {
                    self.message(&payload[1..], now_micros);
                }
                // Protocols that we do not know are none of our business.
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(_) => self.close(ClosedReason::StreamLost),
            }
            if self.events.len() > EVENTS_MAX {
                self.close(ClosedReason::Overrun);
            }
        }
    }

    /// Time has passed; call at [`Self::poll_timeout`] or later.
    pub fn handle_timeout(&mut self, now_micros: u64) {
        if self.closed {
            return;
        }
        while let Some(((heard, dialogue), ())) = self.heard.first_key_value() {
            if now_micros < heard.saturating_add(self.config.dialogue_micros) {
                break;
            }
            let dialogue = *dialogue;
            self.forget(dialogue);
            self.events.push_back(EuseEvent::Ended { dialogue });
        }
        match self.enquiry_micros {
            Some(at) if now_micros >= at.saturating_add(self.config.response_timeout_micros) => {
                self.close(ClosedReason::Dead);
            }
            None if now_micros >= self.enquire_at() => {
                self.enquiry_micros = Some(now_micros);
                self.transmits.push_back(ipa::frame(ipa::CCM, &[ipa::PING]));
            }
            _ => {}
        }
    }

    /// Octets for the HLR.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.transmits.pop_front()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<EuseEvent> {
        self.events.pop_front()
    }

    /// When [`Self::handle_timeout`] wants to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<u64> {
        if self.closed {
            return None;
        }
        let link = match self.enquiry_micros {
            Some(at) => at.saturating_add(self.config.response_timeout_micros),
            None => self.enquire_at(),
        };
        let dialogue = self
            .heard
            .first_key_value()
            .map(|((heard, _), ())| heard.saturating_add(self.config.dialogue_micros));
        Some(dialogue.map_or(link, |dialogue| dialogue.min(link)))
    }

    /// An HLR that never asks who we are is asked for a sign of life sooner.
    fn enquire_at(&self) -> u64 {
        let patience = match self.ready {
            true => self.config.enquire_interval_micros,
            false => self.config.response_timeout_micros,
        };
        self.heard_micros.saturating_add(patience)
    }

    fn control(&mut self, payload: &[u8]) {
        match payload.first() {
            Some(&ipa::PING) => self.transmits.push_back(ipa::frame(ipa::CCM, &[ipa::PONG])),
            Some(&ipa::IDENTITY_REQUEST) => {
                self.transmits.push_back(ipa::identity(&self.config.name));
                self.transmits
                    .push_back(ipa::frame(ipa::CCM, &[ipa::IDENTITY_ACK]));
            }
            Some(&ipa::IDENTITY_ACK) if !self.ready => {
                self.ready = true;
                self.events.push_back(EuseEvent::Ready);
            }
            _ => {}
        }
    }

    fn message(&mut self, octets: &[u8], now_micros: u64) {
        // What cannot be read names no session that could be answered.
        let Ok(message) = Message::decode(octets) else {
            return;
        };
        match (message.kind, message.state) {
            (Kind::Request, State::Begin) => self.begin(message, now_micros),
            (Kind::Request | Kind::Result, State::Continue) => self.go_on(&message, now_micros),
            (Kind::Error, _) | (_, State::End) => self.ended(message.session),
            (Kind::Result, State::Begin) => {}
        }
    }

    fn begin(&mut self, message: Message, now_micros: u64) {
        // A number that is used again: the old dialogue is over.
        self.ended(message.session);
        let Ok(Component {
            invoke,
            body:
                Body::Invoke {
                    operation: PROCESS_UNSTRUCTURED_SS,
                    text,
                },
        }) = Component::decode(&message.component)
        else {
            return self.refuse(&message, CAUSE_PROTOCOL);
        };
        if self.dialogues.len() >= DIALOGUES_MAX {
            return self.refuse(&message, CAUSE_CONGESTION);
        }
        let dialogue = message.session;
        self.dialogues.insert(
            dialogue,
            Dialogue {
                imsi: message.imsi.clone(),
                invoke,
                asked: invoke,
                heard_micros: now_micros,
            },
        );
        self.heard.insert((now_micros, dialogue), ());
        self.events.push_back(EuseEvent::Begun {
            dialogue,
            imsi: message.imsi,
            text,
        });
    }

    fn go_on(&mut self, message: &Message, now_micros: u64) {
        let dialogue = message.session;
        let Some(open) = self
            .dialogues
            .get(&dialogue)
            .filter(|open| open.imsi == message.imsi)
        else {
            return self.refuse(message, CAUSE_PROTOCOL);
        };
        match Component::decode(&message.component) {
            Ok(Component {
                invoke,
                body:
                    Body::Result {
                        answer: Some((UNSTRUCTURED_SS, text)),
                    },
            }) if invoke == open.asked => {
                self.touch(dialogue, now_micros);
                self.events.push_back(EuseEvent::Typed { dialogue, text });
            }
            // A repeated answer to an earlier page.
            Ok(Component {
                body: Body::Result { .. },
                ..
            }) => {}
            Ok(Component {
                body: Body::Error(_) | Body::Reject,
                ..
            }) => self.ended(dialogue),
            Ok(Component { invoke, .. }) => {
                let body = Body::Error(UNEXPECTED_DATA_VALUE);
                self.fail(message, &Component { invoke, body });
                self.ended(dialogue);
            }
            Err(_) => {
                self.refuse(message, CAUSE_PROTOCOL);
                self.ended(dialogue);
            }
        }
    }

    fn refuse(&mut self, message: &Message, cause: u8) {
        self.send(&Message {
            kind: Kind::Error,
            state: State::End,
            component: Vec::new(),
            cause: Some(cause),
            ..message.clone()
        });
    }

    fn fail(&mut self, message: &Message, component: &Component) {
        self.send(&Message {
            kind: Kind::Result,
            state: State::End,
            component: component.encode().unwrap_or_default(),
            ..message.clone()
        });
    }

    fn send(&mut self, message: &Message) {
        if let Ok(octets) = message.encode() {
            let payload = [&[ipa::OSMO_GSUP], octets.as_slice()].concat();
            self.transmits.push_back(ipa::frame(ipa::OSMO, &payload));
        }
    }

    fn touch(&mut self, dialogue: u32, now_micros: u64) {
        if let Some(open) = self.dialogues.get_mut(&dialogue) {
            self.heard.remove(&(open.heard_micros, dialogue));
            open.heard_micros = now_micros;
            self.heard.insert((now_micros, dialogue), ());
        }
    }

    fn forget(&mut self, dialogue: u32) -> bool {
        let Some(open) = self.dialogues.remove(&dialogue) else {
            return false;
        };
        self.heard.remove(&(open.heard_micros, dialogue));
        true
    }

    fn ended(&mut self, dialogue: u32) {
        if self.forget(dialogue) {
            self.events.push_back(EuseEvent::Ended { dialogue });
        }
    }

    fn close(&mut self, reason: ClosedReason) {
        if !self.closed {
            self.closed = true;
            self.dialogues.clear();
            self.heard.clear();
            self.events.push_back(EuseEvent::Closed(reason));
        }
    }
}

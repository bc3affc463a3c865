//! One entry per decoder for fuzz targets and property tests: any octets in, no panic, bounded work.

use std::net::IpAddr;
use std::sync::Arc;

use super::avp::{Avp, AvpIter};
use super::base::{
    AbortSessionRequest, AnswerMessage, CapabilitiesAnswer, CapabilitiesRequest, DeviceWatchdogRequest,
    DisconnectPeerRequest, Identity, ReAuthRequest,
};
use super::credit::{CreditControlAnswer, CreditControlRequest, UserLocation};
use super::peer::{Event, LocalNode, Peer, PeerSettings};
use super::{Framer, Message};

/// Reads the octets as one message, with every typed view, and answers it.
pub fn fuzz_message(octets: &[u8]) {
    let _ = (
        UserLocation::from_access_network(octets),
        UserLocation::from_octets(octets),
    );
    let Ok(message) = Message::parse(octets) else {
        return;
    };
    walk(message.avps());
    let mut out = Vec::new();
    let identity = Identity {
        host: "ocs.example",
        realm: "example",
        state_id: None,
    };
    match CreditControlRequest::parse(message) {
        Ok(request) => {
            request.encode(&mut out);
            let again = Message::parse(&out).map(CreditControlRequest::parse);
            assert!(
                matches!(again, Ok(Ok(again)) if again == request),
                "a request reads as it was written"
            );
        }
        Err(violation) => AnswerMessage::reject(message, &identity, &violation).encode(&mut out),
    }
    out.clear();
    if let Ok(answer) = CreditControlAnswer::parse(message) {
        answer.encode(&mut out);
    }
    if let Ok(answer) = AnswerMessage::parse(message) {
        answer.encode(&mut out);
    }
    let _ = CapabilitiesRequest::parse(message);
    let _ = CapabilitiesAnswer::parse(message);
    let _ = DeviceWatchdogRequest::parse(message);
    let _ = DisconnectPeerRequest::parse(message);
    let _ = ReAuthRequest::parse(message);
    let _ = AbortSessionRequest::parse(message);
}

/// Cuts the octets into frames, arriving in pieces whose sizes the first octet chooses.
pub fn fuzz_framer(octets: &[u8]) {
    let piece = octets.first().map_or(1, |first| usize::from(*first) + 1);
    let mut framer = Framer::default();
    for octets in octets.chunks(piece) {
        framer.push(octets);
        loop {
            match framer.next_frame() {
                Ok(Some(frame)) => fuzz_message(frame),
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
}

/// Feeds the octets to both sides of a connection, with and without a capabilities exchange before them. The first octet
/// chooses the size of the pieces.
pub fn fuzz_peer(octets: &[u8]) {
    let node = LocalNode {
        host: "a".into(),
        realm: "b".into(),
        state_id: None,
        product_name: "c".into(),
    };
    let settings = Arc::new(PeerSettings::new(node));
    let address = IpAddr::from([127, 0, 0, 1]);
    let seed = octets.len() as u64;
    let pair = || {
        let client = Peer::initiator(Arc::clone(&settings), address, seed, 0);
        (client, Peer::responder(Arc::clone(&settings), address, seed, 0))
    };
    let (mut client, mut server) = pair();
    drive(&mut client, octets);
    drive(&mut server, octets);

    let (mut client, mut server) = pair();
    let mut transmit = Vec::new();
    client.poll_transmit(&mut transmit);
    drive(&mut server, &transmit);
    transmit.clear();
    server.poll_transmit(&mut transmit);
    drive(&mut client, &transmit);
    assert!(client.is_open() && server.is_open());
    drive(&mut client, octets);
    drive(&mut server, octets);
}

fn drive(peer: &mut Peer, octets: &[u8]) {
    let piece = octets.first().map_or(1, |first| usize::from(*first) + 1);
    for (now_ms, octets) in octets.chunks(piece).enumerate() {
        peer.handle_input(now_ms as u64, octets);
        while let Some(event) = peer.poll_event() {
            if let Event::Request(message) = event {
                fuzz_message(message.frame);
                peer.send_answer(|out| out.extend_from_slice(&[0; 20]));
            }
        }
        if let Some(now_ms) = peer.poll_timeout().filter(|_| octets.len().is_multiple_of(3)) {
            peer.handle_timeout(now_ms);
        }
    }
}

/// Walks everything that could be a group, to the depth limit.
fn walk(avps: AvpIter<'_>) -> usize {
    avps.map_while(Result::ok)
        .map(|avp: Avp<'_>| 1 + avp.group().map_or(0, walk))
        .sum()
}

//! The peer machine, both sides against each other and against hand-made messages.

use std::net::IpAddr;
use std::sync::Arc;

use smallvec::SmallVec;

use super::vector;
use crate::diameter::base::{
    AbortSessionRequest, CapabilitiesRequest, DeviceWatchdogRequest, DisconnectCause, Identity, ReAuthRequest,
};
use crate::diameter::credit::{CreditControlAnswer, CreditControlRequest, RequestType, VendorApplication};
use crate::diameter::limits::{
    CAPABILITIES_TIMEOUT_MS, DISCONNECT_TIMEOUT_MS, TRANSMIT_OCTETS_MAX, WATCHDOG_JITTER_MS,
};
use crate::diameter::peer::{CloseReason, Event, LocalNode, Peer, PeerSettings, RealmPolicy, SendError};
use crate::diameter::{AnswerMessage, CommandCode, Framer, Message, MessageId, ResultCode};

const CLIENT: Identity<'static> = Identity {
    host: "pgw.example",
    realm: "example",
    state_id: Some(3),
};

fn address() -> IpAddr {
    IpAddr::from([192, 0, 2, 1])
}

fn settings(host: &str) -> PeerSettings {
    let node = LocalNode {
        host: host.into(),
        realm: "example".into(),
        state_id: Some(1),
        product_name: "Raseed".into(),
    };
    PeerSettings::new(node)
}

fn server() -> Peer {
    Peer::responder(Arc::new(settings("ocs.example")), address(), 1, 0)
}

fn client() -> Peer {
    Peer::initiator(
        Arc::new(settings("pgw.example")),
        "2001:db8::1".parse().unwrap(),
        2,
        0,
    )
}

fn cer() -> Vec<u8> {
    let id = MessageId {
        hop_by_hop: 1,
        end_to_end: 1,
    };
    let mut out = Vec::new();
    CapabilitiesRequest::credit_control(id, &CLIENT, &[address()], "test").encode(&mut out);
    out
}

fn open_server() -> Peer {
    let mut peer = server();
    peer.handle_input(0, &cer());
    assert!(matches!(peer.poll_event(), Some(Event::Opened(_))));
    sent(&mut peer);
    peer
}

fn sent(peer: &mut Peer) -> Vec<u8> {
    let mut out = Vec::new();
    peer.poll_transmit(&mut out);
    out
}

/// Command and result code of every answer in the octets.
fn results(octets: &[u8]) -> Vec<(u32, u32)> {
    frames(octets)
        .iter()
        .map(|frame| {
            let message = Message::parse(frame).unwrap();
            let answer = AnswerMessage::parse(message).unwrap();
            assert_eq!(
                answer.error,
                answer.result_code.is_protocol_error(),
                "E bit of {}",
                answer.result_code
            );
            (message.header.command.0, answer.result_code.0)
        })
        .collect()
}

fn frames(octets: &[u8]) -> Vec<Vec<u8>> {
    let mut framer = Framer::default();
    framer.push(octets);
    let mut frames = Vec::new();
    while let Some(frame) = framer.next_frame().unwrap() {
        frames.push(frame.to_vec());
    }
    assert_eq!(framer.buffered(), 0);
    frames
}

fn ccr(number: u32) -> Vec<u8> {
    let id = MessageId {
        hop_by_hop: number,
        end_to_end: number,
    };
    let mut out = Vec::new();
    let origin = (CLIENT.host, CLIENT.realm);
    CreditControlRequest::new(
        id,
        "s;1",
        origin,
        "example",
        "32251@3gpp.org",
        (RequestType::Update, number),
    )
    .encode(&mut out);
    out
}

/// Answers every request; gives back the numbers of the requests.
fn serve(peer: &mut Peer) -> Vec<u32> {
    let mut numbers = Vec::new();
    let mut scratch = Vec::new();
    while let Some(event) = peer.poll_event() {
        if let Event::Request(message) = event {
            let request = CreditControlRequest::parse(message).unwrap();
            numbers.push(request.request_number);
            CreditControlAnswer::to(&request, ("ocs.example", "example"), ResultCode::SUCCESS)
                .encode(&mut scratch);
        }
        if !scratch.is_empty() {
            peer.send_answer(|out| out.append(&mut scratch));
        }
    }
    numbers
}

fn exchange(client: &mut Peer, server: &mut Peer) {
    let now = 0;
    for _ in 0..4 {
        let octets = sent(client);
        server.handle_input(now, &octets);
        serve(server);
        let octets = sent(server);
        client.handle_input(now, &octets);
        if client.remote().is_none() {
            assert!(matches!(client.poll_event(), Some(Event::Opened(_))));
        }
    }
}

#[test]
fn requests_right_behind_the_cer_are_served_however_the_stream_is_cut() {
    let mut stream = cer();
    (1..=5).for_each(|number| stream.extend_from_slice(&ccr(number)));
    for piece in [1, 7, 100, stream.len()] {
        let mut peer = server();
        let mut numbers = Vec::new();
        for octets in stream.chunks(piece) {
            peer.handle_input(0, octets);
            numbers.extend(serve(&mut peer));
        }
        assert_eq!(numbers, [1, 2, 3, 4, 5], "pieces of {piece}");
        let expected = [
            (257, 2001),
            (272, 2001),
            (272, 2001),
            (272, 2001),
            (272, 2001),
            (272, 2001),
        ];
        assert_eq!(results(&sent(&mut peer)), expected);
        assert_eq!(peer.outstanding(), 0);
        assert_eq!(peer.remote().unwrap().host, "pgw.example");
    }
}

#[test]
fn capabilities_requests_that_are_refused() {
    let id = MessageId {
        hop_by_hop: 1,
        end_to_end: 1,
    };
    let good = CapabilitiesRequest::credit_control(id, &CLIENT, &[address()], "test");
    let none = CapabilitiesRequest {
        auth_applications: SmallVec::from_slice(&[16_777_238]),
        vendor_applications: SmallVec::new(),
        ..good.clone()
    };
    let relay = CapabilitiesRequest {
        auth_applications: SmallVec::from_slice(&[u32::MAX]),
        vendor_applications: SmallVec::new(),
        ..good.clone()
    };
    let vendor_only = CapabilitiesRequest {
        auth_applications: SmallVec::new(),
        vendor_applications: SmallVec::from_slice(&[VendorApplication {
            vendor: Some(10415),
            auth: Some(4),
            acct: None,
        }]),
        ..good.clone()
    };
    let tls_only = CapabilitiesRequest {
        inband_security: SmallVec::from_slice(&[1]),
        ..good.clone()
    };
    let both = CapabilitiesRequest {
        inband_security: SmallVec::from_slice(&[1, 0]),
        ..good.clone()
    };
    let stranger = CapabilitiesRequest {
        origin_realm: "elsewhere",
        ..good.clone()
    };
    let nowhere = CapabilitiesRequest {
        host_addresses: SmallVec::new(),
        ..good.clone()
    };
    for (what, request, code) in [
        ("good", good, 2001),
        ("relay", relay, 2001),
        ("vendor application only", vendor_only, 2001),
        ("TLS or none", both, 2001),
        ("another application", none, 5010),
        ("TLS only", tls_only, 5017),
        ("realm not admitted", stranger, 3010),
        ("no Host-IP-Address", nowhere, 5005),
    ] {
        let mut settings = settings("ocs.example");
        settings.realms = RealmPolicy::Listed(vec!["example".into()]);
        let mut peer = Peer::responder(Arc::new(settings), address(), 1, 0);
        let mut out = Vec::new();
        request.encode(&mut out);
        peer.handle_input(0, &out);
        if code == 2001 {
            assert!(matches!(peer.poll_event(), Some(Event::Opened(_))), "{what}");
        } else {
            let reason = CloseReason::CapabilitiesRefused(ResultCode(code));
            assert_eq!(peer.poll_event(), Some(Event::Closed(reason)), "{what}");
        }
        assert_eq!(peer.poll_event(), None);
        assert_eq!(results(&sent(&mut peer)), [(257, code)], "{what}");
    }
}

#[test]
fn a_missing_field_of_the_cer_is_named() {
    let mut frame = cer();
    // The first AVP, Origin-Host, becomes an unknown one without M bit.
    frame[20..25].copy_from_slice(&[0, 0xff, 0, 0, 0]);
    let mut peer = server();
    peer.handle_input(0, &frame);
    let reason = CloseReason::CapabilitiesRefused(ResultCode::MISSING_AVP);
    assert_eq!(peer.poll_event(), Some(Event::Closed(reason)));
    let octets = sent(&mut peer);
    let answer = AnswerMessage::parse(Message::parse(&octets).unwrap()).unwrap();
    assert_eq!(answer.failed_avp, Some(&[0, 0, 1, 8, 0x40, 0, 0, 8][..]));
}

#[test]
fn something_before_the_cer_closes() {
    let mut peer = server();
    peer.handle_input(0, &ccr(1));
    assert_eq!(
        peer.poll_event(),
        Some(Event::Closed(CloseReason::CapabilitiesSkipped))
    );
    assert_eq!(results(&sent(&mut peer)), [(272, 3010)]);
    assert!(!peer.wants_input());
    assert_eq!(peer.poll_timeout(), None);
}

#[test]
fn a_second_cer_is_answered_again() {
    let mut peer = open_server();
    peer.handle_input(1, &cer());
    assert_eq!(peer.poll_event(), None);
    assert_eq!(results(&sent(&mut peer)), [(257, 2001)]);
    assert!(peer.is_open());
}

#[test]
fn requests_that_are_not_ours() {
    // Octets to change in a good CCR: command code at 5, application at 8, flags at 4.
    for (what, at, octets, code) in [
        ("unknown command", 5, &[0, 1, 0x0f][..], 3001),
        ("re-auth to a server", 5, &[0, 1, 2], 3001),
        ("unknown application", 8, &[1, 0, 0, 0x16], 3007),
        ("accounting", 8, &[0, 0, 0, 3], 3007),
        ("unknown base command", 8, &[0, 0, 0, 0], 3001),
        ("request with error bit", 4, &[0xe0], 3008),
        ("version 3", 0, &[3], 5011),
        ("watchdog with P bit", 5, &[0, 1, 0x18], 3008),
        ("disconnect with P bit", 5, &[0, 1, 0x1a], 3008),
    ] {
        let mut frame = ccr(9);
        frame[at..at + octets.len()].copy_from_slice(octets);
        let mut peer = open_server();
        peer.handle_input(0, &frame);
        assert_eq!(peer.poll_event(), None, "{what}");
        let octets = sent(&mut peer);
        let message = Message::parse(&octets).unwrap();
        let answer = AnswerMessage::parse(message).unwrap();
        assert_eq!(answer.result_code.0, code, "{what}");
        assert_eq!((answer.id.hop_by_hop, answer.id.end_to_end), (9, 9), "{what}");
        assert_eq!(
            message.header.command.0,
            u32::from_be_bytes([0, frame[5], frame[6], frame[7]])
        );
        assert!(peer.is_open(), "{what}");
    }
}

#[test]
fn lengths_that_cannot_be_end_the_connection() {
    for (length, octets) in [
        ("000000", 0),
        ("000013", 19),
        ("000016", 22),
        ("010004", 65540),
        ("ffffff", 0xff_ffff),
    ] {
        let mut frame = ccr(1);
        frame[1..4].copy_from_slice(&super::unhex(length));
        let mut peer = open_server();
        peer.handle_input(0, &frame);
        assert_eq!(
            peer.poll_event(),
            Some(Event::Closed(CloseReason::Framing(octets))),
            "{length}"
        );
        // Session-Id and the rest cannot be read any more, so the answer has the E bit.
        let octets = sent(&mut peer);
        let answer = AnswerMessage::parse(Message::parse(&octets).unwrap()).unwrap();
        assert_eq!(
            (answer.result_code, answer.error),
            (ResultCode::INVALID_MESSAGE_LENGTH, true)
        );
        assert_eq!(answer.id.hop_by_hop, 1);
    }
}

#[test]
fn too_many_outstanding_requests_are_told_so() {
    let mut settings = settings("ocs.example");
    settings.outstanding_max = 2;
    let mut peer = Peer::responder(Arc::new(settings), address(), 1, 0);
    let mut stream = cer();
    (1..=4).for_each(|number| stream.extend_from_slice(&ccr(number)));
    peer.handle_input(0, &stream);
    let mut requests = 0;
    while let Some(event) = peer.poll_event() {
        requests += u32::from(matches!(event, Event::Request(_)));
    }
    assert_eq!((requests, peer.outstanding()), (2, 2));
    assert_eq!(results(&sent(&mut peer)), [(257, 2001), (272, 3004), (272, 3004)]);
    peer.send_answer(|out| out.extend_from_slice(&[0; 4]));
    peer.handle_input(0, &ccr(5));
    assert!(
        matches!(peer.poll_event(), Some(Event::Request(_))),
        "an answer makes room"
    );
}

#[test]
fn a_peer_that_does_not_read_waits() {
    let mut peer = open_server();
    peer.handle_input(0, &ccr(1));
    assert!(matches!(peer.poll_event(), Some(Event::Request(_))));
    peer.send_answer(|out| out.resize(TRANSMIT_OCTETS_MAX, 0));
    peer.handle_input(0, &ccr(2));
    assert_eq!(peer.poll_event(), None);
    while peer.wants_input() {
        peer.handle_input(0, &ccr(3));
    }
    assert_eq!(
        peer.send_request(1, None, |_, _| panic!("not sent")),
        Err(SendError::TransmitFull)
    );
    sent(&mut peer);
    assert!(
        matches!(peer.poll_event(), Some(Event::Request(_))),
        "goes on after transmitting"
    );
}

#[test]
fn a_quiet_connection_is_watched_then_closed() {
    let mut peer = open_server();
    let tw = 30_000;
    let mut now = 0;
    for round in 0..3 {
        let at = peer.poll_timeout().unwrap();
        let since = at - now;
        assert!(
            (tw - WATCHDOG_JITTER_MS..=tw + WATCHDOG_JITTER_MS).contains(&since),
            "{since}"
        );
        peer.handle_timeout(at - 1);
        assert!(sent(&mut peer).is_empty(), "not before its time");
        peer.handle_timeout(at);
        now = at;
        if round < 2 {
            let octets = sent(&mut peer);
            let message = Message::parse(&octets).unwrap();
            assert_eq!(message.header.command, CommandCode::DEVICE_WATCHDOG);
            let request = DeviceWatchdogRequest::parse(message).unwrap();
            assert_eq!(
                (request.origin_host, request.origin_state_id),
                ("ocs.example", Some(1))
            );
            assert_eq!(peer.poll_event(), None);
        }
    }
    assert_eq!(peer.poll_event(), Some(Event::Closed(CloseReason::Unresponsive)));
}

#[test]
fn any_message_is_a_sign_of_life_and_watchdogs_are_answered() {
    let (mut client, mut server) = (client(), server());
    exchange(&mut client, &mut server);
    for round in 1..20 {
        let now = server.poll_timeout().unwrap();
        server.handle_timeout(now);
        let octets = sent(&mut server);
        assert_eq!(
            Message::parse(&octets).unwrap().header.command,
            CommandCode::DEVICE_WATCHDOG
        );
        client.handle_input(now, &octets);
        assert_eq!(client.poll_event(), None);
        let octets = sent(&mut client);
        assert_eq!(results(&octets), [(280, 2001)], "round {round}");
        server.handle_input(now, &octets);
        assert_eq!(server.poll_event(), None);
        client.handle_timeout(now);
        assert!(server.is_open() && client.is_open());
    }
}

#[test]
fn a_slow_exchange_is_given_up() {
    for mut peer in [server(), client()] {
        assert_eq!(peer.poll_timeout(), Some(CAPABILITIES_TIMEOUT_MS));
        peer.handle_timeout(CAPABILITIES_TIMEOUT_MS - 1);
        assert_eq!(peer.poll_event(), None);
        peer.handle_timeout(CAPABILITIES_TIMEOUT_MS);
        assert_eq!(
            peer.poll_event(),
            Some(Event::Closed(CloseReason::CapabilitiesTimeout))
        );
        assert_eq!(peer.poll_event(), None, "told once");
    }
}

#[test]
fn client_and_server_exchange_requests_both_ways() {
    let (mut client, mut server) = (client(), server());
    assert_eq!(
        client.send_request(1, None, |_, _| panic!("not open")),
        Err(SendError::NotOpen)
    );
    exchange(&mut client, &mut server);
    assert_eq!(client.remote().unwrap().host, "ocs.example");
    assert_eq!(
        server.remote().unwrap().addresses,
        ["2001:db8::1".parse::<IpAddr>().unwrap()]
    );

    for tag in [70, 71, 72] {
        let send = |id, out: &mut Vec<u8>| {
            let (kind, origin) = ((RequestType::Initial, 0), (CLIENT.host, CLIENT.realm));
            CreditControlRequest::new(id, "s;1", origin, "example", "32251@3gpp.org", kind).encode(out);
        };
        client.send_request(tag, None, send).unwrap();
    }
    assert_eq!(client.pending(), 3);
    let octets = sent(&mut client);
    server.handle_input(5, &octets);
    assert_eq!(serve(&mut server).len(), 3);
    let octets = sent(&mut server);
    client.handle_input(6, &octets);
    for expected in [70, 71, 72] {
        let Some(Event::Answer { tag, message }) = client.poll_event() else {
            panic!("an answer")
        };
        assert_eq!(tag, expected);
        assert_eq!(
            CreditControlAnswer::parse(message).unwrap().result_code,
            ResultCode::SUCCESS
        );
    }
    client.handle_input(7, &octets);
    assert_eq!(
        client.poll_event(),
        None,
        "the same answers again belong to nothing"
    );

    server
        .send_request(500, None, |id, out| {
            ReAuthRequest {
                id,
                session_id: "s;1",
                origin_host: "ocs.example",
                origin_realm: "example",
                destination_realm: "example",
                destination_host: "pgw.example",
                service_identifier: None,
                rating_group: None,
                proxy_infos: SmallVec::new(),
            }
            .encode(out);
        })
        .unwrap();
    let octets = sent(&mut server);
    client.handle_input(8, &octets);
    let Some(Event::Request(message)) = client.poll_event() else {
        panic!("a re-auth")
    };
    assert_eq!(ReAuthRequest::parse(message).unwrap().session_id, "s;1");
    let mut scratch = Vec::new();
    AnswerMessage::to(message, &CLIENT, ResultCode::SUCCESS).encode(&mut scratch);
    client.send_answer(|out| out.append(&mut scratch));
    let octets = sent(&mut client);
    server.handle_input(9, &octets);
    let Some(Event::Answer { tag: 500, message }) = server.poll_event() else {
        panic!("its answer")
    };
    let answer = AnswerMessage::parse(message).unwrap();
    assert_eq!(
        (answer.result_code, answer.session_id),
        (ResultCode::SUCCESS, Some("s;1"))
    );
}

#[test]
fn requests_without_answer_end_by_time_or_with_the_connection() {
    let (mut client, mut server) = (client(), server());
    exchange(&mut client, &mut server);
    let write = |id, out: &mut Vec<u8>| {
        AbortSessionRequest {
            id,
            session_id: "s",
            origin_host: "a",
            origin_realm: "b",
            destination_realm: "c",
            destination_host: "d",
            proxy_infos: SmallVec::new(),
        }
        .encode(out);
    };
    server.handle_input(100, &[]);
    let first = server.send_request(1, None, write).unwrap();
    server.handle_input(200, &[]);
    let again = server.send_request(2, Some(first.end_to_end), write).unwrap();
    assert_eq!(again.end_to_end, first.end_to_end);
    assert_ne!(again.hop_by_hop, first.hop_by_hop);
    assert_eq!(server.poll_timeout(), Some(10_100));
    server.handle_timeout(10_100);
    assert_eq!(server.poll_event(), Some(Event::Unanswered { tag: 1 }));
    assert_eq!(server.poll_event(), None);
    server.handle_transport_closed(10_150);
    assert_eq!(server.poll_event(), Some(Event::Unanswered { tag: 2 }));
    assert_eq!(
        server.poll_event(),
        Some(Event::Closed(CloseReason::TransportClosed))
    );
    assert_eq!(server.poll_event(), None);
    assert_eq!(server.pending(), 0);
}

#[test]
fn the_peer_disconnects_and_still_gets_its_answer() {
    let (mut client, mut server) = (client(), server());
    exchange(&mut client, &mut server);
    server.handle_input(10, &ccr(1));
    assert!(matches!(server.poll_event(), Some(Event::Request(_))));
    client.disconnect(10, DisconnectCause::Rebooting);
    let octets = sent(&mut client);
    server.handle_input(11, &octets);
    server.handle_input(11, &ccr(2));
    assert_eq!(server.poll_event(), None);
    assert_eq!(
        results(&sent(&mut server)),
        [(282, 2001), (272, 3002)],
        "no new work"
    );
    server.send_answer(|out| out.extend_from_slice(&ccr(77)));
    assert_eq!(frames(&sent(&mut server)).len(), 1);
    assert_eq!(server.poll_timeout(), Some(11 + DISCONNECT_TIMEOUT_MS));
    server.handle_transport_closed(12);
    let reason = CloseReason::PeerDisconnected(DisconnectCause::Rebooting);
    assert_eq!(server.poll_event(), Some(Event::Closed(reason)));
}

#[test]
fn we_disconnect_once_everything_is_answered() {
    let (mut client, mut server) = (client(), server());
    exchange(&mut client, &mut server);
    server.handle_input(10, &ccr(1));
    assert!(matches!(server.poll_event(), Some(Event::Request(_))));
    server.disconnect(10, DisconnectCause::Rebooting);
    assert!(!server.is_open());
    let octets = sent(&mut server);
    client.handle_input(11, &octets);
    assert_eq!(client.poll_event(), None);
    let octets = sent(&mut client);
    assert_eq!(results(&octets), [(282, 2001)]);
    server.handle_input(12, &octets);
    assert_eq!(server.poll_event(), None, "an answer is still owed");
    server.send_answer(|out| out.extend_from_slice(&ccr(77)));
    assert_eq!(
        server.poll_event(),
        Some(Event::Closed(CloseReason::Disconnected))
    );
    assert!(!sent(&mut server).is_empty(), "the last answer still goes out");

    let mut server = open_server();
    server.disconnect(10, DisconnectCause::Busy);
    server.handle_timeout(10 + DISCONNECT_TIMEOUT_MS);
    assert_eq!(
        server.poll_event(),
        Some(Event::Closed(CloseReason::Disconnected)),
        "without an answer too"
    );
}

#[test]
fn an_initiator_reports_a_refusal() {
    let mut settings = settings("ocs.example");
    settings.realms = RealmPolicy::Listed(vec!["*.elsewhere".into()]);
    let mut server = Peer::responder(Arc::new(settings), address(), 1, 0);
    let mut client = client();
    let octets = sent(&mut client);
    server.handle_input(0, &octets);
    let reason = CloseReason::CapabilitiesRefused(ResultCode::UNKNOWN_PEER);
    assert_eq!(server.poll_event(), Some(Event::Closed(reason)));
    let octets = sent(&mut server);
    client.handle_input(0, &octets);
    assert_eq!(client.poll_event(), Some(Event::Closed(reason)));
}

#[test]
fn realms_by_policy() {
    for (patterns, realm, expected) in [
        (&["example.org"][..], "example.org", true),
        (&["example.org"], "EXAMPLE.org", true),
        (&["example.org"], "sub.example.org", false),
        (&["*.example.org"], "sub.example.org", true),
        (&["*.example.org"], "a.b.Example.org", true),
        (&["*.example.org"], "example.org", false),
        (&["*.example.org"], ".example.org", false),
        (&["*.example.org"], "evilexample.org", false),
        (&["*.example.org", "other"], "other", true),
        (&["*"], "example.org", false),
        (&[], "example.org", false),
    ] {
        let policy = RealmPolicy::Listed(patterns.iter().map(|pattern| (*pattern).to_owned()).collect());
        assert_eq!(policy.admits(realm), expected, "{patterns:?} {realm}");
    }
    assert!(RealmPolicy::Any.admits("رسید"));
}

#[test]
fn a_broken_request_is_the_callers_to_reject_and_the_connection_lives() {
    let mut peer = open_server();
    let mut frame = vector("open5gs_initial");
    frame[20 + 5..20 + 8].copy_from_slice(&[0, 0, 3]);
    peer.handle_input(0, &frame);
    let mut scratch = Vec::new();
    let Some(Event::Request(message)) = peer.poll_event() else {
        panic!("a request")
    };
    let violation = CreditControlRequest::parse(message).unwrap_err();
    AnswerMessage::reject(message, &CLIENT, &violation).encode(&mut scratch);
    peer.send_answer(|out| out.append(&mut scratch));
    let octets = sent(&mut peer);
    let answer = AnswerMessage::parse(Message::parse(&octets).unwrap()).unwrap();
    assert_eq!(answer.result_code, ResultCode::INVALID_AVP_LENGTH);
    assert_eq!(answer.failed_avp, Some(&[0, 0, 1, 7, 0x40, 0, 0, 8][..]));
    peer.handle_input(0, &ccr(2));
    assert_eq!(serve(&mut peer), [2]);
}

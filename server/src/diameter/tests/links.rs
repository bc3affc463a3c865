//! Connections: the first request, limits, families of addresses, TLS, watchdog, goodbye.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use sim::diameter::raw::capabilities_request;
use sim::diameter::{ClientError, RawConnection};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use wire::diameter::avp::key;
use wire::diameter::peer::{CloseReason, RealmPolicy};
use wire::diameter::{CommandCode, CommandFlags, Header, MessageId, ResultCode, Writer};

use super::*;

const INITIAL: (RequestType, u32) = (RequestType::Initial, 0);

fn ours() -> PeerSettings {
    sim::diameter::settings("raw.client.example", "client.example", "test")
}

fn watchdog_request(number: u32) -> Vec<u8> {
    let mut octets = Vec::new();
    let id = MessageId {
        hop_by_hop: number,
        end_to_end: number,
    };
    let command = CommandCode::DEVICE_WATCHDOG;
    let mut writer = Writer::begin(&mut octets, command, CommandFlags::REQUEST, 0, id);
    writer.str(key::ORIGIN_HOST, "raw.client.example");
    writer.str(key::ORIGIN_REALM, "client.example");
    writer.finish();
    octets
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_right_behind_the_capabilities_are_served() {
    let world = World::start().await;
    let phone = world.phone(PROOF, "100");
    let helper = client(&world, "raw.client.example").await;
    let mut octets = capabilities_request(ours(), world.address.ip());
    for number in 0..20 {
        let session = format!("gw;1;early{number}");
        let request = data(&helper, &session, &phone.msisdn, INITIAL, (None, Some(1_000)));
        request.encode(&mut octets);
    }
    let mut raw = RawConnection::connect(world.address).await.unwrap();
    raw.send(&octets).await.unwrap();
    let hello = raw.next().await.unwrap().unwrap();
    assert_eq!(hello.base().unwrap().command, CommandCode::CAPABILITIES_EXCHANGE);
    for _ in 0..20 {
        let answer = raw.next().await.unwrap().unwrap();
        assert_eq!(answer.result_code(), ResultCode::SUCCESS);
        assert_eq!(granted(&answer), Some(1_000));
    }
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_in_many_small_pieces_is_served() {
    let world = World::start().await;
    let phone = world.phone(PROOF, "100");
    let helper = client(&world, "raw.client.example").await;
    let mut octets = capabilities_request(ours(), world.address.ip());
    data(
        &helper,
        "gw;1;pieces",
        &phone.msisdn,
        INITIAL,
        (None, Some(1_000)),
    )
    .encode(&mut octets);
    let mut raw = RawConnection::connect(world.address).await.unwrap();
    for piece in octets.chunks(7) {
        raw.send(piece).await.unwrap();
        tokio::task::yield_now().await;
    }
    raw.next().await.unwrap().unwrap();
    let answer = raw.next().await.unwrap().unwrap();
    assert_eq!(answer.result_code(), ResultCode::SUCCESS);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_does_not_wait_for_its_acknowledgement() {
    let world = World::start().await;
    let phone = world.phone(PROOF, "100");
    let helper = client(&world, "raw.client.example").await;
    let mut raw = RawConnection::open(world.address, ours()).await.unwrap();
    let mut rounds = Vec::new();
    for number in 0..50 {
        let mut charging = Vec::new();
        let kind = if number == 0 {
            RequestType::Initial
        } else {
            RequestType::Update
        };
        let units = (None, Some(1_000));
        data(&helper, "gw;1;quick", &phone.msisdn, (kind, number), units).encode(&mut charging);
        let began = std::time::Instant::now();
        // The watchdog is answered at once and nobody acknowledges it, as we only wait; the charge is answered when it is on
        // the disk. With Nagle's algorithm it would wait for the delayed acknowledgement: 40 ms.
        raw.send(&watchdog_request(number)).await.unwrap();
        raw.send(&charging).await.unwrap();
        for command in [CommandCode::DEVICE_WATCHDOG, CommandCode::CREDIT_CONTROL] {
            let answer = raw.next().await.unwrap().unwrap();
            assert_eq!(Header::read(answer.frame()).unwrap().command, command);
            assert_eq!(answer.result_code(), ResultCode::SUCCESS);
        }
        rounds.push(began.elapsed());
    }
    rounds.sort_unstable();
    assert!(rounds[25] < Duration::from_millis(30), "{rounds:?}");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_than_a_peer_may_ask_is_too_busy_and_safe_to_repeat() {
    let mut options = Options::default();
    options.limits.requests_per_s = 10;
    let world = World::with(options).await;
    let phone = world.phone(PROOF, "100");
    let client = client(&world, "gw.client.example").await;
    let sessions: Vec<String> = (0..30).map(|number| format!("gw;1;busy{number}")).collect();
    let request = |session| data(&client, session, &phone.msisdn, INITIAL, (None, Some(1_000)));
    let mut waiting = Vec::new();
    for session in &sessions {
        let mut frame = Vec::new();
        request(session).encode(&mut frame);
        waiting.push((session, client.send_frame(frame).await.unwrap()));
    }
    let mut busy = 0;
    for (session, answer) in waiting {
        let answer = answer.await.unwrap();
        if answer.result_code() != ResultCode::TOO_BUSY {
            continue;
        }
        assert!(answer.base().unwrap().error, "a protocol error has the E bit");
        busy += 1;
        let again = loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let again = client.request(&request(session)).await.unwrap();
            if again.result_code() != ResultCode::TOO_BUSY {
                break again;
            }
        };
        // A subscriber may have so many sessions and no more: the last ones meet that limit.
        let code = again.result_code();
        assert!(
            code == ResultCode::SUCCESS || code == ResultCode::RESOURCES_EXCEEDED,
            "{code}"
        );
    }
    assert!(busy > 0);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_limited_by_address_and_in_total_and_freed_again() {
    let by_address = Limits {
        connections_per_address: 2,
        ..Limits::default()
    };
    let in_total = Limits {
        connections: 2,
        ..Limits::default()
    };
    for limits in [by_address, in_total] {
        let world = World::with(Options {
            limits,
            ..Options::default()
        })
        .await;
        let first = client(&world, "a.client.example").await;
        let _second = client(&world, "b.client.example").await;
        let third = Client::connect(world.address, ours()).await;
        assert!(matches!(third, Err(ClientError::Closed(_))), "{third:?}");
        first.disconnect().await;
        let mut admitted = false;
        for _ in 0..100 {
            if Client::connect(world.address, ours()).await.is_ok() {
                admitted = true;
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(admitted);
        world.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_nobody_configured_is_served_unless_its_realm_is_barred() {
    let mut options = Options::default();
    options.peers.realms = RealmPolicy::Listed(vec!["*.friends.example".to_owned()]);
    let world = World::with(options).await;
    let friend = sim::diameter::settings("gw.epc.friends.example", "epc.friends.example", "test");
    assert!(Client::connect(world.address, friend).await.is_ok());
    let stranger = Client::connect(world.address, ours()).await;
    let code = ResultCode::UNKNOWN_PEER;
    let refused = CloseReason::CapabilitiesRefused(code);
    assert!(
        matches!(stranger, Err(ClientError::Closed(reason)) if reason == refused),
        "{stranger:?}"
    );
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_before_the_capabilities_ends_the_connection() {
    let world = World::start().await;
    let phone = world.phone(PROOF, "100");
    let helper = client(&world, "raw.client.example").await;
    let mut octets = Vec::new();
    data(&helper, "gw;1;rude", &phone.msisdn, INITIAL, (None, Some(1_000))).encode(&mut octets);
    let mut raw = RawConnection::connect(world.address).await.unwrap();
    raw.send(&octets).await.unwrap();
    let answer = raw.next().await.unwrap().unwrap();
    assert_eq!(answer.result_code(), ResultCode::UNKNOWN_PEER);
    assert!(raw.next().await.unwrap().is_none());
    assert!(world.charged(&phone).is_empty());
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ipv6_is_served_like_ipv4() {
    let options = Options {
        listen: "[::1]:0",
        ..Options::default()
    };
    let world = World::with(options).await;
    assert!(world.address.is_ipv6());
    let phone = world.phone(PROOF, "100");
    let client = client(&world, "gw.client.example").await;
    assert_eq!(client.remote().addresses, [IpAddr::V6(Ipv6Addr::LOCALHOST)]);
    let open = data(&client, "gw;1;v6", &phone.msisdn, INITIAL, (None, Some(1_000)));
    assert_eq!(
        client.request(&open).await.unwrap().result_code(),
        ResultCode::SUCCESS
    );
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_carries_the_same_and_plain_octets_are_turned_away() {
    let signed = rcgen::generate_simple_self_signed(vec![HOST.to_owned()]).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = PrivateKeyDer::try_from(signed.signing_key.serialize_der()).unwrap();
    let server = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![signed.cert.der().clone()], key)
        .unwrap();
    let mut options = Options {
        tls: Some(TlsAcceptor::from(Arc::new(server))),
        ..Options::default()
    };
    options.limits.handshake = Duration::from_millis(500);
    let world = World::with(options).await;
    let phone = world.phone(PROOF, "100");

    let mut roots = RootCertStore::empty();
    roots.add(signed.cert.der().clone()).unwrap();
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    let stream = TcpStream::connect(world.address).await.unwrap();
    let local = stream.local_addr().unwrap().ip();
    let name = ServerName::try_from(HOST).unwrap();
    let stream = connector.connect(name, stream).await.unwrap();
    let client = Client::over(stream, local, ours()).await.unwrap();
    for number in 0..100 {
        let session = format!("gw;1;tls{number}");
        let open = data(&client, &session, &phone.msisdn, INITIAL, (None, Some(1_000)));
        let answer = client.request(&open).await.unwrap();
        let end = (RequestType::Termination, 1);
        assert_eq!(answer.result_code(), ResultCode::SUCCESS);
        client
            .request(&data(&client, &session, &phone.msisdn, end, (Some(1_000), None)))
            .await
            .unwrap();
    }
    assert_eq!(world.used(&phone), 100_000);
    client.disconnect().await;

    // Plain Diameter to the TLS port, and silence.
    assert!(Client::connect(world.address, ours()).await.is_err());
    let mut silent = RawConnection::connect(world.address).await.unwrap();
    let end = silent.next_within(Duration::from_secs(5)).await.unwrap();
    assert_eq!(end, None);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watchdogs_are_answered_and_a_quiet_peer_is_asked() {
    let mut options = Options::default();
    options.peers.watchdog_ms = 6_000;
    let world = World::with(options).await;
    let mut raw = RawConnection::open(world.address, ours()).await.unwrap();
    raw.send(&watchdog_request(5)).await.unwrap();
    let answer = raw.next().await.unwrap().unwrap();
    let base = answer.base().unwrap();
    let command = CommandCode::DEVICE_WATCHDOG;
    assert_eq!(
        (base.command, base.id.hop_by_hop, base.result_code),
        (command, 5, ResultCode::SUCCESS)
    );
    assert_eq!(base.origin_state_id, Some(1));

    // Now nothing: the server asks after its interval of at least six seconds (RFC 3539 section 3.4.1).
    let began = std::time::Instant::now();
    let question = raw.next_within(Duration::from_secs(12)).await.unwrap().unwrap();
    let header = Header::read(question.frame()).unwrap();
    assert!(header.flags.is_request() && header.command == command);
    assert!(began.elapsed() >= Duration::from_millis(5_900));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stops_says_goodbye_and_answers_what_it_took() {
    let world = World::start().await;
    let phone = world.phone(PROOF, "100");
    let helper = client(&world, "raw.client.example").await;
    let mut raw = RawConnection::open(world.address, ours()).await.unwrap();
    let mut octets = Vec::new();
    for number in 0..50 {
        let session = format!("gw;1;last{number}");
        data(&helper, &session, &phone.msisdn, INITIAL, (None, Some(1_000))).encode(&mut octets);
    }
    raw.send(&octets).await.unwrap();
    let first = raw.next().await.unwrap().unwrap();
    assert_eq!(first.result_code(), ResultCode::SUCCESS);
    world.stop.send_replace(true);
    let (mut answered, mut goodbyes) = (1, 0);
    while let Some(message) = raw.next().await.unwrap() {
        let header = Header::read(message.frame()).unwrap();
        if header.command == CommandCode::DISCONNECT_PEER {
            goodbyes += 1;
            continue;
        }
        // What came before the goodbye is served, what came after it may go elsewhere at once.
        let code = message.result_code();
        assert!(
            code == ResultCode::SUCCESS || code == ResultCode::UNABLE_TO_DELIVER,
            "{code}"
        );
        answered += 1;
    }
    assert_eq!((answered, goodbyes), (50, 1));
    let reason = tokio::time::timeout(Duration::from_secs(10), helper.closed())
        .await
        .unwrap();
    assert!(matches!(reason, CloseReason::PeerDisconnected(_)), "{reason:?}");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_with_two_connections_is_asked_on_the_one_that_is_left() {
    let world = World::start().await;
    let phone = world.phone(PROOF, "100");
    let stays = client(&world, "gw.client.example").await;
    let leaves = client(&world, "gw.client.example").await;
    let mut notices = stays.notices();
    let open = data(&stays, "gw;1;two", &phone.msisdn, INITIAL, (None, Some(1_000)));
    stays.request(&open).await.unwrap();
    leaves.disconnect().await;
    // The server notices the end a moment later; the next request of the host tells where it is.
    let mut asked = false;
    for number in 1..50 {
        let step = (RequestType::Update, number);
        let update = data(&stays, "gw;1;two", &phone.msisdn, step, (Some(0), Some(1_000)));
        stays.request(&update).await.unwrap();
        world.recharge(&phone, "10", &format!("r{number}"));
        if tokio::time::timeout(Duration::from_millis(100), notices.recv())
            .await
            .is_ok()
        {
            asked = true;
            break;
        }
    }
    assert!(asked);
    world.finish().await;
}

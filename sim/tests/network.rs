//! The simulated network against a small server that grants from a fixed number of units.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sim::callserver::{Call, CallEnd, CallServer, CallServerSettings};
use sim::diameter::{Client, RawConnection, settings};
use sim::gateway::{Attach, Gateway, GatewayError, GatewaySettings, Profile};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use wire::diameter::base::ReAuthRequest;
use wire::diameter::credit::{
    CreditControlAnswer, CreditControlRequest, FinalUnit, GrantedUnits, ReportingReason, RequestType,
    ServiceAnswer, ServiceUnits,
};
use wire::diameter::peer::{CloseReason, Event, LocalNode, Peer, PeerSettings};
use wire::diameter::{Message, ResultCode};

const HOST: &str = "ocs.test.example";
const REALM: &str = "test.example";

#[tokio::test]
async fn open5gs_uses_five_megabytes_as_observed() {
    let address = server(5_000_000, true).await;
    let gateway = Gateway::connect(address, GatewaySettings::new(Profile::Open5gs, REALM))
        .await
        .unwrap();
    let mut session = gateway.open(phone()).await.unwrap();
    let carried = session.use_data(10_000_000).await.unwrap();
    assert_eq!(carried, 5_000_920);
    assert!(!session.is_open());
    let kinds: Vec<RequestType> = session.log().iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds[0], RequestType::Initial);
    assert_eq!(kinds[1..5], [RequestType::Update; 4]);
    assert_eq!(kinds[5..], [RequestType::Termination]);
    assert_eq!(session.reported_octets(), 5_000_920);
    assert!(session.session_id().starts_with("smf.localdomain;"));
    assert!(session.session_id().ends_with(";app_gy"));
}

#[tokio::test]
async fn a_refused_session_is_ended() {
    let address = server(0, false).await;
    let gateway = Gateway::connect(address, GatewaySettings::new(Profile::Open5gs, REALM))
        .await
        .unwrap();
    let refused = gateway.open(phone()).await;
    let code = ResultCode::CREDIT_LIMIT_REACHED;
    assert!(matches!(refused, Err(GatewayError::Refused(refused)) if refused == code));
}

#[tokio::test]
async fn only_the_standard_gateway_honours_a_reauthorization() {
    let address = server(50_000_000, true).await;
    for (profile, honours) in [(Profile::Standard, true), (Profile::Open5gs, false)] {
        let gateway = Gateway::connect(address, GatewaySettings::new(profile, REALM))
            .await
            .unwrap();
        let mut session = gateway.open(phone()).await.unwrap();
        session.use_data(1_100_000).await.unwrap();
        if session.reauths() == 0 {
            assert!(session.await_reauth(Duration::from_secs(5)).await.unwrap());
        }
        let forced = Some(ReportingReason::ForcedReauthorisation);
        let is_obeyed = session.log().iter().any(|entry| entry.reason == forced);
        assert_eq!(is_obeyed, honours, "{profile:?}");
        session.close().await.unwrap();
        assert_eq!(session.reported_octets(), 1_100_000);
    }
}

#[tokio::test]
async fn a_call_is_cut_one_second_late() {
    let address = server(39, false).await;
    let calls = CallServer::connect(address, CallServerSettings::new(REALM))
        .await
        .unwrap();
    let record = calls
        .call(&Call::new("+923001234567", "+923331234567", 600))
        .await
        .unwrap();
    assert_eq!((record.end, record.talked_s), (CallEnd::Cut, 40));
    let steps: Vec<_> = record
        .log
        .iter()
        .map(|entry| (entry.kind, entry.used_s))
        .collect();
    let (initial, update, end) = (
        RequestType::Initial,
        RequestType::Update,
        RequestType::Termination,
    );
    assert_eq!(
        steps,
        [
            (initial, None),
            (update, Some(0)),
            (update, Some(25)),
            (end, Some(15))
        ]
    );
}

#[tokio::test]
async fn a_refused_call_still_ends_with_a_termination() {
    let address = server(0, false).await;
    let calls = CallServer::connect(address, CallServerSettings::new(REALM))
        .await
        .unwrap();
    let record = calls
        .call(&Call::new("+923001234567", "+923331234567", 600))
        .await
        .unwrap();
    assert_eq!(record.end, CallEnd::Refused(ResultCode::CREDIT_LIMIT_REACHED));
    assert_eq!(
        record.log.last().map(|entry| entry.kind),
        Some(RequestType::Termination)
    );
    assert_eq!(record.talked_s, 0);
}

#[tokio::test]
async fn connections_end_in_an_orderly_way_or_not() {
    let address = server(1, false).await;
    let ours = || settings("a.test.example", REALM, "test");
    let client = Client::connect(address, ours()).await.unwrap();
    assert_eq!(client.remote().host, HOST);
    assert_eq!(client.disconnect().await, CloseReason::Disconnected);
    assert!(client.request_frame(vec![0; 20]).await.is_err());
    let client = Client::connect(address, ours()).await.unwrap();
    assert_eq!(client.cut().await, CloseReason::TransportClosed);
    let mut raw = RawConnection::open(address, ours()).await.unwrap();
    raw.send(&[9; 20]).await.unwrap();
    assert_eq!(raw.next().await.unwrap(), None);
}

fn phone() -> Attach {
    Attach::new("410010000000001", Some("923001234567"), "41001")
}

/// Accepts connections and grants what is asked until `units` are gone; asks for a report after each update if `asks`.
async fn server(units: i64, asks: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, units, asks));
        }
    });
    address
}

async fn serve(mut stream: TcpStream, mut units: i64, asks: bool) {
    let node = LocalNode {
        host: HOST.to_owned(),
        realm: REALM.to_owned(),
        state_id: None,
        product_name: "test".to_owned(),
    };
    let local = stream.local_addr().unwrap().ip();
    let mut peer = Peer::responder(Arc::new(PeerSettings::new(node)), local, 1, 0);
    let mut input = Vec::new();
    let mut out = Vec::new();
    loop {
        let mut frames = Vec::new();
        let mut is_closed = false;
        while let Some(event) = peer.poll_event() {
            match event {
                Event::Request(message) => frames.push(message.frame.to_vec()),
                Event::Closed(_) => is_closed = true,
                _ => {}
            }
        }
        for frame in frames {
            let request = CreditControlRequest::parse(Message::parse(&frame).unwrap()).unwrap();
            let answer = answer(&request, &mut units);
            peer.send_answer(|out| answer.encode(out));
            if asks && request.request_type == RequestType::Update {
                ask(&mut peer, &request);
            }
        }
        while peer.poll_transmit(&mut out) {}
        if stream.write_all(&out).await.is_err() || is_closed {
            return;
        }
        out.clear();
        input.clear();
        match stream.read_buf(&mut input).await {
            Ok(octets) if octets > 0 => peer.handle_input(1, &input),
            _ => return,
        }
    }
}

fn ask(peer: &mut Peer, request: &CreditControlRequest<'_>) {
    let sent = peer.send_request(1, None, |id, out| {
        let reauth = ReAuthRequest {
            id,
            session_id: request.session_id,
            origin_host: HOST,
            origin_realm: REALM,
            destination_realm: request.origin_realm,
            destination_host: request.origin_host,
            service_identifier: None,
            rating_group: None,
            proxy_infos: Default::default(),
        };
        reauth.encode(out);
    });
    sent.unwrap();
}

fn answer<'a>(request: &CreditControlRequest<'a>, units: &mut i64) -> CreditControlAnswer<'a> {
    let mut answer = CreditControlAnswer::to(request, (HOST, REALM), ResultCode::SUCCESS);
    for asked in &request.services {
        for used in &asked.used {
            let octets = used.units.octets();
            let count = octets.or(used.units.time_s.map(u64::from)).unwrap_or(0);
            *units -= i64::try_from(count).unwrap();
        }
        let mut service = ServiceAnswer {
            rating_group: asked.rating_group,
            service_identifiers: asked.service_identifiers.clone(),
            result_code: Some(ResultCode::SUCCESS),
            ..ServiceAnswer::default()
        };
        if let Some(wanted) = asked.requested {
            let is_time = wanted.time_s.is_some();
            let octets = wanted.total_octets.map(|octets| octets.try_into().unwrap());
            let most = wanted.time_s.map(i64::from).or(octets).unwrap_or(0);
            let grant = most.min(*units);
            if grant <= 0 {
                service.result_code = Some(ResultCode::CREDIT_LIMIT_REACHED);
            } else {
                let mut granted = ServiceUnits::default();
                if is_time {
                    granted.time_s = Some(grant.try_into().unwrap());
                } else {
                    granted.total_octets = Some(grant.try_into().unwrap());
                }
                service.granted = Some(GrantedUnits {
                    units: granted,
                    tariff_time_change: None,
                });
                service.final_unit = (grant == *units).then_some(FinalUnit::Terminate);
            }
        }
        answer.services.push(service);
    }
    answer
}

//! Prints nanoseconds per decode and encode of a Gy request and its answer, and per request through the peer machine.
//! Run with `cargo run --release -p wire --example diameter_timing`.

use std::hint::black_box;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use wire::diameter::credit::{
    CreditControlAnswer, CreditControlRequest, FinalUnit, GrantedUnits, ServiceAnswer, ServiceUnits,
};
use wire::diameter::peer::{Event, LocalNode, Peer, PeerSettings};
use wire::diameter::{Message, ResultCode};

const ROUNDS: u32 = 200_000;
const SAMPLES: usize = 7;
const BATCH: usize = 64;

fn main() {
    for (name, text) in [
        (
            "open5gs update",
            include_str!("../src/diameter/tests/vectors/open5gs_update.hex"),
        ),
        (
            "kamailio initial",
            include_str!("../src/diameter/tests/vectors/kamailio_initial.hex"),
        ),
    ] {
        let frame = unhex(text);
        measure(name, &frame);
    }
}

fn measure(name: &str, frame: &[u8]) {
    let request = parse(frame);
    println!(
        "{name}: request of {} octets, view of {} octets",
        frame.len(),
        size_of_val(&request)
    );
    time("  decode request", || {
        black_box(parse(black_box(frame)));
    });

    let mut out = Vec::with_capacity(4096);
    time("  encode request", || {
        out.clear();
        black_box(&request).encode(&mut out);
        black_box(&out);
    });

    let answer = answer(&request);
    out.clear();
    answer.encode(&mut out);
    println!(
        "  answer of {} octets, view of {} octets",
        out.len(),
        size_of_val(&answer)
    );
    time("  encode answer", || {
        out.clear();
        black_box(&answer).encode(&mut out);
        black_box(&out);
    });
    time("  build and encode answer", || {
        out.clear();
        self::answer(black_box(&request)).encode(&mut out);
        black_box(&out);
    });
    let answer = out.clone();
    time("  decode answer", || {
        let message = Message::parse(black_box(&answer)).expect("a message");
        black_box(CreditControlAnswer::parse(message).expect("an answer"));
    });
    through_peer(frame);
}

/// Segments of [`BATCH`] requests into the answering side, parsed, answered, transmitted.
fn through_peer(frame: &[u8]) {
    let node = |host: &str| LocalNode {
        host: host.into(),
        realm: "example".into(),
        state_id: None,
        product_name: "Raseed".into(),
    };
    let address = IpAddr::from([127, 0, 0, 1]);
    let mut client = Peer::initiator(Arc::new(PeerSettings::new(node("pgw"))), address, 1, 0);
    let mut server = Peer::responder(Arc::new(PeerSettings::new(node("ocs"))), address, 2, 0);
    let mut transmit = Vec::new();
    client.poll_transmit(&mut transmit);
    server.handle_input(0, &transmit);

    let segment = frame.repeat(BATCH);
    let (mut scratch, mut answered) = (Vec::new(), 0_u64);
    let mut best = f64::MAX;
    for _ in 0..SAMPLES {
        let rounds = ROUNDS as usize / BATCH;
        let start = Instant::now();
        for _ in 0..rounds {
            server.handle_input(1, &segment);
            while let Some(event) = server.poll_event() {
                if let Event::Request(message) = event {
                    let request = CreditControlRequest::parse(message).expect("a request");
                    answer(&request).encode(&mut scratch);
                }
                if !scratch.is_empty() {
                    server.send_answer(|out| out.append(&mut scratch));
                    answered += 1;
                }
            }
            transmit.clear();
            server.poll_transmit(&mut transmit);
            black_box(&transmit);
        }
        best = best.min(start.elapsed().as_nanos() as f64 / (rounds * BATCH) as f64);
    }
    assert!(answered > 0, "requests were served");
    println!("  {:<28} {best:>8.0} ns", "whole server side of a peer");
}

fn answer<'a>(request: &CreditControlRequest<'a>) -> CreditControlAnswer<'a> {
    let mut answer = CreditControlAnswer::to(request, ("ocs.example", "example"), ResultCode::SUCCESS);
    for service in &request.services {
        let units = ServiceUnits {
            total_octets: Some(10_000_000),
            ..ServiceUnits::default()
        };
        answer.services.push(ServiceAnswer {
            granted: Some(GrantedUnits {
                units,
                tariff_time_change: None,
            }),
            rating_group: service.rating_group,
            service_identifiers: service.service_identifiers.clone(),
            validity_time_s: Some(600),
            result_code: Some(ResultCode::SUCCESS),
            volume_quota_threshold_octets: Some(1_000_000),
            final_unit: Some(FinalUnit::Terminate),
            ..ServiceAnswer::default()
        });
    }
    answer
}

fn parse(frame: &[u8]) -> CreditControlRequest<'_> {
    let message = Message::parse(frame).expect("a message");
    CreditControlRequest::parse(message).expect("a request")
}

fn time(name: &str, mut work: impl FnMut()) {
    let best = (0..SAMPLES)
        .map(|_| {
            let start = Instant::now();
            (0..ROUNDS).for_each(|_| work());
            start.elapsed().as_nanos() as f64 / f64::from(ROUNDS)
        })
        .fold(f64::MAX, f64::min);
    println!("{name:<30} {best:>8.0} ns");
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits
        .chunks(2)
        .map(|pair| (pair[0] * 16 + pair[1]) as u8)
        .collect()
}

//! SMPP: both machines against each other, against hostile bytes, and against a decoder that we did not write.

use proptest::prelude::*;

use super::frame::{Frame, Framer};
use super::*;

/// An ESME and a centre on a fake wire with a fake clock.
struct Link {
    esme: Esme,
    centre: Centre,
    now_micros: u64,
    events: Vec<EsmeEvent>,
    centre_events: Vec<CentreEvent>,
}

impl Link {
    fn new(config: CentreConfig, esme: EsmeConfig) -> Self {
        Self {
            esme: Esme::new(esme, 0),
            centre: Centre::new(config, 1, 0),
            now_micros: 0,
            events: Vec::new(),
            centre_events: Vec::new(),
        }
    }

    /// Runs until nothing is left to do or `until_micros` has come.
    fn run(&mut self, until_micros: u64) {
        loop {
            let mut moved = false;
            while let Some(octets) = self.esme.poll_transmit() {
                self.centre.handle_input(&octets, self.now_micros);
                moved = true;
            }
            while let Some(octets) = self.centre.poll_transmit() {
                self.esme.handle_input(&octets, self.now_micros);
                moved = true;
            }
            self.events.extend(std::iter::from_fn(|| self.esme.poll_event()));
            self.centre_events
                .extend(std::iter::from_fn(|| self.centre.poll_event()));
            if moved {
                continue;
            }
            let next = [self.esme.poll_timeout(), self.centre.poll_timeout()]
                .into_iter()
                .flatten()
                .min();
            let Some(next) = next.filter(|next| *next <= until_micros) else {
                return;
            };
            self.now_micros = self.now_micros.max(next);
            self.esme.handle_timeout(self.now_micros);
            self.centre.handle_timeout(self.now_micros);
        }
    }

    fn count(&self, wanted: impl Fn(&EsmeEvent) -> bool) -> usize {
        self.events.iter().filter(|event| wanted(event)).count()
    }

    fn summary(&self) -> String {
        let mut words = Vec::new();
        let mut word = |name: &str, count: usize| {
            if count > 0 {
                words.push(format!("{name} {count}"));
            }
        };
        word(
            "taken",
            self.centre_events
                .iter()
                .filter(|e| matches!(e, CentreEvent::Submitted { .. }))
                .count(),
        );
        word(
            "accepted",
            self.count(|e| matches!(e, EsmeEvent::Accepted { .. })),
        );
        word(
            "rejected",
            self.count(|e| matches!(e, EsmeEvent::Rejected { .. })),
        );
        word(
            "unknown",
            self.count(|e| matches!(e, EsmeEvent::OutcomeUnknown { .. })),
        );
        word("unsent", self.count(|e| matches!(e, EsmeEvent::NotSent { .. })));
        word(
            "throttled",
            self.count(|e| matches!(e, EsmeEvent::Throttled { .. })),
        );
        word("receipts", self.count(|e| matches!(e, EsmeEvent::Receipt(_))));
        word("skipped", self.count(|e| matches!(e, EsmeEvent::Skipped { .. })));
        word(
            "incoming",
            self.count(|e| matches!(e, EsmeEvent::MobileOriginated(_))),
        );
        let closed = self.events.iter().find_map(|e| match e {
            EsmeEvent::Closed(reason) => Some(format!("{reason:?}")),
            _ => None,
        });
        words.extend(closed);
        words.join(", ")
    }
}

const SECOND: u64 = 1_000_000;

fn message(text: &str) -> ShortMessage {
    ShortMessage {
        source: Address::sender("8000"),
        destination: Address::international("923001234567"),
        registered_delivery: pdu::REGISTERED_FINAL,
        octets: text.as_bytes().to_vec(),
        ..ShortMessage::default()
    }
}

fn esme_config() -> EsmeConfig {
    let bind = Bind {
        system_id: "raseed".into(),
        password: "secret".into(),
        ..Bind::default()
    };
    EsmeConfig {
        bind,
        window: 10,
        ..EsmeConfig::default()
    }
}

/// Twenty submits to a centre that misbehaves so; what comes of them.
fn check(name: &str, expected: &str, misbehave: impl FnOnce(&mut CentreConfig)) {
    let mut config = CentreConfig {
        receipt_timing: ReceiptTiming::Never,
        ..CentreConfig::default()
    };
    misbehave(&mut config);
    let mut link = Link::new(config, esme_config());
    for key in 0..20 {
        link.esme.submit(key, message("hello"), 0).unwrap();
    }
    link.run(25 * SECOND);
    assert_eq!(link.summary(), expected, "{name}");
}

#[test]
fn every_misbehaviour_is_survived() {
    check("none", "taken 20, accepted 20", |_| {});
    check("receipts", "taken 20, accepted 20, receipts 20", |c| {
        c.receipt_timing = ReceiptTiming::After;
    });
    check("receipts first", "taken 20, accepted 20, receipts 20", |c| {
        c.receipt_timing = ReceiptTiming::Before;
    });
    check("receipts twice", "taken 20, accepted 20, receipts 40", |c| {
        c.receipt_timing = ReceiptTiming::Twice;
    });
    check("slow", "taken 20, accepted 20", |c| {
        c.misbehaviour.response_delay_micros = SECOND;
    });
    check("slower than we wait", "taken 20, accepted 20, unknown 20", |c| {
        c.misbehaviour.response_delay_micros = 11 * SECOND;
    });
    check("throttles", "taken 20, accepted 20, throttled 6", |c| {
        c.misbehaviour.throttle_every = 4;
    });
    check("queue full", "taken 20, accepted 20, throttled 19", |c| {
        c.misbehaviour.queue_full_every = 2;
    });
    check("throttles everything", "throttled 90", |c| {
        c.misbehaviour.throttle_every = 1;
    });
    check("drops answers", "taken 20, accepted 16, unknown 4", |c| {
        c.misbehaviour.drop_response_every = 5;
    });
    check("generic_nack", "taken 16, accepted 16, rejected 4", |c| {
        c.misbehaviour.nack_every = 5;
    });
    check("rejects", "taken 16, accepted 16, rejected 4", |c| {
        c.misbehaviour.reject_every = 5;
    });
    check("garbage", "taken 20, accepted 20, skipped 5", |c| {
        c.misbehaviour.garbage_every = 4;
    });
    check(
        "unbinds",
        "taken 5, accepted 5, unknown 10, unsent 5, PeerUnbound",
        |c| {
            c.misbehaviour.unbind_after = 5;
        },
    );
    check(
        "bad command_length",
        "taken 5, accepted 5, unknown 10, unsent 5, StreamLost",
        |c| {
            c.misbehaviour.bad_length_after = 5;
        },
    );
    check("silent", "unsent 20, BindTimeout", |c| {
        c.misbehaviour.silent = true;
    });
    check("deliver before bind", "taken 20, accepted 20, incoming 1", |c| {
        c.misbehaviour.deliver_before_bind = true;
    });
    check("outbind", "taken 20, accepted 20, skipped 1", |c| {
        c.misbehaviour.outbind = true;
    });
    check("wrong password", "unsent 20, BindRefused(Status(14))", |c| {
        c.accounts = vec![("raseed".into(), "other".into())];
    });
    check("unknown system_id", "unsent 20, BindRefused(Status(15))", |c| {
        c.accounts = vec![("somebody".into(), "secret".into())];
    });
}

#[test]
fn receipts_of_every_shape_name_the_message() {
    let shapes = [
        ReceiptShape::TextAndTlv,
        ReceiptShape::Text,
        ReceiptShape::Tlv,
        ReceiptShape::Swapped,
        ReceiptShape::ShortText,
    ];
    let ids = [
        MessageIdShape::Decimal,
        MessageIdShape::Hexadecimal,
        MessageIdShape::Uuid,
        MessageIdShape::Constant("msg_id_not_implemented".into()),
    ];
    for (receipt_shape, message_id) in shapes.into_iter().flat_map(|s| ids.clone().map(|id| (s, id))) {
        let config = CentreConfig {
            receipt_shape,
            message_id,
            ..CentreConfig::default()
        };
        let mut link = Link::new(config, esme_config());
        link.esme.submit(1, message("hello"), 0).unwrap();
        link.run(SECOND);
        let accepted = link.events.iter().find_map(|e| match e {
            EsmeEvent::Accepted { message_id, .. } => Some(message_id.clone()),
            _ => None,
        });
        let receipt = link.events.iter().find_map(|e| match e {
            EsmeEvent::Receipt(receipt) => Some(receipt.clone()),
            _ => None,
        });
        let receipt = receipt.expect("a receipt");
        assert!(accepted.is_some());
        assert_eq!(receipt.message_id, accepted, "{receipt_shape:?}");
        assert_eq!(receipt.state, Some(DeliveryState::Delivered), "{receipt_shape:?}");
        let swapped = receipt_shape == ReceiptShape::Swapped;
        assert_eq!(receipt.source, if swapped { "8000" } else { "923001234567" });
    }
}

#[test]
fn the_window_bounds_what_is_outstanding() {
    let config = EsmeConfig {
        window: 3,
        queue_max: 5,
        ..esme_config()
    };
    let mut esme = Esme::new(config, 0);
    esme.poll_transmit().expect("the bind");
    let bound = Pdu {
        status: Status::OK,
        sequence: 1,
        body: Body::BindResp(BindMode::Transceiver, String::new()),
    };
    esme.handle_input(&pdu::encode(&bound).unwrap(), 0);
    for key in 0..8 {
        esme.submit(key, message("x"), 0).unwrap();
    }
    assert_eq!(esme.submit(8, message("x"), 0), Err(SubmitRefused::Full));
    assert_eq!(std::iter::from_fn(|| esme.poll_transmit()).count(), 3);
    let answer = Pdu {
        status: Status::OK,
        sequence: 2,
        body: Body::SubmitResp("1".into()),
    };
    esme.handle_input(&pdu::encode(&answer).unwrap(), 0);
    assert_eq!(std::iter::from_fn(|| esme.poll_transmit()).count(), 1);
    assert_eq!(esme.outstanding(), 7);
}

#[test]
fn the_rate_limit_holds() {
    let config = EsmeConfig {
        rate_per_second: Some(50),
        queue_max: 200,
        ..esme_config()
    };
    let mut link = Link::new(CentreConfig::default(), config);
    for key in 0..200 {
        link.esme.submit(key, message("x"), 0).unwrap();
    }
    link.run(2 * SECOND);
    let accepted = link.count(|e| matches!(e, EsmeEvent::Accepted { .. }));
    assert!(
        (100..=110).contains(&accepted),
        "{accepted} in two seconds at 50 a second"
    );
}

#[test]
fn throttling_backs_off_exponentially_and_recovers() {
    let mut backoff = pacing::Backoff::new(100, 1_000);
    assert_eq!(backoff.complain(0), 100);
    assert_eq!(backoff.complain(50), 100, "the echo of the same burst");
    assert_eq!(backoff.complain(100), 300);
    assert_eq!(backoff.complain(300), 700);
    assert_eq!(backoff.complain(700), 1_500);
    assert_eq!(backoff.complain(1_500), 2_500, "at most 1000");
    backoff.succeed(2_400);
    assert_eq!(
        backoff.complain(2_500),
        3_500,
        "success during the pause was on its way before"
    );
    backoff.succeed(3_500);
    assert_eq!(backoff.complain(3_600), 3_700);
}

#[test]
fn the_link_is_checked_both_ways_and_given_up_when_dead() {
    let mut link = Link::new(CentreConfig::default(), esme_config());
    link.run(100 * SECOND);
    assert_eq!(link.summary(), "", "a quiet link lives on");
    assert!(link.esme.is_bound());
    let enquiry = Pdu {
        status: Status::OK,
        sequence: 77,
        body: Body::EnquireLink,
    };
    link.esme
        .handle_input(&pdu::encode(&enquiry).unwrap(), link.now_micros);
    let answer = pdu::decode(&link.esme.poll_transmit().unwrap()).unwrap();
    assert_eq!((answer.sequence, answer.body), (77, Body::EnquireLinkResp));
    let silence = Misbehaviour {
        silent: true,
        ..Misbehaviour::default()
    };
    link.centre.set_config(CentreConfig {
        misbehaviour: silence,
        ..CentreConfig::default()
    });
    link.run(200 * SECOND);
    assert_eq!(link.summary(), "LinkDead");
}

#[test]
fn both_sides_can_unbind() {
    let mut link = Link::new(CentreConfig::default(), esme_config());
    link.run(SECOND);
    link.esme.unbind(SECOND);
    assert_eq!(
        link.esme.submit(1, message("x"), SECOND),
        Err(SubmitRefused::Closing)
    );
    link.run(2 * SECOND);
    assert_eq!(
        (link.summary().as_str(), link.centre_events.last()),
        ("Unbound", Some(&CentreEvent::Closed))
    );

    let mut link = Link::new(CentreConfig::default(), esme_config());
    link.run(SECOND);
    link.centre.unbind(SECOND);
    link.centre.handle_timeout(SECOND);
    link.run(2 * SECOND);
    assert_eq!(link.summary(), "PeerUnbound");
    assert_eq!(link.centre_events.last(), Some(&CentreEvent::Closed));
}

#[test]
fn a_message_from_a_handset_is_an_event_and_answered() {
    let mut link = Link::new(CentreConfig::default(), esme_config());
    link.run(SECOND);
    let mut incoming = message("BAL");
    incoming.esm_class = 1;
    assert!(link.centre.deliver(incoming.clone(), SECOND));
    link.centre.handle_timeout(SECOND);
    link.run(2 * SECOND);
    assert_eq!(link.events.last(), Some(&EsmeEvent::MobileOriginated(incoming)));
    assert_eq!(
        link.centre_events.last(),
        Some(&CentreEvent::DeliverAnswered { status: Status::OK })
    );
}

#[test]
fn a_bind_that_does_not_fit_is_said_and_not_sent() {
    let bind = Bind {
        password: "nine chars".into(),
        ..Bind::default()
    };
    let mut esme = Esme::new(
        EsmeConfig {
            bind,
            ..EsmeConfig::default()
        },
        0,
    );
    assert_eq!(
        esme.poll_event(),
        Some(EsmeEvent::Closed(ClosedReason::BadConfiguration))
    );
    assert_eq!(esme.poll_transmit(), None);
}

#[test]
fn one_bad_pdu_costs_one_pdu() {
    let good = pdu::encode(&Pdu {
        status: Status::OK,
        sequence: 5,
        body: Body::EnquireLink,
    })
    .unwrap();
    let long = u32::try_from(PDU_OCTETS_MAX + 100).unwrap();
    let mut stream = long.to_be_bytes().to_vec();
    stream.extend([0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 9]);
    stream.resize(PDU_OCTETS_MAX + 100, 0xaa);
    stream.extend(&good);
    stream.extend([0, 0, 0, 3]);
    let mut framer = Framer::default();
    let mut frames = Vec::new();
    for piece in stream.chunks(1_000) {
        framer.push(piece);
        frames.extend(std::iter::from_fn(|| framer.next_frame()));
    }
    assert_eq!(
        frames,
        [
            Frame::TooLong { sequence: 9 },
            Frame::Whole(good),
            Frame::Lost { command_length: 3 }
        ]
    );
}

#[test]
fn another_stack_reads_what_we_write_and_the_other_way_round() {
    let mut ours = message("salaam");
    ours.tlvs.user_message_reference = Some(77);
    ours.data_coding = 8;
    ours.esm_class = pdu::ESM_UDHI;
    let octets = pdu::encode(&Pdu {
        status: Status::OK,
        sequence: 12,
        body: Body::Submit(ours.clone()),
    })
    .unwrap();
    let theirs = smpp34::submit_sm::decode(their_header(&octets), &octets).unwrap();
    assert_eq!(theirs.source_addr, "8000");
    assert_eq!((theirs.dest_addr_ton, theirs.dest_addr_npi), (1, 1));
    assert_eq!(theirs.destination_addr, "923001234567");
    assert_eq!(
        (theirs.esm_class, theirs.registered_delivery, theirs.data_coding),
        (0x40, 1, 8)
    );
    assert_eq!(theirs.short_message, b"salaam");
    assert_eq!(theirs.tlvs.len(), 1);
    let back = pdu::decode(&theirs.clone().encode()).unwrap();
    assert_eq!((back.sequence, back.body), (12, Body::Submit(ours)));

    let answer = pdu::decode(&theirs.accept("5f1c-42".into()).encode()).unwrap();
    assert_eq!(
        (answer.sequence, answer.body),
        (12, Body::SubmitResp("5f1c-42".into()))
    );

    let bind = Bind {
        mode: BindMode::Transceiver,
        system_id: "raseed".into(),
        password: "secret".into(),
        system_type: "VMS".into(),
        address_range: "^92".into(),
    };
    let octets = pdu::encode(&Pdu {
        status: Status::OK,
        sequence: 3,
        body: Body::Bind(bind.clone()),
    })
    .unwrap();
    let theirs = smpp34::bind_transceiver::decode(their_header(&octets), &octets).unwrap();
    assert_eq!(
        (theirs.system_id.as_str(), theirs.password.as_str()),
        ("raseed", "secret")
    );
    assert_eq!(
        (theirs.system_type.as_str(), theirs.interface_version),
        ("VMS", 0x34)
    );
    assert_eq!(
        pdu::decode(&theirs.clone().encode()).unwrap().body,
        Body::Bind(bind)
    );
    let answer = pdu::decode(&theirs.accept("smsc".into(), Some(0x34)).encode()).unwrap();
    assert_eq!(answer.body, Body::BindResp(BindMode::Transceiver, "smsc".into()));
}

#[test]
fn an_empty_text_in_a_parameter_stays() {
    let mut empty = message("");
    empty.tlvs.message_payload = Some(Vec::new());
    let octets = pdu::encode(&Pdu {
        status: Status::OK,
        sequence: 1,
        body: Body::Deliver(empty.clone()),
    })
    .unwrap();
    assert_eq!(pdu::decode(&octets).unwrap().body, Body::Deliver(empty));
}

fn their_header(octets: &[u8]) -> smpp34::CommandHeader {
    smpp34::CommandHeader::decode(octets).unwrap()
}

fn any_short_message() -> impl Strategy<Value = ShortMessage> {
    let address = || {
        ("[A-Za-z0-9]{0,20}", any::<u8>(), any::<u8>()).prop_map(|(number, ton, npi)| Address {
            ton,
            npi,
            number,
        })
    };
    let tlvs = (
        any::<Option<u16>>(),
        proptest::option::of((any::<u16>(), 1..=255u8)),
        proptest::option::of(proptest::collection::vec(any::<u8>(), 0..2_000)),
        proptest::option::of("[!-~]{0,64}"),
        any::<Option<u8>>(),
        any::<Option<[u8; 2]>>(),
    );
    let tlvs = tlvs.prop_map(
        |(user_message_reference, sar, message_payload, id, message_state, its_session_info)| Tlvs {
            user_message_reference,
            sar: sar.map(|(reference, total)| crate::sms::ConcatenationReference {
                reference,
                total,
                number: total,
            }),
            message_payload,
            receipted_message_id: id,
            message_state,
            ussd_service_op: message_state,
            its_session_info,
        },
    );
    let octets = proptest::collection::vec(any::<u8>(), 0..=254);
    (address(), address(), any::<[u8; 3]>(), octets, tlvs).prop_map(
        |(source, destination, flags, octets, tlvs)| ShortMessage {
            source,
            destination,
            esm_class: flags[0],
            validity_period: String::new(),
            registered_delivery: flags[1],
            data_coding: flags[2],
            octets,
            tlvs,
        },
    )
}

proptest! {
    #[test]
    fn decode_gives_back_what_was_encoded(
        message in any_short_message(), sequence in any::<u32>(), status in any::<u32>(),
    ) {
        let pdu = Pdu { status: Status(status), sequence, body: Body::Deliver(message) };
        prop_assert_eq!(pdu::decode(&pdu::encode(&pdu).unwrap()).unwrap(), pdu);
    }

    #[test]
    fn no_octets_make_a_machine_panic(octets in proptest::collection::vec(any::<u8>(), 0..200), cut in 1..50usize) {
        let mut esme = Esme::new(esme_config(), 0);
        let mut centre = Centre::new(CentreConfig::default(), 1, 0);
        for piece in octets.chunks(cut) {
            esme.handle_input(piece, 0);
            centre.handle_input(piece, 0);
        }
    }

    #[test]
    fn no_framed_octets_make_a_machine_panic(
        id in prop_oneof![0..0x22u32, 0x102..0x114u32, 0x8000_0000..0x8000_0022u32, any::<u32>()],
        body in proptest::collection::vec(prop_oneof![Just(0u8), any::<u8>()], 0..120),
        sequence in 0..4u32,
    ) {
        let length = u32::try_from(body.len() + HEADER_OCTETS).unwrap();
        let header = [length, id, 0, sequence].map(u32::to_be_bytes).concat();
        let octets = [header, body].concat();
        let mut esme = Esme::new(esme_config(), 0);
        esme.submit(1, message("x"), 0).unwrap();
        let mut centre = Centre::new(CentreConfig::default(), 1, 0);
        for now in 0..3 {
            esme.handle_input(&octets, now);
            centre.handle_input(&octets, now);
            while esme.poll_transmit().is_some() {}
        }
    }
}

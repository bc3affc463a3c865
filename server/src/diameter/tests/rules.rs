//! What the answers must hold to: duplicates, several services, order, places and taxes, immediate events.

use charge::event::ChargedBy;
use charge::tax::RegionCode;
use sim::callserver::{MessageCentre, MessageCentreSettings};
use sim::gateway::{Attach, Gateway, GatewaySettings, Profile};
use wire::diameter::ResultCode;
use wire::diameter::credit::{CreditControlAnswer, FinalUnit, RequestedAction, TariffChangeUsage};

use super::*;

const INITIAL: (RequestType, u32) = (RequestType::Initial, 0);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn duplicates_get_the_same_answer_and_move_nothing() {
    let world = World::start().await;
    let phone = world.phone(PROOF, "100");
    let first = client(&world, "gw.client.example").await;
    let second = client(&world, "gw.client.example").await;
    let steps = [
        (INITIAL, (None, Some(1_000_000))),
        ((RequestType::Update, 1), (Some(700_000), Some(1_000_000))),
        ((RequestType::Termination, 2), (Some(300_000), None)),
    ];
    for (step, units) in steps {
        let mut request = data(&first, "gw;1;duplicate", &phone.msisdn, step, units);
        let answer = first.request(&request).await.unwrap();
        assert_eq!(answer.result_code(), ResultCode::SUCCESS);
        let (state, events) = (world.bytes(&phone), world.charged(&phone).len());
        let again = first.request(&request).await.unwrap();
        assert_ne!(
            answer.frame()[12..16],
            again.frame()[12..16],
            "a hop-by-hop identifier of its own"
        );
        assert_eq!(answer.without_hop_by_hop(), again.without_hop_by_hop());
        // On another connection, with the T flag, as after a failover.
        request.retransmitted = true;
        let resent = second.request(&request).await.unwrap();
        assert_eq!(answer.without_hop_by_hop(), resent.without_hop_by_hop());
        assert_eq!(world.bytes(&phone), state);
        assert_eq!(world.charged(&phone).len(), events);
    }
    assert_eq!(world.used(&phone), 1_000_000);
    assert_eq!(world.balance(&phone), "98.805");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_id_with_another_body_is_a_conflict_and_moves_nothing() {
    let world = World::start().await;
    let phone = world.phone(PROOF, "100");
    let client = client(&world, "gw.client.example").await;
    let open = data(
        &client,
        "gw;1;conflict",
        &phone.msisdn,
        INITIAL,
        (None, Some(1_000_000)),
    );
    assert_eq!(
        client.request(&open).await.unwrap().result_code(),
        ResultCode::SUCCESS
    );
    let state = world.bytes(&phone);
    let other = data(
        &client,
        "gw;1;conflict",
        &phone.msisdn,
        INITIAL,
        (None, Some(2_000_000)),
    );
    let refused = client.request(&other).await.unwrap();
    assert_eq!(refused.result_code(), ResultCode::UNABLE_TO_COMPLY);
    let base = refused.base().unwrap();
    assert!(base.error_message.is_some_and(|text| !text.is_empty()));
    assert_eq!(world.bytes(&phone), state);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_services_have_one_result_each() {
    let world = World::start().await;
    let phone = world.phone(PROOF, "100");
    let client = client(&world, "gw.client.example").await;
    let mut request = data(
        &client,
        "gw;1;services",
        &phone.msisdn,
        INITIAL,
        (None, Some(1_000_000)),
    );
    // Nobody with 100 can pay for one unit of group 7.
    request.services.push(service(7, None, Some(1_000_000)));
    let mut identified = service(1, None, Some(2_000_000));
    identified.service_identifiers.extend([501, 502]);
    request.services.push(identified);
    let answer = client.request(&request).await.unwrap();
    let credit = answer.credit().unwrap();
    assert_eq!(credit.result_code, ResultCode::SUCCESS);
    let results: Vec<_> = credit
        .services
        .iter()
        .map(|service| {
            (
                service.rating_group,
                service.service_identifiers.to_vec(),
                service.result_code,
            )
        })
        .collect();
    let (success, no_credit) = (Some(ResultCode::SUCCESS), Some(ResultCode::CREDIT_LIMIT_REACHED));
    assert_eq!(
        results,
        [
            (Some(1), vec![], success),
            (Some(7), vec![], no_credit),
            (Some(1), vec![501, 502], success),
        ]
    );
    let grants = credit.services.iter().map(|service| service.granted.is_some());
    assert_eq!(grants.collect::<Vec<_>>(), [true, false, true]);

    // Several used units in one service are added up, and each service is reported on its own.
    let update = (RequestType::Update, 1);
    let mut request = data(
        &client,
        "gw;1;services",
        &phone.msisdn,
        update,
        (Some(100_000), Some(1_000_000)),
    );
    let more = service(1, Some(50_000), None).used[0];
    request.services[0].used.push(more);
    assert_eq!(
        client.request(&request).await.unwrap().result_code(),
        ResultCode::SUCCESS
    );
    assert_eq!(world.used(&phone), 150_000);
    let end = (RequestType::Termination, 2);
    let mut request = data(&client, "gw;1;services", &phone.msisdn, end, (Some(1_000), None));
    let mut identified = service(1, Some(2_000), None);
    identified.service_identifiers.extend([501, 502]);
    request.services.push(identified);
    assert_eq!(
        client.request(&request).await.unwrap().result_code(),
        ResultCode::SUCCESS
    );
    assert_eq!(world.used(&phone), 153_000);
    let account = world.account(&phone);
    assert!(account.lots.iter().all(|lot| lot.reserved.0 == 0));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_that_share_a_quota_are_answered_once() {
    let world = World::start().await;
    let phone = world.phone(PROOF, "100");
    let client = client(&world, "gw.client.example").await;
    let asked = |used, asked, identifiers: [u32; 2]| {
        let mut service = service(1, used, asked);
        service.service_identifiers.extend(identifiers);
        service
    };
    let session = "gw;1;shared";
    let reserved = |world: &World| {
        let lots = world.account(&phone).lots;
        lots.iter().map(|lot| lot.reserved.0).sum::<i64>()
    };
    let mut request = data(&client, session, &phone.msisdn, INITIAL, (None, None));
    request.services.clear();
    request.services.push(asked(None, Some(1_000_000), [501, 502]));
    request.services.push(asked(None, Some(2_000_000), [501, 503]));
    let answer = client.request(&request).await.unwrap();
    let credit = answer.credit().unwrap();
    assert_eq!(credit.services.len(), 1, "one quota, one result");
    assert_eq!(credit.services[0].service_identifiers[..], [501, 502, 503]);
    assert_eq!(granted(&answer), Some(2_000_000), "what was asked last");
    // 2,000 pulses of 0.001 and 19.5 percent.
    assert_eq!(reserved(&world), 2_390_000);

    let update = (RequestType::Update, 1);
    let mut request = data(&client, session, &phone.msisdn, update, (None, None));
    request.services.clear();
    request
        .services
        .push(asked(Some(600_000), Some(3_000_000), [503, 501]));
    request.services.push(asked(Some(400_000), None, [502, 501]));
    let answer = client.request(&request).await.unwrap();
    let credit = answer.credit().unwrap();
    assert_eq!(credit.services.len(), 1);
    assert_eq!(credit.services[0].service_identifiers[..], [503, 501, 502]);
    assert_eq!(granted(&answer), Some(3_000_000), "silence is no request");
    assert_eq!(world.used(&phone), 1_000_000, "each report counts");
    assert_eq!(reserved(&world), 3_585_000);

    let end = (RequestType::Termination, 2);
    let request = data(&client, session, &phone.msisdn, end, (None, None));
    assert_eq!(
        client.request(&request).await.unwrap().result_code(),
        ResultCode::SUCCESS
    );
    assert_eq!(reserved(&world), 0);
    assert_eq!(world.balance(&phone), "98.805");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_quotas_of_a_request_are_counted_and_not_its_services() {
    let world = World::start().await;
    let phone = world.phone(PROOF, "100");
    let client = client(&world, "gw.client.example").await;
    let session = "gw;1;counted";
    let opened = data(&client, session, &phone.msisdn, INITIAL, (None, Some(1_000_000)));
    client.request(&opened).await.unwrap();
    // Forty reports of one quota, as a gateway tells that was long without us, and one request.
    let update = (RequestType::Update, 1);
    let mut request = data(&client, session, &phone.msisdn, update, (None, Some(1_000_000)));
    request
        .services
        .extend((0..40).map(|_| service(1, Some(10_000), None)));
    let answer = client.request(&request).await.unwrap();
    assert_eq!(answer.result_code(), ResultCode::SUCCESS);
    assert_eq!(answer.credit().unwrap().services.len(), 1);
    assert_eq!(granted(&answer), Some(1_000_000));
    assert_eq!(world.used(&phone), 400_000);
    // As many quotas are more than a session has: all is refused, the session goes on.
    let before = world.bytes(&phone);
    let update = (RequestType::Update, 2);
    let mut request = data(&client, session, &phone.msisdn, update, (None, None));
    request.services = (1..=40).map(|group| service(group, None, Some(1_000))).collect();
    let answer = client.request(&request).await.unwrap();
    assert_eq!(answer.result_code(), ResultCode::RESOURCES_EXCEEDED);
    assert_eq!(world.bytes(&phone), before);
    let end = (RequestType::Termination, 3);
    let request = data(&client, session, &phone.msisdn, end, (Some(100_000), None));
    let answer = client.request(&request).await.unwrap();
    assert_eq!(answer.result_code(), ResultCode::SUCCESS);
    assert_eq!(world.used(&phone), 500_000);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_requests_of_a_session_may_be_on_their_way_in_any_order() {
    let world = World::start().await;
    let phone = world.phone(PROOF, "100");
    let client = client(&world, "gw.client.example").await;
    let open = data(
        &client,
        "gw;1;order",
        &phone.msisdn,
        INITIAL,
        (None, Some(1_000_000)),
    );
    client.request(&open).await.unwrap();
    let mut waiting = Vec::new();
    for number in [4u32, 2, 3, 1, 6, 5] {
        let units = (Some(1_000 * u64::from(number)), Some(1_000_000));
        let step = (RequestType::Update, number);
        let request = data(&client, "gw;1;order", &phone.msisdn, step, units);
        let mut frame = Vec::new();
        request.encode(&mut frame);
        waiting.push((number, client.send_frame(frame).await.unwrap()));
    }
    for (number, answer) in waiting {
        let answer = answer.await.unwrap();
        let credit = answer.credit().unwrap();
        assert_eq!(
            (credit.result_code, credit.request_number),
            (ResultCode::SUCCESS, number)
        );
        assert_eq!(credit.session_id, "gw;1;order");
    }
    assert_eq!(world.used(&phone), 21_000);
    let end = data(
        &client,
        "gw;1;order",
        &phone.msisdn,
        (RequestType::Termination, 7),
        (Some(0), None),
    );
    assert_eq!(
        client.request(&end).await.unwrap().result_code(),
        ResultCode::SUCCESS
    );
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_update_of_no_session_is_told_so_and_nothing_moves() {
    let world = World::start().await;
    let phone = world.phone(PROOF, "100");
    let client = client(&world, "gw.client.example").await;
    let update = data(
        &client,
        "gw;1;none",
        &phone.msisdn,
        (RequestType::Update, 3),
        (Some(5_000), Some(1)),
    );
    let before = world.bytes(&phone);
    let answer = client.request(&update).await.unwrap();
    assert_eq!(answer.result_code(), ResultCode::UNKNOWN_SESSION_ID);
    assert_eq!(world.bytes(&phone), before);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscriber_is_found_by_number_or_sim_and_strangers_are_unknown() {
    let world = World::start().await;
    let phone = world.phone(PROOF, "100");
    let client = client(&world, "gw.client.example").await;
    let known = [
        (SubscriptionIdType::E164, phone.msisdn.clone()),
        (SubscriptionIdType::E164, format!("+{}", phone.msisdn)),
        (SubscriptionIdType::Imsi, phone.imsi.clone()),
        (
            SubscriptionIdType::SipUri,
            format!("sip:+{}@ims.example", phone.msisdn),
        ),
    ];
    for (index, (kind, text)) in known.iter().enumerate() {
        let session = format!("gw;1;known{index}");
        let mut request = data(&client, &session, "", INITIAL, (None, Some(1_000)));
        request.subscriptions[0] = SubscriptionId {
            kind: *kind,
            data: text,
        };
        let answer = client.request(&request).await.unwrap();
        assert_eq!(answer.result_code(), ResultCode::SUCCESS, "{kind:?}");
    }
    let strangers = [
        (SubscriptionIdType::E164, "923909999999"),
        (SubscriptionIdType::Imsi, "410999999999999"),
        (SubscriptionIdType::E164, "not a number"),
        (SubscriptionIdType::Private, "somebody"),
    ];
    for (index, (kind, text)) in strangers.iter().enumerate() {
        let session = format!("gw;1;stranger{index}");
        let mut request = data(&client, &session, "", INITIAL, (None, Some(1_000)));
        request.subscriptions[0] = SubscriptionId {
            kind: *kind,
            data: text,
        };
        let answer = client.request(&request).await.unwrap();
        assert_eq!(answer.result_code(), ResultCode::USER_UNKNOWN, "{text}");
        assert_eq!(answer.credit().unwrap().session_id, session);
    }
    let mut nobody = data(&client, "gw;1;nobody", "", INITIAL, (None, Some(1_000)));
    nobody.subscriptions.clear();
    let answer = client.request(&nobody).await.unwrap();
    assert_eq!(answer.result_code(), ResultCode::USER_UNKNOWN);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_place_decides_the_price_and_the_area_decides_the_tax() {
    let world = World::start().await;
    let gateway = Gateway::connect(world.address, GatewaySettings::new(Profile::Standard, REALM))
        .await
        .unwrap();
    // 1,000,000 octets are 1,000 pulses of 0.001 before tax at home, 0.01 abroad.
    let cases = [
        ("41099", 1_001, "98.805", "PK-PB"),
        ("41099", 31_500, "99.00", "PK-GB"),
        ("42402", 1_001, "90.00", "PK-PB"),
        // The area codes of a network abroad are not ours.
        ("42402", 31_500, "90.00", "PK-PB"),
    ];
    for (network, area, balance, region) in cases {
        let phone = world.phone(PROOF, "100");
        let place = Attach {
            area,
            ..Attach::new(&phone.imsi, None, network)
        };
        let mut session = gateway.open(place).await.unwrap();
        session.use_data(1_000_000).await.unwrap();
        session.close().await.unwrap();
        assert_eq!(world.balance(&phone), balance, "{network} {area}");
        assert_eq!(
            world.account(&phone).region,
            RegionCode::new(region).unwrap(),
            "{network} {area}"
        );
    }
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_centre_debits_refunds_checks_and_asks() {
    let world = World::start().await;
    let phone = world.phone(PROOF, "7");
    let centre = MessageCentre::connect(world.address, MessageCentreSettings::new(REALM))
        .await
        .unwrap();
    let to = "923001234567";
    let price = centre.enquire_price(&phone.msisdn, to, 3).await.unwrap();
    assert_eq!(price.result_code(), ResultCode::SUCCESS);
    let cost = price.credit().unwrap().cost.unwrap().amount;
    assert_eq!(
        (cost.digits, cost.exponent, cost.currency),
        (6_000_000, -6, Some(RUPEE))
    );
    for (messages, enough) in [(3, true), (4, false)] {
        let checked = centre.check_balance(&phone.msisdn, to, messages).await.unwrap();
        let credit = checked.credit().unwrap();
        assert_eq!(
            (credit.result_code, credit.enough_credit),
            (ResultCode::SUCCESS, Some(enough))
        );
    }
    assert_eq!(world.balance(&phone), "7.00");
    let debited = centre.debit(&phone.msisdn, to, 2).await.unwrap();
    let credit = debited.credit().unwrap();
    assert_eq!(credit.result_code, ResultCode::SUCCESS);
    assert_eq!(credit.granted.unwrap().units.specific, Some(2));
    assert_eq!(credit.remaining_balance.unwrap().digits, 3_000_000);
    assert_eq!(world.balance(&phone), "3.00");
    let refused = centre.debit(&phone.msisdn, to, 2).await.unwrap();
    assert_eq!(refused.result_code(), ResultCode::CREDIT_LIMIT_REACHED);
    let refunded = centre.refund(&phone.msisdn, to, 1).await.unwrap();
    assert_eq!(refunded.result_code(), ResultCode::SUCCESS);
    assert_eq!(world.balance(&phone), "5.00");
    // More than was taken is never given back.
    let greedy = centre.refund(&phone.msisdn, to, 2).await.unwrap();
    assert_eq!(greedy.result_code(), ResultCode::END_USER_SERVICE_DENIED);
    assert_eq!(world.balance(&phone), "5.00");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn units_outside_of_a_service_are_answered_outside_of_one() {
    let world = World::start().await;
    let phone = world.phone(PROOF, "0.5");
    let client = client(&world, "gw.client.example").await;
    let mut request = data(&client, "gw;1;plain", &phone.msisdn, INITIAL, (None, None));
    request.services.clear();
    request.multiple_services = None;
    request.requested = Some(octets(1_000_000));
    let answer = client.request(&request).await.unwrap();
    let credit: CreditControlAnswer<'_> = answer.credit().unwrap();
    assert!(credit.services.is_empty());
    assert_eq!(
        credit.granted.unwrap().units.octets(),
        Some(418_000),
        "the rest, exactly"
    );
    assert_eq!(credit.final_unit, Some(FinalUnit::Terminate));
    assert_eq!(credit.low_balance, Some(true));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_action_of_an_event_alone_decides_whether_money_moves() {
    let world = World::start().await;
    let phone = world.phone(PROOF, "100");
    let centre = MessageCentre::connect(world.address, MessageCentreSettings::new(REALM))
        .await
        .unwrap();
    for action in [RequestedAction::CheckBalance, RequestedAction::PriceEnquiry] {
        let before = world.bytes(&phone);
        centre
            .event(action, &phone.msisdn, "923001234567", 1)
            .await
            .unwrap();
        assert_eq!(world.bytes(&phone), before);
    }
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_of_a_request_that_race_are_charged_once() {
    let world = World::start().await;
    let phone = world.phone(PROOF, "100");
    let clients = [
        client(&world, "gw.client.example").await,
        client(&world, "gw.client.example").await,
    ];
    let steps = [
        (INITIAL, (None, Some(1_000_000))),
        ((RequestType::Update, 1), (Some(400_000), Some(1_000_000))),
        ((RequestType::Termination, 2), (Some(100_000), None)),
    ];
    for (step, units) in steps {
        let request = data(&clients[0], "gw;1;race", &phone.msisdn, step, units);
        let mut frame = Vec::new();
        request.encode(&mut frame);
        let mut waiting = Vec::new();
        for copy in 0..20 {
            waiting.push(clients[copy % 2].send_frame(frame.clone()).await.unwrap());
        }
        let mut answers = Vec::new();
        for answer in waiting {
            answers.push(answer.await.unwrap().without_hop_by_hop());
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "all copies have one answer");
    }
    assert_eq!(world.used(&phone), 500_000);
    assert_eq!(world.charged(&phone).len(), 3);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_tariff_is_told_to_those_who_understand_it() {
    let world = World::start().await;
    // Half an hour before one in Karachi: the change is inside the Validity-Time of an hour.
    let karachi = charge::time::Zone::fixed("Asia/Karachi", 5 * 3600);
    let now = world.engine.now();
    let midnight = karachi.day_start(karachi.day_number(now) + 1);
    world
        .clock
        .advance(midnight.0 - now.0 + 30 * charge::time::MINUTE);
    let phone = world.phone(PROOF, "100");
    let client = client(&world, "gw.client.example").await;
    let request = data(
        &client,
        "gw;1;change",
        &phone.msisdn,
        INITIAL,
        (None, Some(1 << 20)),
    );
    let answer = client.request(&request).await.unwrap();
    let credit = answer.credit().unwrap();
    let granted = credit.services[0].granted.unwrap();
    assert_eq!(
        granted.tariff_time_change.map(|at| at.0),
        Some(midnight.seconds() + 3_600)
    );
    assert_eq!(credit.services[0].quota_holding_time_s, Some(300));

    // Open5GS does not know it: its grant ends with the tariff.
    let gateway = Gateway::connect(world.address, GatewaySettings::new(Profile::Open5gs, REALM))
        .await
        .unwrap();
    let session = gateway
        .open(Attach::new(&phone.imsi, None, "41099"))
        .await
        .unwrap();
    let validity_s = session.log()[0].validity_time_s;
    assert!(
        validity_s.is_some_and(|seconds| seconds <= 30 * 60),
        "{validity_s:?}"
    );

    // A minute after the change: what is reported for before it costs the price of then.
    world.clock.advance(31 * charge::time::MINUTE);
    // A turn of the partition that began before the jump decides with the time of its beginning: let it end.
    world.account(&phone);
    let end = (RequestType::Termination, 1);
    let mut request = data(&client, "gw;1;change", &phone.msisdn, end, (None, None));
    request.services[0].used = [
        (300_000, TariffChangeUsage::Before),
        (200_000, TariffChangeUsage::After),
    ]
    .map(|(count, side)| UsedUnits {
        units: octets(count),
        tariff_change: Some(side),
        ..UsedUnits::default()
    })
    .into_iter()
    .collect();
    let answer = client.request(&request).await.unwrap();
    assert_eq!(answer.result_code(), ResultCode::SUCCESS);
    let charged = world.charged(&phone).pop().unwrap();
    let rows: Vec<_> = charged.parts[0]
        .charges
        .iter()
        .map(|charge| match &charge.by {
            ChargedBy::Tariff(priced) => (priced.tariff.as_str().to_owned(), charge.units.0),
            other => panic!("{other:?}"),
        })
        .collect();
    let row = |code: &str, units| (code.to_owned(), units);
    assert_eq!(rows, [row("data", 300_000), row("data-night", 200_000)]);
    world.finish().await;
}

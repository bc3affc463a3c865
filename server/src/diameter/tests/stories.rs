//! Sessions as real networks run them: Open5GS, Kamailio, a gateway that follows the specifications.

use std::time::Duration;

use charge::command::ChargeKind;
use charge::event::ChargedBy;
use charge::time::{HOUR, MINUTE};
use sim::callserver::{Call, CallEnd, CallServer, CallServerSettings};
use sim::gateway::{Attach, Gateway, GatewayError, GatewaySettings, Profile};
use wire::diameter::ResultCode;
use wire::diameter::credit::{ReportingReason, RequestType};

use super::*;
use sim::gateway::session::{Final, Gate};

async fn gateway(world: &World, profile: Profile) -> Gateway {
    Gateway::connect(world.address, GatewaySettings::new(profile, REALM))
        .await
        .unwrap()
}

async fn call_server(world: &World) -> CallServer {
    CallServer::connect(world.address, CallServerSettings::new(REALM))
        .await
        .unwrap()
}

fn attach(phone: &Phone) -> Attach {
    Attach {
        area: 1001,
        ..Attach::new(&phone.imsi, Some(&phone.msisdn), "41099")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn open5gs_uses_five_megabytes_and_every_octet_is_accounted() {
    let world = World::start().await;
    let phone = world.phone(PROOF, "10");
    world.buy(&phone, "five-megabytes");
    let gateway = gateway(&world, Profile::Open5gs).await;
    let mut session = gateway.open(attach(&phone)).await.unwrap();
    let carried = session.use_data(20_000_000).await.unwrap();
    assert_eq!(carried, 5_000_920);
    assert!(!session.is_open());
    let log = session.log();
    let kinds: Vec<RequestType> = log.iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds[0], RequestType::Initial);
    assert_eq!(kinds[1..5], [RequestType::Update; 4]);
    assert_eq!(kinds[5..], [RequestType::Termination]);
    assert!(log.iter().all(|entry| entry.result == ResultCode::SUCCESS));
    let grants: Vec<Option<u64>> = log.iter().map(|entry| entry.granted_octets).collect();
    let million = Some(1_000_000);
    assert_eq!(
        grants,
        [
            million,
            million,
            million,
            million,
            Some(5_000_000 - 4 * 1_000_680),
            None
        ]
    );
    let last: Vec<bool> = log.iter().map(|entry| entry.final_unit.is_some()).collect();
    assert_eq!(last, [false, false, false, false, true, false]);
    assert_eq!(log[4].final_unit, Some(Final::Terminate));
    // Only a short Validity-Time lets this peer see a recharge in time.
    assert!(
        log[..5]
            .iter()
            .any(|entry| entry.validity_time_s.is_some_and(|s| s <= 60))
    );

    assert_eq!(world.used(&phone), 5_000_920);
    let beyond: i64 = world
        .charged(&phone)
        .iter()
        .flat_map(|charged| &charged.parts)
        .flat_map(|part| &part.charges)
        .filter(|charge| matches!(charge.by, ChargedBy::Uncovered(_)))
        .map(|charge| charge.units.0)
        .sum();
    assert_eq!(beyond, 920, "used beyond the grant: shown, not dropped");
    assert_eq!(world.balance(&phone), "0.00");
    let account = world.account(&phone);
    assert!(
        account
            .lots
            .iter()
            .all(|lot| lot.reserved.0 == 0 && lot.amount.0 == 0)
    );

    let refused = gateway.open(attach(&phone)).await;
    let code = ResultCode::CREDIT_LIMIT_REACHED;
    assert!(
        matches!(refused, Err(GatewayError::Refused(refused)) if refused == code),
        "{refused:?}"
    );
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn open5gs_sees_a_recharge_when_its_validity_ends() {
    let world = World::start().await;
    let phone = world.phone(PROOF, "10");
    world.buy(&phone, "five-megabytes");
    let gateway = gateway(&world, Profile::Open5gs).await;
    let mut session = gateway.open(attach(&phone)).await.unwrap();
    session.use_data(3_100_000).await.unwrap();
    assert_eq!(session.log().len(), 4);
    world.recharge(&phone, "100", "r1");
    session.expire_validity().await.unwrap();
    session.use_data(6_000_000).await.unwrap();
    assert!(session.is_open(), "the recharge came before the last grant");
    session.close().await.unwrap();
    assert_eq!(world.used(&phone), 9_100_000);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_real_catalog_grants_and_reports_at_the_threshold() {
    let world = World::start().await;
    let phone = world.phone(JAZZ, "1000");
    let gateway = gateway(&world, Profile::Standard).await;
    let home = Attach {
        area: 1001,
        ..Attach::new(&phone.imsi, Some(&phone.msisdn), "41001")
    };
    let mut session = gateway.open(home).await.unwrap();
    session.use_data(30_000_000).await.unwrap();
    session.close().await.unwrap();
    let log = session.log();
    assert!(log[0].threshold_octets.is_some_and(|threshold| threshold > 0));
    assert!(
        log.iter()
            .any(|entry| entry.reason == Some(ReportingReason::Threshold))
    );
    assert_eq!(world.used(&phone), 30_000_000);
    // Rs 5 per MB by pulses of 512 KB: 30,000,000 octets are 58 pulses of Rs 2.50, however they were reported.
    assert_eq!(world.balance(&phone), "855.00");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kamailio_talks_until_the_money_ends() {
    let world = World::start().await;
    let (phone, other) = (world.phone(PROOF, "39"), world.phone(PROOF, "0"));
    let calls = call_server(&world).await;
    let call = Call::new(&phone.msisdn, &format!("+{}", other.msisdn), 600).from_cell("41099", 1_001);
    let record = calls.call(&call).await.unwrap();
    assert_eq!((record.end, record.talked_s), (CallEnd::Cut, 40));
    assert!(record.log[0].request_octets > 800);
    let steps: Vec<_> = record
        .log
        .iter()
        .map(|entry| (entry.used_s, entry.granted_s, entry.is_final))
        .collect();
    assert_eq!(
        steps,
        [
            (None, Some(30), false),
            (Some(0), Some(30), false),
            (Some(25), Some(14), true),
            (Some(15), None, false),
        ]
    );
    assert_eq!(
        world.used(&phone),
        40,
        "one second more than granted is accounted"
    );
    assert_eq!(world.balance(&phone), "0.00");

    // No credit: 4012 on the INVITE. The T that follows all the same is told that there is no such session.
    let before = world.bytes(&phone);
    let refused = calls.call(&call).await.unwrap();
    assert_eq!(refused.end, CallEnd::Refused(ResultCode::CREDIT_LIMIT_REACHED));
    assert_eq!(refused.log.len(), 2);
    assert_eq!(
        refused.log[1].result,
        ResultCode::UNKNOWN_SESSION_ID,
        "it never opened"
    );
    assert_eq!(world.bytes(&phone), before);
    assert_eq!(world.used(&phone), 40);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_nobody_answers_is_free() {
    let world = World::start().await;
    let phone = world.phone(PROOF, "100");
    let calls = call_server(&world).await;
    // This destination has a set-up fee.
    let ringing = Call {
        is_answered: false,
        ..Call::new(&phone.msisdn, "+923812345678", 600).from_cell("41099", 1_001)
    };
    let record = calls.call(&ringing).await.unwrap();
    assert_eq!(record.end, CallEnd::NotAnswered);
    assert_eq!(world.balance(&phone), "100.00");
    let answered = Call {
        is_answered: true,
        talk_s: 10,
        ..ringing
    };
    let record = calls.call(&answered).await.unwrap();
    assert_eq!((record.end, record.talked_s), (CallEnd::HungUp, 10));
    assert_eq!(world.balance(&phone), "85.00");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_legs_of_a_call_are_charged_each_to_its_own() {
    let world = World::start().await;
    let (caller, called) = (world.phone(PROOF, "100"), world.phone(PROOF, "7"));
    let calls = call_server(&world).await;
    let call = Call::new(&caller.msisdn, &format!("+{}", called.msisdn), 33).from_cell("41099", 1_001);
    let (originating, terminating) = calls.call_on_net(&call).await.unwrap();
    assert_eq!((originating.talked_s, terminating.talked_s), (33, 33));
    assert_eq!(world.balance(&caller), "67.00");
    assert_eq!(world.balance(&called), "7.00", "received calls are free at home");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recharge_brings_a_redirected_user_back() {
    let world = World::start().await;
    let phone = world.phone(REDIRECT, "0.001195");
    let gateway = gateway(&world, Profile::Standard).await;
    let home = Attach {
        area: 1001,
        ..Attach::new(&phone.imsi, Some(&phone.msisdn), "41098")
    };
    let mut session = gateway.open(home).await.unwrap();
    let carried = session.use_data(500_000).await.unwrap();
    assert_eq!(
        carried, 1_240,
        "one thousand octets were paid, one packet went through"
    );
    let page = Gate::Redirected("http://topup.example/".to_owned());
    assert_eq!(session.gate(Some(1)), Some(&page));
    assert!(session.is_open());

    world.recharge(&phone, "100", "r1");
    assert!(session.await_reauth(Duration::from_secs(10)).await.unwrap());
    assert_eq!(session.gate(Some(1)), Some(&Gate::Open));
    assert_eq!(session.use_data(500_000).await.unwrap(), 500_000);
    session.close().await.unwrap();
    assert_eq!(world.used(&phone), 501_240);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restricted_user_goes_where_the_filter_lets_him() {
    let world = World::start().await;
    let phone = world.phone(RESTRICT, "0.001195");
    let gateway = gateway(&world, Profile::Standard).await;
    let home = Attach {
        area: 1001,
        ..Attach::new(&phone.imsi, Some(&phone.msisdn), "41097")
    };
    let mut session = gateway.open(home).await.unwrap();
    let last = Final::Restrict(vec!["topup-only".to_owned()]);
    assert_eq!(session.log()[0].final_unit, Some(last));
    assert_eq!(session.use_data(500_000).await.unwrap(), 1_240);
    let garden = Gate::Restricted(vec!["topup-only".to_owned()]);
    assert_eq!(session.gate(Some(1)), Some(&garden));
    assert!(session.is_open());
    world.recharge(&phone, "100", "r1");
    assert!(session.await_reauth(Duration::from_secs(10)).await.unwrap());
    assert_eq!(session.gate(Some(1)), Some(&Gate::Open));
    session.close().await.unwrap();
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_peer_that_honours_it_is_asked_to_report() {
    let world = World::start().await;
    let phone = world.phone(PROOF, "100");
    let standard = gateway(&world, Profile::Standard).await;
    let open5gs = gateway(&world, Profile::Open5gs).await;
    let mut honours = standard.open(attach(&phone)).await.unwrap();
    let mut ignores = open5gs.open(attach(&phone)).await.unwrap();
    world.recharge(&phone, "100", "r1");
    assert!(honours.await_reauth(Duration::from_secs(10)).await.unwrap());
    assert!(!ignores.await_reauth(Duration::from_millis(200)).await.unwrap());
    honours.close().await.unwrap();
    ignores.close().await.unwrap();
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_nobody_ends_is_released() {
    let world = World::start().await;
    let phone = world.phone(PROOF, "100");
    let gateway = gateway(&world, Profile::Standard).await;
    let mut session = gateway.open(attach(&phone)).await.unwrap();
    session.use_data(1_500_000).await.unwrap();
    gateway.client().cut().await;
    assert_ne!(
        world.balance(&phone),
        world.account(&phone).main_total(world.engine.now()).exact()
    );
    world.clock.advance(HOUR + 30 * MINUTE);
    assert!(
        !world.account(&phone).sessions[0].closed,
        "validity and supervision are an hour each"
    );
    world.clock.advance(HOUR);
    world
        .eventually("the session is closed", |world| {
            world
                .account(&phone)
                .sessions
                .iter()
                .all(|session| session.closed)
        })
        .await;
    let closing = world.charged(&phone).pop().unwrap();
    assert_eq!(closing.kind, ChargeKind::Supervision);
    assert_eq!(
        world.balance(&phone),
        world.account(&phone).main_total(world.engine.now()).exact()
    );
    world.finish().await;
}

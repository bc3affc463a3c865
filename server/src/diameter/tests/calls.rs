//! What holds for calls: the place of the phone, both contexts of IMS, thresholds in seconds, an end before the beginning
//! is answered.

use charge::event::ChargedBy;
use charge::tax::RegionCode;
use sim::callserver::{Call, CallEnd, CallServer, CallServerSettings, Leg};
use wire::diameter::ResultCode;
use wire::diameter::credit::{
    ApplicationIds, ImsInformation, RoleOfNode, ServiceContext, ServiceInformation, VendorApplication,
};

use super::*;

const INITIAL: (RequestType, u32) = (RequestType::Initial, 0);
const IMS: &str = "32260@3gpp.org";
const MMTEL: &str = "32275@3gpp.org";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cell_of_a_call_decides_its_price_and_its_tax() {
    let world = World::start().await;
    let calls = CallServer::connect(world.address, CallServerSettings::new(REALM))
        .await
        .unwrap();
    // Ten seconds at 1 at home with the tax inside, at 10 abroad; received for 0 and for 5.
    let cases = [
        (Leg::Originating, "41099", 1_001, "90.00", "PK-PB"),
        (Leg::Originating, "41099", 31_500, "90.00", "PK-GB"),
        (Leg::Originating, "42402", 31_500, "0.00", "PK-PB"),
        (Leg::Terminating, "41099", 1_001, "100.00", "PK-PB"),
        (Leg::Terminating, "42402", 1_001, "50.00", "PK-PB"),
    ];
    for (leg, plmn, area, balance, region) in cases {
        let (phone, other) = (world.phone(PROOF, "100"), world.phone(PROOF, "0"));
        let (caller, called) = match leg {
            Leg::Originating => (&phone, &other),
            Leg::Terminating => (&other, &phone),
        };
        let call = Call {
            leg,
            ..Call::new(&caller.msisdn, &format!("+{}", called.msisdn), 10).from_cell(plmn, area)
        };
        let record = calls.call(&call).await.unwrap();
        let what = format!("{leg:?} {plmn} {area}");
        assert_eq!((record.end, record.talked_s), (CallEnd::HungUp, 10), "{what}");
        assert_eq!(world.balance(&phone), balance, "{what}");
        assert_eq!(
            world.account(&phone).region,
            RegionCode::new(region).unwrap(),
            "{what}"
        );
        let charged = world.charged(&phone);
        let mut charges = charged
            .iter()
            .flat_map(|charged| &charged.parts)
            .flat_map(|part| &part.charges);
        let taxed = charges.any(|charge| matches!(charge.by, ChargedBy::Tariff(row) if row.tax.0 > 0));
        let is_taxed = leg == Leg::Originating && plmn == "41099" && region == "PK-PB";
        assert_eq!(taxed, is_taxed, "{what}");
    }
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_contexts_of_calls_are_charged() {
    let world = World::start().await;
    let client = client(&world, "as.client.example").await;
    for context in [IMS, MMTEL] {
        let phone = world.phone(PROOF, "100");
        let session = format!("as;1;{context}");
        let steps = [
            (INITIAL, (None, Some(30)), Some(30)),
            ((RequestType::Update, 1), (Some(30), Some(30)), Some(30)),
            ((RequestType::Termination, 2), (Some(12), None), None),
        ];
        for (step, units, expected) in steps {
            let mut request = voice(&client, &session, &phone.msisdn, step, units);
            request.service_context = ServiceContext::new(context);
            let answer = client.request(&request).await.unwrap();
            assert_eq!(answer.result_code(), ResultCode::SUCCESS, "{context}");
            assert_eq!(seconds(&answer), expected, "{context}");
        }
        assert_eq!(world.used(&phone), 42, "{context}");
        assert_eq!(world.balance(&phone), "58.00", "{context}");
    }
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_real_catalog_tells_when_to_report_a_call() {
    let world = World::start().await;
    let phone = world.phone(JAZZ, "1000");
    let client = client(&world, "as.client.example").await;
    let open = voice(
        &client,
        "as;1;threshold",
        &phone.msisdn,
        INITIAL,
        (None, Some(60)),
    );
    let answer = client.request(&open).await.unwrap();
    let credit = answer.credit().unwrap();
    let service = &credit.services[0];
    assert_eq!(seconds(&answer), Some(60));
    // A tenth of the grant; the catalog knows no holding time for calls.
    assert_eq!(service.time_quota_threshold_s, Some(6));
    assert_eq!(service.volume_quota_threshold_octets, None);
    assert_eq!(service.quota_holding_time_s, None);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_right_behind_the_beginning_leaves_nothing_reserved() {
    let world = World::start().await;
    let client = client(&world, "scscf.client.example").await;
    // Each has a called party that the directory was never asked for, so that the first request has to wait.
    for round in 0..20 {
        let (phone, other) = (world.phone(PROOF, "100"), world.phone(PROOF, "0"));
        let session = format!("scscf;1;hurried{round}");
        let called = format!("sip:+{}@ims.example", other.msisdn);
        let mut waiting = Vec::new();
        for (step, units) in [
            (INITIAL, (None, Some(30))),
            ((RequestType::Termination, 1), (Some(0), None)),
        ] {
            let mut request = voice(&client, &session, &phone.msisdn, step, units);
            request.application = ApplicationIds {
                auth: None,
                vendor: Some(VendorApplication {
                    vendor: Some(10_415),
                    auth: Some(4),
                    acct: None,
                }),
            };
            let ims = request
                .service_information
                .as_mut()
                .and_then(|info| info.ims.as_mut());
            ims.unwrap().called_party = Some(&called);
            let mut frame = Vec::new();
            request.encode(&mut frame);
            waiting.push(client.send_frame(frame).await.unwrap());
        }
        for answer in waiting {
            assert_eq!(answer.await.unwrap().result_code(), ResultCode::SUCCESS);
        }
        let account = world.account(&phone);
        assert!(account.sessions.iter().all(|session| session.closed));
        assert!(account.lots.iter().all(|lot| lot.reserved.0 == 0));
        assert_eq!(world.balance(&phone), "100.00");
    }
    world.finish().await;
}

/// A call within the network for one rating group: `used` and `asked` seconds.
fn voice<'a>(
    client: &'a Client,
    session_id: &'a str,
    msisdn: &'a str,
    step: (RequestType, u32),
    (used, asked): (Option<u32>, Option<u32>),
) -> CreditControlRequest<'a> {
    let units = |count| ServiceUnits {
        time_s: Some(count),
        ..ServiceUnits::default()
    };
    let mut request = data(client, session_id, msisdn, step, (None, None));
    request.service_context = ServiceContext::new(IMS);
    let service = &mut request.services[0];
    service.requested = asked.map(units);
    let used = used.map(|count| UsedUnits {
        units: units(count),
        ..UsedUnits::default()
    });
    service.used = used.into_iter().collect();
    request.service_information = Some(ServiceInformation {
        ims: Some(ImsInformation {
            role_of_node: Some(RoleOfNode::Originating),
            called_party: Some("sip:+923451234567@ims.example"),
            ..ImsInformation::default()
        }),
        ..ServiceInformation::default()
    });
    request
}

/// Seconds granted to the first service of an answer.
fn seconds(answer: &Answer) -> Option<u32> {
    let credit = answer.credit().unwrap();
    credit.services.first()?.granted?.units.time_s
}

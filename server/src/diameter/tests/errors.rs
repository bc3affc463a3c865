//! What is wrong with a request, and the exact Result-Code and Failed-AVP that say so. Nothing changes.

use sim::diameter::RawConnection;
use wire::diameter::avp::{AvpIter, AvpKey, flag, key};
use wire::diameter::credit::Enumerated;
use wire::diameter::{CommandCode, CommandFlags, Message, MessageId, ResultCode, Writer};

use super::*;

const REQUEST: u8 = CommandFlags::REQUEST | CommandFlags::PROXIABLE;
const ID: MessageId = MessageId {
    hop_by_hop: 0x11,
    end_to_end: 0x22,
};

/// What an error answer says.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    code: u32,
    has_error_bit: bool,
    failed: Option<AvpKey>,
}

fn said(code: ResultCode, has_error_bit: bool, failed: Option<AvpKey>) -> Said {
    Said {
        code: code.0,
        has_error_bit,
        failed,
    }
}

struct Case<'w> {
    world: &'w World,
    raw: RawConnection,
}

impl Case<'_> {
    async fn ask(&mut self, octets: &[u8]) -> Said {
        self.raw.send(octets).await.unwrap();
        let answer = self.raw.next_answer().await.unwrap().expect("an answer");
        let base = answer.base().unwrap();
        assert_eq!(base.origin_host, HOST);
        assert_eq!(base.id, ID, "the identifiers of the request");
        let failed = base.failed_avp.and_then(|octets| AvpIter::new(octets).next());
        Said {
            code: base.result_code.0,
            has_error_bit: base.error,
            failed: failed.map(|avp| avp.unwrap().key),
        }
    }
}

/// A good request that `change` spoils.
fn spoiled(phone: &Phone, change: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    written(CommandCode::CREDIT_CONTROL, 4, |w| {
        w.str(key::SESSION_ID, "gw;1;error");
        w.str(key::ORIGIN_HOST, "raw.client.example");
        w.str(key::ORIGIN_REALM, "client.example");
        w.str(key::DESTINATION_REALM, REALM);
        w.u32(key::AUTH_APPLICATION_ID, 4);
        w.str(key::SERVICE_CONTEXT_ID, "32251@3gpp.org");
        w.i32(key::CC_REQUEST_TYPE, RequestType::Initial.code());
        w.u32(key::CC_REQUEST_NUMBER, 0);
        w.group(key::SUBSCRIPTION_ID, |w| {
            w.i32(key::SUBSCRIPTION_ID_TYPE, 0);
            w.str(key::SUBSCRIPTION_ID_DATA, &phone.msisdn);
        });
        change(w);
    })
}

fn written(command: CommandCode, application: u32, fill: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = Writer::begin(&mut out, command, REQUEST, application, ID);
    fill(&mut writer);
    writer.finish();
    out
}

fn raw_avp(code: u32, flags: u8, length: u32, value: &[u8]) -> Vec<u8> {
    let mut avp = code.to_be_bytes().to_vec();
    avp.extend_from_slice(&length.to_be_bytes());
    avp[4] = flags;
    avp.extend_from_slice(value);
    avp
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_mistake_has_its_code() {
    let world = World::start().await;
    let phone = world.phone(PROOF, "100");
    let settings = sim::diameter::settings("raw.client.example", "client.example", "test");
    let raw = RawConnection::open(world.address, settings).await.unwrap();
    let mut case = Case { world: &world, raw };
    let before = case.world.bytes(&phone);

    let foreign = written(CommandCode::CREDIT_CONTROL, 16_777_238, |w| {
        w.str(key::SESSION_ID, "gw;1;gx");
    });
    let unsupported = said(ResultCode::APPLICATION_UNSUPPORTED, true, None);
    assert_eq!(case.ask(&foreign).await, unsupported);

    let strange = written(CommandCode(8_388_635), 4, |w| w.str(key::SESSION_ID, "gw;1;x"));
    assert_eq!(
        case.ask(&strange).await,
        said(ResultCode::COMMAND_UNSUPPORTED, true, None)
    );

    // A mandatory AVP that nobody knows, at the top and inside of a group.
    let unknown = AvpKey::new(0, 9_999);
    let request = spoiled(&phone, |w| w.u32(unknown, 1));
    assert_eq!(
        case.ask(&request).await,
        said(ResultCode::AVP_UNSUPPORTED, false, Some(unknown))
    );
    let request = spoiled(&phone, |w| {
        w.group(key::MULTIPLE_SERVICES_CREDIT_CONTROL, |w| w.u32(unknown, 1));
    });
    assert_eq!(case.ask(&request).await.code, ResultCode::AVP_UNSUPPORTED.0);
    // The same without the M bit is passed over: the subscriber is charged.
    let optional = raw_avp(9_999, 0, 12, &[0; 4]);
    let vendor = raw_avp(1, flag::VENDOR, 16, &[0, 0, 0xbe, 0xef, 0, 0, 0, 0]);

    // Lengths that do not fit their AVP.
    let short = raw_avp(key::CC_TIME.code(), flag::MANDATORY, 10, &[0, 0, 0, 0]);
    let request = spoiled(&phone, |w| {
        w.group(key::REQUESTED_SERVICE_UNIT, |w| w.raw(&short));
    });
    assert_eq!(
        case.ask(&request).await,
        said(ResultCode::INVALID_AVP_LENGTH, false, Some(key::CC_TIME))
    );
    let beyond = raw_avp(key::USER_NAME.code(), flag::MANDATORY, 4_000, b"name");
    let request = spoiled(&phone, |w| w.raw(&beyond));
    assert_eq!(
        case.ask(&request).await,
        said(ResultCode::INVALID_AVP_LENGTH, false, Some(key::USER_NAME))
    );

    // Values without meaning, an AVP too many, one missing.
    let request = spoiled(&phone, |w| w.i32(key::REQUESTED_ACTION, 77));
    assert_eq!(
        case.ask(&request).await,
        said(ResultCode::INVALID_AVP_VALUE, false, Some(key::REQUESTED_ACTION))
    );
    let request = spoiled(&phone, |w| w.u32(key::CC_REQUEST_NUMBER, 1));
    assert_eq!(
        case.ask(&request).await,
        said(
            ResultCode::AVP_OCCURS_TOO_MANY_TIMES,
            false,
            Some(key::CC_REQUEST_NUMBER)
        )
    );
    let request = written(CommandCode::CREDIT_CONTROL, 4, |w| {
        w.str(key::SESSION_ID, "gw;1;error");
        w.str(key::ORIGIN_HOST, "raw.client.example");
        w.str(key::ORIGIN_REALM, "client.example");
        w.str(key::DESTINATION_REALM, REALM);
        w.u32(key::AUTH_APPLICATION_ID, 4);
        w.i32(key::CC_REQUEST_TYPE, 1);
        w.u32(key::CC_REQUEST_NUMBER, 0);
    });
    assert_eq!(
        case.ask(&request).await,
        said(ResultCode::MISSING_AVP, false, Some(key::SERVICE_CONTEXT_ID))
    );

    // A header that says both request and error; a version that is not ours.
    let mut request = spoiled(&phone, |_| {});
    request[4] |= CommandFlags::ERROR;
    assert_eq!(case.ask(&request).await.code, ResultCode::INVALID_HDR_BITS.0);
    let mut request = spoiled(&phone, |_| {});
    request[0] = 2;
    assert_eq!(case.ask(&request).await.code, ResultCode::UNSUPPORTED_VERSION.0);

    // A context that names nothing, with units that name nothing.
    let request = written(CommandCode::CREDIT_CONTROL, 4, |w| {
        w.str(key::SESSION_ID, "gw;1;error");
        w.str(key::ORIGIN_HOST, "raw.client.example");
        w.str(key::ORIGIN_REALM, "client.example");
        w.str(key::DESTINATION_REALM, REALM);
        w.u32(key::AUTH_APPLICATION_ID, 4);
        w.str(key::SERVICE_CONTEXT_ID, "nothing@example.org");
        w.i32(key::CC_REQUEST_TYPE, 1);
        w.u32(key::CC_REQUEST_NUMBER, 0);
    });
    assert_eq!(
        case.ask(&request).await,
        said(ResultCode::RATING_FAILED, false, None)
    );
    assert_eq!(case.world.bytes(&phone), before, "nothing has changed");

    // After all that, the same connection serves.
    let request = spoiled(&phone, |w| {
        w.raw(&optional);
        w.raw(&vendor);
        w.group(key::MULTIPLE_SERVICES_CREDIT_CONTROL, |w| {
            w.group(key::REQUESTED_SERVICE_UNIT, |_| {});
            w.u32(key::RATING_GROUP, 1);
        });
    });
    assert_eq!(case.ask(&request).await, said(ResultCode::SUCCESS, false, None));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_length_that_cannot_be_ends_the_connection() {
    let world = World::start().await;
    let phone = world.phone(PROOF, "100");
    for length in [[0u8, 0, 16], [0, 0, 22], [0xff, 0xff, 0xfc]] {
        let settings = sim::diameter::settings("raw.client.example", "client.example", "test");
        let mut raw = RawConnection::open(world.address, settings).await.unwrap();
        let mut request = spoiled(&phone, |_| {});
        request[1..4].copy_from_slice(&length);
        raw.send(&request).await.unwrap();
        let answer = raw.next_answer().await.unwrap().expect("an answer");
        assert_eq!(answer.result_code(), ResultCode::INVALID_MESSAGE_LENGTH);
        assert!(raw.next().await.unwrap().is_none(), "then the connection ends");
    }
    assert!(world.charged(&phone).is_empty());
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_gets_its_proxy_info_back_and_may_speak_for_others() {
    let world = World::start().await;
    let phone = world.phone(PROOF, "100");
    let relay = client(&world, "relay.client.example").await;
    let mut first = raw_avp(284, flag::MANDATORY, 0, &[]);
    first.extend_from_slice(&raw_avp(280, flag::MANDATORY, 8 + 16, b"relay1.example.a"));
    first.extend_from_slice(&raw_avp(33, flag::MANDATORY, 8 + 3, b"abc\0"));
    let length = u32::try_from(first.len()).unwrap();
    first[5..8].copy_from_slice(&length.to_be_bytes()[1..]);
    let mut second = first.clone();
    second[16..32].copy_from_slice(b"relay2.example.b");

    let step = (RequestType::Initial, 0);
    let mut request = data(&relay, "pgw;1;relayed", &phone.msisdn, step, (None, Some(1_000)));
    request.origin_host = "pgw.behind.example";
    request.origin_realm = "behind.example";
    request.proxy_infos.extend([first.as_slice(), second.as_slice()]);
    request
        .route_records
        .extend(["pgw.behind.example", "relay1.example.a"]);
    let answer = relay.request(&request).await.unwrap();
    let credit = answer.credit().unwrap();
    assert_eq!(credit.result_code, ResultCode::SUCCESS);
    assert_eq!(
        credit.proxy_infos.as_slice(),
        [first.as_slice(), second.as_slice()],
        "in the same order"
    );
    let has_route = Message::parse(answer.frame())
        .unwrap()
        .avps()
        .any(|avp| avp.unwrap().key == key::ROUTE_RECORD);
    assert!(
        !has_route,
        "a Route-Record belongs to requests (RFC 6733 section 6.7.1)"
    );

    // Error answers find their way back too.
    request.session_id = "pgw;1;stranger";
    request.subscriptions[0].data = "923909999999";
    let answer = relay.request(&request).await.unwrap();
    assert_eq!(answer.result_code(), ResultCode::USER_UNKNOWN);
    assert_eq!(answer.credit().unwrap().proxy_infos.len(), 2);

    // What the server asks of the gateway goes to the relay, addressed to the gateway.
    let mut notices = relay.notices();
    world.recharge(&phone, "100", "r1");
    let asked = tokio::time::timeout(std::time::Duration::from_secs(10), notices.recv()).await;
    let asked = asked.unwrap().unwrap();
    assert!(
        matches!(asked, sim::diameter::Notice::ReAuth { session_id, .. } if session_id == "pgw;1;relayed")
    );
    world.finish().await;
}

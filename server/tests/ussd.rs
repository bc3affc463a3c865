//! USSD over HTTP, at the socket: menu in three languages, buying once, bad input, a crash between command and answer.

mod harness;

use harness::{Api, PATIENCE, Place, Server};
use serde_json::{Value, json};
use wire::ussd::fits;

const AYESHA: &str = "923001234567";
const SECRET: &str = "a-secret-of-the-gateway";

const GATEWAYS: &str = "[ussd.http.joined]\nlisten = '127.0.0.1:0'\nsecret = 'a-secret-of-the-gateway'\n\
                        [ussd.http.steps]\nlisten = '127.0.0.1:0'\nshape = 'steps'\n";

/// A gateway's side.
struct Gateway {
    agent: ureq::Agent,
    url: String,
    secret: Option<&'static str>,
}

impl Gateway {
    fn of(server: &Server, name: &str, secret: Option<&'static str>) -> Gateway {
        let address = server
            .ussd
            .iter()
            .find_map(|line| line.strip_prefix(&format!("{name} ")));
        Gateway {
            agent: ureq::Agent::config_builder()
                .http_status_as_error(false)
                .timeout_global(Some(PATIENCE))
                .build()
                .new_agent(),
            url: format!("http://{}/", address.expect("it listens")),
            secret,
        }
    }

    fn post(&self, kind: &str, body: &str) -> (u16, String) {
        let mut request = self.agent.post(&self.url).header("content-type", kind);
        if let Some(secret) = self.secret {
            request = request.header("authorization", format!("Bearer {secret}"));
        }
        let mut answer = request.send(body).expect("an answer");
        let text = answer.body_mut().read_to_string().unwrap();
        (answer.status().as_u16(), text)
    }

    /// As a gateway with the whole input sends it.
    fn joined(&self, session: &str, number: &str, code: &str, text: &str) -> String {
        let encode = |text: &str| text.replace('*', "%2A").replace('#', "%23").replace('+', "%2B");
        let body = format!(
            "sessionId={session}&phoneNumber={number}&serviceCode={}&text={}",
            encode(code),
            encode(text)
        );
        let (status, text) = self.post("application/x-www-form-urlencoded", &body);
        assert_eq!(status, 200, "{text}");
        let page = text.split_once(' ').expect("CON or END").1;
        assert!(fits(page), "{page}");
        text
    }

    /// As a gateway with one input at a time sends it.
    fn step(&self, asked: &Value) -> (u16, Value) {
        let (status, text) = self.post("application/json", &asked.to_string());
        (status, serde_json::from_str(&text).expect("JSON"))
    }
}

/// A server with a subscriber who has Rs 100.
fn started(extra: &str) -> (Place, Server, Api) {
    let place = Place::new(&format!("{GATEWAYS}{extra}"));
    let server = place.serve();
    let api = Api::new(&server.url, server.key.as_deref().unwrap());
    api.done(
        "/v1/subscribers",
        "open",
        &json!({"msisdn": AYESHA, "operator": "jazz", "balance": "100", "imsi": "410011234567890"}),
    );
    (place, server, api)
}

fn balance(api: &Api) -> String {
    let seen = api.see(&format!("/v1/subscribers/{AYESHA}/balance"));
    seen["main"].as_str().unwrap().to_owned()
}

#[test]
fn the_balance_and_a_bundle_over_the_whole_input() {
    let (_place, server, api) = started("");
    let gateway = Gateway::of(&server, "joined", Some(SECRET));
    let said = gateway.joined("s1", "+923001234567", "*111#", "");
    let mut lines = said.lines();
    let line = lines.next().unwrap();
    let (amount, day) = line.rsplit_once(' ').unwrap();
    assert_eq!(amount, "END PKR 100.00", "the line for programs");
    assert!(
        day.len() == 10 && day.split('-').all(|part| part.parse::<u32>().is_ok()),
        "{line}"
    );
    assert!(lines.next().unwrap().contains("Rs 100.00"), "{said}");
    assert!(
        gateway
            .joined("s2", AYESHA, "*111#", "2")
            .starts_with("END You have no bundle"),
        "*111*2#"
    );
    assert!(gateway.joined("s3", AYESHA, "*99#", "").contains("0300 1234567"));

    // A bundle by its code: page, question, bought; asked twice, bought once.
    let page = gateway.joined("s4", AYESHA, "*757#", "");
    assert!(page.starts_with("CON Daily Extreme, Rs 35.00"), "{page}");
    let sure = gateway.joined("s4", AYESHA, "*757#", "1");
    assert!(
        sure.contains("Buy Daily Extreme for Rs 35.00? Left: Rs 65.00."),
        "{sure}"
    );
    let bought = gateway.joined("s4", AYESHA, "*757#", "1*1");
    assert!(bought.starts_with("END Daily Extreme is active"), "{bought}");
    assert_eq!(gateway.joined("s4", AYESHA, "*757#", "1*1"), bought);
    assert_eq!(balance(&api), "65.00");
    assert!(
        gateway
            .joined("s5", AYESHA, "*111#", "2")
            .starts_with("END Data: 2 GB until")
    );
    // Typed in one go, and refused where the money is short.
    let short = gateway.joined("s6", AYESHA, "*700#", "1");
    assert!(
        short.starts_with("END Weekly All in One costs Rs 320.00. Your balance is Rs 65.00."),
        "{short}"
    );
    assert_eq!(balance(&api), "65.00");
}

#[test]
fn a_crash_between_purchase_and_answer_buys_once() {
    let (place, server, api) = started("");
    let gateway = Gateway::of(&server, "joined", Some(SECRET));
    gateway.joined("c1", AYESHA, "*757#", "");
    gateway.joined("c1", AYESHA, "*757#", "1");
    // The answer of this one is thrown away: the gateway never heard it.
    gateway.joined("c1", AYESHA, "*757#", "1*1");
    assert_eq!(balance(&api), "65.00");
    let key = server.key.clone().unwrap();
    server.kill();
    let server = place.serve();
    let gateway = Gateway::of(&server, "joined", Some(SECRET));
    let again = gateway.joined("c1", AYESHA, "*757#", "1*1");
    assert!(again.starts_with("END Daily Extreme is active"), "{again}");
    let api = Api::new(&server.url, &key);
    assert_eq!(balance(&api), "65.00", "bought once");
    // One input at a time: the session is gone, and nothing is bought by guessing where it was.
    let steps = Gateway::of(&server, "steps", None);
    let (status, said) =
        steps.step(&json!({"session": "x", "msisdn": AYESHA, "stage": "continue", "input": "1"}));
    assert_eq!((status, said["stage"].as_str()), (200, Some("end")));
    assert_eq!(said["text"], "This took too long. Please dial again.");
    assert_eq!(balance(&api), "65.00");
    assert_eq!(server.terminate(), 0);
    let audit = place.run_here(&["audit"]);
    assert_eq!(audit.code, 0, "{audit:?}");
}

#[test]
fn one_input_at_a_time_in_json_and_xml() {
    let (_place, server, api) = started("");
    let gateway = Gateway::of(&server, "steps", None);
    let ask = |stage: &str, input: &str, step: u32| {
        let asked = json!({"session": "a", "msisdn": AYESHA, "stage": stage, "input": input, "step": step});
        let (status, said) = gateway.step(&asked);
        assert_eq!(status, 200, "{said}");
        assert!(fits(said["text"].as_str().unwrap()), "{said}");
        (
            said["stage"].as_str().unwrap().to_owned(),
            said["text"].as_str().unwrap().to_owned(),
        )
    };
    let (stage, menu) = ask("begin", "*443#", 0);
    assert_eq!(stage, "continue");
    assert!(menu.starts_with("Jazz\n1 Balance\n"), "{menu}");
    assert!(ask("continue", "8", 1).1.contains("\u{2066}2\u{2069} اردو"));
    let (stage, said) = ask("continue", "2", 2);
    assert_eq!(
        (stage.as_str(), said.as_str()),
        ("end", "اب پیغام اور مینو اردو میں ہیں۔")
    );
    assert_eq!(
        ask("continue", "2", 2).1,
        said,
        "the same step again is the same answer"
    );
    let (_, menu) = ask("begin", "*443#", 0);
    assert!(
        menu.contains("بیلنس") && menu.ends_with("\u{2066}98\u{2069} مزید"),
        "{menu}"
    );
    let (_, rest) = ask("continue", "98", 1);
    assert!(rest.contains("ایڈوانس") || rest.contains("98"), "{rest}");
    assert!(
        ask("begin", "*111#", 0).1.starts_with("PKR 100.00 20"),
        "the same line in every language"
    );
    ask("begin", "*443#", 0);
    let (_, said) = ask("end", "", 1);
    assert_eq!(said, "");
    let (stage, said) = ask("continue", "1", 2);
    assert_eq!(
        (stage.as_str(), said.as_str()),
        ("end", "This took too long. Please dial again.")
    );

    let xml = |stage: &str, input: &str| {
        let body = format!(
            "<?xml version=\"1.0\"?><COMMAND><SESSION>b</SESSION><MSISDN>{AYESHA}</MSISDN><STAGE>{stage}</STAGE>\
             <INPUT>{input}</INPUT></COMMAND>"
        );
        gateway.post("text/xml", &body)
    };
    let (status, said) = xml("begin", "*111#");
    assert_eq!(status, 200);
    assert!(said.contains("<STAGE>end</STAGE><TEXT>PKR 100.00 20"), "{said}");
    assert_eq!(xml("nonsense", "*111#").0, 400);
    assert_eq!(balance(&api), "100.00");
}

#[test]
fn bad_input_moves_nothing_and_says_so() {
    let (_place, server, api) = started("");
    let stranger = Gateway::of(&server, "joined", None);
    let good = format!("sessionId=1&phoneNumber={AYESHA}&serviceCode=%2A757%23&text=1%2A1");
    let form = "application/x-www-form-urlencoded";
    let (status, said) = stranger.post(form, &good);
    assert_eq!((status, said.as_str()), (401, "END This gateway is not known."));
    let wrong = Gateway {
        secret: Some("another-secret-of-16"),
        ..Gateway::of(&server, "joined", None)
    };
    assert_eq!(wrong.post(form, &good).0, 401);
    let gateway = Gateway::of(&server, "joined", Some(SECRET));
    for body in [
        "",
        "x",
        "sessionId=1",
        "sessionId=&phoneNumber=1&serviceCode=2",
        &"x".repeat(7_000),
    ] {
        let (status, said) = gateway.post(form, body);
        assert_eq!(
            (status, said.as_str()),
            (400, "END This request cannot be read."),
            "{body}"
        );
    }
    let (status, said) = gateway.post(form, "sessionId=1&phoneNumber=nobody&serviceCode=%2A111%23");
    assert_eq!((status, said.as_str()), (422, "END This is not a phone number"));
    let said = gateway.joined("n", "923339999999", "*111#", "");
    assert_eq!(said, "END This number is not served here");
    assert!(
        gateway
            .joined("u", AYESHA, "*9876#", "")
            .starts_with("END This code is not known. Everything: *443#")
    );
    assert!(
        gateway
            .joined("w", AYESHA, "*443#", "77")
            .starts_with("CON Not on the list.\nJazz\n")
    );
    assert!(gateway.joined("p", AYESHA, "*123#", "12345").starts_with("END "));
    let sold = gateway.joined("q", AYESHA, "*500#", "03001234567*ten*1234");
    assert!(sold.starts_with("END "), "{sold}");
    let long = "1*".repeat(200);
    assert!(gateway.joined("l", AYESHA, "*443#", &long).starts_with("END "));
    let steps = Gateway::of(&server, "steps", None);
    for body in [
        "",
        "{",
        "[]",
        "{\"session\":1}",
        "{\"session\":\"a\",\"msisdn\":\"923001234567\",\"stage\":\"x\"}",
    ] {
        let (status, said) = steps.post("application/json", body);
        assert_eq!(status, 400, "{said}");
        assert!(said.contains("\"stage\":\"end\""), "{said}");
    }
    assert_eq!(balance(&api), "100.00");
}

/// Asks over TLS, with a client certificate or without; the answer's text, or none when no connection comes about.
async fn over_tls(address: &str, ca: &str, client: Option<(&str, &str)>) -> Option<String> {
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(ca.as_bytes()).unwrap())
        .unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match client {
        Some((certificate, key)) => builder
            .with_client_auth_cert(
                vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
            )
            .unwrap(),
        None => builder.with_no_client_auth(),
    };
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
    let mut stream = connector
        .connect(ServerName::try_from("localhost").unwrap(), stream)
        .await
        .ok()?;
    let body = format!("sessionId=t&phoneNumber={AYESHA}&serviceCode=%2A99%23&text=");
    let request = format!(
        "POST / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/x-www-form-urlencoded\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned())
}

#[test]
fn a_gateway_shows_a_certificate() {
    let key = || rcgen::KeyPair::generate().unwrap();
    let ca_key = key();
    let mut ca = rcgen::CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let root = ca.self_signed(&ca_key).unwrap().pem();
    let issuer = rcgen::Issuer::new(ca, ca_key);
    let signed = |key: &rcgen::KeyPair| {
        let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.signed_by(key, &issuer).unwrap().pem()
    };
    let (server_key, client_key, stranger_key) = (key(), key(), key());
    let stranger = rcgen::CertificateParams::new(vec!["localhost".to_owned()])
        .unwrap()
        .self_signed(&stranger_key)
        .unwrap();
    let (_place, server, _api) = {
        let dir = tempfile::tempdir().unwrap().keep();
        let write = |name: &str, text: &str| {
            let path = dir.join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let extra = format!(
            "[ussd.http.tls]\nlisten = '127.0.0.1:0'\ntls_certificate = '{}'\ntls_key = '{}'\nclient_ca = '{}'\n",
            write("server.pem", &signed(&server_key)),
            write("server.key", &server_key.serialize_pem()),
            write("ca.pem", &root)
        );
        let up = started(&extra);
        std::fs::remove_dir_all(&dir).unwrap();
        up
    };
    let address = server
        .ussd
        .iter()
        .find_map(|line| line.strip_prefix("tls "))
        .unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (certificate, client_key) = (signed(&client_key), client_key.serialize_pem());
    let known = runtime.block_on(over_tls(address, &root, Some((&certificate, &client_key))));
    assert_eq!(known.as_deref(), Some("END Your number is 0300 1234567."));
    let nobody = runtime.block_on(over_tls(address, &root, None));
    assert_eq!(nobody, None, "without a certificate nothing is answered");
    let (certificate, key) = (stranger.pem(), stranger_key.serialize_pem());
    let stranger = runtime.block_on(over_tls(address, &root, Some((&certificate, &key))));
    assert_eq!(stranger, None, "nor with somebody else's");
}

#[test]
fn a_scratch_card_works_from_any_handset_once() {
    let place = Place::new("");
    let made = place
        .run(&["cards", "key", "--out", "printer.key", "--json"])
        .json();
    let public = made["public_key"].as_str().unwrap();
    place.configure(&format!(
        "{GATEWAYS}[cards]\nprinters = {{ press = '{public}' }}\n"
    ));
    let server = place.serve();
    let key = server.key.clone().unwrap();
    let api = Api::new(&server.url, &key);
    let open = json!({"msisdn": AYESHA, "operator": "jazz", "balance": "100"});
    api.done("/v1/subscribers", "open", &open);
    let sealed = place.path("batch.sealed");
    for command in [
        &[
            "generate",
            "jazz",
            "100",
            "20",
            "--expires",
            "2099-01-01",
            "--printer",
            "press",
        ][..],
        &["export", "1", "--out", sealed.to_str().unwrap()],
        &["ship", "1", "--dealer", "lahore-1"],
        &["activate", "1", "--dealer", "lahore-1"],
    ] {
        let ran = server.run(&key, &[&["cards"], command].concat());
        assert_eq!(ran.code, 0, "{ran:?}");
    }
    let opened = place.run(&[
        "cards",
        "open",
        "batch.sealed",
        "--key",
        "printer.key",
        "--out",
        "batch.csv",
    ]);
    assert_eq!(opened.code, 0, "{opened:?}");
    let text = std::fs::read_to_string(place.path("batch.csv")).unwrap();
    let pin = text.lines().nth(1).unwrap().split_once(',').unwrap().1;

    let gateway = Gateway::of(&server, "joined", Some(SECRET));
    let said = gateway.joined("k1", AYESHA, "*123#", pin);
    assert!(
        said.starts_with("END Card of Rs 100.00: Rs 86.96 added. Balance Rs 186.96 until"),
        "{said}"
    );
    assert_eq!(balance(&api), "186.956522");
    // The same card again, by the menu this time: told what it did, and nothing moves.
    assert!(
        gateway
            .joined("k2", AYESHA, "*443#", "5")
            .starts_with("CON Type the digits")
    );
    let again = gateway.joined("k2", AYESHA, "*443#", &format!("5*{pin}"));
    assert!(again.starts_with("END "), "{again}");
    let wrong: String = pin.chars().rev().collect();
    let said = gateway.joined("k3", AYESHA, "*123#", &wrong);
    assert!(said.starts_with("END ") && !said.contains("added"), "{said}");
    assert_eq!(balance(&api), "186.956522");
    assert_eq!(server.terminate(), 0);
    assert_eq!(place.run_here(&["audit"]).code, 0);
}

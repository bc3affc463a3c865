//! The command line of the real binary: exit codes, JSON, and errors that say what to do.

mod harness;

use harness::{Place, Ran, Server, raseed};
use serde_json::{Value, json};

/// A thread that touches new memory does not wait for two megabytes of it to be cleared.
#[cfg(target_os = "linux")]
#[test]
fn the_server_does_without_huge_pages() {
    let place = Place::new("");
    let server = place.serve();
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let huge_pages = status.lines().find_map(|line| line.strip_prefix("THP_enabled:"));
    match huge_pages {
        Some(enabled) => assert_eq!(enabled.trim(), "0", "{status}"),
        None => eprintln!("SKIPPED: this kernel does not tell whether a process has huge pages"),
    }
    assert_eq!(server.terminate(), 0);
}

/// A message on standard error for each mistake in the configuration: file, line, column, and what is wrong.
#[test]
fn mistakes_in_the_configuration_are_told_with_their_place() {
    for (text, told) in [
        ("port = 80\n", "raseed.toml:1:1: unknown field `port`"),
        (
            "[http]\nlisten = ['here']\n",
            "raseed.toml:2:11: invalid socket address",
        ),
        (
            "[engine]\ncache_mib = 'much'\n",
            "raseed.toml:2:13: invalid type: string",
        ),
        (
            "[engine]\npartitions = 2000\n",
            "engine.partitions must be 1 to 1024",
        ),
        ("log = 'loud=very=odd'\n", "log `loud=very=odd`"),
        ("[sms.orange]\n", "sms.orange: there is no operator `orange`"),
        (
            "[catalogs]\ndir = 'none'\n",
            "read the catalog none: No such file",
        ),
        ("[diameter]\ntls_key = 'key.pem'\n", "belong together"),
        (
            "[http]\nlisten = ['127.0.0.1:0']\n[diameter]\nlisten = []\nlisten_tls = ['127.0.0.1:0']\ntls_key = 'k'\ntls_certificate = 'c'\n",
            "diameter.tls_certificate",
        ),
    ] {
        let place = Place::new("");
        std::fs::write(place.config(), text).unwrap();
        place
            .run(&["serve", "--config", "raseed.toml"])
            .fails(2, &["error: ", told]);
    }
    let place = Place::new("");
    place
        .run(&["serve", "--config", "nothing.toml"])
        .fails(2, &["nothing.toml"]);
}

#[test]
fn a_configuration_that_was_printed_can_be_read() {
    let place = Place::new("");
    let printed = place.run(&["serve", "--print-config"]);
    assert_eq!(printed.code, 0);
    let free = printed
        .out
        .replace("127.0.0.1:8080", "127.0.0.1:0")
        .replace("\"127.0.0.1:3868\", \"[::1]:3868\"", "\"127.0.0.1:0\"");
    std::fs::write(place.config(), free).unwrap();
    assert_eq!(place.serve().terminate(), 0);
}

#[test]
fn wrong_command_lines_are_usage_errors() {
    let place = Place::new("");
    for arguments in [
        &["nonsense"][..],
        &["topup"],
        &["topup", "923001234567"],
        &["topup", "923001234567", "ten"],
        &["topup", "923001234567", "-5"],
        &["topup", "923001234567", "1.2345678"],
        &[
            "subscriber",
            "generate",
            "--operator",
            "jazz",
            "--from",
            "x",
            "--count",
            "1",
        ],
        &["balance", "923001234567", "--data", "nowhere"],
        &["audit", "--data", "nowhere"],
        &["subscriber", "import", "nothing.csv"],
        &["balance", "923001234567", "--server", "not an address"],
    ] {
        let ran = place.run(arguments);
        assert_eq!(ran.code, 2, "{arguments:?}: {ran:?}");
        assert!(
            ran.out.is_empty() && ran.err.contains("error: "),
            "{arguments:?}: {ran:?}"
        );
    }
    for arguments in [
        &["--help"][..],
        &["topup", "--help"],
        &["subscriber", "import", "--help"],
        &["--version"],
    ] {
        let ran = place.run(arguments);
        assert!(ran.code == 0 && !ran.out.is_empty(), "{arguments:?}: {ran:?}");
    }
}

#[test]
fn a_server_that_is_not_there_is_told_with_a_hint() {
    let place = Place::new("");
    // Port 9 of loopback: nobody listens.
    let ran = place.run(&[
        "balance",
        "923001234567",
        "--server",
        "http://127.0.0.1:9",
        "--key",
        "k",
    ]);
    ran.fails(
        4,
        &["reach the server at http://127.0.0.1:9", "hint: Is it running?"],
    );
    let ran = place.run(&[
        "--json",
        "balance",
        "923001234567",
        "--server",
        "http://127.0.0.1:9",
        "--key",
        "k",
    ]);
    let error = ran.error(4);
    assert_eq!(error["kind"], "unavailable");
    assert!(error["hint"].as_str().unwrap().contains("--data DIR"), "{error}");
}

#[test]
fn a_port_or_a_data_directory_in_use_is_told() {
    let place = Place::new("");
    let server = place.serve();
    let port = server.url.rsplit(':').next().unwrap().to_owned();

    let other = Place::new("");
    std::fs::write(
        other.config(),
        format!("[http]\nlisten = ['127.0.0.1:{port}']\n[diameter]\nlisten = []\n"),
    )
    .unwrap();
    let ran = other.run(&["serve", "--config", "raseed.toml"]);
    ran.fails(
        4,
        &[
            &format!("listen on 127.0.0.1:{port}"),
            "hint: Another program listens there",
        ],
    );

    let pid = server.pid().to_string();
    for arguments in [
        &["serve", "--config", "raseed.toml"][..],
        &["audit", "--data", "data"],
        &["balance", "923001234567", "--data", "data"],
    ] {
        place.run(arguments).fails(
            4,
            &["in use by another process", &pid, "hint: Stop the server first"],
        );
    }
    assert_eq!(server.terminate(), 0);
}

#[test]
fn connections_beyond_the_limit_wait_until_one_ends() {
    use std::io::{Read, Write};
    let place = Place::new("");
    let text = "data = 'data'\n[http]\nlisten = ['127.0.0.1:0']\nconnections_max = 2\n[diameter]\nlisten = ['127.0.0.1:0']\n";
    std::fs::write(place.config(), text).unwrap();
    let server = place.serve();
    let address = server.url.trim_start_matches("http://").to_owned();
    let ask = || {
        let mut stream = std::net::TcpStream::connect(&address).unwrap();
        stream
            .set_read_timeout(Some(std::time::Duration::from_millis(300)))
            .unwrap();
        stream
            .write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
            .unwrap();
        stream
    };
    let answered =
        |mut stream: &std::net::TcpStream| stream.read(&mut [0; 64]).is_ok_and(|octets| octets > 0);
    let (first, second, third) = (ask(), ask(), ask());
    assert!(answered(&first) && answered(&second), "two are served");
    assert!(!answered(&third), "the third waits");
    drop(first);
    assert!((0..20).any(|_| answered(&third)), "and is served when one ends");
    drop((second, third));
    assert_eq!(server.terminate(), 0);
}

#[test]
fn catalogs_are_checked_with_file_line_and_column() {
    let place = Place::new("");
    let embedded = place.run(&["--json", "catalog", "check"]).json();
    let operators: Vec<&str> = embedded["operators"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["operator"].as_str().unwrap())
        .collect();
    for code in ["jazz", "telenor", "zong", "ufone"] {
        assert!(operators.contains(&code), "{operators:?}");
    }
    assert!(
        embedded["operators"]
            .as_array()
            .unwrap()
            .iter()
            .all(|one| one["bundles"].as_u64().unwrap() >= 8),
        "{embedded}"
    );

    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/../catalog");
    let country = std::fs::read_to_string(format!("{shipped}/pakistan.toml")).unwrap();
    let jazz = std::fs::read_to_string(format!("{shipped}/jazz.toml")).unwrap();
    std::fs::create_dir(place.path("catalog")).unwrap();
    std::fs::write(place.path("catalog/pakistan.toml"), country).unwrap();
    let line = 1 + jazz.lines().position(|line| line == "minimum = \"70\"").unwrap();
    std::fs::write(
        place.path("catalog/jazz.toml"),
        jazz.replace("minimum = \"70\"", "minimum = \"seventy\""),
    )
    .unwrap();
    let ran = place.run(&["catalog", "check", "catalog"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(
        ran.out.contains(&format!("catalog/jazz.toml:{line}:11: ")),
        "{ran:?}"
    );
    let value: Value =
        serde_json::from_str(&place.run(&["--json", "catalog", "check", "catalog"]).out).unwrap();
    assert_eq!(
        (&value["ok"], &value["problems"][0]["line"]),
        (&json!(false), &json!(line)),
        "{value}"
    );
    place.configure("[catalogs]\ndir = 'catalog'\n");
    place
        .run(&["serve", "--config", "raseed.toml"])
        .fails(2, &[&format!("catalog/jazz.toml:{line}:11: ")]);
}

#[test]
fn what_a_server_does_the_commands_say_in_json_and_in_words() {
    let place = Place::new("");
    let server = place.serve();
    let key = server.key.clone().expect("the first start prints a key");
    let run = |arguments: &[&str]| server.run(&key, arguments);
    let json_of = |arguments: &[&str]| run(&[&["--json"], arguments].concat()).json();

    let added = json_of(&[
        "subscriber",
        "add",
        "923001234567",
        "--language",
        "ur",
        "--imsi",
        "410010000000001",
    ]);
    assert_eq!(
        (&added["msisdn"], &added["language"]),
        (&json!("923001234567"), &json!("ur"))
    );
    let refused = run(&["--json", "subscriber", "add", "923001234567"]).error(3);
    assert_eq!(
        (&refused["kind"], refused["code"].is_string()),
        (&json!("refused"), true),
        "{refused}"
    );
    run(&["subscriber", "add", "12"]).fails(3, &["error: ", "hint: "]);

    run(&["topup", "923001234567", "100"]).fails(3, &["The float is too low"]);
    let funded = json_of(&["partner", "fund", "1", "5000"]);
    assert_eq!(funded["float"], "5000.00");
    let quote = json_of(&["topup", "923001234567", "100", "--quote"]);
    assert_eq!(quote["net_credit"], "86.956522");
    let sold = json_of(&["topup", "923001234567", "100", "--external-id", "order 17"]);
    let again = json_of(&["topup", "923001234567", "100", "--external-id", "order 17"]);
    assert_eq!(
        (&sold["state"], &sold["receipt"]),
        (&json!("COMPLETED"), &again["receipt"])
    );
    run(&["topup", "923001234567", "200", "--external-id", "order 17"]).fails(3, &["error: "]);

    let balance = json_of(&["balance", "923001234567"]);
    assert_eq!(balance["main"], "86.956522");
    let words = run(&["balance", "923001234567"]);
    assert!(
        words.out.contains("PKR 86.956522") && words.out.contains("1.00 GB of 1.00 GB"),
        "{words:?}"
    );

    bundles_and_statements(&server, &key);
    partners(&server, &key);
    assert_eq!(server.terminate(), 0);
    stopped(&place);
}

fn bundles_and_statements(server: &Server, key: &str) {
    let run = |arguments: &[&str]| server.run(key, arguments);
    let json_of = |arguments: &[&str]| run(&[&["--json"], arguments].concat()).json();
    let list = json_of(&["bundle", "list", "923001234567"]);
    assert!(list["bundles"].as_array().unwrap().len() >= 8);
    let bought = json_of(&[
        "bundle",
        "buy",
        "923001234567",
        "daily-sms-whatsapp",
        "--external-id",
        "b1",
    ]);
    let again = json_of(&[
        "bundle",
        "buy",
        "923001234567",
        "daily-sms-whatsapp",
        "--external-id",
        "b1",
    ]);
    assert_eq!(
        (&bought["price"], &bought["balance"]),
        (&json!("9.60"), &again["balance"])
    );
    assert_eq!(
        json_of(&["bundle", "renew", "923001234567", "daily-sms-whatsapp"])["renew"],
        true
    );
    run(&["bundle", "buy", "923001234567", "no-such-bundle"]).fails(3, &["There is no such bundle"]);

    let statement = (0..100)
        .map(|_| {
            std::thread::sleep(std::time::Duration::from_millis(20));
            json_of(&["statement", "923001234567"])
        })
        .find(|page| page["lines"].as_array().unwrap().len() == 2)
        .expect("the read models follow");
    let event = statement["lines"][1]["events"][0].as_str().unwrap();
    let told = run(&["explain", event]);
    assert!(told.code == 0 && told.out.contains("13.043478"), "{told:?}");
    let urdu = run(&["explain", event, "--language", "ur"]);
    assert!(urdu.out.contains("13.043478") && urdu.out != told.out, "{urdu:?}");
    let structured = json_of(&["explain", event]);
    assert_eq!(structured["event"], event, "{structured}");
    assert!(structured.to_string().contains("13.043478"), "{structured}");
    run(&["explain", "E9-9-9"]).fails(3, &["There is no such event"]);
    let words = run(&["statement", "923001234567", "--why"]);
    assert!(words.out.contains("You paid Rs 100.00"), "{words:?}");
}

fn partners(server: &Server, key: &str) {
    let json_of = |arguments: &[&str]| server.run(key, &[&["--json"], arguments].concat()).json();
    let made = json_of(&[
        "partner",
        "add",
        "corner-shop",
        "--operators",
        "jazz",
        "--fund",
        "300",
    ]);
    assert_eq!(made["partner"]["float"], "300.00", "{made}");
    let id = made["partner"]["id"].to_string();
    let shop_key = made["key"]["key"].as_str().unwrap();
    let sold = server.run(shop_key, &["topup", "923001234567", "100"]);
    assert_eq!(sold.code, 0, "{sold:?}");
    server
        .run(shop_key, &["partner", "list"])
        .fails(3, &["This key may not do that"]);
    server
        .run("nonsense", &["balance", "923001234567"])
        .fails(3, &["A valid API key is needed", "RASEED_KEY"]);
    let second = json_of(&["partner", "key", &id, "--scopes", "topup,read"]);
    let revoked = json_of(&["partner", "key", &id, "--revoke", second["id"].as_str().unwrap()]);
    assert_eq!(revoked["revoked"], second["id"]);
    server
        .run(second["key"].as_str().unwrap(), &["balance", "923001234567"])
        .fails(3, &["A valid API key is needed"]);
    let floats = (0..100)
        .map(|_| {
            std::thread::sleep(std::time::Duration::from_millis(20));
            json_of(&["partner", "list"])
        })
        .find(|list| {
            list["partners"]
                .as_array()
                .unwrap()
                .iter()
                .any(|one| one["float"] == "200.00")
        });
    assert!(floats.is_some(), "the list follows");
}

/// The same commands on the data that the server left behind.
fn stopped(place: &Place) {
    let balance = place.run_here(&["balance", "923001234567"]).json();
    assert_eq!(balance["main"], "164.313044");
    let sold = place
        .run_here(&["topup", "923001234567", "100", "--external-id", "offline-1"])
        .json();
    assert_eq!(sold["state"], "COMPLETED");
    let statement = place.run_here(&["statement", "923001234567"]).json();
    assert_eq!(statement["lines"].as_array().unwrap().len(), 4, "{statement}");
    let made = place
        .run_here(&[
            "subscriber",
            "generate",
            "--operator",
            "jazz",
            "--from",
            "923100000000",
            "--count",
            "500",
            "--balance",
            "10",
        ])
        .json();
    assert_eq!((&made["opened"], &made["there_before"]), (&json!(500), &json!(0)));
    let made = place
        .run_here(&[
            "subscriber",
            "generate",
            "--operator",
            "jazz",
            "--from",
            "923100000400",
            "--count",
            "200",
        ])
        .json();
    assert_eq!(
        (&made["opened"], &made["there_before"]),
        (&json!(100), &json!(100))
    );
    place
        .run_here(&[
            "subscriber",
            "generate",
            "--operator",
            "orange",
            "--from",
            "923100000000",
            "--count",
            "1",
        ])
        .error(2);
    let announced = place
        .run_here(&["offers", "announce", "jazz", "load-500", "--dry-run"])
        .json();
    assert_eq!(
        (&announced["messages"], &announced["dry_run"]),
        (&json!(0), &json!(true)),
        "silence is no: {announced}"
    );
    let left_out = announced["not_agreed"].as_u64().unwrap() + announced["cannot_earn"].as_u64().unwrap();
    assert_eq!(left_out, 601, "{announced}");
    for wrong in [["orange", "load-500"], ["jazz", "lottery"]] {
        place
            .run_here(&["offers", "announce", wrong[0], wrong[1], "--dry-run"])
            .error(2);
        place
            .run_here(&["offers", "announce", wrong[0], wrong[1]])
            .error(3);
    }
    let ordered = place.run_here(&["offers", "announce", "jazz", "load-500"]).json();
    assert_eq!(
        (&ordered["told"], &ordered["waiting"]),
        (&json!(0), &json!(0)),
        "{ordered}"
    );
    let rebuilt = place.run_here(&["rebuild"]).json();
    assert_eq!(rebuilt["rows"]["subscriber"], 601, "{rebuilt}");
    let audit = place.run_here(&["audit"]).json();
    assert_eq!(
        (&audit["ok"], &audit["problem_count"]),
        (&json!(true), &json!(0)),
        "{audit}"
    );
}

#[test]
fn an_import_reports_every_line_that_is_refused() {
    let place = Place::new("");
    let server = place.serve();
    let key = server.key.clone().unwrap();
    let lines = "msisdn,imsi,language,balance\n923001000001,410010000000011,ur,10\n923001000002,,en,\n\nnonsense,,en,1\n923001000003,,fr,1\n923001000001,,,\n";
    std::fs::write(place.path("people.csv"), lines).unwrap();
    let file = place.path("people.csv").display().to_string();
    let ran = server.run(&key, &["--json", "subscriber", "import", &file]);
    let told: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(ran.code, 1, "{ran:?}");
    assert_eq!(
        (&told["opened"], &told["there_before"], &told["refused"]),
        (&json!(2), &json!(1), &json!(2)),
        "{told}"
    );
    let numbers: Vec<&Value> = told["refused_lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| &line["line"])
        .collect();
    assert_eq!(numbers, [&json!(5), &json!(6)], "{told}");
    let mut many = String::from("msisdn,operator\n");
    for number in 0..1_300 {
        many.push_str(&format!("92345{:07},telenor\n", 1_000_000 + number));
    }
    std::fs::write(place.path("many.csv"), many).unwrap();
    let file = place.path("many.csv").display().to_string();
    let told = server
        .run(&key, &["--json", "subscriber", "import", &file])
        .json();
    assert_eq!((&told["opened"], &told["refused"]), (&json!(1_300), &json!(0)));
    // The same by making them: the last hundred overlap.
    for (from, opened, there) in [("923100000000", 700, 0), ("923100000600", 50, 100)] {
        let count = (opened + there).to_string();
        let generate = [
            "--json",
            "subscriber",
            "generate",
            "--operator",
            "jazz",
            "--from",
            from,
            "--count",
            &count,
            "--balance",
            "12.5",
        ];
        let told = server.run(&key, &generate).json();
        assert_eq!(
            (&told["opened"], &told["there_before"], &told["refused"]),
            (&json!(opened), &json!(there), &json!(0)),
            "{told}"
        );
    }
    let made = server.run(&key, &["--json", "balance", "923100000699"]).json();
    assert_eq!(made["main"], "12.50", "{made}");
    std::fs::write(place.path("bad.csv"), "number\n1\n").unwrap();
    let file = place.path("bad.csv").display().to_string();
    server
        .run(&key, &["subscriber", "import", &file])
        .fails(2, &["does not name a column msisdn"]);
}

/// Long work draws a bar for who watches, and nothing into a file. `script` gives the command a terminal.
#[cfg(target_os = "linux")]
#[test]
fn a_bar_is_drawn_on_a_terminal_and_nowhere_else() {
    use std::process::{Command, Stdio};
    let place = Place::new("");
    let generate = |from: &str| {
        let data = place.data().display().to_string();
        let words = [
            "subscriber",
            "generate",
            "--operator",
            "jazz",
            "--from",
            from,
            "--count",
            "700",
            "--data",
            &data,
        ];
        words.map(str::to_owned)
    };
    let mut watched = raseed();
    watched.args(generate("923100000000"));
    let line = std::iter::once(watched.get_program())
        .chain(watched.get_args())
        .map(|word| format!("'{}'", word.to_str().unwrap()))
        .collect::<Vec<_>>();
    let mut script = Command::new("script");
    script
        .args(["-qec", &line.join(" "), "/dev/null"])
        .current_dir(place.path("."))
        .stdin(Stdio::null());
    for (name, _) in watched.get_envs() {
        script.env_remove(name);
    }
    let seen = Ran::of(&mut script);
    assert_eq!(seen.code, 0, "{seen:?}");
    assert!(seen.out.contains("\r\u{1b}[Kaccounts [....."), "{seen:?}");
    assert!(seen.out.contains("/700  "), "{seen:?}");
    let after = seen.out.rsplit("\r\u{1b}[K").next().unwrap();
    assert!(
        after.contains("700") && !after.contains('['),
        "the bar is gone: {seen:?}"
    );

    let mut quiet = raseed();
    let quiet = Ran::of(quiet.args(generate("923100001000")));
    assert_eq!(quiet.code, 0, "{quiet:?}");
    assert!(!quiet.err.contains(['\r', '\u{1b}', '[']), "{quiet:?}");
}

#[test]
fn the_demo_plays_its_story_and_every_step_holds() {
    let place = Place::new("");
    let told = place.run(&["demo", "--once", "--json"]).json();
    assert_eq!(
        (&told["ok"], &told["failed"]),
        (&json!(true), &json!(0)),
        "{told}"
    );
    assert!(told["checks"].as_u64().unwrap() >= 20, "{told}");
    let shown = place.run(&["demo", "--once"]).out;
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap();
    let picture = readme
        .split("```text\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .expect("the picture of the demo");
    for line in picture
        .lines()
        .filter(|line| line.trim() != "…" && !line.is_empty())
    {
        assert!(
            shown.lines().any(|told| told == line),
            "README.md shows {line:?}, the demo does not say it"
        );
    }
    let kept = place.path("kept").display().to_string();
    assert_eq!(place.run(&["demo", "--once", "--data", &kept]).code, 0);
    let audit = Ran::of(raseed().args(["--json", "audit", "--data", &kept])).json();
    assert_eq!(audit["ok"], true);
    place
        .run(&["demo", "--once", "--data", &kept])
        .fails(2, &["holds the data of another run"]);
}

/// The three modes that need nothing beside them. No figure of time is looked at: machines are noisy, and this is a debug build.
#[test]
fn benchmarks_end_with_one_object_that_has_every_figure() {
    let place = Place::new("");
    for mode in ["core", "journal", "diameter"] {
        let arguments = ["bench", mode, "--subscribers", "2000", "--seconds", "1", "--json"];
        let report = place.run(&arguments).json();
        let figures = report.as_object().unwrap();
        for key in [
            "ops_per_s",
            "p50_us",
            "p99_us",
            "p999_us",
            "limit_ops_per_s",
            "limit_ratio",
            "durable",
            "subscribers",
            "rss_bytes",
            "machine",
        ] {
            assert!(figures.contains_key(key), "{mode} does not tell {key}: {report}");
        }
        let on_disk = mode != "core";
        assert_eq!(
            (&report["mode"], &report["subscribers"], &report["durable"]),
            (&json!(mode), &json!(2_000), &json!(on_disk)),
            "{report}"
        );
        assert_eq!(report["errors"], 0, "{report}");
        for key in ["operations", "ops_per_s", "rss_bytes"] {
            assert!(report[key].as_u64().unwrap() > 0, "{key}: {report}");
        }
        assert!(report["p50_us"].as_u64() <= report["p99_us"].as_u64(), "{report}");
        // What the disk alone allows has no meaning where no disk is used.
        assert_eq!(report["limit_ops_per_s"].is_u64(), on_disk, "{report}");
        assert_eq!(report["limit_ratio"].is_number(), on_disk, "{report}");
        assert!(report["machine"].is_object(), "{report}");
    }
    let left: Vec<_> = std::fs::read_dir(place.path("")).unwrap().collect();
    assert_eq!(left.len(), 1, "the configuration alone: {left:?}");
}

#[test]
fn the_benchmark_of_cards_redeems_what_it_made() {
    let place = Place::new("");
    // More subscribers than redemptions: when the machine stands for seconds, nobody redeems twice at once.
    let load = [
        "--cards",
        "2000",
        "--subscribers",
        "300",
        "--rate",
        "50",
        "--seconds",
        "2",
    ];
    let report = place
        .run(&[&["bench", "cards", "--json"][..], &load[..]].concat())
        .json();
    assert_eq!(
        (&report["cards"], &report["redeemed"], &report["errors"]),
        (&json!(2_000), &json!(100), &json!(0)),
        "{report}"
    );
    for key in [
        "made_per_s",
        "bytes_per_card",
        "p50_us",
        "limit_p50_us",
        "commits",
    ] {
        assert!(
            report[key].as_u64().is_some_and(|figure| figure > 0),
            "{key}: {report}"
        );
    }
    assert_eq!(
        report["slowest_us_by_second"].as_array().unwrap().len(),
        2,
        "{report}"
    );
    assert!(report["machine_late_ms"].is_u64(), "{report}");
    let left: Vec<_> = std::fs::read_dir(place.path("")).unwrap().collect();
    assert_eq!(left.len(), 1, "the configuration alone, and no PINs: {left:?}");
}

/// Certificate and key from files of the configuration, as an operator has them.
#[test]
fn diameter_is_served_over_tls_from_the_configuration() {
    use rustls::pki_types::ServerName;
    use sim::diameter::Client;
    use wire::diameter::ResultCode;
    use wire::diameter::credit::{CreditControlRequest, RequestType, SubscriptionId, SubscriptionIdType};
    const HOST: &str = "ocs.raseed.example";

    let signed = rcgen::generate_simple_self_signed(vec![HOST.to_owned()]).unwrap();
    let place =
        Place::new("listen_tls = ['127.0.0.1:0']\ntls_certificate = 'server.pem'\ntls_key = 'server.key'\n");
    std::fs::write(place.path("server.pem"), signed.cert.pem()).unwrap();
    std::fs::write(place.path("server.key"), signed.signing_key.serialize_pem()).unwrap();
    let server = place.serve();
    let key = server.key.clone().unwrap();
    let number = "923001234567";
    let opened = server.run(&key, &["subscriber", "add", number, "--balance", "100"]);
    assert_eq!(opened.code, 0, "{opened:?}");
    let listening = server.ready["diameter"].as_array().unwrap();
    assert_eq!(listening.len(), 2, "without and with TLS: {listening:?}");
    let secure: std::net::SocketAddr = listening[1].as_str().unwrap().parse().unwrap();

    let mut roots = rustls::RootCertStore::empty();
    roots.add(signed.cert.der().clone()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let settings = || sim::diameter::settings("pgw.example", "example", "TLS test");
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(secure).await.unwrap();
        let local = stream.local_addr().unwrap().ip();
        let name = ServerName::try_from(HOST).unwrap();
        let stream = connector.connect(name, stream).await.unwrap();
        let client = Client::over(stream, local, settings()).await.unwrap();
        let mut request = CreditControlRequest::new(
            client.next_id(),
            "pgw.example;1;tls",
            ("pgw.example", "example"),
            "raseed.example",
            "32251@3gpp.org",
            (RequestType::Initial, 0),
        );
        request.multiple_services = Some(true);
        request.subscriptions.push(SubscriptionId {
            kind: SubscriptionIdType::E164,
            data: number,
        });
        let octets = wire::diameter::credit::ServiceUnits {
            total_octets: Some(1 << 20),
            ..Default::default()
        };
        request.services.push(wire::diameter::credit::ServiceRequest {
            requested: Some(octets),
            rating_group: Some(1),
            ..Default::default()
        });
        let answer = client.request(&request).await.unwrap();
        assert_eq!(answer.result_code(), ResultCode::SUCCESS);
        let granted = answer.credit().unwrap().services[0].granted;
        assert!(
            granted
                .and_then(|granted| granted.units.octets())
                .is_some_and(|octets| octets > 0)
        );
        client.disconnect().await;
        // The same socket does not speak without TLS.
        assert!(Client::connect(secure, settings()).await.is_err());
    });
    assert_eq!(server.terminate(), 0);
}

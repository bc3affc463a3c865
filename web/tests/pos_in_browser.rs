//! The till in a real Chromium as large as a cheap phone: bad lines, three languages, the rules of WCAG, and paper.

#[path = "../../server/tests/browser/mod.rs"]
mod browser;
mod common;

use browser::{Axe, Browser, Programs, paper};
use common::Service;
use common::till::{Outlet, PIN, outlet};
use serde_json::json;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// A line between browser and service that loses answers to sales: the service has made them, and nobody hears of it.
struct BadLine {
    url: String,
    lose: Arc<AtomicUsize>,
    lost: Arc<AtomicUsize>,
}

impl BadLine {
    fn to(service: &Service) -> BadLine {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let line = BadLine {
            url: format!("http://{}", listener.local_addr().unwrap()),
            lose: Arc::default(),
            lost: Arc::default(),
        };
        let target = service.url.trim_start_matches("http://").to_owned();
        let (lose, lost) = (Arc::clone(&line.lose), Arc::clone(&line.lost));
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let Ok(far) = TcpStream::connect(&target) else {
                    return;
                };
                let sells = Arc::new(AtomicBool::new(false));
                let asked = Arc::clone(&sells);
                let (lose, lost) = (Arc::clone(&lose), Arc::clone(&lost));
                let (near_too, far_too) = (near.try_clone().unwrap(), far.try_clone().unwrap());
                std::thread::spawn(move || {
                    carry(near, far, |bytes| {
                        asked.fetch_or(bytes.starts_with(b"POST /pos/sell "), Ordering::SeqCst);
                        true
                    });
                });
                std::thread::spawn(move || {
                    carry(far_too, near_too, |_| {
                        let one = |left: usize| left.checked_sub(1);
                        let loses = sells.swap(false, Ordering::SeqCst)
                            && lose.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one).is_ok();
                        lost.fetch_add(usize::from(loses), Ordering::SeqCst);
                        !loses
                    });
                });
            }
        });
        line
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, mut passes: impl FnMut(&[u8]) -> bool) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        if !passes(&buffer[..read]) || to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = (to.shutdown(Shutdown::Both), from.shutdown(Shutdown::Both));
}

fn picture(browser: &Browser, name: &str) {
    if let Some(directory) = std::env::var_os("RASEED_SCREENSHOTS") {
        std::fs::create_dir_all(&directory).unwrap();
        browser.screenshot(&PathBuf::from(directory).join(format!("pos-{name}.png")));
    }
}

/// Types a number and an amount, up to the confirmation.
fn confirm(browser: &Browser, url: &str, amount: &str) {
    browser.go(&format!("{url}/pos"));
    browser.fill("#number", "0300 1234567");
    browser.fill("#amount", amount);
    browser.click("button[value=amount]");
    browser.until("document.querySelector('form[data-sells]') !== null");
    // The script has to be there before the button is pressed.
    browser.until("document.readyState === 'complete'");
}

const WORD: &str = "document.querySelector('#till-word')";

#[test]
fn a_lost_answer_is_asked_for_again_and_the_sale_is_made_once() {
    let Some(programs) = Programs::find() else { return };
    let outlet = outlet();
    let line = BadLine::to(&outlet.service);
    let browser = Browser::open(&programs, false);
    browser.size(360, 740);
    browser.go(&format!("{}/pos/sign-in?lang=en", line.url));
    browser.fill("#seller", &outlet.shop.0.to_string());
    browser.fill("#staff", "ali");
    browser.fill("#pin", PIN);
    browser.click("form.card button.primary");
    browser.until("location.pathname === '/pos'");

    // The sale is made, its answer is lost twice. Meanwhile the page says that it asks, and nobody can press again.
    confirm(&browser, &line.url, "100");
    line.lose.store(2, Ordering::SeqCst);
    browser.click("form[data-sells] button");
    browser.until(&format!(
        "!{WORD}.hidden && {WORD}.textContent === {WORD}.dataset.asking && \
         [...document.querySelectorAll('form[data-sells] button')].every(b => b.disabled)"
    ));
    picture(&browser, "asking");
    browser.until("location.pathname.startsWith('/pos/sale/')");
    assert_eq!(browser.text("#state"), "Done");
    assert_eq!(line.lost.load(Ordering::SeqCst), 2);
    assert_eq!(outlet.float(), "925.00");
    assert_eq!(outlet.service.main_balance(), "86.956522");

    // Without a network nothing can be pressed. When it goes between question and answer, the page says that it goes on by
    // itself, and it does.
    confirm(&browser, &line.url, "110");
    browser.offline(true);
    browser.until("document.querySelector('form[data-sells] button').disabled");
    browser.offline(false);
    browser.until("!document.querySelector('form[data-sells] button').disabled");
    assert_eq!(outlet.float(), "925.00");
    line.lose.store(usize::MAX, Ordering::SeqCst);
    browser.click("form[data-sells] button");
    outlet
        .service
        .eventually(|| (line.lost.load(Ordering::SeqCst) > 2).then_some(()));
    browser.offline(true);
    browser.until(&format!(
        "!{WORD}.hidden && {WORD}.textContent === {WORD}.dataset.away"
    ));
    picture(&browser, "away");
    line.lose.store(0, Ordering::SeqCst);
    browser.offline(false);
    browser.until("location.pathname.startsWith('/pos/sale/')");
    assert_eq!(browser.text("#state"), "Done");
    assert_eq!(outlet.float(), "815.00");

    // The answer never comes and the phone goes dark: the list says what became of it.
    confirm(&browser, &line.url, "120");
    let lost = line.lost.load(Ordering::SeqCst);
    line.lose.store(usize::MAX, Ordering::SeqCst);
    browser.click("form[data-sells] button");
    outlet
        .service
        .eventually(|| (line.lost.load(Ordering::SeqCst) > lost).then_some(()));
    browser.go("about:blank");
    line.lose.store(0, Ordering::SeqCst);
    assert_eq!(outlet.float(), "695.00");
    let sales = outlet.service.eventually(|| {
        let list = outlet
            .service
            .api(&outlet.shop.1, "GET", "/v1/sellers/me/sales", "");
        let sales = list.json()["sales"].as_array().unwrap().clone();
        let done = sales.iter().all(|sale| sale["state"] == "COMPLETED");
        (sales.len() == 3 && done).then_some(sales)
    });
    assert_eq!(sales.len(), 3);
    browser.go(&format!("{}/pos/sales", line.url));
    assert_eq!(
        browser.run("return [...document.querySelectorAll('.till-list .pill')].map(p => p.innerText)"),
        json!(["Done", "Done", "Done"])
    );
    programs.took_part("pos_in_browser.rs");
}

#[test]
fn a_cheap_phone_sells_in_three_languages_and_prints() {
    let Some(programs) = Programs::find() else { return };
    let axe = Axe::find();
    let outlet = outlet();
    let url = &outlet.service.url;
    let browser = Browser::open(&programs, false);
    let mut wrong = Vec::new();
    let mut look = |name: &str, language: &str| {
        picture(&browser, &format!("{name}-{language}"));
        let found = axe.as_ref().map(|axe| axe.wrong(&browser)).unwrap_or_default();
        wrong.extend(found.into_iter().map(|told| format!("{name} {language}: {told}")));
        // A phone zooms out until everything fits: its own width does not count.
        if browser.run("return document.documentElement.scrollWidth <= 360") == false {
            wrong.push(format!("{name} {language} is to be pushed sideways"));
        }
    };
    walk(&browser, &outlet, &mut look, &mut |name, pdf| {
        if let Some(directory) = std::env::var_os("RASEED_SCREENSHOTS") {
            std::fs::write(PathBuf::from(directory).join(format!("pos-{name}.pdf")), pdf).unwrap();
        }
    });
    browser.go(&format!("{url}/pos?theme=light"));
    assert_eq!(outlet.float(), "695.00");
    browser.go(&format!("{url}/pos/sales?lang=en"));
    browser.click(".till-list a");
    browser.until("document.querySelector('.slip') !== null");
    // A wrong number goes back, the till is counted, and stock is asked for: with the thumb alone.
    browser.click(".till-back summary");
    browser.fill("#back-pin", PIN);
    browser.click(".till-back .danger");
    browser.until("document.querySelector('#state').innerText === 'Taken back'");
    look("taken-back", "en");
    assert_eq!(outlet.float(), "815.00");
    outlet.service.eventually(|| {
        let path = "/v1/sellers/me/days/today";
        let day = outlet.service.api(&outlet.shop.1, "GET", path, "").json();
        (day["amount"] == "210.00").then_some(())
    });
    browser.go(&format!("{url}/pos/day"));
    browser.fill("#n100", "2");
    browser.fill("#counted", "5");
    browser.click("form.card button.primary");
    browser.until("document.querySelector('.banner.good') !== null");
    assert!(browser.text(".till-list .pill").contains("5.00"));
    look("counted", "en");
    browser.go(&format!("{url}/pos/float"));
    browser.fill("#ask-amount", "500");
    browser.click("form.card button.primary");
    browser.until("document.querySelector('.banner.good') !== null");
    look("asked", "en");
    assert!(wrong.is_empty(), "{wrong:#?}");
    let complaints = browser.complaints();
    assert!(
        complaints.iter().all(|line| line.contains("favicon")),
        "{complaints:?}"
    );
    programs.took_part("pos_in_browser.rs");
    if let Some(axe) = axe {
        axe.took_part("pos_in_browser.rs");
    }
}

/// Signs in, sells and prints in three languages, and looks at every page, some also in the dark.
fn walk(
    browser: &Browser,
    outlet: &Outlet,
    look: &mut dyn FnMut(&str, &str),
    printed: &mut dyn FnMut(&str, &[u8]),
) {
    let url = &outlet.service.url;
    browser.size(360, 740);
    browser.go(&format!("{url}/pos/sign-in?lang=en"));
    look("sign-in", "en");
    // With the keyboard alone.
    browser.run("document.querySelector('#seller').focus(); return true");
    for text in [outlet.shop.0.to_string().as_str(), "ali", PIN] {
        browser.press(text);
        if text != PIN {
            browser.press("Tab");
        }
    }
    browser.press("Enter");
    browser.until("location.pathname === '/pos'");
    for (language, amount) in [("en", "100"), ("ur", "110"), ("zh", "120")] {
        browser.go(&format!("{url}/pos?lang={language}"));
        look("sell", language);
        browser.fill("#number", "0300 1234567");
        browser.click("button[value=bundle]");
        browser.until("document.querySelector('.till-offer') !== null");
        look("bundles", language);
        confirm(browser, url, amount);
        look("confirm", language);
        browser.click("form[data-sells] button");
        browser
            .until("location.pathname.startsWith('/pos/sale/') && document.querySelector('.slip') !== null");
        look("sale", language);
        browser.click(".till-back summary");
        look("back", language);
        prints(browser, url, (language, amount), printed);
        for page in ["sales", "day", "float"] {
            browser.go(&format!("{url}/pos/{page}"));
            look(page, language);
        }
    }
    browser.go(&format!("{url}/pos?lang=ur"));
    browser.go(&format!("{url}/pos?theme=dark"));
    for page in ["sell", "sales", "day", "float"] {
        let path = if page == "sell" {
            "/pos".to_owned()
        } else {
            format!("/pos/{page}")
        };
        browser.go(&format!("{url}{path}"));
        look(&format!("{page}-dark"), "ur");
    }
    browser.click("a[href='/pos/sales']");
    browser.click(".till-list a");
    browser.until("document.querySelector('.slip') !== null");
    look("sale-dark", "ur");
}

/// The receipt on rolls of 58 and 80 mm: one piece of paper, with everything on it, and a code that a phone reads from the
/// paper and that proves it.
fn prints(
    browser: &Browser,
    url: &str,
    (language, amount): (&str, &str),
    printed: &mut dyn FnMut(&str, &[u8]),
) {
    browser.on_paper(true);
    assert_eq!(
        browser.run(
            "const high = s => document.querySelector(s)?.getBoundingClientRect().height ?? 0; \
             return ['.slip', '.slip-qr svg', '.bar', '.desk-places', '.till-float', '.till-back', '.foot'].map(s => high(s) > 0)"
        ),
        json!([true, true, false, false, false, false, false])
    );
    browser.on_paper(false);
    let receipt = browser.text(".slip-number");
    let typed = browser.text(".slip-where strong");
    let place = tempfile::tempdir().unwrap();
    let mut codes = Vec::new();
    // In points, 1/72 inch.
    for (paper_mm, width) in [(58, 164..=166), (80, 226..=228)] {
        let pdf = browser.pdf(paper_mm);
        assert!(pdf.starts_with(b"%PDF-"));
        let raw = String::from_utf8_lossy(&pdf);
        let page = raw.split("/MediaBox [0 0 ").nth(1).expect("a page");
        let points: String = page.chars().take_while(char::is_ascii_digit).collect();
        assert!(width.contains(&points.parse::<u32>().unwrap()), "{points}");
        assert!(raw.contains("/Count 1"), "{language} {paper_mm}: one piece");
        let amount = format!("Rs {amount}.00");
        if let Some(text) = paper::text(&pdf) {
            for part in ["0300 1234567", &amount, &receipt, &typed] {
                assert!(text.contains(part), "{language} {paper_mm}: {part}: {text}");
            }
        }
        codes.extend(paper::code(&pdf, place.path()));
        printed(&format!("slip-{language}-{paper_mm}"), &pdf);
    }
    for code in codes {
        let (_, query) = code.split_once("/verify?").expect("an address to check at");
        browser.go(&format!("{url}/verify?{query}"));
        browser.until("document.querySelector('.verdict.genuine') !== null");
        assert_eq!(browser.run("return document.documentElement.lang"), language);
        assert!(
            browser.text(".verdict").contains(&format!("{amount}.00")),
            "{code}"
        );
    }
}

/// Draws the golden images anew: `cargo test --workspace --test pos_in_browser -- --ignored golden`. People look at them.
#[test]
#[ignore = "writes docs/images/pos; run it when a page has changed, and look"]
fn golden_images() {
    let programs = Programs::find().expect("a browser");
    let outlet = outlet();
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/images/pos");
    std::fs::create_dir_all(&place).unwrap();
    let browser = Browser::open(&programs, false);
    let mut look = |name: &str, language: &str| {
        browser.small_picture(&place.join(format!("{name}-{language}.png")), 360, 60);
        browser.size(360, 740);
    };
    walk(&browser, &outlet, &mut look, &mut |name, pdf| {
        let drawn = paper::picture(pdf, 110).expect("poppler");
        std::fs::write(place.join(format!("{name}.png")), drawn).unwrap();
    });
}

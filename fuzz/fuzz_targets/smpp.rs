//! Both sides of an SMPP connection that are sent anything, and the text of any short message.
#![no_main]

use wire::smpp::{Centre, CentreConfig, Esme, EsmeConfig};

libfuzzer_sys::fuzz_target!(|octets: &[u8]| {
    let mut esme = Esme::new(EsmeConfig::default(), 0);
    esme.handle_input(octets, 1);
    while esme.poll_event().is_some() || esme.poll_transmit().is_some() {}
    let mut centre = Centre::new(CentreConfig::default(), 1, 0);
    centre.handle_input(octets, 1);
    while centre.poll_event().is_some() || centre.poll_transmit().is_some() {}
    if let [coding, rest @ ..] = octets {
        let _ = wire::sms::Fragment::read(*coding, coding & 0x40 != 0, rest, None);
    }
});

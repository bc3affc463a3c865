//! An external USSD entity that is sent anything, and every decoder of USSD on its own.
#![no_main]

use wire::ussd::{Euse, EuseConfig, EuseEvent, fits, gsup, map, page, pages};

libfuzzer_sys::fuzz_target!(|octets: &[u8]| {
    let mut euse = Euse::new(EuseConfig::named("EUSE-raseed-00-00-00-00-00-00"), 0);
    // The HLR knows us: what follows is taken.
    euse.handle_input(&[0, 1, 0xfe, 4, 0, 1, 0xfe, 6], 1);
    euse.handle_input(octets, 2);
    while let Some(event) = euse.poll_event() {
        if let EuseEvent::Begun { dialogue, text, .. } | EuseEvent::Typed { dialogue, text } = event {
            euse.answer(dialogue, &text, false, 3);
        }
    }
    while euse.poll_transmit().is_some() {}
    if let Ok(message) = gsup::Message::decode(octets) {
        let again = message.encode().expect("what was read can be written");
        assert_eq!(gsup::Message::decode(&again).as_ref(), Ok(&message));
    }
    if let Ok(component) = map::Component::decode(octets)
        && let Ok(again) = component.encode()
    {
        assert!(map::Component::decode(&again).is_ok());
    }
    if let [dcs, rest @ ..] = octets {
        let _ = page::decode(*dcs, rest);
    }
    if let Ok(text) = std::str::from_utf8(octets) {
        assert!(pages(text, "98 More").iter().all(|page| fits(page)));
    }
});

//! Pure codecs and protocol machines: Diameter, SMPP, SMS text. No sockets, no clock.

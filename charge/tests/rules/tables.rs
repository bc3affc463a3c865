//! The tables, one test a section.

use crate::script::rules;

const CHARGING: &str = include_str!("charging.txt");
const MONEY: &str = include_str!("money.txt");
const TIME: &str = include_str!("time.txt");

#[test]
fn worked_cases() {
    rules(CHARGING, "worked_cases");
}

#[test]
fn grants() {
    rules(CHARGING, "grants");
}

#[test]
fn pulses_and_setup() {
    rules(CHARGING, "pulses_and_setup");
}

#[test]
fn consumption_order() {
    rules(CHARGING, "consumption_order");
}

#[test]
fn sessions() {
    rules(CHARGING, "sessions");
}

#[test]
fn immediate_events() {
    rules(CHARGING, "immediate_events");
}

#[test]
fn recharges() {
    rules(MONEY, "recharges");
}

#[test]
fn bundles() {
    rules(MONEY, "bundles");
}

#[test]
fn notices() {
    rules(MONEY, "notices");
}

#[test]
fn floats() {
    rules(MONEY, "floats");
}

#[test]
fn tariff_changes() {
    rules(TIME, "tariff_changes");
}

#[test]
fn expiry() {
    rules(TIME, "expiry");
}

#[test]
fn life_cycle() {
    rules(TIME, "life_cycle");
}

#[test]
fn places() {
    rules(TIME, "places");
}

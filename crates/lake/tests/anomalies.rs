//! What is found unusual, and what is told of it.

use std::collections::BTreeSet;

use millrace_lake::anomaly::{AlertEvent, Alerts, Anomaly, Signal, judge};
use millrace_lake::metrics::{Place, Weighed, Window, Windows};
use proptest::prelude::*;

/// The first second of a minute: noon of 31 January 2026.
const NOON: i64 = 1_769_860_800;

/// Seconds in a day.
const DAY: i64 = 86_400;

/// How long nothing may be unusual until an outage is over.
const QUIET: i64 = 300;

/// A window of so many rows, so many of them errors, all of which took so many milliseconds.
fn window(count: u64, errors: u64, milliseconds: f64) -> Window {
    let place = |weight| {
        let place = Place { object: "raw/a.gz".to_owned(), first_line: 3, last_line: 3 + weight };
        (weight > 0).then_some(Weighed { weight, place })
    };
    let mut window =
        Window { count, errors, rows: place(count), error_rows: place(errors), slowest: place(1), ..Window::default() };
    for number in 0..count {
        // Most are shorter, as latencies are.
        #[expect(clippy::cast_precision_loss)]
        window.latencies.add(milliseconds * (number % 20 + 1) as f64 / 20.0);
    }
    window
}

struct History(Windows);

impl History {
    /// A service with 100 rows a minute, 2 of them errors, which take up to 50 ms; for so many minutes before noon.
    fn usual(minutes: i64) -> Self {
        let mut history = Self(Windows::default());
        for minute in -minutes..0 {
            history.put("pay", minute, window(100, 2, 50.0));
        }
        history
    }

    fn put(&mut self, service: &str, minute: i64, window: Window) {
        self.0.0.insert((NOON + minute * 60, service.to_owned()), window);
    }

    /// Judges the hour from noon on, as far as minute `until`.
    fn judge(&self, until: i64) -> Vec<Anomaly> {
        judge(&self.0, NOON..NOON + until * 60, NOON + until * 60)
    }

    fn signals(&self, until: i64) -> Vec<(String, Signal, i64)> {
        let minute = |anomaly: &Anomaly| (anomaly.window_start.as_second() - NOON) / 60;
        self.judge(until).iter().map(|found| (found.service.clone(), found.signal, minute(found))).collect()
    }
}

fn pay(signal: Signal, minute: i64) -> (String, Signal, i64) {
    ("pay".to_owned(), signal, minute)
}

#[test]
fn each_signal_is_found_in_its_window_with_what_is_usual_and_its_rows() {
    let mut history = History::usual(60);
    history.put("pay", 0, window(100, 3, 50.0));
    history.put("pay", 1, window(100, 40, 50.0));
    history.put("pay", 2, window(100, 2, 500.0));
    history.put("pay", 3, window(500, 10, 50.0));
    history.put("pay", 4, window(10, 0, 50.0));
    // No rows at all in minute 5.
    history.put("pay", 6, window(100, 2, 50.0));
    let found = history.judge(7);
    let expected = [
        pay(Signal::ErrorRate, 1),
        pay(Signal::Latency, 2),
        pay(Signal::Volume, 3),
        pay(Signal::Volume, 4),
        pay(Signal::Silence, 5),
    ];
    assert_eq!(history.signals(7), expected);

    let errors = &found[0];
    assert_eq!((errors.value, errors.baseline), (0.4, 0.02));
    assert!(errors.score > 20.0, "{}", errors.score);
    assert_eq!(errors.rows, Some(Place { object: "raw/a.gz".to_owned(), first_line: 3, last_line: 43 }));
    let latency = &found[1];
    assert!((latency.value / 475.0 - 1.0).abs() < 0.02 && (latency.baseline / 47.5 - 1.0).abs() < 0.02, "{latency:?}");
    assert_eq!((found[2].value, found[3].value, found[3].baseline), (500.0, 10.0, 100.0));
    assert!(found[3].score < 0.0, "fewer than usual");
    let silence = &found[4];
    assert_eq!((silence.value, silence.baseline), (0.0, 100.0));
    assert_eq!(silence.rows.as_ref().map(|rows| rows.last_line), Some(13), "the last rows before");
}

#[test]
fn a_service_that_nobody_knows_yet_is_judged_by_its_errors_alone() {
    let mut history = History(Windows::default());
    history.put("pay", 0, window(100, 2, 50.0));
    history.put("pay", 1, window(900, 360, 5_000.0));
    assert_eq!(history.signals(2), [pay(Signal::ErrorRate, 1)]);
    // It is told, and after ten minutes it is what this service is like.
    for minute in 1..30 {
        history.put("pay", minute, window(900, 360, 5_000.0));
    }
    assert_eq!(history.signals(30), (1..11).map(|minute| pay(Signal::ErrorRate, minute)).collect::<Vec<_>>());
    // Few errors are none of many.
    let mut history = History(Windows::default());
    history.put("pay", 0, window(9, 9, 50.0));
    assert_eq!(history.signals(1), []);
}

#[test]
fn an_outage_does_not_become_usual_while_it_lasts() {
    let mut history = History::usual(60);
    for minute in 0..60 {
        history.put("pay", minute, window(100, 40, 50.0));
    }
    assert_eq!(history.signals(60).len(), 60);
}

#[test]
fn a_silence_is_known_once_rows_of_after_it_have_come() {
    let mut history = History::usual(60);
    history.put("pay", 3, window(100, 2, 50.0));
    assert_eq!(history.signals(4), [pay(Signal::Silence, 0), pay(Signal::Silence, 1), pay(Signal::Silence, 2)]);
    // Rows until the end of minute 1 have come: nobody knows of the other ones.
    let found = judge(&history.0, NOON..NOON + 240, NOON + 120);
    assert_eq!(found.len(), 2);
}

#[test]
fn a_service_with_few_rows_is_silent_when_many_are_missing() {
    let mut history = History(Windows::default());
    for minute in -60..0 {
        history.put("pay", minute, window(2, 0, 50.0));
    }
    history.put("pay", 30, window(2, 0, 50.0));
    let minutes: Vec<i64> = history.signals(31).iter().map(|(_, _, minute)| *minute).collect();
    assert_eq!(minutes, (9..30).collect::<Vec<i64>>());
    // One with rows every third minute is never silent.
    let mut history = History(Windows::default());
    for minute in (-60..0).step_by(3) {
        history.put("pay", minute, window(50, 0, 50.0));
    }
    history.put("pay", 30, window(2, 0, 50.0));
    assert_eq!(history.signals(31), []);
}

#[test]
fn what_happens_at_this_time_every_day_is_usual() {
    let mut history = History::usual(120);
    let days = |history: &mut History, days: std::ops::RangeInclusive<i64>| {
        for day in days {
            for minute in -120..60 {
                // A batch of the night: many rows, which take long.
                let usual = if (0..30).contains(&minute) { window(900, 18, 900.0) } else { window(100, 2, 50.0) };
                history.put("pay", minute - day * DAY / 60, usual);
            }
        }
    };
    for minute in 0..5 {
        history.put("pay", minute, window(900, 18, 900.0));
    }
    days(&mut history, 1..=2);
    assert_eq!(history.signals(5).len(), 10, "two days are no season: latency and volume");
    days(&mut history, 3..=3);
    assert_eq!(history.signals(5), []);
    // Errors are not usual then.
    history.put("pay", 2, window(900, 300, 900.0));
    assert_eq!(history.signals(5), [pay(Signal::ErrorRate, 2)]);
}

fn events(alerts: &mut Alerts, history: &History, until: i64) -> Vec<AlertEvent> {
    alerts.update(&history.judge(until), NOON + until * 60, QUIET)
}

#[test]
fn an_outage_is_one_alert_and_its_end_is_told() {
    let mut history = History::usual(60);
    for minute in -60..0 {
        history.put("shop", minute, window(200, 1, 80.0));
    }
    let mut alerts = Alerts::default();
    let mut told = Vec::new();
    for minute in 0..40 {
        let is_out = (10..15).contains(&minute) || minute == 17;
        let pay = if is_out { window(300, 150, 4_000.0) } else { window(100, 2, 50.0) };
        history.put("pay", minute, pay);
        // The shop depends on it, and shows it a minute later.
        let shop = if (11..15).contains(&minute) { window(200, 90, 80.0) } else { window(200, 1, 80.0) };
        history.put("shop", minute, shop);
        let events = events(&mut alerts, &history, minute + 1);
        told.extend(events.into_iter().map(|event| (minute, event)));
        // What is told is kept between two updates as JSON.
        alerts = serde_json::from_value(serde_json::to_value(&alerts).unwrap()).unwrap();
    }
    let [(10, AlertEvent::Raised(raised)), (22, AlertEvent::Resolved(resolved))] = &told[..] else {
        panic!("{told:#?}")
    };
    assert_eq!((raised.anomaly.service.as_str(), raised.anomaly.signal), ("pay", Signal::ErrorRate));
    let also: Vec<Signal> = raised.also.iter().map(|anomaly| anomaly.signal).collect();
    assert_eq!(also, [Signal::Latency, Signal::Volume]);
    assert_eq!(raised.alert_id, resolved.alert_id);
    assert_eq!(resolved.resolved_at.as_second(), NOON + 18 * 60);
    assert_eq!(resolved.services, BTreeSet::from(["pay".to_owned(), "shop".to_owned()]));
    assert_eq!(resolved.signals, BTreeSet::from([Signal::ErrorRate, Signal::Latency, Signal::Volume]));
    assert_eq!(alerts.open(), 0);

    assert_eq!(told[0].1.headline(), "pay: 50 % errors, expected 2.0 %");
    let body = told[0].1.body();
    assert!(
        body.starts_with(
            "pay: 50 % errors in the minute from 2026-01-31T12:10:00Z, expected 2.0 %.\npay: p95 of 3.8 s "
        ),
        "{body}"
    );
    assert!(body.contains("\nRows: raw/a.gz, lines 3 to 153.\nAlert: alert-"), "{body}");
    assert_eq!(told[1].1.headline(), "pay: over: many errors");
    let body = told[1].1.body();
    let over = "Over since 2026-01-31T12:18:00Z, after 8 min: many errors, long latencies, an unusual number of log records of pay, shop.\n";
    assert!(body.starts_with(over), "{body}");
    // As others' programs read it.
    let json = serde_json::to_value(&told[0].1).unwrap();
    assert_eq!(json["rows"], serde_json::json!({"object": "raw/a.gz", "first_line": 3, "last_line": 153}));
    assert_eq!((&json["signal"], &json["window_start"]), (&"error_rate".into(), &"2026-01-31T12:10:00Z".into()));
    let read: AlertEvent = serde_json::from_value(serde_json::to_value(&told[1].1).unwrap()).unwrap();
    assert_eq!(read, told[1].1);
}

#[test]
fn two_outages_of_two_services_are_two_alerts() {
    let mut history = History::usual(60);
    for minute in -60..0 {
        history.put("mail", minute, window(200, 1, 80.0));
    }
    for minute in 0..30 {
        history.put("pay", minute, window(100, if minute >= 10 { 50 } else { 2 }, 50.0));
        history.put("mail", minute, window(200, if minute >= 20 { 90 } else { 1 }, 80.0));
    }
    let events = events(&mut Alerts::default(), &history, 30);
    let raised: Vec<String> = events.iter().map(AlertEvent::headline).collect();
    assert_eq!(raised, ["pay: 50 % errors, expected 2.0 %", "mail: 45 % errors, expected 0.5 %"]);
}

/// Rows that come late are told of, once.
#[test]
fn a_burst_that_comes_late_is_told_with_its_end() {
    let mut history = History::usual(60);
    for minute in 0..60 {
        history.put("pay", minute, window(100, 2, 50.0));
    }
    let mut alerts = Alerts::default();
    assert_eq!(events(&mut alerts, &history, 40), []);
    history.put("pay", 5, window(160, 62, 50.0));
    let told = events(&mut alerts, &history, 41);
    assert!(matches!(&told[..], [AlertEvent::Raised(_), AlertEvent::Resolved(_)]), "{told:#?}");
    history.put("pay", 6, window(160, 62, 50.0));
    assert_eq!(events(&mut alerts, &history, 42), [], "the same outage");
}

/// An update that is made twice, as where what it told could not be kept, tells the same under the same id.
#[test]
fn an_update_that_is_repeated_tells_the_same() {
    let mut history = History::usual(60);
    for minute in 0..20 {
        history.put("pay", minute, window(100, if minute < 5 { 2 } else { 30 }, 50.0));
    }
    let first = events(&mut Alerts::default(), &history, 8);
    assert_eq!(first.len(), 1);
    let again = events(&mut Alerts::default(), &history, 9);
    assert_eq!(first[0].alert_id(), again[0].alert_id());
}

/// A number of independent events of which so many are expected: by as many draws as make the normal distribution a good one.
fn drawn(expected: f64, draws: &mut impl Iterator<Item = f64>) -> u64 {
    let normal: f64 = draws.take(12).sum::<f64>() - 6.0;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let number = (expected + normal * expected.sqrt()).round().max(0.0) as u64;
    number
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// Nobody is woken by chance: an hour of independent rows, errors and latencies has nothing unusual, at any rate of them.
    #[test]
    fn chance_is_not_unusual(rows in 1.0..300.0_f64, share in 0.0..0.3_f64, seed in any::<u64>()) {
        let mut state = seed;
        let mut draws = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            #[expect(clippy::cast_precision_loss)]
            let draw = (state >> 11) as f64 / (1_u64 << 53) as f64;
            draw
        });
        let mut history = History(Windows::default());
        for minute in -90..60 {
            let count = drawn(rows, &mut draws);
            #[expect(clippy::cast_precision_loss)]
            let errors = drawn(count as f64 * share, &mut draws).min(count);
            let mut window = Window { count, errors, ..Window::default() };
            for _ in 0..count.min(60) {
                // Latencies between 1 ms and 10 s, most of them short.
                let exponent = draws.by_ref().take(3).sum::<f64>() * 4.0 / 3.0;
                window.latencies.add(10_f64.powf(exponent));
            }
            if count > 0 {
                history.put("pay", minute, window);
            }
        }
        let found = history.judge(60);
        prop_assert!(found.is_empty(), "{:#?}", found);
    }

    /// However many rows there are, a burst is found, and told once.
    #[test]
    fn a_burst_is_found_at_any_rate(rows in 40_u64..2_000, share in 0.4..1.0_f64, from in 1_i64..50, length in 1_i64..8) {
        let mut history = History(Windows::default());
        for minute in -60..70 {
            let is_burst = (from..from + length).contains(&minute);
            #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let errors = if is_burst { (rows as f64 * share) as u64 } else { rows / 50 };
            history.put("pay", minute, window(rows, errors, 50.0));
        }
        let found = history.judge(60);
        let minutes: Vec<i64> = found.iter().map(|found| (found.window_start.as_second() - NOON) / 60).collect();
        prop_assert_eq!(minutes, (from..(from + length).min(60)).collect::<Vec<i64>>());
        let mut alerts = Alerts::default();
        let told: Vec<AlertEvent> = (1..=70).flat_map(|until| events(&mut alerts, &history, until)).collect();
        prop_assert!(matches!(&told[..], [AlertEvent::Raised(_), AlertEvent::Resolved(_)]), "{:#?}", told);
    }
}
